--- Regular expressions of PCRE2, compiled once, matched by machine code.
-- @module sluice.helper.regex

local ffi = require "ffi"

local binary = require "sluice.helper.binary"

local regex = {}

local PROBLEM_BYTES = 256

--- Compile a pattern.
-- @tparam string pattern of PCRE2
-- @tparam[opt] boolean of_bytes match bytes, as Lua's patterns do, not characters
-- @treturn ?cdata sl_regex, freed when nothing refers to it
-- @treturn ?string why it is none
function regex.compile(pattern, of_bytes)
   local problem = ffi.new("char[?]", PROBLEM_BYTES)
   local kind = of_bytes and ffi.C.SL_REGEX_BYTES or ffi.C.SL_REGEX_TEXT
   local code = binary.sl_regex_new(pattern, #pattern, kind, problem, PROBLEM_BYTES)
   if code == nil then return nil, ffi.string(problem) end
   return ffi.gc(code, binary.sl_regex_free)
end

local function refuse(self, text)
   error(("regex `%s`: got %s, wanted text"):format(self.pattern, type(text)), 3)
end

local function give_up(self)
   error(("regex `%s`: given up, it tries too many ways to match")
      :format(self.pattern), 3)
end

local methods = {}

--- Say whether a text has a match. nil has none.
-- @tparam ?string text
-- @treturn boolean
-- @usage local ok = sluice.text.regex "^[A-Z]{2}[0-9]+$" :test(row.plate)
function methods:test(text)
   if text == nil then return false end
   if type(text) ~= "string" then refuse(self, text) end
   local found = binary.sl_regex_match(self.code, text, #text, 0)
   if found < 0 then give_up(self) end
   return found == 1
end

--- Find the first match.
-- @tparam ?string text
-- @tparam ?integer from first byte to look at, from 1
-- @treturn ?integer its first byte; nil when there is none
-- @treturn ?integer its last byte
function methods:find(text, from)
   if text == nil then return nil end
   if type(text) ~= "string" then refuse(self, text) end
   local found = binary.sl_regex_match(self.code, text, #text, (from or 1) - 1)
   if found < 0 then give_up(self) end
   if found == 0 then return nil end
   return self.code.spans[0] + 1, self.code.spans[1]
end

-- `match` gives as many values as there are groups: its code is made for their number,
-- since a list of unknown length cannot be returned from compiled code.
local MATCH = [[
local match, refuse, give_up = ...
return function(self, text)
   if text == nil then return nil end
   if type(text) ~= "string" then refuse(self, text) end
   local code = self.code
   local found = match(code, text, #text, 0)
   if found < 0 then give_up(self) end
   if found == 0 then return nil end
   local spans = code.spans
%s   return %s
end]]

local ONE = "   local g%d = nil\n"
   .. "   if spans[%d] >= 0 then g%d = text:sub(spans[%d] + 1, spans[%d]) end\n"

local function matcher(groups)
   local lines, names = {}, {}
   local first = groups > 0 and 1 or 0
   for g = first, groups do
      lines[#lines + 1] = ONE:format(g, 2 * g, g, 2 * g, 2 * g + 1)
      names[#names + 1] = "g" .. g
   end
   local source = MATCH:format(table.concat(lines), table.concat(names, ", "))
   local env = { type = type }
   return assert(load(source, "=sluice:regex", "t", env))(binary.sl_regex_match, refuse,
      give_up)
end

local METATABLE = {
   __index = methods,
   __tostring = function(self) return "regex " .. self.pattern end,
}

--- Make a regular expression.
-- @tparam string pattern
-- @treturn ?table with `test`, `find`, `match`
-- @treturn ?string what is wrong
function regex.new(pattern)
   local code, problem = regex.compile(pattern)
   if not code then return nil, problem end
   return setmetatable({ pattern = pattern, code = code,
      match = matcher(code.group_count) }, METATABLE)
end

return regex
