--- Rows: the struct of a step's rows, the views through which functions see it, getters
-- and setters.
--
-- A layout has hidden members (`runtime/shared/row.h`): `__time __record __partition
-- __offset`, a byte `__nK` for each 8 null bits, and `__fS` for slot S (text, bytes,
-- blocks: and its length `__lS`). A real member would win over the metatype's `__index`
-- and could never be nil: hence the hidden names, which no field can have. Null bits are
-- read by bytes, since 64-bit words would be boxed outside of traces.
--
-- A view is a second ctype of the same layout whose metatype knows the names of one
-- schema.
-- @module sluice.row

local bit = require "bit"
local ffi = require "ffi"

local decimal = require "sluice.decimal"
local nearest = require "sluice.nearest"
local read = require "sluice.nested.read"
local schema = require "sluice.schema"
local shape = require "sluice.shape"
local text = require "sluice.text"
local units = require "sluice.units"
local write = require "sluice.nested.write"

local row = {}

local EXACT = 2 ^ 53

local MEMBERS = {
   bool = "uint8_t __f%d;",
   int32 = "int32_t __f%d;",
   int64 = "int64_t __f%d;",
   double = "double __f%d;",
   timestamp = "int64_t __f%d;",
   date = "int32_t __f%d;",
   decimal = "sl_decimal __f%d;",
}
for kind in pairs(shape.TEXTS) do
   MEMBERS[kind] = "const char *__f%d; uint32_t __l%d, __u%d;"
end

--- Number of each type in `sl_type`.
row.TYPES = shape.TYPES

local Layout = {}
Layout.__index = Layout

