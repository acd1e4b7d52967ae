--- Aggregates of a graph: windows, keys, output modes, and whether every group closes.
-- @module sluice.analyse.aggregate

local analyse_stage = require "sluice.analyse.stage"
local common = require "sluice.sink.common"
local group = require "sluice.stage.group"
local options = require "sluice.options"
local override = require "sluice.override"
local place = require "sluice.place"
local schema = require "sluice.schema"
local window = require "sluice.window"

local analyse_aggregate = {}

local function window_of(work, node)
   local of_window = node.window_node
   if not of_window then return window.NONE end
   local values, set = override.values(work.pipeline, of_window)
   local message = window.conflict(of_window.kind, values)
   if message then
      place.fail(of_window.line, "sluice.%s: %s%s", of_window.kind, message, set)
   end
   return window.plan(of_window.kind, values)
end

local function check_time(node, sources, of_window)
   if window.is_timeless(of_window) then return end
   for _, source in ipairs(sources) do
      if not source.time then
         place.fail(node.window_node.line, "a window needs event time, and source `%s` "
            .. "has none: write `:event_time(\"ts\", { delay = \"10 minutes\" })` behind "
            .. "its `:json`", source.name)
      end
   end
end

local function check_names(work, node)
   local names = { node.window_node and override.values(work.pipeline,
      node.window_node).name,
      node.group_node and node.group_node.name }
   if names[1] and names[2] and names[1] ~= names[2] then
      place.fail(node.line, "the aggregation is called `%s` in `:group_by` and `%s` in "
         .. "its window: write one",
         names[2], names[1])
   end
end

local function make(work, node, of)
   local of_window = window_of(work, node)
   local items, message = group.resolve(node.items, of, of_window.kind)
   if not items then place.fail(node.line, "%s", message) end
   local key = {}
   for i, name in ipairs(node.keys) do key[i] = of.by_name[name] end
   local columns = group.result_columns(key, of_window.kind, items)
   local graph = work.graph
   local index = #graph.aggregates + 1
   local made = { window = of_window, group = {}, items = {}, input = {}, sources = {},
      line = node.line, backfill_ms = node.backfill_ms }
   for i, column in ipairs(key) do
      made.group[i] = {
         name = column.name, type = column.type, exact = column.exact,
         shape = column.shape, nullable = column.nullable,
      }
   end
   for i, item in ipairs(items) do
      made.items[i] = { name = item.name, spec = item.resolved }
   end
   graph.aggregates[index] = made
   work.aggregate_index[node] = index
   work.aggregate_nodes[index] = {
      node = node, schema = schema.new(columns), made = made, what = "aggregation",
      sources = {}, stages = {}, can_be_late = not window.is_timeless(of_window),
      group_count = #key,
   }
   return index
end

--- Add an aggregate, or find it where several inputs meet.
-- @tparam table work shared by the analysis
-- @tparam table node of `:aggregate`
-- @tparam table of schema of the rows it folds, with slots
-- @tparam table walk over the tree of steps that feeds it
-- @treturn integer its index
function analyse_aggregate.add(work, node, of, walk)
   check_time(node, walk.sources, window_of(work, node))
   check_names(work, node)
   local index = work.aggregate_index[node] or make(work, node, of)
   analyse_stage.feed(work.aggregate_nodes[index], walk)
   return index
end

--- The key of an aggregate's rows: what a later `:select` does not change.
-- @tparam table one entry of `work.aggregate_nodes`
-- @treturn table columns
-- @treturn string kind
function analyse_aggregate.key(one)
   local key, bounds = {}, window.key_bounds(one.made.window.kind)
   for i = 1, one.group_count + bounds do key[i] = one.schema.columns[i] end
   return key, #key == 1 and bounds == 0 and "plain" or "object"
end

local function show(value)
   if value == nil then return "not given" end
   return options.show(value)
end

-- Options of the aggregation as its sinks give them; all must agree.
local function agreed(work, one)
   local first, values = one.sinks[1], nil
   for _, node in ipairs(one.sinks) do
      local given = override.values(work.pipeline, node.sink)
      values = values or given
      for _, name in ipairs(common.OF_AGGREGATION) do
         if given[name] ~= values[name] then
            place.fail(node.line, "the sinks of one aggregation agree on `%s`: it is %s "
               .. "here, %s at %s", name,
               show(given[name]), show(values[name]), first.line)
         end
      end
   end
   return values
end

local function check_mode(work, one, values)
   local node = one.sinks[1]
   if not values.mode then
      place.fail(node.line, "rows of an aggregation need a `mode`: write mode = "
         .. "\"append\" (each window once, when it closes), \"update\" (what changed, "
         .. "each batch) or \"complete\" (everything, each batch)")
   end
   local message = common.conflict(values)
   if message then
      local _, set = override.values(work.pipeline, node.sink)
      place.fail(node.line, "%s%s", message, set)
   end
end

