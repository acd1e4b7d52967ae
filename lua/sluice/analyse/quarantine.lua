--- Where records go that a source, its event time or a function threw out, when the
-- script names no place: topic `NAME-quarantine` on the source's brokers, or a file of
-- that name.
-- @module sluice.analyse.quarantine

local place = require "sluice.place"

local analyse_quarantine = {}

-- What a sink on the same cluster shares with the source.
local SHARED = { "brokers", "tls", "sasl" }

local function topic(graph, source)
   local values = {
      topic = graph.name .. "-quarantine", create = true, compression = "lz4",
      times = "ms", on_error = "fail",
   }
   for _, name in ipairs(SHARED) do values[name] = source.options[name] end
   return {
      name = values.topic, connector = "kafka", options = values, times = "ms",
      on_error = "fail", enveloped = false, is_side = true,
   }
end

local function file(graph)
   local path = graph.name .. "-quarantine.jsonl"
   return {
      name = path, connector = "file", times = "ms", on_error = "fail",
      options = { path = path, append = true, times = "ms", on_error = "fail" },
      enveloped = false, is_side = true,
   }
end

local function may_quarantine(graph, source)
   local time = source.time
   return source.options.bad_records == "quarantine"
      or graph.options.on_error == "quarantine"
      or (time and time.on_skew == "quarantine")
end

local BOUNDED = { ["available-now"] = true, once = true }

-- What is still bad comes back into the topic it was read from: without end, it comes
-- round for ever.
local function check_circle(graph, source)
   local sink = source.quarantine and graph.sinks[source.quarantine]
   if not sink or source.connector ~= "kafka" or sink.connector ~= "kafka"
      or sink.options.brokers ~= source.options.brokers
      or BOUNDED[graph.options.trigger.kind] then
      return
   end
   for _, name in ipairs(source.options.topics) do
      if name == sink.options.topic then
         place.fail(source.line, "the source reads its own quarantine `%s`, and what is "
            .. "still bad would come round for ever: write trigger = \"available-now\", "
            .. "or `:quarantine_to` another topic", name)
      end
   end
end

--- Give each source that may need one its default quarantine; sources of one cluster
-- share.
-- @tparam table graph
-- @raise for a source that reads its own quarantine without end
function analyse_quarantine.finish(graph)
   local made = {}
   for _, source in ipairs(graph.sources) do
      if not source.quarantine and may_quarantine(graph, source) then
         local where = source.connector == "kafka" and source.options.brokers or ""
         if not made[where] then
            local make = source.connector == "kafka" and topic or file
            graph.sinks[#graph.sinks + 1] = make(graph, source)
            made[where] = #graph.sinks
         end
         source.quarantine = made[where]
      end
      check_circle(graph, source)
   end
end

return analyse_quarantine
