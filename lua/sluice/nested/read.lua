--- From a block (runtime/shared/nested.h) to a Lua value: code made for each type, so
-- that the trace compiler sees one function a type, and leaves out what nobody reads.
--
-- Lists and maps are tables, null elements `sluice.null` in them (a hole would end the
-- list); structs are tables by field, where null is nil.
-- @module sluice.nested.read

local bit = require "bit"
local cjson = require "cjson"
local ffi = require "ffi"
local new_table = require "table.new"

local decimal = require "sluice.decimal"
local shape = require "sluice.shape"

local read = {}

-- Lua nests 200 blocks at most: so deep, a function of its own begins.
local DEEP = 8

local FUNCTION = [[
local cast, text, tonumber, band, null, decimal, new_table, K = ...
local i32, u32, i64, u64, f64 = K.i32, K.u32, K.i64, K.u64, K.f64
return function(p, o)
local x0
%s
return x0, o
end]]

local POINTERS = {
   i32 = ffi.typeof "const int32_t *", u32 = ffi.typeof "const uint32_t *",
   i64 = ffi.typeof "const int64_t *", u64 = ffi.typeof "const uint64_t *",
   f64 = ffi.typeof "const double *",
}

-- How a value at `p + o` is read, and its bytes.
local FIXED = {
   bool = { "p[o] ~= 0", 1 },
   int32 = { "cast(i32, p + o)[0]", 4 },
   date = { "cast(i32, p + o)[0]", 4 },
   int64 = { "tonumber(cast(i64, p + o)[0])", 8 },
   exact = { "cast(i64, p + o)[0]", 8 },
   timestamp = { "tonumber(cast(i64, p + o)[0])", 8 },
   double = { "cast(f64, p + o)[0]", 8 },
   decimal = { "decimal(cast(u64, p + o)[0], cast(i64, p + o + 8)[0], %d)", 16 },
}

local Code = {}
Code.__index = Code

function Code:line(text, ...)
   self.lines[#self.lines + 1] = select("#", ...) > 0 and text:format(...) or text
end

function Code:use(value)
   self.values[#self.values + 1] = value
   return #self.values
end

function Code:text(into)
   self:line("do local n = cast(u32, p + o)[0]")
   self:line("%s = text(p + o + 4, n) o = o + 4 + n end", into)
end

function Code:fixed(of, into)
   local kind = of.type == "int64" and of.exact and "exact" or of.type
   local expression, bytes = FIXED[kind][1], FIXED[kind][2]
   if kind == "decimal" then expression = expression:format(of.shape.scale) end
   self:line("%s = %s o = o + %d", into, expression, bytes)
end

local value

-- An element: null or a value, into a new local `x<depth>`.
local function item(code, of, depth)
   local x = "x" .. depth
   code:line("local %s", x)
   code:line("o = o + 1")
   code:line("if p[o - 1] ~= 0 then %s = null else", x)
   value(code, of, x, depth)
   code:line("end")
   return x
end

local CONTAINERS = {}

function CONTAINERS.list(code, of, into, depth)
   code:line("local n%d = cast(u32, p + o)[0]", depth)
   code:line("local t%d = new_table(n%d, 0)", depth, depth)
   code:line("o = o + 4")
   code:line("for i%d = 1, n%d do", depth, depth)
   local x = item(code, of.shape.item, depth)
   code:line("t%d[i%d] = %s", depth, depth, x)
   code:line("end")
   code:line("%s = t%d", into, depth)
end

function CONTAINERS.map(code, of, into, depth)
   code:line("local t%d = {}", depth)
   code:line("local n%d = cast(u32, p + o)[0]", depth)
   code:line("o = o + 4")
   code:line("for _ = 1, n%d do", depth)
   code:line("local k%d", depth)
   code:text("k" .. depth)
   local x = item(code, of.shape.item, depth)
   code:line("t%d[k%d] = %s", depth, depth, x)
   code:line("end")
   code:line("%s = t%d", into, depth)
end

-- A constructor with a value that is not nil for each name, and a store to each: so the
-- trace compiler knows all slots, and drops the table where only a field is read of it.
function CONTAINERS.struct(code, of, into, depth)
   local fields, names = of.shape.fields, {}
   for i, field in ipairs(fields) do names[i] = ("[%q] = false"):format(field.name) end
   code:line("local b%d = o", depth)
   code:line("local t%d = { %s }", depth, table.concat(names, ", "))
   code:line("o = o + %d", math.ceil(#fields / 8))
   for i, field in ipairs(fields) do
      code:line("if band(p[b%d + %d], %d) == 0 then", depth, math.floor((i - 1) / 8),
         bit.lshift(1, (i - 1) % 8))
      local slot = ("t%d[%q]"):format(depth, field.name)
      value(code, field, slot, depth)
      code:line("else %s = nil end", slot)
   end
   code:line("%s = t%d", into, depth)
end

function value(code, of, into, depth)
   local container = CONTAINERS[of.type]
   if not container then
      if shape.TEXTS[of.type] then return code:text(into) end
      return code:fixed(of, into)
   end
   if depth >= DEEP then
      code:line("%s, o = K[%d](p, o)", into, code:use(read.reader(of)))
      return
   end
   code:line("do")
   container(code, of, into, depth + 1)
   code:line("end")
end

--- Make the function that reads values of a type.
-- @tparam table of column or spec of the type
-- @treturn function (bytes, offset) → value, offset behind it
function read.reader(of)
   local code = setmetatable({ lines = {}, values = {} }, Code)
   for name, ctype in pairs(POINTERS) do code.values[name] = ctype end
   value(code, of, "x0", 0)
   local text = FUNCTION:format(table.concat(code.lines, "\n"))
   return assert(load(text, "=sluice:read"))(ffi.cast, ffi.string, tonumber, bit.band,
      cjson.null, decimal.new, new_table, code.values)
end

--- Read a block that stands in a plan.
-- @tparam table of spec of its type
-- @tparam string bytes
-- @treturn table
function read.block(of, bytes)
   return (read.reader(of)(ffi.cast("const char *", bytes), 0))
end

return read
