--- `:distinct { "field", …, within = "1 hour" }`: the first row of each key passes.
-- @module sluice.stage.distinct

local options = require "sluice.options"
local place = require "sluice.place"
local schema = require "sluice.schema"

local distinct = {}

--- What `within` is when keys are remembered for good.
distinct.FOREVER = -1

--- Options beside the fields.
distinct.OPTIONS = {
   within = { check = options.duration_or({ forever = distinct.FOREVER }, 1),
      as = "within_ms", required = true,
      doc = "how long a key is remembered, in event time from its first row; \"forever\" "
         .. "must be said",
      about = "memory",
      risk = "a repeat that comes later passes; every key of that time is kept",
   },
   name = { check = options.text(),
      doc = "of the state; required where a pipeline has two",
      about = "correctness",
      risk = "state goes by it",
   },
}

local HOW = 'write within = "1 hour" (of event time, from the first row of a key), or '
   .. 'within = "forever" (every key is kept for good)'

local function read_keys(node, positional)
   local names, seen = {}, {}
   for i, name in ipairs(positional) do
      local column, message = schema.column(node.schema, name)
      if not column then place.fail(nil, "`:distinct`: %s", message) end
      if seen[name] then
         place.fail(nil, "`:distinct`: `%s` stands twice: take one out", name)
      end
      names[i], seen[name] = column.name, true
   end
   return names
end

--- `:distinct { "event_id", within = "1 hour" }`: the first row of each key passes,
-- repeats are dropped; a row that user code throws out behind it has been seen.
-- @tparam table node being made
-- @tparam table given fields in order, `within`, `name`
-- @raise for unknown fields, and where it is not said how long keys are remembered
function distinct.make(node, given)
   if type(given) ~= "table" or getmetatable(given) then
      place.fail(nil, "`:distinct` takes a table of fields, got %s: write "
         .. "{ \"event_id\", within = \"1 hour\" }", options.show(given))
   end
   local positional, named = options.split(given)
   local values = {}
   for _, pair in ipairs(named) do values[pair[1]] = pair[2] end
   values = options.read("`:distinct`", distinct.OPTIONS, values)
   if not positional[1] then
      place.fail(nil, "`:distinct` names no field: write the fields whose values make a "
         .. "row a repeat, as in { \"event_id\", within = \"1 hour\" }")
   end
   if not values.within then
      place.fail(nil, "`:distinct`: `within` is missing: %s", HOW)
   end
   node.keys, node.values = read_keys(node, positional), values
end

return distinct
