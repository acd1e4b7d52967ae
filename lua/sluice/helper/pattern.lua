--- Lua's patterns as regular expressions of bytes, so that a compiled loop can match them
-- (string.find with a pattern leaves it). Source: Lua 5.1 reference manual, section
-- 5.4.1, and lstrlib.c for what that leaves open. A class is asked of Lua, by byte.
-- @module sluice.helper.pattern

local pattern = {}

local QUANTIFIERS = { ["*"] = "*", ["+"] = "+", ["-"] = "*?", ["?"] = "?" }

local function literal(char) return ("\\x%02x"):format(char:byte()) end

-- The bytes that a class (`%d`, `[a-z]`) takes, as a class of PCRE2.
local function class(text)
   local parts, from = {}, nil
   local wanted = "^" .. text .. "$"
   for byte = 0, 256 do
      local inside = byte < 256 and string.char(byte):find(wanted) ~= nil
      if inside and not from then from = byte end
      if not inside and from then
         parts[#parts + 1] = ("\\x%02x-\\x%02x"):format(from, byte - 1)
         from = nil
      end
   end
   if not parts[1] then return "(?!)" end
   return "[" .. table.concat(parts) .. "]"
end

local function fail(text) error(text, 0) end

-- Where the set that begins at `at` ends.
local function set_end(text, at)
   local i = at + 1
   if text:sub(i, i) == "^" then i = i + 1 end
   repeat
      local char = text:sub(i, i)
      if char == "" then fail "the set has no `]`" end
      i = i + (char == "%" and 2 or 1)
   until text:sub(i, i) == "]"
   return i
end

local Reader = {}
Reader.__index = Reader

-- A capture of Lua is a group; `%b` needs one of its own, which moves the numbers.
function Reader:open()
   self.groups = self.groups + 1
   self.captures[#self.captures + 1] = self.groups
   -- A place: nothing that could be found again.
   if self.text:sub(self.at + 1, self.at + 1) == ")" then
      self.at, self.captures[#self.captures] = self.at + 2, false
      return "()"
   end
   self.at, self.depth = self.at + 1, self.depth + 1
   return "("
end

function Reader:close()
   if self.depth == 0 then fail "a `)` without its `(`" end
   self.at, self.depth = self.at + 1, self.depth - 1
   return ")"
end

function Reader:balanced()
   local first, last = self.text:match("^(.)(.)", self.at + 2)
   if not first then fail "`%b` needs two characters" end
   self.at = self.at + 4
   local b, e = literal(first), literal(last)
   if first == last then return ("%s[^%s]*+%s"):format(b, b, b) end
   self.groups = self.groups + 1
   return ("(%s(?:[^%s%s]++|(?%d))*+%s)"):format(b, b, e, self.groups, e)
end

function Reader:frontier()
   local from = self.at + 2
   if self.text:sub(from, from) ~= "[" then fail "`%f` needs a set" end
   local stop = set_end(self.text, from)
   local set = self.text:sub(from, stop)
   self.at = stop + 1
   local inside = class(set)
   -- Outside of the text stands \0.
   if ("\0"):find("^" .. set .. "$") then
      return ("(?<=[\\x00-\\xff])(?<!%s)(?=%s|\\z)"):format(inside, inside)
   end
   return ("(?<!%s)(?=%s)"):format(inside, inside)
end

function Reader:reference(number)
   local group = self.captures[tonumber(number)]
   if not group then fail("there is no capture %" .. number) end
   self.at = self.at + 2
   return ("\\g{%d}"):format(group)
end

-- One character's worth, and where it ends.
function Reader:single()
   local char = self.text:sub(self.at, self.at)
   if char == "." then return "[\\x00-\\xff]", self.at end
   if char == "[" then
      local stop = set_end(self.text, self.at)
      return class(self.text:sub(self.at, stop)), stop
   end
   if char ~= "%" then return literal(char), self.at end
   local escaped = self.text:sub(self.at + 1, self.at + 1)
   if escaped == "" then fail "it ends with `%`" end
   if escaped:find "%a" then return class("%" .. escaped), self.at + 1 end
   return literal(escaped), self.at + 1
end

local ITEMS = { ["("] = Reader.open, [")"] = Reader.close, ["%b"] = Reader.balanced,
   ["%f"] = Reader.frontier }

function Reader:item()
   local text, at = self.text, self.at
   local char, two = text:sub(at, at), text:sub(at, at + 1)
   local special = ITEMS[char] or ITEMS[two]
   if special then return special(self) end
   if two:find "^%%%d" then return self:reference(two:sub(2)) end
   if char == "$" and at == #text then
      self.at = at + 1
      return "\\z"
   end
   local one, stop = self:single()
   local quantifier = QUANTIFIERS[self.text:sub(stop + 1, stop + 1)]
   self.at = stop + (quantifier and 2 or 1)
   return one .. (quantifier or "")
end

local function translate(text)
   if text:find("%z") then fail "it holds a NUL: write `%z`" end
   local reader = setmetatable({ text = text, at = 1, groups = 0, depth = 0,
      captures = {} }, Reader)
   local parts = {}
   if text:sub(1, 1) == "^" then parts[1], reader.at = "\\A", 2 end
   while reader.at <= #text do parts[#parts + 1] = reader:item() end
   if reader.depth > 0 then fail "a `(` without its `)`" end
   return table.concat(parts)
end

--- The regular expression that finds what a pattern finds.
-- @tparam string text a pattern of Lua
-- @treturn ?string of PCRE2, for `regex.compile(…, true)`
-- @treturn ?string what is wrong with the pattern
-- @usage pattern.regex "^%d+$" --> "\\A[\\x30-\\x39]+\\z"
function pattern.regex(text)
   local done, made = pcall(translate, text)
   if done then return made end
   return nil, made
end

return pattern
