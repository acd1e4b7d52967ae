--- The code of a flat_map: the user's function for each row, and `emit`, one function for
-- all of them, which writes into the next row of the step behind.
-- @module sluice.driver.flat_map

local ffi = require "ffi"

local driver_source = require "sluice.driver.source"
local nearest = require "sluice.nearest"

local flat_map = {}

-- A function has 60 upvalues; what does not fit is read from the table.
local MOST_UPVALUES = 40

local EMIT = [[
local v, calls, K, cast, type, pointer, no_table, too_many, names = ...
%s
return function(t)
   if type(t) ~= "table" then no_table(t) end
   local p = calls.sl_row_add(v.grown, v.pos)
   if p == nil then too_many() end
   local r = cast(pointer, p)
   local given = 0
   local x
%s
end]]

local function no_table(x)
   error(("emit takes a table of fields, got %s: write emit { name = value }"):format(
      type(x)), 3)
end

local function too_many()
   error(("flat_map made %d rows of one row, the most there may be"):format(
      ffi.C.SL_MAX_ROWS_MADE), 3)
end

-- Only where a field is missing: names that are not declared stand in for one that is.
-- Looking at each table would cost thirty times what writing its row does.
local function name_checker(fields)
   local names, known = {}, {}
   for i, field in ipairs(fields) do names[i], known[field.name] = field.name, true end
   return function(t)
      for name in pairs(t) do
         if not known[name] then
            error(("emit: unknown field `%s`%s"):format(tostring(name),
               nearest.hint(tostring(name), names)), 3)
         end
      end
   end
end

-- Collects the lines of `emit` as a Code does those of a driver.
local Emit = {}
Emit.__index = Emit

function Emit:use(value)
   local n = #self.values + 1
   self.values[n] = value
   if n > MOST_UPVALUES then return ("K[%d]"):format(n) end
   self.heads[#self.heads + 1] = ("local k%d = K[%d]"):format(n, n)
   return "k" .. n
end

function Emit:line(text, ...)
   if select("#", ...) > 0 then text = text:format(...) end
   self.lines[#self.lines + 1] = text
end

--- Make `emit` for the rows of a step.
-- @tparam table next_step Step behind the flat_map
-- @tparam {table,...} fields of its rows, in the order of their slots
-- @tparam cdata v the vector
-- @param calls where `sl_row_add` is
-- @treturn function (table of fields)
function flat_map.emit(next_step, fields, v, calls)
   local code = setmetatable({ heads = {}, lines = {}, values = {} }, Emit)
   for _, field in ipairs(fields) do
      code:line("if t[%q] ~= nil then given = given + 1 end", field.name)
   end
   code:line("if given < %d then names(t) end", #fields)
   for slot, field in ipairs(fields) do
      driver_source.write_field(code, next_step, field, slot, "flat_map")
   end
   local heads, lines = table.concat(code.heads, "\n"), table.concat(code.lines, "\n")
   local text = EMIT:format(heads, lines)
   local pointer = ffi.typeof("$ *", next_step.layout.ctype)
   return assert(load(text, "=sluice:emit", "t", {}))(v, calls, code.values, ffi.cast,
      type, pointer, no_table, too_many, name_checker(fields))
end

--- Write the driver's loop over the rows that go into the flat_map.
-- @tparam table code Code
-- @tparam table step Step of these rows
-- @tparam table output of the graph: `{ fn =, schema = }`
-- @tparam function emit
function flat_map.write(code, step, output, emit)
   local rows = code:array("rows", step:view(output.schema))
   code:head("v.node = 0")
   code:line("v.pos = i")
   code:line("%s(%s[i][0], %s)", code:use(output.fn), rows, code:use(emit))
end

return flat_map
