--- Graph → `sl_plan` (runtime/shared/plan.h) and the drivers that it names.
-- @module sluice.lower

local bit = require "bit"
local ffi = require "ffi"

local driver = require "sluice.driver"
local driver_fold = require "sluice.driver.fold"
local driver_state = require "sluice.driver.state"
local driver_step = require "sluice.driver.step"
local lower_source = require "sluice.lower.source"
local lower_value = require "sluice.lower.value"
local schema = require "sluice.schema"

local lower = {}

local C = ffi.C

local WINDOWS = {
   none = "SL_WINDOW_NONE", tumbling = "SL_WINDOW_TUMBLING",
   hopping = "SL_WINDOW_HOPPING",
}
local WINDOW_TIMES = {
   "size_ms", "every_ms", "offset_ms", "pane_ms", "allowed_lateness_ms",
}
local MODES = { append = "SL_APPEND", update = "SL_UPDATE", complete = "SL_COMPLETE" }
local KEYS = {
   record = "SL_KEY_RECORD", object = "SL_KEY_OBJECT", plain = "SL_KEY_PLAIN",
}
local ERRORS = { quarantine = "SL_ON_ERROR_QUARANTINE", fail = "SL_ON_ERROR_FAIL" }
local TIMES = { ms = "SL_TIMES_MS", iso = "SL_TIMES_ISO" }
local TRIGGERS = {
   continuous = "SL_CONTINUOUS", interval = "SL_INTERVAL",
   ["available-now"] = "SL_AVAILABLE_NOW", once = "SL_ONCE",
}

local function constant(words, word)
   return C[words[word] or error("no such word in a plan: " .. tostring(word), 0)]
end

local function flag(value) return value and 1 or 0 end

local function is_windowed(aggregate)
   return aggregate.window ~= nil and aggregate.window.kind ~= "none"
end

