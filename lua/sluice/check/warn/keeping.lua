--- What is doubtful about where state is kept.
-- @module sluice.check.warn.keeping

local checkpoint = require "sluice.checkpoint"
local cost = require "sluice.explain.cost"
local units = require "sluice.units"

local keeping = {}

local function look_at_store(graph, add)
   local options = graph.options
   if options.checkpoint == checkpoint.NONE then
      add("nothing-kept", nil, 'checkpoint "none": nothing is committed, a restart '
         .. "begins at `start` with empty state")
   elseif checkpoint.is_local(options.checkpoint) then
      add("local-checkpoint", nil, "state lies on this machine, in %s",
         options.checkpoint)
   end
end

local function look_at_interval(graph, add)
   local trigger, pace = graph.options.trigger, graph.options.commit_interval_ms
   if graph.is_paced and trigger.kind ~= "continuous" then
      add("interval-unused", nil, "commit_interval of %s has no use: the trigger is %s",
         units.say(pace), trigger.interval_ms > 0 and units.say(trigger.interval_ms)
         or trigger.kind)
   end
end

-- What a batch of new keys needs, each in one pane.
local function look_at_memory(graph, add)
   local needed = 0
   for _, aggregate in ipairs(graph.aggregates) do
      local source = cost.source_of(graph, aggregate)
      local records = source and source.options.max_records or 0
      needed = needed + records * cost.of(graph, aggregate).entry_bytes
   end
   local memory = graph.options.memory_bytes
   if memory and needed > memory then
      add("memory-below-batch", nil, "memory is %s, and one batch of new keys can take "
         .. "%d MiB", units.say_size(memory), math.ceil(needed / 1048576))
   end
end

--- Look at where a graph's state is kept.
-- @tparam table graph
-- @tparam function add (name of the code, place, text, …)
function keeping.find(graph, add)
   look_at_store(graph, add)
   look_at_interval(graph, add)
   look_at_memory(graph, add)
end

return keeping
