--- Aggregates of a graph: windows, keys, output modes, and whether every group closes.
-- @module sluice.analyse.aggregate

local common = require "sluice.sink.common"
local group = require "sluice.stage.group"
local options = require "sluice.options"
local override = require "sluice.override"
local place = require "sluice.place"
local schema = require "sluice.schema"
local window = require "sluice.window"

local analyse_aggregate = {}

local DEFAULT_NAME = "aggregate"

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

local function check_time(work, node, source, of_window)
   if not window.is_timeless(of_window) and not source.time then
      place.fail(node.window_node.line, "a window needs event time, and source `%s` has "
         .. "none: write `:event_time(\"ts\", { delay = \"10 minutes\" })` behind its "
         .. "`:json`", source.name)
   end
   local names = { node.window_node and override.values(work.pipeline,
      node.window_node).name,
      node.group_node and node.group_node.name }
   if names[1] and names[2] and names[1] ~= names[2] then
      place.fail(node.line, "the aggregation is called `%s` in `:group_by` and `%s` in "
         .. "its window: write one",
         names[2], names[1])
   end
end

--- Add an aggregate.
-- @tparam table work shared by the analysis
-- @tparam table node of `:aggregate`
-- @tparam table of schema of the rows it folds, with slots
-- @tparam integer step that feeds it
-- @tparam table source whose event time it goes by
-- @treturn integer its index
function analyse_aggregate.add(work, node, of, step, source)
   local of_window = window_of(work, node)
   check_time(work, node, source, of_window)
   local items, message = group.resolve(node.items, of, of_window.kind)
   if not items then place.fail(node.line, "%s", message) end
   local key = {}
   for i, name in ipairs(node.keys) do key[i] = of.by_name[name] end
   local columns = group.result_columns(key, of_window.kind, items)
   local graph = work.graph
   local index = #graph.aggregates + 1
   local made = { window = of_window, group = {}, items = {}, input = { step },
      line = node.line }
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
   work.aggregate_nodes[index] = {
      node = node, source = source, schema = schema.new(columns), made = made,
      group_count = #key,
   }
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

--- Say where late rows of an aggregate go.
-- @tparam table one entry of `work.aggregate_nodes`
-- @tparam integer sink index
-- @tparam table node of `:late_to`
-- @raise when they go elsewhere already
function analyse_aggregate.set_late(one, sink, node)
   local made = one.made
   if made.late and made.late ~= sink then
      place.fail(node.line, "late rows of the aggregation at %s go elsewhere already: "
         .. "write `:late_to` once, right behind it", made.line)
   end
   if window.is_timeless(made.window) then
      place.fail(node.line, "the aggregation at %s has no window, so nothing is late for "
         .. "it: leave `:late_to` out", made.line)
   end
   made.late = sink
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

-- Why rows of a kind of window cannot go by a mode.
local NO_MODE = {
   running = {
      append = "a running total is never done, and mode \"append\" sends what is done: "
         .. "write mode = \"update\"",
   },
   rolling = {
      append = "a rolling window moves on with each row, and mode \"append\" sends what "
         .. "is done: write mode = \"update\", or a sluice.hopping window",
      complete = "a rolling window gives what a batch touched, and mode \"complete\" "
         .. "sends everything: write mode = \"update\"",
   },
}

local function check_window_mode(one, values)
   local of, node = one.made.window, one.sinks[1]
   local why = NO_MODE[of.kind] and NO_MODE[of.kind][values.mode]
   if why then place.fail(node.line, "%s", why) end
   if values.final and (of.kind == "rolling" or window.is_timeless(of)) then
      place.fail(node.line, "`final` marks the last row of a window, and %s has none: "
         .. "leave it out",
         of.kind == "rolling" and "a rolling window" or "a total kept for ever")
   end
end

-- An aggregation is refused unless every group goes some day, or all may stay within a
-- limit.
local function check_closes(one, mode)
   local made, source = one.made, one.source
   if mode == "complete" then return end
   if made.window.kind == "none" then
      place.fail(made.line, "without a window no group ever closes, and mode %q keeps "
         .. "them all: write `:window(…)` before `:aggregate` (running totals: "
         .. "`:window(sluice.running { retain = \"7 days\" })`), or mode = \"complete\" "
         .. "with its `max_rows`", mode)
   end
   if window.is_timeless(made.window) or source.time.delay_ms then return end
   local runs = made.window.kind == "running"
   place.fail(made.line, "%s by the watermark, and source `%s` has none: write "
      .. "`:event_time(…, { delay = \"10 minutes\" })`, or %s",
      runs and "`retain` lets groups go" or ("mode %q closes windows"):format(mode),
      source.name, runs and "retain = \"forever\"" or "mode = \"complete\"")
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

-- State goes by name: where there are several aggregations, each says its own.
local function give_names(work)
   local several, by_name = #work.aggregate_nodes > 1, {}
   for _, one in ipairs(work.aggregate_nodes) do
      local name = override.stage_name(work.pipeline, one.node)
      if not name and several then
         place.fail(one.made.line, "a pipeline with several aggregations names each: "
            .. "write `name = \"…\"` in its window, or behind the fields of "
            .. "`:group_by(…, { name = \"…\" })`")
      end
      name = name or DEFAULT_NAME
      if by_name[name] then
         place.fail(one.made.line, "the aggregation at %s is called `%s` too: state goes "
            .. "by name, take another",
            by_name[name], name)
      end
      by_name[name] = one.made.line
      one.made.name = name
   end
end

local function finish_one(work, one)
   local values = agreed(work, one)
   if not values then
      place.fail(one.made.line,
         "rows of the aggregation go nowhere: end it in `:to(sink)`")
   end
   check_mode(work, one, values)
   check_window_mode(one, values)
   check_closes(one, values.mode)
   check_final_name(one, values)
   local made = one.made
   made.mode = values.mode
   made.final, made.only_if_changed = values.final or false, values.only_if_changed
      or false
   made.max_rows = values.max_rows or common.options.max_rows.default
   made.has_retractions = values.mode ~= "append"
      and (one.has_filter or made.window.kind == "session") or false
end

--- Settle modes and names, when all steps stand.
-- @tparam table work shared by the analysis
-- @raise for sinks that disagree, a mode that is missing, groups that never close, names
--   that stand twice
function analyse_aggregate.finish(work)
   give_names(work)
   for _, one in ipairs(work.aggregate_nodes) do finish_one(work, one) end
end

return analyse_aggregate