--- Lay out the rows of a step.
-- @tparam table columns by slot, from 1: `{ type =, exact =, shape =, … }`
-- @treturn table `{ columns =, size = bytes, null_words =, text = of the struct }`
function row.layout(columns)
   local words = math.max(1, math.ceil(#columns / 64))
   local struct = {
      "struct { int64_t __time; uint32_t __record, __partition; int64_t __offset;",
   }
   for i = 0, words * 8 - 1 do struct[#struct + 1] = ("uint8_t __n%d;"):format(i) end
   for slot, column in ipairs(columns) do
      struct[#struct + 1] = MEMBERS[column.type]:gsub("%%d", slot)
   end
   struct[#struct + 1] = "}"
   local layout = { columns = columns, null_words = words, getters = {} }
   layout.text = table.concat(struct, " ")
   layout.ctype = ffi.typeof(layout.text)
   layout.size = ffi.sizeof(layout.ctype)
   return setmetatable(layout, Layout)
end

--- Bytes from a row's start to a slot's value.
-- @tparam integer slot
-- @treturn integer
function Layout:offset(slot)
   return ffi.offsetof(self.ctype, "__f" .. slot)
end

-- The byte of a slot's null bit, and its mask in it.
local function place_of(slot)
   return math.floor((slot - 1) / 8), bit.lshift(1, (slot - 1) % 8)
end

--- Write the Lua expression that tells whether a slot is null.
-- @tparam integer slot
-- @tparam string r the variable that holds the row
-- @treturn string a condition; needs `band` in scope
function row.is_null(slot, r)
   local byte, mask = place_of(slot)
   return ("band(%s.__n%d, %d) ~= 0"):format(r, byte, mask)
end

--- Write the Lua statement that makes a slot null, or not.
-- @tparam integer slot
-- @tparam string r the variable that holds the row
-- @tparam boolean null
-- @treturn string a statement; needs `band` and `bor` in scope
function row.set_null(slot, r, null)
   local byte, mask = place_of(slot)
   local member = ("%s.__n%d"):format(r, byte)
   if null then return ("%s = bor(%s, %d)"):format(member, member, mask) end
   return ("%s = band(%s, %d)"):format(member, member, 255 - mask)
end

-- In brackets, since a tail call counts against the trace compiler's limit of unrolled
-- loops: fifteen reads of a field in one loop, and it would give up.
local READ = {
   bool = "r.__fS ~= 0",
   int32 = "r.__fS",
   int64 = "(tonumber(r.__fS))",
   exact = "r.__fS + 0LL",
   double = "r.__fS",
   timestamp = "(tonumber(r.__fS))",
   string = "(text(r.__fS, r.__lS))",
   bytes = "(text(r.__fS, r.__lS))",
   date = "r.__fS",
   decimal = "(decimal(r.__fS.low, r.__fS.high, more))",
   block = "((more(r.__fS, 0)))",
}

local GETTER = [[
local tonumber, band, text, decimal, more = ...
return function(r)
   if NULL then return nil end
   return VALUE
end]]

local function fill(template, values, name)
   return assert(load(template:gsub("%u%u+", values), "=sluice:" .. name))
end

-- What a getter needs beside the row: the scale of a decimal, the reader of a block.
local function more_of(column)
   if shape.BLOCKS[column.type] then return (read.reader(column)) end
   return column.shape and column.shape.scale
end

--- The function that reads a slot: nil when null, a number, a boolean, a string made only
-- now, int64 cdata for an exact int64, days for a date, a decimal, or a table made anew.
-- @tparam integer slot
-- @tparam boolean exact give int64 as cdata
-- @treturn function (row) → value
function Layout:getter(slot, exact)
   local column = self.columns[slot]
   local kind = shape.BLOCKS[column.type] and "block" or column.type
   if kind == "int64" and exact then kind = "exact" end
   local key = kind .. slot
   if not self.getters[key] then
      local value = READ[kind]:gsub("S", slot)
      local made = fill(GETTER, { NULL = row.is_null(slot, "r"), VALUE = value }, "get")
      self.getters[key] = made(tonumber, bit.band, text.reader(), decimal.new,
         more_of(column))
   end
   return self.getters[key]
end

--- Make the ctype of rows as a function sees them: `row.name` for the columns of the
-- schema, an error for other names and for assignments.
-- @tparam table of schema: `{ columns = { { name =, slot = }, … } }`
-- @treturn cdata ctype of the struct, its own for each call
function Layout:view(of)
   local getters = {}
   for _, column in ipairs(of.columns) do
      getters[column.name] = self:getter(column.slot, column.exact)
   end
   local names = schema.names(of)
   local function unknown(name)
      if type(name) ~= "string" then
         error(("a row has fields by name, got `row[%s]`"):format(tostring(name)), 3)
      end
      error(("unknown field `%s`%s"):format(name, nearest.hint(name, names)), 3)
   end
   return ffi.metatype(ffi.typeof(self.text), {
      __index = function(r, name)
         local get = getters[name]
         if get then return (get(r)) end
         unknown(name)
      end,
      __newindex = function(_, name)
         error(("a row cannot be changed: assigned to `%s`; use :derive")
            :format(tostring(name)), 2)
      end,
   })
end

local function shown(x)
   if type(x) == "number" then return ("%.17g"):format(x) end
   if type(x) == "boolean" or decimal.is(x) then return tostring(x) end
   if type(x) == "cdata" then return "cdata" end
   if type(x) == "userdata" then return "sluice.null (null is nil here)" end
   return type(x)
end

local function refuse(label, x, wanted)
   error(("%s: got %s, wanted %s"):format(label, shown(x), wanted), 0)
end

local INT64 = ffi.typeof "int64_t"
local WANTED_DATE = "date: days since 1970-01-01, or text like \"2024-05-01\""

-- What is no plain number of the right kind: int64 cdata within the limit, or an error.
local function integer(label, x, wanted, limit)
   local is_int64 = ffi.istype(INT64, x)
   if is_int64 and (not limit or (x >= -limit and x <= limit)) then return x end
   refuse(label, is_int64 and tonumber(x) or x, wanted)
end

local function number(label, x)
   if ffi.istype(INT64, x) then return tonumber(x) end
   refuse(label, x, "double")
end

local function days(label, x)
   local day = type(x) == "string" and units.date(x) or x
   if type(day) == "number" and day % 1 == 0 and day >= -2 ^ 31 and day < 2 ^ 31 then
      return day
   end
   if type(x) ~= "string" then refuse(label, x, WANTED_DATE) end
   error(("%s: got %q, wanted %s"):format(label, x, WANTED_DATE), 0)
end

local WANTED = {
   int64 = "int64: a whole number within 2^53",
   exact = "int64: a whole number within 2^53, or int64 cdata",
   timestamp = "timestamp: whole ms within 2^53",
}

local WRITE = {
   double = [[if type(x) ~= "number" then x = number(label, x) end
   r.__fS = x]],
   int32 = [[if type(x) ~= "number" or x % 1 ~= 0
      or x < -2147483648 or x > 2147483647 then
      refuse(label, x, "int32: a whole number of 32 bits")
   end
   r.__fS = x]],
   int64 = [[if type(x) ~= "number" or x % 1 ~= 0 or x < -LIMIT or x > LIMIT then
      x = integer(label, x, wanted, limit)
   end
   r.__fS = x]],
   bool = [[if type(x) ~= "boolean" then refuse(label, x, "bool") end
   r.__fS = x and 1 or 0]],
   string = [[if type(x) ~= "string" then refuse(label, x, "string") end
   local data = calls.sl_text_copy(v.text, x, #x)
   if data == nil then refuse(label, "", "string of valid UTF-8") end
   r.__fS, r.__lS = data, #x]],
   bytes = [[if type(x) ~= "string" then refuse(label, x, "bytes: a string") end
   r.__fS, r.__lS = calls.sl_bytes_copy(v.text, x, #x), #x]],
   date = [[r.__fS = days(label, x)]],
   decimal = [[local low, high = words(x, PRECISION, SCALE)
   if not low then refuse(label, x, wanted) end
   r.__fS.low, r.__fS.high = low, high]],
   block = [[local data, len = write(x)
   r.__fS, r.__lS = calls.sl_bytes_copy(v.text, data, len), len]],
}
WRITE.timestamp = WRITE.int64

local SETTER = [[
local band, bor, calls, label, number, integer, refuse, wanted, limit, days, words,
   write = ...
return function(r, x, v)
   if x == nil then EMPTY return end
   BODY
   FULL
end]]

--- Make the function that writes a Lua value into a slot: nil makes it null, other types
-- are checked and converted.
-- @tparam integer slot
-- @tparam string label who gives the value, for messages: "derive `x`"
-- @param calls where `sl_text_copy`, `sl_bytes_copy`, `sl_text_is_valid` are: ffi.C, or a
--  table in tests
-- @treturn function (row, value, vector); raises "LABEL: got string, wanted double"
function Layout:setter(slot, label, calls)
   local column = self.columns[slot]
   local exact = column.type == "int64" and column.exact
   local is_block, inner = shape.BLOCKS[column.type], column.shape or {}
   local body = WRITE[is_block and "block" or column.type]:gsub("S%f[%W]", slot)
   local made = fill(SETTER, {
      EMPTY = row.set_null(slot, "r", true),
      FULL = row.set_null(slot, "r", false),
      BODY = body:gsub("%u%u+", { LIMIT = ("%.0f"):format(EXACT),
         PRECISION = inner.precision, SCALE = inner.scale }),
   }, "set")
   return made(bit.band, bit.bor, calls, label, number, integer, refuse,
      WANTED[exact and "exact" or column.type] or shape.text(column),
      not exact and EXACT or nil, days, decimal.words,
      is_block and write.writer(column, label, calls))
end

return row
