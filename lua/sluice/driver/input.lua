--- The values that an aggregate takes from a row: fields, or functions of the row. A
-- function is called before any state is touched and what it gave kept until the fold: a
-- number in a local, a value of another type in a row of its own of one column, which is
-- written by the same setter, with the same checks, as a derived column.
-- @module sluice.driver.input

local ffi = require "ffi"

local held = require "sluice.aggregate.held"
local row = require "sluice.row"

local driver_input = {}

-- Names of a value in the loop: the second one is `by`.
local SUFFIXES = { "", "2" }

local POINTER = ffi.typeof "const char *"

local function number(label, x)
   if ffi.istype("int64_t", x) then return tonumber(x) end
   error(("%s: the function gave %s, wanted a number or nil"):format(label, type(x)), 0)
end

-- The local that keeps what the function of item k, input n gave.
local function kept(k, n) return ("x%d_%d"):format(k, n) end

local function write_typed(code, k, n, spec, input, calls)
   local layout = row.layout { input.of }
   local cell = code:use(ffi.new(layout.ctype))
   local set = code:use(layout:setter(1, spec.label, calls))
   code.cells[input] = { name = cell, layout = layout }
   code:line("%s(%s, %s(r), v)", set, cell, code:use(input.fn))
   code:line("%s = true", kept(k, n))
end

local function write_number(code, k, n, spec, input)
   local x = kept(k, n)
   code:line("%s = %s(r)", x, code:use(input.fn))
   if spec.kind == "count" then return end
   code:line("if %s ~= nil and type(%s) ~= 'number' then", x, x)
   code:line("%s = %s(%q, %s) end", x, code:use(number), spec.label, x)
end

--- Write the calls of the functions of an item for row `r`.
-- @tparam table code Code
-- @tparam integer k number of the item
-- @tparam table spec resolved
-- @tparam string condition "" or "if … then": whether the row counts
-- @tparam table calls where the binary's functions are
function driver_input.write_calls(code, k, spec, condition, calls)
   for n, input in ipairs(spec.inputs or {}) do
      if input.fn then
         code:line("local %s", kept(k, n))
         if condition ~= "" then code:line(condition) end
         if input.of then
            write_typed(code, k, n, spec, input, calls)
         else
            write_number(code, k, n, spec, input)
         end
         if condition ~= "" then code:line "end" end
      end
   end
end

-- Bytes of a number in a row, or of one in a local.
local function write_bytes(code, kind, suffix, base, layout, slot)
   if kind == "double" then
      local box = code:use(ffi.new "double[1]")
      code:line("%s[0] = x%s", box, suffix)
      code:line("calls.sl_canonical(%s)", box)
      code:line("local data%s, len%s = cast(%s, %s), 8", suffix, suffix,
         code:use(POINTER), box)
      return
   end
   local size = ffi.sizeof(held.MEMBERS[kind])
   code:line("local data%s, len%s = cast(%s, %s) + %d, %d", suffix, suffix,
      code:use(POINTER), base, layout:offset(slot), size)
end

local function write_column(code, spec, kind, suffix, base, layout, slot)
   code:line("if not (%s) then", row.is_null(slot, base))
   if held.is_text(kind) then
      code:line("local data%s, len%s = %s.__f%d, %s.__l%d", suffix, suffix, base, slot,
         base, slot)
      return
   end
   code:line("local x%s = %s.__f%d", suffix, base, slot)
   if spec.takes_bytes then
      write_bytes(code, kind, suffix, base, layout, slot)
   end
end

--- Write the begin of a block in which all values of an item are there: `x`, or `data`
-- and `len`, of the second one `x2` and so on.
-- @tparam table code Code
-- @tparam integer k number of the item
-- @tparam table spec resolved
-- @tparam table schema of the rows
-- @tparam table layout of the rows
-- @treturn string what ends the block
function driver_input.write_begin(code, k, spec, schema, layout)
   local ends = {}
   for n, input in ipairs(spec.inputs or {}) do
      local suffix = SUFFIXES[n]
      if input.field then
         local column = schema.by_name[input.field]
         write_column(code, spec, column.type, suffix, "r", layout, column.slot)
      elseif input.of then
         local cell = code.cells[input]
         write_column(code, spec, input.type, suffix, cell.name, cell.layout, 1)
      else
         code:line("if %s ~= nil then local x%s = %s", kept(k, n), suffix, kept(k, n))
         if spec.takes_bytes then write_bytes(code, "double", suffix) end
      end
      ends[n] = "end"
   end
   return table.concat(ends, " ")
end

return driver_input
