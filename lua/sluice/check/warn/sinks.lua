--- What is doubtful about sinks and what they get.
-- @module sluice.check.warn.sinks

local analyse_message = require "sluice.analyse.message"
local units = require "sluice.units"
local window = require "sluice.window"

local sinks = {}

local BOUNDS = { window_start = true, window_end = true }

-- Slots of a window's bounds in rows of an aggregation.
local function bound_slots(aggregate)
   local first = #aggregate.group
   return { [first + 1] = "window_start", [first + 2] = "window_end" }
end

local function has_bound(output, slots)
   for _, column in ipairs(output.key) do
      if slots[column.slot] or BOUNDS[column.name] and not column.fn then return true end
   end
   return false
end

-- Of kinds of window without bounds in their key a group has one row, which is meant to
-- be replaced.
local function look_at_key(graph, step, output, add)
   local aggregate = step.input.kind == "aggregate" and graph.aggregates[step.input.index]
   local sink = output.kind == "sink" and graph.sinks[output.target]
   if not aggregate or not sink or sink.connector ~= "kafka"
      or window.key_bounds(aggregate.window.kind) == 0 or output.key_kind == "record"
      or has_bound(output, bound_slots(aggregate)) then
      return
   end
   local names = {}
   for i, column in ipairs(output.key) do names[i] = "`" .. column.name .. "`" end
   add("key-overwrites-windows", sink.line, "rows of all windows of %s go to %s with the "
      .. "key %s alone: each overwrites the last one's; leave `key` out (it is then the "
      .. "group and `window_start`), or put `window_start` into it", aggregate.name,
      sink.name, #names > 0 and table.concat(names, ", ") or "{}")
end

-- What a broker that restarts is away for, at least.
local RESTART_MS = 10000

local function look_at_transaction(sink, add)
   local config = sink.options and sink.options.config
   local given = config and tonumber(config["transaction.timeout.ms"])
   if given and given < RESTART_MS and sink.kind == "transactional" then
      add("transaction-timeout", sink.line, "transaction.timeout.ms of %s is %s, and a "
         .. "broker that restarts is away for longer", sink.name, units.say(given))
   end
end

local function look_at_own(sink, add)
   if sink.connector == "sink" or sink.connector == "lua" then
      add("own-sink", sink.line, "sink %s is the script's own code, with `io` and `os`",
         sink.name)
   end
end

local PARTS = { key = true, value = true, headers = true, topic = true, partition = true,
   timestamp = true }

local function has_only_parts(output)
   if output.extras and output.extras.value then return false end
   for _, column in ipairs(output.schema.columns) do
      if not PARTS[column.name] then return false end
   end
   return output.schema.by_name.value ~= nil
end

-- Rows that look like messages, as sinks of other systems take them.
local function look_at_parts(graph, output, add)
   local sink = output.kind == "sink" and graph.sinks[output.target]
   if not sink or sink.connector ~= "kafka" or not has_only_parts(output) then return end
   local has_key = output.schema.by_name.key
   add("parts-as-columns", sink.line, "%s gets %s as fields of a JSON object, not as "
      .. "parts of the message: write %svalue = function(row) return row.value end",
      sink.name, has_key and "`key` and `value`" or "`value`",
      has_key and 'key = "key", ' or "")
end

local OTHER_FORMATS = { csv = true, tsv = true, parquet = true, avro = true, orc = true,
   xml = true }

-- The sink has no format to choose: what its path promises is not what it writes.
local function look_at_path(graph, output, add)
   local sink = output.kind == "sink" and graph.sinks[output.target]
   local ending = sink and sink.connector == "file" and sink.name:match "%.(%w+)$"
   if not ending or not OTHER_FORMATS[ending:lower()] then return end
   add("json-in-file", sink.line, "%s is called .%s and gets a JSON object a line: call "
      .. "it .jsonl", sink.name, ending)
end

-- Topics that functions name are not known to the pattern of a source.
local function look_at_circle(graph, sink, add)
   if sink.connector ~= "kafka" or sink.options.topic then return end
   for _, source in ipairs(graph.sources) do
      if source.options.pattern and source.options.brokers == sink.options.brokers then
         add("reads-its-own", sink.line, "a function names the topics of %s, and source "
            .. "%s reads whatever matches its pattern", sink.name, source.name)
      end
   end
end

-- Nobody asked for it: the sinks that made it so are named.
local function look_at_delivery(graph, add)
   if graph.options.delivery ~= "at-least-once" then return end
   local kept = graph.checkpoint
   if not kept or kept.is_chosen then
      add("at-least-once", nil, "delivery is at-least-once: after a failure rows may "
         .. "come twice")
      return
   end
   for _, sink in ipairs(graph.sinks) do
      if sink.kind == "repeats" then
         add("at-least-once!", sink.line, "delivery is at-least-once, because of sink "
            .. "%s: %s", sink.name, sink.why)
      end
   end
end

--- Look through the sinks of a graph.
-- @tparam table graph
-- @tparam function add (name of the code, place, text, …)
function sinks.find(graph, add)
   look_at_delivery(graph, add)
   for _, step in ipairs(graph.steps) do
      for _, output in ipairs(step.outputs) do
         look_at_key(graph, step, output, add)
         look_at_parts(graph, output, add)
         look_at_path(graph, output, add)
      end
   end
   for _, message in ipairs(analyse_message.warnings(graph)) do
      local at, text = message:match "^(.-:%d+): (.*)$"
      add("key-changes", at, "%s", text or message)
   end
   for _, sink in ipairs(graph.sinks) do
      look_at_transaction(sink, add)
      look_at_own(sink, add)
      look_at_circle(graph, sink, add)
   end
end

return sinks
