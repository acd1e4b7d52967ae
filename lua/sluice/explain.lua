--- What `sluice check` prints: the graph drawn as a tree, and what it costs and risks.
-- @module sluice.explain

local explain_json = require "sluice.explain.json"
local units = require "sluice.units"

local explain = {}

-- Bytes of a member of a state, rounded up to a word each; `sl_part` keeps its text
-- elsewhere.
local WORD = 8
-- Fewer groups than this are worth a note.
local FEW = 32
local WIDE = { sl_part = 24, sl_string = 16 }

local function say_columns(columns)
   local parts = {}
   for i, column in ipairs(columns) do
      parts[i] = ("%s %s%s"):format(column.name, column.type, column.nullable and "?"
         or "")
   end
   return #parts > 0 and table.concat(parts, ", ") or "nothing"
end

local function state_bytes(items)
   local bytes = 0
   for _, item in ipairs(items) do
      local spec = item.spec
      for _, member in ipairs(spec.members or spec.user and spec.user.members or {}) do
         bytes = bytes + (WIDE[member.type] or WORD) * (member.count or 1)
      end
   end
   return bytes
end

--- How many windows of a key are open at a time, about.
-- @tparam table window of the graph
-- @tparam integer delay_ms of the watermark
-- @treturn integer
-- @usage explain.live_windows({ size_ms = 60000, every_ms = 30000, allowed_lateness_ms =
--   0 },
--   600000) --> 22
function explain.live_windows(window, delay_ms)
   local held = delay_ms + window.allowed_lateness_ms + window.size_ms
   return math.ceil(held / window.every_ms)
end

local function say_window(window)
   if window.kind == "none" then return "no window" end
   local text = ("%s window of %s"):format(window.kind, units.say(window.size_ms))
   if window.kind == "hopping" then
      text = text .. " every " .. units.say(window.every_ms)
   end
   if window.offset_ms > 0 then
      text = text .. ", moved by " .. units.say(window.offset_ms)
   end
   if window.allowed_lateness_ms > 0 then
      text = text .. ", " .. units.say(window.allowed_lateness_ms)
         .. " of lateness allowed"
   end
   return text
end

local function say_key(output)
   if output.key_kind == "record" then return "the source record's key" end
   local names = {}
   for i, column in ipairs(output.key) do names[i] = column.name end
   if output.key_kind == "plain" then return names[1] .. ", plain" end
   return "{ " .. table.concat(names, ", ") .. " }"
end

local function say_sink(sink)
   if not sink then return "counted only" end
   local where = sink.connector == "kafka" and " at " .. sink.options.brokers or ""
   local what = sink.name == sink.connector and "" or sink.connector .. " "
   return what .. sink.name .. where
end

local function say_mode(aggregate)
   local text = "mode " .. aggregate.mode
   if aggregate.final then text = text .. ", final rows marked" end
   if aggregate.only_if_changed then text = text .. ", only if changed" end
   if aggregate.has_retractions then text = text .. ", retractions" end
   if aggregate.mode == "complete" then
      text = text .. (", at most %d rows"):format(aggregate.max_rows)
   end
   return text
end

local function source_of(graph, aggregate)
   local step = graph.steps[aggregate.input[1]]
   return graph.sources[step.input.index]
end

-- Windows stay open for what the watermark waits, for each key of its own.
local function say_state(graph, aggregate)
   local window = aggregate.window
   local bytes = state_bytes(aggregate.items)
   local time = source_of(graph, aggregate).time
   if window.kind == "none" then return ("state: %d bytes a group"):format(bytes) end
   if not time.delay_ms or aggregate.mode == "complete" then
      return ("state: %d bytes a group and pane, no window is ever dropped"):format(bytes)
   end
   local live = explain.live_windows(window, time.delay_ms)
   local text = "state: about %d window%s live per key at %s and %s, "
      .. "%d bytes a group and pane"
   return text:format(
      live, live == 1 and "" or "s", units.say(time.delay_ms), units.say(window.every_ms),
      bytes)
end

local draw_step

