--- A few rows of a source as its own events make them: by a generator's function, the
-- source's `events`, or its schema. What is not plain (times in other units, decimals,
-- lists) keeps the plain sample.
-- @module sluice.check.samples

local cjson = require "cjson"

local driver_random = require "sluice.driver.random"
local events = require "sluice.events"

local samples = {}

local COUNT, SEED, NOW_MS = 4, 1, 1700000000000

-- Types whose values are the same in JSON and in Lua.
local PLAIN = { string = "string", bool = "boolean", int32 = "number", int64 = "number",
   double = "number" }

local function set(values, slot, field, value)
   if type(value) == PLAIN[field.type] and not field.exact then values[slot] = value end
end

local function from_json(source, text)
   local document, values = cjson.decode(text), {}
   for slot, field in ipairs(source.fields) do
      local is_value = field.from.kind == "value"
      local of = is_value and document or nil
      for _, name in ipairs(is_value and field.from.path or {}) do
         of = type(of) == "table" and of[name] or nil
      end
      set(values, slot, field, of)
   end
   return values
end

local function from_generator(source, i, random)
   local row, values = source.rows(i, random), {}
   for slot, field in ipairs(source.fields) do
      set(values, slot, field, row[field.name])
   end
   return values
end

local function make(source, i, random, reseed)
   if not source.rows then
      return from_json(source, events.make(source, i, SEED, NOW_MS))
   end
   reseed(i)
   return from_generator(source, i, random)
end

--- Make some rows; what a function of the source throws is left out.
-- @tparam table source of the graph
-- @treturn table list of slot → value, the plain ones only
function samples.of(source)
   local list = {}
   local random, reseed = driver_random.new(SEED)
   for i = 0, COUNT - 1 do
      local done, values = pcall(make, source, i, random, reseed)
      list[#list + 1] = done and values or nil
   end
   return list
end

return samples
