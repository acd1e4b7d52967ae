--- The plan as JSON, for programs and for telling plans apart.
-- @module sluice.explain.json

local shape = require "sluice.shape"
local tables = require "sluice.tables"

local explain_json = {}

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\t"] = "\\t",
   ["\r"] = "\\r" }

local function quote(text)
   return '"' .. text:gsub('[%c"\\]', function(c)
      return ESCAPES[c] or ("\\u%04x"):format(c:byte())
   end) .. '"'
end

local encode

local function encode_table(of)
   local parts = {}
   if #of > 0 or next(of) == nil then
      for i, item in ipairs(of) do parts[i] = encode(item) end
      return "[" .. table.concat(parts, ",") .. "]"
   end
   for _, key in ipairs(tables.keys(of)) do
      parts[#parts + 1] = quote(tostring(key)) .. ":" .. encode(of[key])
   end
   return "{" .. table.concat(parts, ",") .. "}"
end

function encode(value)
   local kind = type(value)
   if kind == "table" then return encode_table(value) end
   if kind == "string" then return quote(value) end
   if kind == "number" then return ("%.17g"):format(value) end
   return tostring(value)
end

-- Columns as programs see them: without slots.
local function columns_of(columns)
   local shown = {}
   for i, column in ipairs(columns) do
      shown[i] = { name = column.name, type = shape.text(column),
         nullable = column.nullable or false }
   end
   return shown
end

local TIME = { "field", "unit", "delay_ms", "idle_ms", "max_skew_ms", "on_skew",
   "wall_clock",
   "rule" }

local function time_of(time)
   if not time then return nil end
   local shown = {}
   for _, name in ipairs(TIME) do shown[name] = time[name] end
   return shown
end

local function refusals_of(checks)
   local texts = {}
   for i, check in ipairs(checks or {}) do texts[i] = check.refusal end
   return texts[1] and texts or nil
end

local function fields_of(fields)
   local shown = {}
   for i, field in ipairs(fields) do
      shown[i] = {
         name = field.name, type = shape.text(field), unit = field.unit,
         required = field.required,
         exact = field.exact, default = field.default, one_of = field.one_of,
         range = field.range, from = field.from, checks = refusals_of(field.checks),
      }
   end
   return shown
end

local function source_of(source, sinks)
   return {
      name = source.name, connector = source.connector, options = source.options,
      bounded = source.bounded, fields = fields_of(source.fields),
      format = source.format, format_options = source.format_options,
      has_header = source.has_header,
      time = time_of(source.time),
      step = source.step, line = source.line,
      quarantine = source.quarantine and sinks[source.quarantine].name,
   }
end

local function step_of(step)
   local shown = { input = step.input, functions = {}, outputs = {},
      fields = step.fields and fields_of(step.fields) }
   for i, node in ipairs(step.nodes) do
      shown.functions[i] = { what = node.what, line = node.line }
   end
   for i, output in ipairs(step.outputs) do
      shown.outputs[i] = {
         kind = output.kind, target = output.target, key_kind = output.key_kind,
         key = output.key and tables.names(output.key), next = output.next,
         columns = output.columns and columns_of(output.columns), line = output.line,
      }
   end
   return shown
end

local function aggregate_of(aggregate, sinks)
   local items = {}
   for i, item in ipairs(aggregate.items) do
      local spec = item.spec
      items[i] = { name = item.name, kind = spec.kind, type = spec.type, of = spec.label,
         fields = spec.fields and columns_of(spec.fields) }
   end
   return {
      name = aggregate.name, window = aggregate.window, mode = aggregate.mode,
      input = aggregate.input, sources = aggregate.sources,
      final = aggregate.final, only_if_changed = aggregate.only_if_changed,
      has_retractions = aggregate.has_retractions, max_rows = aggregate.max_rows,
      group = columns_of(aggregate.group), items = items, step = aggregate.step,
      spills = aggregate.spills,
      late = aggregate.late and sinks[aggregate.late].name, line = aggregate.line,
   }
end

local function distinct_of(distinct, sinks)
   return {
      name = distinct.name, within_ms = distinct.within_ms, input = distinct.input,
      sources = distinct.sources, line = distinct.line,
      spills = distinct.spills, late = distinct.late and sinks[distinct.late].name,
   }
end

local function sink_of(sink)
   return {
      name = sink.name, connector = sink.connector, options = sink.options,
      enveloped = sink.enveloped, is_side = sink.is_side, line = sink.line,
      kind = sink.kind, why = sink.why,
   }
end

local function map(list, fn, more)
   local made = {}
   for i, one in ipairs(list) do made[i] = fn(one, more) end
   return made
end

--- A graph as plain tables for programs.
-- @tparam table graph from `sluice.analyse`
-- @treturn table
function explain_json.plan(graph)
   return {
      name = graph.name, options = graph.options,
      sources = map(graph.sources, source_of, graph.sinks),
      steps = map(graph.steps, step_of),
      aggregates = map(graph.aggregates, aggregate_of, graph.sinks),
      distincts = map(graph.distincts or {}, distinct_of, graph.sinks),
      sinks = map(graph.sinks, sink_of),
   }
end

--- Encode tables, text, numbers and flags.
-- @tparam table value
-- @treturn string JSON, names in order
function explain_json.encode(value)
   return encode(value)
end

return explain_json