-- Columns of an aggregation's result rows by slot.
local function result_columns(aggregate)
   local columns = {}
   local function add(name, kind, exact)
      columns[#columns + 1] = { name = name, type = kind, exact = exact }
   end
   for _, column in ipairs(aggregate.group) do
      add(column.name, column.type, column.exact)
   end
   if is_windowed(aggregate) then
      add("window_start", "timestamp")
      add("window_end", "timestamp")
   end
   for _, item in ipairs(aggregate.items) do
      if item.spec.fields then
         for _, field in ipairs(item.spec.fields) do
            add(item.name .. "_" .. field.name, field.type, field.exact)
         end
      else
         add(item.name, item.spec.type, item.spec.exact)
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

-- A step's columns by slot: decoded or aggregated ones, derived ones, `final` last.
local function step_columns(graph, step)
   local columns = {}
   local aggregate = step.input.kind == "aggregate" and graph.aggregates[step.input.index]
   if aggregate then
      columns = result_columns(aggregate)
   else
      local fields = graph.sources[step.input.index].fields
      for slot, field in ipairs(fields) do columns[slot] = field end
   end
   add_derived(columns, step.tree)
   local final
   if aggregate and aggregate.final then
      final = #columns + 1
      columns[final] = { name = "final", type = "bool" }
   end
   return columns, final
end

local Plan = {}
Plan.__index = Plan

-- Number of a new driver.
function Plan:add_driver(definition)
   self.definitions[#self.definitions + 1] = definition
   return #self.definitions - 1
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

function Plan:fill_output(into, output, step)
   local memory, layout = self.memory, step.layout
   into.target = output.target - 1
   into.columns, into.column_count = memory:columns(layout, output.columns)
   if output.kind == "aggregate" then
      local aggregate = self.graph.aggregates[output.target]
      into.kind = C.SL_TO_AGGREGATE
      local state = self.states[output.target]
      local fold = driver.fold(step, aggregate.name, state, output.schema)
      into.driver = self:add_driver(fold)
      return
   end
   into.kind = C.SL_TO_SINK
   into.key_kind = constant(KEYS, output.key_kind)
   into.key, into.key_count = memory:columns(layout, output.key or {})
end

function Plan:fill_step(into, index)
   local given, step = self.graph.steps[index], self.steps[index]
   into.has_functions, into.node_count = flag(#given.nodes > 0), #given.nodes
   if #given.nodes > 0 and given.input.kind == "source" then
      local source = self.graph.sources[given.input.index]
      into.driver = self:add_driver(driver.prepare(step, source.name, given.tree))
   end
   local outputs = self.memory:array("sl_output", #given.outputs)
   for i, output in ipairs(given.outputs) do
      self:fill_output(outputs[i - 1], output, step)
   end
   into.outputs, into.output_count = outputs, #given.outputs
   local masks = self.memory:array("uint32_t", #given.nodes)
   fill_node_outputs(masks, given.tree)
   into.node_outputs = masks
end

local function user_code(aggregate)
   local kind = C.SL_NO_USER_CODE
   for _, item in ipairs(aggregate.items) do
      local spec = item.spec
      if spec.user and spec.user.fold_batch then return C.SL_USER_BATCHES end
      if driver_fold.has_functions(spec) then kind = C.SL_USER_ROWS end
   end
   return kind
end

local function fill_window(into, window)
   if not window then return end
   into.kind = constant(WINDOWS, window.kind)
   for _, name in ipairs(WINDOW_TIMES) do into[name] = window[name] or 0 end
end

function Plan:fill_state(into, state)
   into.state_size, into.part_count = state.size, #state.part_offsets
   local offsets = self.memory:array("uint32_t", #state.part_offsets)
   for i, offset in ipairs(state.part_offsets) do offsets[i - 1] = offset end
   into.part_offsets = offsets
   local initial = state:initial()
   self.memory.anchors[#self.memory.anchors + 1] = initial
   into.state_init = initial
end

-- Result rows: group columns, window bounds, aggregates (from `first_slot`), `final`.
function Plan:fill_result(into, aggregate, step)
   local memory, layout, groups = self.memory, step.layout, #aggregate.group
   local columns = {}
   for slot, column in ipairs(aggregate.group) do
      columns[slot] = { name = column.name, slot = slot }
   end
   into.group, into.group_count = memory:columns(layout, columns)
   local windowed = is_windowed(aggregate)
   if windowed then
      memory:column(into.window_start, layout, groups + 1, "window_start")
      memory:column(into.window_end, layout, groups + 2, "window_end")
   end
   if step.final then memory:column(into.final_column, layout, step.final, "final") end
   into.row_size, into.null_words = layout.size, layout.null_words
   return { windowed = windowed, first_slot = groups + (windowed and 3 or 1) }
end

function Plan:fill_aggregate(into, index)
   local aggregate, state = self.graph.aggregates[index], self.states[index]
   local step, tree = self.steps[aggregate.step], self.graph.steps[aggregate.step].tree
   self.memory:text(into.name, aggregate.name)
   fill_window(into.window, aggregate.window)
   into.mode = constant(MODES, aggregate.mode)
   into.final = flag(aggregate.final)
   into.only_if_changed = flag(aggregate.only_if_changed)
   into.has_retractions = flag(aggregate.has_retractions)
   into.user_code = user_code(aggregate)
   into.max_rows = aggregate.max_rows or 0
   into.step = aggregate.step - 1
   into.late = aggregate.late and aggregate.late - 1 or -1
   self:fill_state(into, state)
   local result = self:fill_result(into, aggregate, step)
   local emit = driver.emit(step, aggregate.name, state, tree, result)
   into.emit_driver = self:add_driver(emit)
end

-- What an event-time function sees: the fields, before any stage.
local function decoded_schema(source)
   local columns = {}
   for slot, field in ipairs(source.fields) do
      columns[slot] = {
         name = field.name, type = field.type, exact = field.exact, slot = slot,
      }
   end
   return schema.new(columns)
end

function Plan:fill_source(into, index)
   local source = self.graph.sources[index]
   local step, drivers = self.steps[source.step], {}
   if source.rows then drivers.rows = self:add_driver(driver.rows(step, source)) end
   if source.time and source.time.fn then
      drivers.time = self:add_driver(driver.time(step, source, decoded_schema(source)))
   end
   lower_source.fill(self.memory, into, source, step.layout, drivers)
end

function Plan:fill_sink(into, index)
   local sink = self.graph.sinks[index]
   self.memory:text(into.name, sink.name)
   self.memory:text(into.connector, sink.connector)
   into.options = self.memory:value(sink.options)
   into.times = constant(TIMES, sink.times or "ms")
   into.on_error = constant(ERRORS, sink.on_error or "quarantine")
   into.enveloped, into.is_side = flag(sink.enveloped), flag(sink.is_side)
end

-- Lists of the plan: member, its count, struct, list of the graph, how to fill one in.
local LISTS = {
   { "sources", "source_count", "sl_source", Plan.fill_source },
   { "steps", "step_count", "sl_step", Plan.fill_step },
   { "aggregates", "aggregate_count", "sl_aggregate", Plan.fill_aggregate },
   { "sinks", "sink_count", "sl_sink", Plan.fill_sink },
}

local function fill_options(into, options)
   local trigger = options.trigger or { kind = "continuous" }
   into.trigger, into.flush = constant(TRIGGERS, trigger.kind), flag(trigger.flush)
   into.interval_ms = trigger.interval_ms or 0
   into.shards, into.workers = options.shards or 64, options.workers or 1
   into.shutdown_timeout_ms = options.shutdown_timeout_ms or 10000
   into.script_timeout_ms = options.script_timeout_ms or 10000
   into.on_error = constant(ERRORS, options.on_error or "quarantine")
end

--- Lower a graph.
-- @tparam table graph from `sluice.analyse`
-- @param[opt] calls where `sl_text_copy` and `sl_part_set` are: the binary, or a table in
--  tests
-- @treturn table `{ plan = cdata sl_plan *, drivers = function (v) → list of functions,
--  list of `{ what =, name =, loops = { function, … } }`; anchors = what keeps the plan
--  alive, steps = { { layout =, view = … } } by number, states = of the aggregations }`
-- @usage local lowered = lower.plan(graph); local run = lowered.drivers(v)
function lower.plan(graph, calls)
   calls = calls or driver.binary()
   local plan = setmetatable({
      graph = graph, memory = lower_value.new(),
      definitions = {}, steps = {}, states = {},
   }, Plan)
   for i, step in ipairs(graph.steps) do
      local columns, final = step_columns(graph, step)
      plan.steps[i] = driver_step.new(columns, calls)
      plan.steps[i].final = final
   end
   for i, aggregate in ipairs(graph.aggregates) do
      plan.states[i] = driver_state.layout(aggregate.items)
   end
   local into = plan.memory:array("sl_plan", 1)
   plan.memory:text(into[0].name, graph.name)
   fill_options(into[0], graph.options)
   for _, list in ipairs(LISTS) do
      local member, count, ctype, fill = unpack(list)
      local items = plan.memory:array(ctype, #graph[member])
      for i = 1, #graph[member] do fill(plan, items[i - 1], i) end
      into[0][member], into[0][count] = items, #graph[member]
   end
   local function drivers(v)
      local functions, descriptions = {}, {}
      for i, definition in ipairs(plan.definitions) do
         functions[i], descriptions[i] = definition(v, calls)
      end
      return functions, descriptions
   end
   return {
      plan = into + 0, drivers = drivers, anchors = plan.memory.anchors,
      steps = plan.steps, states = plan.states,
   }
end

return lower