local function draw_aggregate(graph, index, head, rest, lines)
   local aggregate = graph.aggregates[index]
   local results = {}
   for i, item in ipairs(aggregate.items) do
      results[i] = { name = item.name, type = item.spec.type or "several columns" }
   end
   local function add(...) lines[#lines + 1] = rest .. table.concat { ... } end
   lines[#lines + 1] = ("%saggregate %s: %s"):format(head, aggregate.name,
      say_window(aggregate.window))
   add("group by: ", #aggregate.group > 0 and say_columns(aggregate.group)
      or "one global group")
   add("computes: ", say_columns(results))
   add(say_mode(aggregate), "; late rows: ", say_sink(graph.sinks[aggregate.late]))
   add(say_state(graph, aggregate))
   draw_step(graph, aggregate.step, rest, lines)
end

local function draw_output(graph, output, head, rest, lines)
   if output.kind == "aggregate" then
      draw_aggregate(graph, output.target, head, rest, lines)
      return
   end
   lines[#lines + 1] = ("%sto %s"):format(head, say_sink(graph.sinks[output.target]))
   lines[#lines + 1] = ("%skey: %s; value: %s"):format(rest, say_key(output),
      say_columns(output.columns))
end

local function draw_tree(graph, step, tree, indent, lines)
   for i, stage in ipairs(tree) do
      local head = indent .. (i == #tree and "└─ " or "├─ ")
      local rest = indent .. (i == #tree and "   " or "│  ")
      if stage.op == "output" then
         draw_output(graph, step.outputs[stage.output], head, rest, lines)
      else
         local node = stage.node or stage.columns[1].node
         local what = stage.op == "filter" and "" or " " .. say_columns(stage.columns)
         lines[#lines + 1] = ("%s%s%s (%s)")
            :format(head, step.nodes[node].what, what,
            step.nodes[node].line)
         draw_tree(graph, step, stage.next, rest, lines)
      end
   end
end

function draw_step(graph, index, indent, lines)
   local step = graph.steps[index]
   draw_tree(graph, step, step.tree, indent, lines)
end

local function say_time(time)
   if not time then return "event time: none" end
   local text = ("event time: %s"):format(time.field or "a function")
   if not time.delay_ms then return text .. ", no watermark" end
   local idle = time.idle_ms < 0 and "never idle" or "idle after "
      .. units.say(time.idle_ms)
   return ("%s; watermark %s behind the %s partition, %s"):format(text,
      units.say(time.delay_ms), time.rule == "min" and "slowest" or "fastest", idle)
end

local function say_start(source)
   local start = source.options.start
   if not start then return source.bounded and "bounded" or "without end" end
   if type(start) == "string" then return "from " .. start end
   if start.timestamp then return ("from time %d"):format(start.timestamp) end
   return "from given offsets"
end

local function draw_source(graph, source, lines)
   local limits = source.options
   lines[#lines + 1] = ("source %s, %s"):format(say_sink(source), say_start(source))
   lines[#lines + 1] = ("   a batch: at most %d records, %s, %s of fetching")
      :format(
      limits.max_records, units.say_size(limits.max_bytes), units.say(limits.max_time_ms))
   lines[#lines + 1] = "   fields: " .. say_columns(source.schema.columns)
   lines[#lines + 1] = "   " .. say_time(source.time)
   local bad = "bad records: " .. limits.bad_records
   if limits.bad_records == "quarantine" then
      local sink = graph.sinks[source.quarantine]
      bad = bad .. " to " .. (sink and say_sink(sink) or graph.name .. "-quarantine")
   end
   lines[#lines + 1] = "   " .. bad
   draw_step(graph, source.step, "", lines)
end

-- How many values the only group field can have; nil: not said.
local function group_limit(graph, aggregate)
   local column = aggregate.group[1]
   if not column or aggregate.group[2] then return nil end
   for _, field in ipairs(source_of(graph, aggregate).fields) do
      if field.name == column.name then return field.one_of and #field.one_of end
   end
end

local function notes_on_group(graph, aggregate, add)
   local limit = group_limit(graph, aggregate)
   if limit and limit < FEW then
      add("aggregation %s has at most %d groups (`%s` alone): few keys do all its work",
         aggregate.name, limit, aggregate.group[1].name)
   end
   if #aggregate.group == 0 then
      add("aggregation %s has one group: one worker does all of its work", aggregate.name)
   end
end

local function notes_on_aggregate(graph, aggregate, add)
   notes_on_group(graph, aggregate, add)
   if aggregate.mode == "complete" then
      add("aggregation %s sends everything with every batch and fails beyond %d rows",
         aggregate.name, aggregate.max_rows)
   end
   if aggregate.window.kind ~= "none" and not aggregate.late then
      local time = source_of(graph, aggregate).time
      if time.delay_ms and aggregate.mode ~= "complete" then
         add("late rows of aggregation %s are counted and dropped: keep them by :late_to",
            aggregate.name)
      end
   end
end

local function notes_on_source(source, add)
   local time = source.time
   if time and time.delay_ms and time.idle_ms < 0 then
      add("source %s is never idle: a partition without records holds the watermark for "
         .. "ever",
         source.name)
   end
   if source.options.bad_records == "skip" then
      add("bad records of source %s are counted and dropped", source.name)
   end
end

--- What is worth knowing before a run.
-- @tparam table graph
-- @treturn {string,...} one line each
function explain.notes(graph)
   local notes = {}
   local function add(text, ...) notes[#notes + 1] = text:format(...) end
   add('checkpoint "none": nothing is committed, a restart begins at `start` with empty '
      .. 'state')
   add("delivery is at-least-once: after a failure rows may come twice")
   for _, source in ipairs(graph.sources) do notes_on_source(source, add) end
   for _, aggregate in ipairs(graph.aggregates) do
      notes_on_aggregate(graph, aggregate, add)
   end
   return notes
end

local function say_trigger(trigger)
   if trigger.kind == "interval" then
      return "every " .. units.say(trigger.interval_ms)
   end
   return trigger.kind .. (trigger.flush and ", flushed" or "")
end

--- Draw the plan.
-- @tparam table graph from `sluice.analyse`
-- @treturn string lines, the last one ended
function explain.text(graph)
   local of = graph.options
   local lines = { ("pipeline %s: %s, checkpoint %s, %s, %d worker%s, %d shards")
      :format(graph.name,
      say_trigger(of.trigger), of.checkpoint, of.delivery, of.workers, of.workers == 1
         and "" or "s",
      of.shards) }
   for _, source in ipairs(graph.sources) do draw_source(graph, source, lines) end
   for _, note in ipairs(explain.notes(graph)) do lines[#lines + 1] = "note: " .. note end
   return table.concat(lines, "\n") .. "\n"
end

--- The plan as JSON, the same text for the same script: names in order, no functions, no
-- secrets (they are references).
-- @tparam table graph from `sluice.analyse`
-- @treturn string
function explain.json(graph)
   return explain_json.encode(graph, explain.notes(graph))
end

return explain
