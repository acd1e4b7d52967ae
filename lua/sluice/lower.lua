--- Graph → `sl_plan` (runtime/shared/plan.h) and the drivers that it names.
-- @module sluice.lower

local ffi = require "ffi"

local compat_shape = require "sluice.compat.shape"
local constraint = require "sluice.constraint"
local driver = require "sluice.driver"
local driver_fold = require "sluice.driver.fold"
local driver_state = require "sluice.driver.state"
local lower_checkpoint = require "sluice.lower.checkpoint"
local lower_source = require "sluice.lower.source"
local lower_step = require "sluice.lower.step"
local lower_value = require "sluice.lower.value"
local schema = require "sluice.schema"
local window = require "sluice.window"

local lower = {}

local C = ffi.C

local WINDOW_TIMES = {
   "size_ms", "every_ms", "offset_ms", "pane_ms", "allowed_lateness_ms",
}
local MODES = { append = "SL_APPEND", update = "SL_UPDATE", complete = "SL_COMPLETE" }
local ERRORS = { quarantine = "SL_ON_ERROR_QUARANTINE", fail = "SL_ON_ERROR_FAIL" }
local TIMES = { ms = "SL_TIMES_MS", iso = "SL_TIMES_ISO" }
local SPILLS = { none = "SL_SPILL_NONE", parts = "SL_SPILL_PARTS",
   cached = "SL_SPILL_CACHED" }
local TRIGGERS = {
   continuous = "SL_CONTINUOUS", interval = "SL_INTERVAL",
   ["available-now"] = "SL_AVAILABLE_NOW", once = "SL_ONCE",
}

local function constant(words, word)
   return C[words[word] or error("no such word in a plan: " .. tostring(word), 0)]
end

-- Of what is remembered for good.
local FOREVER = 0x7fffffffffffffffLL

local function flag(value) return value and 1 or 0 end

local function spills(stage)
   return constant(SPILLS, stage.spills and stage.spills.way or "none")
end

local function is_windowed(aggregate)
   return aggregate.window ~= nil and window.has_bounds(aggregate.window.kind)
end

local Plan = {}
Plan.__index = Plan

