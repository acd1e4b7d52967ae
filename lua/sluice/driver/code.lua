--- Writes the source of a driver: one function with one loop over the vector.
--
-- What the loop needs from outside (user functions, setters, ctypes) comes in as locals
-- of the function, not as upvalues, of which there may be 60. Chunks are named
-- "=sluice:NAME": frames of the library, not of the user, in a traceback.
-- @module sluice.driver.code

local bit = require "bit"
local ffi = require "ffi"

local driver_code = {}

-- Lua has 200 locals; what does not fit is read from the table in the loop.
local MOST_LOCALS = 90

local FUNCTION = [[
local v, calls, K, library, bit, cast, copy, text, int64, uint64 = ...
local band, bor, bnot = bit.band, bit.bor, bit.bnot
local rshift, arshift = bit.rshift, bit.arshift
local tonumber, type, error = library.tonumber, library.type, library.error
local sqrt = library.sqrt
return function()
%s
   for i = v.first, v.count - 1 do
%s
   end
end]]

-- A driver without a loop of its own: a fold_batch beside no other aggregate.
local NO_LOOP = FUNCTION:gsub("   for i.-end\n", "%%s\n")

local LIBRARY = { tonumber = tonumber, type = type, error = error, sqrt = math.sqrt }

local Code = {}
Code.__index = Code

--- Begin a driver.
-- @tparam string name of the chunk, for messages
-- @treturn table Code
function driver_code.new(name)
   return setmetatable({
      name = name, head_lines = {}, lines = {}, values = {}, arrays = {}, cells = {},
   }, Code)
end

--- Bring a value into the code.
-- @param value any
-- @treturn string the name to use in the code
function Code:use(value)
   local n = #self.values + 1
   self.values[n] = value
   if n > MOST_LOCALS then return ("K[%d]"):format(n) end
   self:head("local k%d = K[%d]", n, n)
   return "k" .. n
end

--- Add a line in front of the loop.
-- @tparam string text as in string.format
-- @param ... its values; without any, the text is taken as it is
function Code:head(text, ...)
   if select("#", ...) > 0 then text = text:format(...) end
   self.head_lines[#self.head_lines + 1] = text
end

--- Add a line to the loop.
-- @tparam string text as in string.format
-- @param ... its values; without any, the text is taken as it is
function Code:line(text, ...)
   if select("#", ...) > 0 then text = text:format(...) end
   self.lines[#self.lines + 1] = text
end

--- Bring an array of pointers of the vector into the code, as pointers to one type. User
-- code gets `array[i][0]`, a reference: on a pointer, `row[1]` would be the next memory.
-- @tparam string member of sl_vector
-- @tparam cdata ctype of the struct: the same object for the same type
-- @treturn string the name of the array
function Code:array(member, ctype)
   local known = self.arrays[ctype]
   if known and known.member == member then return known.name end
   local pointers = self:use(ffi.typeof("$ **", ctype))
   local name = ("%s%d"):format(member, #self.values)
   self:head("local %s = cast(%s, v.%s)", name, pointers, member)
   self.arrays[ctype] = { member = member, name = name }
   return name
end

--- Make the driver.
-- @tparam cdata v the vector it works on
-- @param calls where the binary's functions are: ffi.C, or a table in tests
-- @tparam ?table timing of `sluice.timing`: the user's functions are timed
-- @treturn function () → nothing
function Code:compile(v, calls, timing)
   for n, value in ipairs(timing and self.values or {}) do
      self.values[n] = timing:wrap(value)
   end
   local loop = table.concat(self.lines, "\n")
   local template = loop == "" and NO_LOOP or FUNCTION
   local source = template:format(table.concat(self.head_lines, "\n"), loop)
   local chunk = assert(load(source, "=sluice:" .. self.name, "t", {}))
   return chunk(v, calls, self.values, LIBRARY, bit, ffi.cast, ffi.copy, ffi.string,
      ffi.typeof "int64_t", ffi.typeof "uint64_t")
end

return driver_code
