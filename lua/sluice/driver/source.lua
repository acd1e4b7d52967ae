--- The code of what runs at a source: event times by a function, rows of a generator.
-- @module sluice.driver.source

local binary = require "sluice.helper.binary"
local bounds = require "sluice.bounds"
local constraint = require "sluice.constraint"
local driver_random = require "sluice.driver.random"
local event = require "sluice.event"
local nearest = require "sluice.nearest"
local row = require "sluice.row"
local value = require "sluice.value"

local driver_source = {}

--- Write the event time of row `i`; nil gives INT64_MIN, none.
-- @tparam table code Code
-- @tparam table step Step of the source
-- @tparam table time of the graph: `{ fn =, unit = }`
-- @tparam table schema what its function sees
function driver_source.write_time(code, step, time, schema)
   local rows = code:array("rows", step:view(schema))
   code:head("v.node = 0")
   code:line("v.pos = i")
   code:line("local r = %s[i][0]", rows)
   code:line("local t = %s(r)", code:use(time.fn))
   code:line("if t == nil then r.__time = -9223372036854775807LL - 1")
   code:line("else r.__time = %s(t) end", code:use(event.converter(time.unit)))
end

local function missing(name)
   error(("field `%s` is required, the row has none"):format(name), 0)
end

-- Holds a value to the range and list of its field; nil: it has neither.
local function bounds_of(field)
   local wrong = bounds.of(field)
   return wrong and function(x)
      local wanted = wrong(x)
      if not wanted then return end
      error(("field `%s`: got %s, wanted %s"):format(field.name, tostring(x), wanted), 0)
   end
end

-- Called for the first row of a vector only: `pairs` for each row would cost too much.
local function check_names(made, fields)
   if type(made) ~= "table" then return end
   local names = {}
   for i, field in ipairs(fields) do names[i], names[field.name] = field.name, true end
   for name in pairs(made) do
      if not names[name] then
         error(("the row has a field `%s` that is not in :rows%s"):format(tostring(name),
            nearest.hint(tostring(name), names)), 0)
      end
   end
end

local MATCH = "if failed == 0 and not (%s) and %s(%s, r.__f%d, r.__l%d, 0) ~= 1 then"
local CHECK = "if failed == 0 and not (%s) and not %s(%s(r)) then"

--- Write the test of row `i` by all constraints of the fields: 0, or the number of the
-- first that it does not keep, from 1.
-- @tparam table code Code
-- @tparam table step Step of the source
-- @tparam table source of the graph
function driver_source.write_checks(code, step, source)
   local rows = code:array("rows", step.layout.ctype)
   code:line("v.pos = i")
   code:line("local r = %s[i][0]", rows)
   code:line("local failed = 0")
   for k, one in ipairs(constraint.list(source.fields)) do
      local is_null, slot = row.is_null(one.slot, "r"), one.slot
      if one.check.regex then
         code:line(MATCH, is_null, code:use(binary.sl_regex_match),
            code:use(one.check.regex), slot, slot)
      else
         code:line("v.node = %d", k - 1)
         local get = step.layout:getter(slot, one.field.exact)
         code:line(CHECK, is_null, code:use(one.check.fn), code:use(get))
      end
      code:line("failed = %d end", k)
   end
   code:line("v.outputs[i] = failed")
end

local function no_row(x)
   error(("the generator gave %s, wanted a table"):format(type(x)), 0)
end

-- What the runtime knows about a row that was never a record: a generator is one
-- partition without Kafka's times.
local METADATA = {
   topic = "%q", partition = "0", offset = "tonumber(offsets[i])",
   processing_time = "tonumber(v.now_ms)", kafka_time = "nil", kafka_time_type = "nil",
}

--- Write one field of the row `r` from the table `t`: its default, constraints, type.
-- Uses the local `x`.
-- @tparam table code Code
-- @tparam table step Step of the row
-- @tparam table field of the graph
-- @tparam integer slot
-- @tparam string name of the source
function driver_source.write_field(code, step, field, slot, name)
   local label = ("field `%s`"):format(field.name)
   if field.from and field.from.kind == "metadata" then
      code:line("x = " .. METADATA[field.from.metadata], name)
   else
      code:line("x = t[%q]", field.name)
   end
   if field.default ~= nil then
      local default = code:use(value.in_lua(field, field.default))
      code:line("if x == nil then x = %s end", default)
   end
   if field.required then
      code:line("if x == nil then %s(%q) end", code:use(missing), field.name)
   end
   code:line("%s(r, x, v)", code:use(step.layout:setter(slot, label, step.calls)))
   local check = bounds_of(field)
   if check then code:line("if x ~= nil then %s(x) end", code:use(check)) end
end

--- Write the row that a generator's function makes for `v.offsets[i]`.
-- @tparam table code Code
-- @tparam table step Step of the source
-- @tparam table source of the graph
function driver_source.write_rows(code, step, source)
   local random, reseed = driver_random.new(source.options.seed or 0)
   local rows = code:array("rows", step.layout.ctype)
   code:head("local offsets, first = v.offsets, v.first")
   code:head("v.node = 0")
   code:line("v.pos = i")
   code:line("local r = %s[i][0]", rows)
   code:line("%s(offsets[i])", code:use(reseed))
   local make = code:use(source.rows)
   code:line("local t = %s(tonumber(offsets[i]), %s)", make, code:use(random))
   code:line("if type(t) ~= 'table' then %s(t) end", code:use(no_row))
   local check = code:use(check_names)
   code:line("if i == first then %s(t, %s) end", check, code:use(source.fields))
   code:line("local x")
   for slot, field in ipairs(source.fields) do
      driver_source.write_field(code, step, field, slot, source.name)
   end
end

return driver_source
