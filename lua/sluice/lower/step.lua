--- The steps of a graph as `sl_step` and `sl_output` (runtime/shared/step.h), and the
-- layouts of their rows.
-- @module sluice.lower.step

local bit = require "bit"
local ffi = require "ffi"

local driver = require "sluice.driver"
local driver_step = require "sluice.driver.step"
local lower_extras = require "sluice.lower.extras"
local window = require "sluice.window"

local lower_step = {}

local C = ffi.C

local KINDS = {
   aggregate = "SL_TO_AGGREGATE", sink = "SL_TO_SINK", distinct = "SL_TO_DISTINCT",
   flat_map = "SL_TO_EXPAND",
}
local KEYS = {
   record = "SL_KEY_RECORD", object = "SL_KEY_OBJECT", plain = "SL_KEY_PLAIN",
   raw = "SL_KEY_RAW",
}

-- Columns of an aggregation's result rows by slot.
local function result_columns(aggregate)
   local columns = {}
   local function add(name, kind, exact, shape)
      columns[#columns + 1] = { name = name, type = kind, exact = exact, shape = shape }
   end
   for _, column in ipairs(aggregate.group) do
      add(column.name, column.type, column.exact, column.shape)
   end
   if aggregate.window and window.has_bounds(aggregate.window.kind) then
      add("window_start", "timestamp")
      add("window_end", "timestamp")
   end
   for _, item in ipairs(aggregate.items) do
      if item.spec.fields then
         for _, field in ipairs(item.spec.fields) do
            add(item.name .. "_" .. field.name, field.type, field.exact, field.shape)
         end
      else
         add(item.name, item.spec.type, item.spec.exact, item.spec.shape)
      end
   end
   return columns
end

local function add_derived(columns, tree)
   for _, stage in ipairs(tree) do
      if stage.op == "derive" then
         for _, column in ipairs(stage.columns) do columns[column.slot] = column end
      end
      if stage.next then add_derived(columns, stage.next) end
   end
end

local function first_columns(graph, step)
   local input = step.input
   if input.kind == "aggregate" then
      return result_columns(graph.aggregates[input.index])
   end
   local columns = {}
   local fields = input.kind == "source" and graph.sources[input.index].fields
      or step.fields
   for slot, field in ipairs(fields) do columns[slot] = field end
   return columns
end

-- Columns by slot of the rows that begin at a step: decoded or aggregated ones, those
-- that any step over these rows derives, `final` last.
local function row_columns(graph, index)
   local step = graph.steps[index]
   local columns = first_columns(graph, step)
   for i, other in ipairs(graph.steps) do
      if (other.rows or i) == index then add_derived(columns, other.tree) end
   end
   local aggregate = step.input.kind == "aggregate" and graph.aggregates[step.input.index]
   local final
   if aggregate and aggregate.final then
      final = #columns + 1
      columns[final] = { name = "final", type = "bool" }
   end
   return columns, final
end

--- Lay out the rows of all steps. Steps behind a distinct share their parent's.
-- @tparam table graph
-- @param calls where the binary's functions are
-- @treturn table Step by number
function lower_step.layouts(graph, calls)
   local steps = {}
   for i, step in ipairs(graph.steps) do
      local rows = step.rows or i
      if rows ~= i then
         steps[i] = steps[rows]
      else
         local columns, final = row_columns(graph, i)
         steps[i] = driver_step.new(columns, calls)
         steps[i].final = final
      end
   end
   return steps
end

-- Number the outputs of a tree of steps, depth first.
local function number_outputs(graph, index, orders, last)
   for _, output in ipairs(graph.steps[index].outputs) do
      orders[output], last = last, last + 1
      if output.next then last = number_outputs(graph, output.next, orders, last) end
   end
   return last
end

--- Find which outputs feed what.
-- @tparam table graph
-- @treturn table output → its number in its tree
-- @treturn table kind → index of the target → list of `{ step =, output = }` as `sl_feed`
function lower_step.feeds(graph)
   local orders, feeds = {}, { aggregate = {}, distinct = {}, sink = {} }
   local function add(index)
      for k, output in ipairs(graph.steps[index].outputs) do
         local of_kind = feeds[output.kind]
         if of_kind then
            local list = of_kind[output.target] or {}
            of_kind[output.target] = list
            list[#list + 1] = { step = index, output = k }
         end
         if output.next then add(output.next) end
      end
   end
   for i, step in ipairs(graph.steps) do
      if (step.root or i) == i then
         number_outputs(graph, i, orders, 0)
         add(i)
      end
   end
   return orders, feeds
end

--- Fill in the list of what feeds a target.
-- @tparam table plan being lowered
-- @tparam cdata into sl_aggregate, sl_distinct or sl_sink
-- @tparam string kind of target
-- @tparam integer index of it
function lower_step.fill_feeds(plan, into, kind, index)
   local list = plan.feeds[kind][index] or {}
   local feeds = plan.memory:array("sl_feed", #list)
   for i, feed in ipairs(list) do
      feeds[i - 1].step, feeds[i - 1].output = feed.step - 1, feed.output - 1
   end
   into.feeds, into.feed_count = feeds, #list
end

local function outputs_behind(tree)
   local mask = 0
   for _, stage in ipairs(tree) do
      local behind = stage.op == "output" and bit.lshift(1, stage.output - 1)
         or outputs_behind(stage.next)
      mask = bit.bor(mask, behind)
   end
   return mask
end

local function fill_node_outputs(masks, tree)
   for _, stage in ipairs(tree) do
      local behind = stage.next and outputs_behind(stage.next)
      if stage.op == "filter" then masks[stage.node - 1] = behind end
      for _, column in ipairs(stage.columns or {}) do masks[column.node - 1] = behind end
      if stage.next then fill_node_outputs(masks, stage.next) end
   end
end

-- What messages call the rows of a step by.
local function name_of(graph, step)
   local input = graph.steps[step.root or 0] and graph.steps[step.root].input
      or step.input
   if input.kind == "source" then return graph.sources[input.index].name end
   return graph.aggregates[input.index].name
end

local fill_kind = {}

-- Where the fold of an aggregation finds its columns: outputs that agree share a driver,
-- and rows of both are folded in one call.
local function fold_key(output, step)
   local parts = { tostring(output.target), tostring(step.layout.ctype) }
   for _, column in ipairs(output.schema.columns) do
      parts[#parts + 1] = ("%s=%d"):format(column.name, column.slot)
   end
   return table.concat(parts, "\0")
end

function fill_kind.aggregate(plan, into, output, step)
   local key = fold_key(output, step)
   if not plan.folds[key] then
      local name = plan.graph.aggregates[output.target].name
      local state = plan.states[output.target]
      plan.folds[key] = plan:add_driver(driver.fold(step, name, state, output.schema))
   end
   into.driver = plan.folds[key]
end

function fill_kind.sink(plan, into, output, step)
   into.key_kind = C[KEYS[output.key_kind]]
   into.key, into.key_count =
      plan.memory:columns(plan.steps[into.key_step + 1].layout, output.key or {})
   if output.extras then
      into.extras = lower_extras.make(plan.memory, step.layout, output.extras)
   end
end

function fill_kind.distinct() end

function fill_kind.flat_map(plan, into, output, step, given)
   local next_step = plan.steps[output.next]
   local name = name_of(plan.graph, given)
   into.driver = plan:add_driver(driver.expand(step, next_step, name, output))
end

local function fill_output(plan, into, output, index)
   local step = plan.steps[index]
   into.kind = C[KINDS[output.kind]]
   into.target = (output.target or 1) - 1
   into.columns, into.column_count =
      plan.memory:columns(step.layout, output.columns or {})
   into.key_step, into.order = (output.key_step or index) - 1, plan.orders[output]
   into.next = output.next and output.next - 1 or C.SL_NO_STEP
   fill_kind[output.kind](plan, into, output, step, plan.graph.steps[index])
end

local function fill_outputs(plan, into, given, index)
   local outputs, going_on = plan.memory:array("sl_output", #given.outputs), 0
   for i, output in ipairs(given.outputs) do
      fill_output(plan, outputs[i - 1], output, index)
      if output.kind ~= "sink" then going_on = bit.bor(going_on, bit.lshift(1, i - 1)) end
   end
   into.outputs, into.output_count, into.going_on = outputs, #given.outputs, going_on
end

-- Nodes of a step behind an aggregation are counted on from those of its results.
local function first_node(graph, input)
   return input.kind == "aggregate" and #graph.aggregates[input.index].items or 0
end

--- Fill in a step.
-- @tparam table plan being lowered
-- @tparam cdata into sl_step
-- @tparam integer index of it
function lower_step.fill(plan, into, index)
   local given, step = plan.graph.steps[index], plan.steps[index]
   local input = given.input
   into.has_functions, into.node_count = #given.nodes > 0 and 1 or 0, #given.nodes
   into.first_node = first_node(plan.graph, input)
   if #given.nodes > 0 and input.kind ~= "aggregate" then
      local name = name_of(plan.graph, given)
      into.driver = plan:add_driver(driver.prepare(step, name, given.tree))
   end
   into.root = (given.root or index) - 1
   into.parent = input.step and input.step - 1 or C.SL_NO_STEP
   into.parent_output = input.output and input.output - 1 or 0
   into.level = given.level or 0
   into.row_size, into.null_words = step.layout.size, step.layout.null_words
   fill_outputs(plan, into, given, index)
   local masks = plan.memory:array("uint32_t", #given.nodes)
   fill_node_outputs(masks, given.tree)
   into.node_outputs = masks
end

return lower_step