local function check_window_mode(one, values)
   local of, node = one.made.window, one.sinks[1]
   local kind = window.of(of.kind)
   local why = kind.no_mode and kind.no_mode[values.mode]
   if why then place.fail(node.line, "%s", why) end
   local endless = values.final and kind.no_final and kind.no_final(of)
   if endless then
      place.fail(node.line, "`final` marks the last row of a window, and %s has none: "
         .. "leave it out", endless)
   end
end

local function source_without_watermark(one)
   for _, source in ipairs(one.sources) do
      if not source.time.delay_ms then return source end
   end
end

-- An aggregation is refused unless every group goes some day, or all may stay within a
-- limit.
local function check_closes(one, mode)
   local made = one.made
   if mode == "complete" then return end
   if made.window.kind == "none" then
      place.fail(made.line, "without a window no group ever closes, and mode %q keeps "
         .. "them all: write `:window(…)` before `:aggregate` (running totals: "
         .. "`:window(sluice.running { retain = \"7 days\" })`), or mode = \"complete\" "
         .. "with its `max_rows`", mode)
   end
   local source = not window.is_timeless(made.window) and source_without_watermark(one)
   if not source then return end
   local closing = window.of(made.window.kind).closing
   place.fail(made.line, "%s by the watermark, and source `%s` has none: write "
      .. "`:event_time(…, { delay = \"10 minutes\" })`, or %s",
      closing and closing.what or ("mode %q closes windows"):format(mode), source.name,
      closing and closing.instead or "mode = \"complete\"")
end

local STAGES = { aggregate = "another aggregation", distinct = "`:distinct`",
   flat_map = "`:flat_map`" }

-- Results that go on to other stages do so once each, when their window closes: there
-- must be a window that does.
local function check_onward(work, one)
   local made, onward = one.made, one.onward
   local what = ("results of the aggregation go on to %s at %s, each once, when its "
      .. "window closes"):format(STAGES[onward.op], onward.line)
   if made.window.kind == "none" then
      place.fail(made.line, "%s, and it has no window: write `:window(sluice.tumbling "
         .. "{ size = … })` before `:aggregate`", what)
   end
   if window.of(made.window.kind).is_open then
      place.fail(made.line, "%s, and a window of sluice.%s never does: take "
         .. "sluice.tumbling or sluice.hopping", what, made.window.kind)
   end
   local source = source_without_watermark(one)
   if source then
      place.fail(made.line, "%s, by the watermark, and source `%s` has none: write "
         .. "`:event_time(…, { delay = \"10 minutes\" })`", what, source.name)
   end
   for _, node in ipairs(one.sinks) do
      local mode = override.values(work.pipeline, node.sink).mode
      if mode and mode ~= "append" then
         place.fail(node.line, "mode = %q does not go with this: %s; write mode = "
            .. "\"append\" here, or send the %ss from an aggregation of its own",
            mode, what, mode == "complete" and "complete result" or mode)
      end
   end
end

-- Only what a source gave can be had again; where it lies is found by event time.
local function check_backfill(work, made, stage)
   for _, index in ipairs(stage.input) do
      local input = work.graph.steps[index].input
      while input.kind == "flat_map" do input = work.graph.steps[input.step].input end
      if input.kind == "distinct" then
         check_backfill(work, made, work.graph.distincts[input.index])
      elseif input.kind == "aggregate" then
         place.fail(made.line, "`backfill`: rows come from another aggregation, and only "
            .. "what is read from a source can be read again: leave it out")
      elseif not work.graph.sources[input.index].time then
         place.fail(made.line, "`backfill` goes by event time, and source `%s` has none: "
            .. "write `:event_time(\"ts\", …)` behind its fields, or leave it out",
            work.graph.sources[input.index].name)
      end
   end
end

local function check_final_name(one, values)
   if not values.final then return end
   for _, node in ipairs(one.sinks) do
      if node.schema.by_name.final then
         place.fail(node.line, "`final = true` adds a column `final`, and there is one "
            .. "already: rename it by `:select`")
      end
   end
end

local APPEND = { mode = "append" }

local function finish_one(work, one)
   local values = agreed(work, one)
   if not values and not one.onward then
      place.fail(one.made.line,
         "rows of the aggregation go nowhere: end it in `:to(sink)`")
   end
   if one.onward then check_onward(work, one) end
   if values then
      check_mode(work, one, values)
      check_window_mode(one, values)
   end
   values = values or APPEND
   check_closes(one, values.mode)
   check_final_name(one, values)
   local made = one.made
   made.mode = values.mode
   made.final, made.only_if_changed = values.final or false, values.only_if_changed
      or false
   made.max_rows = values.max_rows or common.options.max_rows.default
   made.has_retractions = values.mode ~= "append"
      and (one.has_filter or window.of(made.window.kind).retracts) or false
end

--- Settle modes, when all steps stand.
-- @tparam table work shared by the analysis
-- @raise for sinks that disagree, a mode that is missing, groups that never close
function analyse_aggregate.finish(work)
   for _, one in ipairs(work.aggregate_nodes) do
      finish_one(work, one)
      if one.made.backfill_ms then check_backfill(work, one.made, one.made) end
   end
end

return analyse_aggregate
