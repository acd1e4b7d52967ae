--- From the chains of a pipeline to its graph (README.md): refuses what semantics refuse,
-- fills in every default.
-- @module sluice.analyse

local analyse_aggregate = require "sluice.analyse.aggregate"
local analyse_delivery = require "sluice.analyse.delivery"
local analyse_distinct = require "sluice.analyse.distinct"
local analyse_migrate = require "sluice.analyse.migrate"
local analyse_quarantine = require "sluice.analyse.quarantine"
local analyse_sink = require "sluice.analyse.sink"
local analyse_source = require "sluice.analyse.source"
local analyse_spill = require "sluice.analyse.spill"
local analyse_stage = require "sluice.analyse.stage"
local analyse_step = require "sluice.analyse.step"
local chain = require "sluice.chain"
local options = require "sluice.options"
local pipeline = require "sluice.pipeline"
local place = require "sluice.place"

local analyse = {}

local HOW = 'write checkpoint = "file:./checkpoints" (or "s3://BUCKET/PATH"), or "none": '
   .. "nothing is kept, a restart begins at `start` with empty state"

local function check_options(of)
   local values = of.values
   if not values.name then
      place.fail(of.line, "sluice.pipeline: `name` is missing: write name = "
         .. "\"ride-counts\"")
   end
   if not values.checkpoint then
      place.fail(of.line, "sluice.pipeline: `checkpoint` is missing: %s", HOW)
   end
   local trigger = values.trigger and values.trigger.kind or "continuous"
   if values.flush and trigger ~= "available-now" then
      place.fail(of.line, "sluice.pipeline: `flush` closes what is open at the end, and "
         .. "trigger %q has no end: write trigger = \"available-now\"", trigger)
   end
end

local function plan_options(of)
   local filled = options.filled(pipeline.OPTIONS, of.values)
   local trigger = filled.trigger
   filled.trigger = {
      kind = trigger.kind, interval_ms = trigger.interval_ms or 0, flush = filled.flush,
   }
   filled.flush, filled.name, filled.migrate = nil, nil, nil
   filled.checkpoint = filled.checkpoint.url
   return filled
end

local DELIVERS = { to = true, late_to = true, quarantine_to = true }

-- A branch must send its rows somewhere, and nothing may stand behind the last place they
-- go to.
local function check_branch(of, leaf, number)
   local node = leaf
   while node and DELIVERS[node.op] and node.op ~= "to" do node = node.parent end
   if node and node.op == "to" then return end
   local behind = node
   while node and node.op ~= "to" do node = node.parent end
   if node then
      place.fail(behind.line, "branch %d: `:%s` stands behind the last `:to`, its rows "
         .. "go nowhere: write `:to(sink)` behind it", number, behind.op)
   end
   place.fail(leaf.line or of.line, "branch %d has no sink: end it in `:to(sluice.kafka "
      .. "{ topic = … })`", number)
end

-- The chains as a tree: each node's followers, in the order in which the branches come
-- by.
local function link(of)
   local followers, sources, seen = {}, {}, {}
   for _, leaf in ipairs(of.branches) do
      for _, one in ipairs(chain.path(leaf)) do
         if not seen[one] then
            seen[one], followers[one] = true, {}
            if not one.parent then sources[#sources + 1] = one end
            for _, parent in ipairs(chain.parents(one)) do
               table.insert(followers[parent], one)
            end
         end
      end
   end
   return followers, sources
end

local function check_branches(of)
   if #of.branches == 0 then
      place.fail(of.line, "sluice.pipeline has no branch: put the streams behind its "
         .. "options, each ending in `:to(sink)`")
   end
   for number, leaf in ipairs(of.branches) do check_branch(of, leaf, number) end
end

--- Analyse a pipeline.
-- @tparam sluice.pipeline.Pipeline of
-- @treturn table the graph
-- @raise "FILE:LINE: message" for what is refused
-- @usage local graph = analyse.graph(sluice.pipeline { name = "copy", checkpoint =
--   "none", rides })
function analyse.graph(of)
   check_options(of)
   check_branches(of)
   local followers, sources = link(of)
   local graph = {
      name = of.values.name, options = plan_options(of), line = of.line,
      sources = {}, steps = {}, aggregates = {}, distincts = {}, sinks = {},
   }
   -- `work` is what the parts of the analysis share.
   local work = {
      pipeline = of, graph = graph, followers = followers,
      aggregate_index = {}, aggregate_nodes = {},
      distinct_index = {}, distinct_nodes = {},
      sink_index = {}, sink_nodes = {},
   }
   for _, node in ipairs(sources) do analyse_source.add(work, node) end
   analyse_step.behind_aggregates(work)
   analyse_stage.finish(work)
   analyse_aggregate.finish(work)
   analyse_migrate.finish(graph, of)
   analyse_distinct.finish(work)
   analyse_spill.finish(graph)
   analyse_sink.finish(work)
   analyse_source.finish(work)
   analyse_quarantine.finish(graph)
   analyse_source.exclude(graph)
   analyse_delivery.finish(graph, of.values.checkpoint, of.line)
   return graph
end

return analyse
