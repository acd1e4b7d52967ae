--- Event times of records that are not decoded yet: what `check_invariance` orders by.
-- @module sluice.test.times

local json = require "sluice.test.json"
local units = require "sluice.units"

local times = {}

local PER_MS = { s = 1000, ms = 1, us = 1 / 1000, ns = 1 / 1000000 }

local function path_of(source)
   for _, field in ipairs(source.fields) do
      if field.name == source.time.field then
         local kind = field.from and field.from.kind or "value"
         if kind ~= "value" then return nil end
         return field.from and field.from.path or { field.name }, field.unit
      end
   end
end

local function value_at(text, path)
   local value = json.decode(text)
   for _, name in ipairs(path) do
      if type(value) ~= "table" then return nil end
      value = value[name]
   end
   return value
end

--- The event time of a record.
-- @tparam table record as `sluice.test.feed` makes it
-- @tparam table source as described
-- @treturn ?integer Unix ms; nil: it has none, or only the script's functions know
function times.of(record, source)
   local time = source.time
   if not time or not time.field or source.format ~= "json" then return nil end
   local path, unit = path_of(source)
   local value = path and record.value and value_at(record.value, path)
   if type(value) == "string" then return units.time(value) end
   value = tonumber(value)
   return value and math.floor(value * PER_MS[time.unit or unit or "ms"])
end

return times
