--- What aggregates and distincts of a graph share: their names, inputs, late rows, and
-- the order in which they work.
--
-- While the analysis runs, each has an entry in `work.aggregate_nodes` or
-- `work.distinct_nodes`: `{ node =, made = of the graph, what =, sources = { SOURCE, … },
-- stages = { entries before it whose late rows go nowhere yet }, can_be_late = }`.
-- @module sluice.analyse.stage

local override = require "sluice.override"
local place = require "sluice.place"

local analyse_stage = {}

local function add_once(list, it)
   for _, known in ipairs(list) do
      if known == it then return end
   end
   list[#list + 1] = it
end

local function index_of(list, it)
   for i, one in ipairs(list) do
      if one == it then return i end
   end
end

--- Say that a step feeds a stage.
-- @tparam table one entry of the stage
-- @tparam table walk over the step's tree
function analyse_stage.feed(one, walk)
   add_once(one.made.input, walk.number)
   for _, source in ipairs(walk.sources) do
      add_once(one.sources, source)
      add_once(one.made.sources, index_of(walk.work.graph.sources, source))
   end
   for _, stage in ipairs(walk.stages) do add_once(one.stages, stage) end
end

--- Say where late rows go: those of all stages before, unless they go somewhere already.
-- @tparam {table,...} stages entries
-- @tparam integer sink index
-- @tparam table node of `:late_to`
-- @raise when they go elsewhere, and when nothing can be late
function analyse_stage.set_late(stages, sink, node)
   local any
   for _, one in ipairs(stages) do
      local made = one.made
      if one.can_be_late and made.late and made.late ~= sink then
         place.fail(node.line, "late rows of the %s at %s go elsewhere already: write "
            .. "`:late_to` once, right behind it", one.what, made.line)
      end
      if one.can_be_late then made.late, any = sink, true end
   end
   if any then return end
   local last = stages[#stages]
   if not last then
      place.fail(node.line, "late rows of the stages before it go elsewhere already: "
         .. "leave `:late_to` out")
   end
   place.fail(node.line, "the %s at %s %s, so nothing is late for it: leave `:late_to` "
      .. "out", last.what, last.made.line, last.what == "distinct"
      and "remembers its keys forever" or "has no window")
end

--- Put aggregates into an order in which one that feeds another comes first.
-- @tparam table work shared by the analysis
-- @tparam {integer,...} order their indices as they stand now
function analyse_stage.reorder(work, order)
   local graph, nodes, moved = work.graph, {}, {}
   local aggregates = {}
   for i, index in ipairs(order) do
      aggregates[i], nodes[i] = graph.aggregates[index], work.aggregate_nodes[index]
      moved[index] = i
   end
   graph.aggregates, work.aggregate_nodes = aggregates, nodes
   for _, step in ipairs(graph.steps) do
      local input = step.input
      if input.kind == "aggregate" then input.index = moved[input.index] end
      for _, output in ipairs(step.outputs) do
         if output.kind == "aggregate" then output.target = moved[output.target] end
      end
   end
end

-- In which phase of a chunk something is done (runtime/shared/step.h).
local function find_levels(graph)
   local of_step, of_stage, by_step = {}, nil, {}
   function of_step(index)
      if by_step[index] then return by_step[index] end
      local input, level = graph.steps[index].input, 0
      if input.kind == "flat_map" then level = of_step(input.step) end
      if input.kind == "distinct" then
         level = of_stage(graph.distincts[input.index]) + 1
      end
      by_step[index] = level
      return level
   end
   function of_stage(stage)
      local level = 0
      for _, index in ipairs(stage.input) do level = math.max(level, of_step(index)) end
      return level
   end
   for i, step in ipairs(graph.steps) do step.level = of_step(i) end
   for _, list in ipairs { graph.aggregates, graph.distincts } do
      for _, stage in ipairs(list) do stage.level = of_stage(stage) end
   end
end

local HOW_NAMED = {
   aggregation = "write `name = \"…\"` in its window, or behind the fields of "
      .. "`:group_by(…, { name = \"…\" })`",
   distinct = "write `name = \"…\"` among the options of `:distinct`",
}

-- State goes by name: where there are several stages of a kind, each says its own.
local function give_names(work, nodes, default, by_name)
   for _, one in ipairs(nodes) do
      local name = override.stage_name(work.pipeline, one.node)
      local made = one.made
      if not name and #nodes > 1 then
         place.fail(made.line, "a pipeline with several %ss names each: %s", one.what,
            HOW_NAMED[one.what])
      end
      name = name or default
      local taken = by_name[name]
      if taken then
         place.fail(made.line, "the %s at %s is called `%s` too: state goes by name, "
            .. "take another", taken.what, taken.made.line, name)
      end
      by_name[name], made.name = one, name
   end
end

--- Settle names and levels, when all steps stand.
-- @tparam table work shared by the analysis
-- @raise for names that are missing or stand twice
function analyse_stage.finish(work)
   local by_name = {}
   give_names(work, work.aggregate_nodes, "aggregate", by_name)
   give_names(work, work.distinct_nodes, "distinct", by_name)
   find_levels(work.graph)
end

return analyse_stage
