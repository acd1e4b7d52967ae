--- What the test kit needs to know of a plan: where to feed rows, how to read what comes
-- out, and what limits `test.check_invariance`. Runs in the script's own Lua state.
-- @module sluice.test.describe

local cjson = require "cjson"

local describe = {}

-- Called in a state whose compiler is on: LuaJIT 2.1.0-beta3 crashed recording it.
jit.off(true, true)

local function topics_of(source)
   local given = source.options
   local list = given.topics or given.paths
   if type(list) == "table" and #list > 0 then return list end
   return { given.path or source.name }
end

local function time_of(source)
   local time = source.time
   return time and { delay_ms = time.delay_ms, field = time.field, unit = time.unit,
      rule = time.rule }
end

local function source_of(source, sinks)
   local fields, columns = {}, {}
   for i, field in ipairs(source.fields) do
      local from = field.from
      fields[i] = { name = field.name, type = field.type, from = from }
      if not from or from.kind == "value" then
         columns[#columns + 1] = from and table.concat(from.path, ".") or field.name
      end
   end
   return {
      name = source.name, connector = source.connector, topics = topics_of(source),
      format = source.format, fields = fields,
      format_options = source.format_options, has_header = source.has_header or nil,
      columns = columns, bounded = source.bounded, pattern = source.options.pattern,
      time = time_of(source),
      quarantine = source.quarantine and sinks[source.quarantine].name,
   }
end

-- The columns in sinks' plain keys: a retraction shows nothing else.
local function plain_keys(graph)
   local names = {}
   for _, step in ipairs(graph.steps) do
      for _, output in ipairs(step.outputs) do
         if output.kind == "sink" and output.key_kind == "plain" and output.key[1] then
            names[output.target] = { name = output.key[1].name,
               is_text = output.key[1].type == "string" }
         end
      end
   end
   return names
end

-- Columns of each sink whose numbers are whole beyond 2^53.
local function exact_columns(graph)
   local exact = {}
   for _, step in ipairs(graph.steps) do
      for _, output in ipairs(step.outputs) do
         local of = exact[output.target] or {}
         if output.kind == "sink" then exact[output.target] = of end
         for _, column in ipairs(output.kind == "sink" and output.columns or {}) do
            if column.exact or column.type ~= "double" then of[column.name] = true end
         end
      end
   end
   return exact
end

-- Sinks whose rows take the place of earlier ones of their key: updates of aggregations.
local function updated(graph)
   local found = {}
   for _, step in ipairs(graph.steps) do
      local input = graph.steps[step.root].input
      local of = input.kind == "aggregate" and graph.aggregates[input.index]
      for _, output in ipairs(step.outputs) do
         if output.kind == "sink" and of and of.mode ~= "append" then
            found[output.target] = true
         end
      end
   end
   return found
end

local function sinks_of(graph)
   local names, exact, updates = plain_keys(graph), exact_columns(graph), updated(graph)
   local sinks = {}
   for i, sink in ipairs(graph.sinks) do
      sinks[i] = { name = sink.name, is_side = sink.is_side or false,
         plain_key = names[i], exact = exact[i], is_updated = updates[i] or false }
   end
   return sinks
end

-- Groups that go while their rows stay in the sink: what comes of them later depends on
-- the watermark between batches. A rolling window that is not filtered ends the same.
local function forgets(aggregate)
   local window = aggregate.window
   return window.kind == "running" and window.size_ms > 0
      or window.kind == "rolling" and (aggregate.has_retractions or false)
end

local function aggregate_of(aggregate, sinks)
   local kinds = {}
   for i, item in ipairs(aggregate.items) do
      kinds[i] = { name = item.name, kind = item.spec.kind }
   end
   return {
      name = aggregate.name, mode = aggregate.mode, window = aggregate.window.kind,
      forgets = forgets(aggregate),
      final = aggregate.final, items = kinds,
      late = aggregate.late and sinks[aggregate.late].name,
   }
end

local function has_distinct(graph)
   for _, step in ipairs(graph.steps) do
      for _, output in ipairs(step.outputs) do
         if output.kind == "distinct" then return true end
      end
   end
   return false
end

--- Describe a graph.
-- @tparam table graph from `sluice.analyse`
-- @treturn string JSON
function describe.json(graph)
   local made = { name = graph.name, sources = {}, sinks = sinks_of(graph),
      aggregates = {}, has_distinct = has_distinct(graph) }
   for i, source in ipairs(graph.sources) do
      made.sources[i] = source_of(source, graph.sinks)
   end
   for i, aggregate in ipairs(graph.aggregates) do
      made.aggregates[i] = aggregate_of(aggregate, graph.sinks)
   end
   return cjson.encode(made)
end

return describe
