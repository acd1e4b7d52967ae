--- Distincts of a graph: what they need to forget their keys.
-- @module sluice.analyse.distinct

local analyse_stage = require "sluice.analyse.stage"
local distinct = require "sluice.stage.distinct"
local override = require "sluice.override"
local place = require "sluice.place"

local analyse_distinct = {}

local FOREVER = 'or within = "forever" (every key is kept for good)'

local function check_time(node, sources)
   for _, source in ipairs(sources) do
      if not source.time then
         place.fail(node.line, "`within` is a time between rows, and source `%s` has no "
            .. "event time: write `:event_time(\"ts\", { delay = \"10 minutes\" })` "
            .. "behind its fields, %s", source.name, FOREVER)
      end
      if not source.time.delay_ms then
         place.fail(node.line, "keys are forgotten by the watermark, and source `%s` has "
            .. "none: write `:event_time(…, { delay = \"10 minutes\" })`, %s",
            source.name, FOREVER)
      end
   end
end

local function make(work, node)
   local values = override.values(work.pipeline, node)
   local within_ms = values.within
   if within_ms == distinct.FOREVER then within_ms = nil end
   local made = { within_ms = within_ms, input = {}, sources = {}, line = node.line }
   local index = #work.graph.distincts + 1
   work.graph.distincts[index] = made
   work.distinct_index[node] = index
   work.distinct_nodes[index] = {
      node = node, made = made, what = "distinct", sources = {}, stages = {},
      can_be_late = within_ms ~= nil,
   }
   return index
end

--- Add a distinct, or find it where several inputs meet.
-- @tparam table work shared by the analysis
-- @tparam table node of `:distinct`
-- @tparam table walk over the tree of steps that feeds it
-- @treturn integer its index
-- @treturn table its entry
-- @raise when its keys would never be forgotten
function analyse_distinct.add(work, node, walk)
   local index = work.distinct_index[node] or make(work, node)
   local one = work.distinct_nodes[index]
   if one.made.within_ms then check_time(node, walk.sources) end
   analyse_stage.feed(one, walk)
   return index, one
end

-- Keys lie in memory by when they may come again: those of one pane go together. About
-- three panes hold what is within the watermark's reach.
local function pane_of(one)
   local delay_ms = 0
   for _, source in ipairs(one.sources) do
      delay_ms = math.max(delay_ms, source.time and source.time.delay_ms or 0)
   end
   return math.max(2, math.ceil((one.made.within_ms + delay_ms) / 2))
end

--- Settle what depends on sources, when all steps stand.
-- @tparam table work shared by the analysis
function analyse_distinct.finish(work)
   for _, one in ipairs(work.distinct_nodes) do
      if one.made.within_ms then one.made.pane_ms = pane_of(one) end
   end
end

return analyse_distinct