-- Number of a new driver.
function Plan:add_driver(definition)
   self.definitions[#self.definitions + 1] = definition
   return #self.definitions - 1
end

function Plan:fill_step(into, index)
   lower_step.fill(self, into, index)
end

function Plan:fill_distinct(into, index)
   local distinct = self.graph.distincts[index]
   self.memory:text(into.name, distinct.name)
   into.within_ms = distinct.within_ms or FOREVER
   into.pane_ms = distinct.pane_ms or FOREVER
   into.spills = spills(distinct)
   into.late = distinct.late and distinct.late - 1 or -1
   into.level = distinct.level
   lower_step.fill_feeds(self, into, "distinct", index)
end

-- Whether windows of several panes may be made of panes that were sorted, and merged,
-- before (operator/slide.h).
local LEAST_PANES = 2

local function slides(aggregate)
   local of = aggregate.window
   if of.kind ~= "hopping" and of.kind ~= "cumulate" then return false end
   if of.size_ms < LEAST_PANES * of.pane_ms or aggregate.mode == "complete" then
      return false
   end
   for _, item in ipairs(aggregate.items) do
      if not item.spec.splits then return false end
   end
   return true
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

local function fill_window(into, given)
   if not given then return end
   into.kind = C[window.word(given.kind)]
   for _, name in ipairs(WINDOW_TIMES) do into[name] = given[name] or 0 end
   if given.size_ms and given.size_ms < 0 then into.size_ms = FOREVER end
end

function Plan:fill_state(into, state)
   into.state_size, into.part_count = state.size, #state.part_offsets
   local offsets = self.memory:array("uint32_t", #state.part_offsets)
   for i, offset in ipairs(state.part_offsets) do offsets[i - 1] = offset end
   into.part_offsets = offsets
   into.has_span, into.span_offset = flag(state.span_offset), state.span_offset or 0
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
   into.user_code, into.spills = user_code(aggregate), spills(aggregate)
   into.max_rows = aggregate.max_rows or 0
   into.backfill_ms = aggregate.backfill_ms or 0
   into.step, into.level = aggregate.step - 1, aggregate.level or 0
   into.late = aggregate.late and aggregate.late - 1 or -1
   lower_step.fill_feeds(self, into, "aggregate", index)
   self:fill_state(into, state)
   local result = self:fill_result(into, aggregate, step)
   local emit = driver.emit(step, aggregate.name, state, tree, result)
   into.emit_driver = self:add_driver(emit)
   if slides(aggregate) then
      into.slides = 1
      into.merge_driver = self:add_driver(driver.merge(aggregate.name, state))
   end
end

-- What an event-time function sees: the fields, before any stage.
local function decoded_schema(source)
   local columns = {}
   for slot, field in ipairs(source.fields) do
      columns[slot] = {
         name = field.name, type = field.type, exact = field.exact, shape = field.shape,
         slot = slot,
      }
   end
   return schema.new(columns)
end

function Plan:fill_source(into, index)
   local source = self.graph.sources[index]
   local step, drivers = self.steps[source.step], {}
   if source.rows then drivers.rows = self:add_driver(driver.rows(step, source)) end
   if constraint.list(source.fields)[1] then
      local checks = driver.checks(step, source, decoded_schema(source))
      drivers.checks = self:add_driver(checks)
   end
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
   lower_step.fill_feeds(self, into, "sink", index)
   into.enveloped, into.is_side = flag(sink.enveloped), flag(sink.is_side)
   into.kind = lower_checkpoint.kind(sink)
end

-- Lists of the plan: member, its count, struct, list of the graph, how to fill one in.
local LISTS = {
   { "sources", "source_count", "sl_source", Plan.fill_source },
   { "steps", "step_count", "sl_step", Plan.fill_step },
   { "aggregates", "aggregate_count", "sl_aggregate", Plan.fill_aggregate },
   { "sinks", "sink_count", "sl_sink", Plan.fill_sink },
   { "distincts", "distinct_count", "sl_distinct", Plan.fill_distinct },
}

local function fill_options(into, options)
   local trigger = options.trigger or { kind = "continuous" }
   into.trigger, into.flush = constant(TRIGGERS, trigger.kind), flag(trigger.flush)
   into.interval_ms = trigger.interval_ms or 0
   into.shards, into.workers = options.shards or 64, options.workers or 1
   into.shutdown_timeout_ms = options.shutdown_timeout_ms or 10000
   into.script_timeout_ms = options.script_timeout_ms or 10000
   into.script_memory_bytes = options.script_memory_bytes or 268435456
   into.on_error = constant(ERRORS, options.on_error or "quarantine")
end

--- Lower a graph.
-- @tparam table graph from `sluice.analyse`
-- @param[opt] calls where `sl_text_copy` and `sl_part_set` are: the binary, or a table in
--  tests
-- @tparam ?boolean hides_secrets look none up: options that hold one are left out
-- @treturn table `{ plan = cdata sl_plan *, drivers = function (v, timing) → functions,
--  list of `{ what =, name =, loops = { function, … } }`; anchors = what keeps the plan
--  alive, steps = { { layout =, view = … } } by number, states = of the aggregations,
--  shape = what stored state depends on, JSON }`
-- @usage local lowered = lower.plan(graph); local run = lowered.drivers(v)
function lower.plan(graph, calls, hides_secrets)
   calls = calls or driver.binary()
   local plan = setmetatable({
      graph = graph, memory = lower_value.new(hides_secrets),
      definitions = {}, folds = {}, states = {},
   }, Plan)
   plan.steps = lower_step.layouts(graph, calls)
   plan.orders, plan.feeds = lower_step.feeds(graph)
   for i, aggregate in ipairs(graph.aggregates) do
      plan.states[i] = driver_state.layout(aggregate.items,
         aggregate.window and window.keeps_span(aggregate.window))
   end
   local into = plan.memory:array("sl_plan", 1)
   plan.memory:text(into[0].name, graph.name)
   plan.memory:text(into[0].at, graph.line or "")
   fill_options(into[0], graph.options)
   for _, list in ipairs(LISTS) do
      local member, count, ctype, fill = unpack(list)
      local given = graph[member] or {}
      local items = plan.memory:array(ctype, #given)
      for i = 1, #given do fill(plan, items[i - 1], i) end
      into[0][member], into[0][count] = items, #given
   end
   local shape = compat_shape.text(graph, plan.states)
   lower_checkpoint.fill(plan.memory, into[0].checkpoint, graph, shape)
   local function drivers(v, timing)
      local functions, descriptions = {}, {}
      for i, definition in ipairs(plan.definitions) do
         functions[i], descriptions[i] = definition(v, calls, timing)
      end
      return functions, descriptions
   end
   return {
      plan = into + 0, drivers = drivers, anchors = plan.memory.anchors,
      steps = plan.steps, states = plan.states, shape = shape,
   }
end

return lower
