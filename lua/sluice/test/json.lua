--- JSON of the test kit: rows to records and messages to rows, whole numbers exact.
-- @module sluice.test.json

local cjson = require "cjson"
local ffi = require "ffi"

local decimal = require "sluice.decimal"

local json = {}

--- What stands for null in a row.
json.null = setmetatable({}, { __tostring = function() return "null" end })

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\t"] = "\\t",
   ["\r"] = "\\r" }

local function quote(text)
   return '"' .. text:gsub('[%z\1-\31"\\]', function(c)
      return ESCAPES[c] or ("\\u%04x"):format(c:byte())
   end) .. '"'
end

-- The shortest text that reads back as the same number.
local function number_text(value)
   if value ~= value or value == math.huge or value == -math.huge then return "null" end
   if value == math.floor(value) and math.abs(value) < 2 ^ 63 then
      return ("%.0f"):format(value)
   end
   for digits = 15, 17 do
      local text = ("%." .. digits .. "g"):format(value)
      if tonumber(text) == value then return text end
   end
end

local function is_list(of)
   if getmetatable(of) == json.LIST then return true end
   return of[1] ~= nil and #of > 0
end

local encode

local function encode_table(of)
   local parts = {}
   if is_list(of) then
      for i = 1, #of do parts[i] = encode(of[i]) end
      return "[" .. table.concat(parts, ",") .. "]"
   end
   local names = {}
   for name in pairs(of) do names[#names + 1] = name end
   table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
   for i, name in ipairs(names) do
      parts[i] = quote(tostring(name)) .. ":" .. encode(of[name])
   end
   return "{" .. table.concat(parts, ",") .. "}"
end

function encode(value)
   local kind = type(value)
   if value == nil or value == json.null or value == cjson.null then return "null" end
   if decimal.is(value) then return quote(tostring(value)) end
   if kind == "table" then return encode_table(value) end
   if kind == "string" then return quote(value) end
   if kind == "number" then return number_text(value) end
   if kind == "boolean" then return tostring(value) end
   if ffi.istype("int64_t", value) or ffi.istype("uint64_t", value) then
      return (tostring(value):gsub("U?LL$", ""))
   end
   error(("a row holds a %s: JSON has none"):format(kind), 0)
end

--- Encode a value: names sorted, no blanks, lists where `t[1]` is there.
-- @param value table, text, number, int64 cdata, boolean, nil or `json.null`
-- @treturn string
-- @raise for what JSON has not
json.encode = encode

--- Metatable of lists, for those without items.
json.LIST = {}

local UNESCAPED = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

local function utf8(code)
   if code < 0x80 then return string.char(code) end
   if code < 0x800 then
      return string.char(0xC0 + math.floor(code / 64), 0x80 + code % 64)
   end
   if code < 0x10000 then
      return string.char(0xE0 + math.floor(code / 4096),
         0x80 + math.floor(code / 64) % 64, 0x80 + code % 64)
   end
   return string.char(0xF0 + math.floor(code / 262144),
      0x80 + math.floor(code / 4096) % 64, 0x80 + math.floor(code / 64) % 64,
      0x80 + code % 64)
end

local Reader = {}
Reader.__index = Reader

function Reader:fail()
   error({ at = self.at }, 0)
end

function Reader:skip()
   self.at = self.text:match("^[ \t\r\n]*()", self.at)
end

function Reader:escape()
   local digits = self.text:match("^u(%x%x%x%x)", self.at)
   if not digits then
      local c = self.text:sub(self.at, self.at)
      self.at = self.at + 1
      return UNESCAPED[c] or c
   end
   self.at = self.at + 5
   local high = tonumber(digits, 16)
   local low = self.text:match("^\\u(%x%x%x%x)", self.at)
   if high >= 0xD800 and high < 0xDC00 and low then
      self.at = self.at + 6
      high = 0x10000 + (high - 0xD800) * 1024 + tonumber(low, 16) - 0xDC00
   end
   return utf8(high)
end

function Reader:string()
   local parts = {}
   self.at = self.at + 1
   while true do
      local plain, stop = self.text:match('^([^"\\]*)()', self.at)
      parts[#parts + 1] = plain
      local c = self.text:sub(stop, stop)
      self.at = stop + 1
      if c == '"' then return table.concat(parts) end
      if c ~= "\\" then self:fail() end
      parts[#parts + 1] = self:escape()
   end
end

-- Whole numbers beyond 2^53 as int64 cdata.
function Reader:number()
   local text, stop = self.text:match("^(%-?%d[%d.eE+-]*)()", self.at)
   local value = tonumber(text)
   if not value then self:fail() end
   self.at = stop
   if #text > 15 and text:find "^%-?%d+$" and math.abs(value) >= 2 ^ 53
      and math.abs(value) < 2 ^ 63 then
      local whole = 0LL
      for digit in text:gmatch "%d" do whole = whole * 10 + tonumber(digit) end
      return text:sub(1, 1) == "-" and -whole or whole
   end
   return value
end

function Reader:list()
   local made = setmetatable({}, json.LIST)
   self.at = self.at + 1
   self:skip()
   if self.text:sub(self.at, self.at) == "]" then
      self.at = self.at + 1
      return made
   end
   local count = 0
   while true do
      count = count + 1
      made[count] = self:value()
      if made[count] == nil then made[count] = json.null end
      local c = self.text:sub(self.at, self.at)
      self.at = self.at + 1
      if c == "]" then return made end
      if c ~= "," then self:fail() end
   end
end

function Reader:object()
   local made = {}
   self.at = self.at + 1
   self:skip()
   if self.text:sub(self.at, self.at) == "}" then
      self.at = self.at + 1
      return made
   end
   while true do
      self:skip()
      if self.text:sub(self.at, self.at) ~= '"' then self:fail() end
      local name = self:string()
      self:skip()
      if self.text:sub(self.at, self.at) ~= ":" then self:fail() end
      self.at = self.at + 1
      made[name] = self:value()
      local c = self.text:sub(self.at, self.at)
      self.at = self.at + 1
      if c == "}" then return made end
      if c ~= "," then self:fail() end
   end
end

local WORDS = { ["true"] = true, ["false"] = false }

function Reader:value()
   self:skip()
   local c = self.text:sub(self.at, self.at)
   local value
   if c == "{" then
      value = self:object()
   elseif c == "[" then
      value = self:list()
   elseif c == '"' then
      value = self:string()
   elseif c:find "[%d-]" then
      value = self:number()
   else
      local word, stop = self.text:match("^(%a+)()", self.at)
      if word ~= "null" and WORDS[word] == nil then self:fail() end
      value, self.at = WORDS[word], stop
   end
   self:skip()
   return value
end

--- Decode a text. Members that are null are absent; items of lists that are null are
-- `json.null`.
-- @tparam string text
-- @return the value; nil and a message when it is not JSON
-- @treturn ?string message
function json.decode(text)
   local reader = setmetatable({ text = text, at = 1 }, Reader)
   local done, value = pcall(reader.value, reader)
   if not done and type(value) ~= "table" then error(value, 0) end
   if not done or reader.at <= #text then
      return nil, ("not JSON at byte %d: %s"):format(reader.at, text)
   end
   return value
end

return json
