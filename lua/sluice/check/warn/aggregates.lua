--- What is doubtful about aggregations and other stages that keep something.
-- @module sluice.check.warn.aggregates

local cost = require "sluice.explain.cost"
local units = require "sluice.units"

local aggregates = {}

-- Fewer groups than this are worth a note.
local FEW = 32

local function is_windowed(aggregate)
   return aggregate.window.kind ~= "none" and (aggregate.window.size_ms or 0) > 0
end

-- How many values the only group field can have; nil: not said.
local function group_limit(graph, aggregate)
   local column = aggregate.group[1]
   local source = cost.source_of(graph, aggregate)
   if not column or aggregate.group[2] or not source then return nil end
   for _, field in ipairs(source.fields or {}) do
      if field.name == column.name then return field.one_of and #field.one_of end
   end
end

local function look_at_groups(graph, aggregate, add)
   local limit = group_limit(graph, aggregate)
   if limit and limit < FEW then
      add("few-groups", aggregate.line, "aggregation %s has at most %d groups (`%s` "
         .. "alone): few keys do all its work", aggregate.name, limit,
         aggregate.group[1].name)
   end
   if #aggregate.group == 0 then
      add("few-groups", aggregate.line, "aggregation %s has one group: one worker does "
         .. "all of its work", aggregate.name)
   end
end

local function look_at_mode(graph, aggregate, add)
   if aggregate.mode == "complete" then
      add("complete-sends-all", aggregate.line, "aggregation %s sends everything with "
         .. "every batch and fails beyond %d rows", aggregate.name, aggregate.max_rows)
      return
   end
   local found = is_windowed(aggregate) and cost.of(graph, aggregate)
   if not found or not found.closes_after_ms or aggregate.mode ~= "append" then return end
   local window, trigger = aggregate.window, graph.options.trigger
   add("append-delay", aggregate.line, "a result of %s comes %s behind the first record "
      .. "of its window at the soonest: size %s + delay %s%s%s", aggregate.name,
      units.say(found.closes_after_ms), units.say(window.size_ms),
      units.say(found.delay_ms), window.allowed_lateness_ms > 0 and " + lateness "
      .. units.say(window.allowed_lateness_ms) or "", trigger.kind == "interval"
      and ", and then with the next batch "
         .. "(" .. units.say(trigger.interval_ms) .. ")" or "")
   if window.allowed_lateness_ms > 0 then
      add("append-waits-for-lateness", aggregate.line, "allowed_lateness of %s makes "
         .. "each result of %s later, in mode append it corrects nothing: a longer "
         .. "`delay` says the "
         .. "same", units.say(window.allowed_lateness_ms), aggregate.name)
   end
end

local function look_at_late(graph, aggregate, add)
   if aggregate.late or aggregate.mode == "complete" or not is_windowed(aggregate) then
      return
   end
   local source = cost.source_of(graph, aggregate)
   if source and source.time and source.time.delay_ms then
      add("late-rows-dropped", aggregate.line, "late rows of aggregation %s are counted "
         .. "and dropped: keep them by :late_to", aggregate.name)
   end
end

-- A duration of a stage that is absent, negative or infinite stands for ever.
local function is_for_ever(ms)
   return ms == nil or ms < 0 or ms == math.huge
end

local function look_at_growth(stage, what, ms, add)
   if is_for_ever(ms) then
      add("grows-for-ever", stage.line, "%s %s keeps every key for ever: its state only "
         .. "grows", what, stage.name)
   end
end

--- Look through the stages of a graph that keep something.
-- @tparam table graph
-- @tparam function add (name of the code, place, text, …)
function aggregates.find(graph, add)
   for _, aggregate in ipairs(graph.aggregates) do
      look_at_groups(graph, aggregate, add)
      look_at_mode(graph, aggregate, add)
      look_at_late(graph, aggregate, add)
      if aggregate.window.kind == "running" then
         look_at_growth(aggregate, "aggregation", aggregate.window.size_ms, add)
      end
   end
   for _, distinct in ipairs(graph.distincts or {}) do
      look_at_growth(distinct, "distinct", distinct.within_ms, add)
   end
end

return aggregates
