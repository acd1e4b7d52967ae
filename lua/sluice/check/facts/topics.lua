--- Judges what brokers said of topics: of a source, of a sink.
-- @module sluice.check.facts.topics

local cjson = require "cjson"
local of_sources = require "sluice.check.warn.sources"
local units = require "sluice.units"

local topics = {}

-- The largest batch of the client, librdkafka's message.max.bytes: one record that does
-- not fit makes the broker refuse all of a batch.
local BATCH_BYTES = 1000000

local function number(configs, name)
   return tonumber(configs and configs[name])
end

local function config(sink, name)
   local given = sink.options.config
   return given and tonumber(given[name])
end

local function command(of, said, more)
   return ("kafka-topics.sh --bootstrap-server %s --create --topic %s --partitions "
      .. "%d"):format(
      tostring(said.brokers), of, more or 4)
end

-- Permission that was tried; true: there is trouble.
local function look_at_rights(found, of, topic, field, right)
   local code = topic[field]
   if code then
      found:add("error", of, "may not be " .. right .. ": " .. code, right == "read"
         and "allow Read and Describe on it" or "allow Write and Describe on it")
   elseif topic.tried then
      found:add("ok", of, "may be " .. right)
   end
   return code ~= nil
end

local DENIED = "allow Describe on it"

-- True: it is there and may be looked at.
local function is_there(found, of, topic, said, create)
   if topic.error then
      found:add("error", of, "cannot be looked at: " .. topic.error,
         topic.error:find "AUTHORIZATION" and DENIED or nil)
      return false
   end
   if not topic.missing then return true end
   if not create then
      local near = topic.near and (": did you mean `%s`?"):format(topic.near) or ""
      found:add("error", of, "does not exist" .. near,
         "make it: " .. command(topic.name, said))
   elseif topic.creatable then
      found:add("ok", of, "does not exist, and will be made")
   else
      found:add("error", of, "does not exist, and cannot be made: "
         .. tostring(topic.creatable_error), "make it: " .. command(topic.name, said, 1)
         .. ", or allow Create")
   end
   return false
end

local function say_count(count)
   if count >= 1000000 then return ("%.1f million"):format(count / 1000000) end
   return ("%.0f"):format(count)
end

-- What is unread, as far as it is known: behind the group's offsets, else by `start`.
local function backlog_of(source, topic)
   if topic.committed then return topic.committed end
   return source.options.start == "latest" and 0 or topic.records
end

local function look_at_rate(found, of, source, topic)
   if not topic.recent or topic.recent < 0 or not topic.recent_ms then return end
   local rate = topic.recent * 1000 / topic.recent_ms
   local most = source.options.max_rate
   if most and rate > most then
      found:add("warning", of, ("%.3g records a second came in the last %s, max_rate is "
         .. "%g: the backlog grows"):format(rate, units.say(topic.recent_ms), most),
         "raise max_rate, or leave it out", "rate-below-input")
   else
      found:add("ok", of, ("%s records, %.3g a second in the last %s, %s unread"):format(
         say_count(topic.records), rate, units.say(topic.recent_ms),
         say_count(backlog_of(source, topic))))
   end
end

-- How long the backlog takes at max_rate, while more comes; nil: no limit is set.
local function catch_up_ms(source, topic)
   local most = source.options.max_rate
   if not most or not topic.recent or topic.recent < 0 then return nil end
   local rate = topic.recent * 1000 / topic.recent_ms
   if rate >= most then return math.huge end
   return backlog_of(source, topic) / (most - rate) * 1000
end

local function look_at_retention(found, of, source, topic, window_ms)
   local kept_ms = number(topic.configs, "retention.ms")
   if not kept_ms then return end
   if kept_ms < 0 then
      found:add("ok", of, "retention.ms is -1: nothing is deleted for its age")
      return
   end
   local shown = "retention.ms is " .. units.say(kept_ms)
   local needed_ms = catch_up_ms(source, topic)
   if window_ms > kept_ms then
      found:add("warning", of, ("%s, a window stays open for %s: after a restart its "
         .. "first records are gone"):format(shown, units.say(window_ms)), "raise "
         .. "retention.ms",
         "retention-against-lag")
   elseif needed_ms and needed_ms > kept_ms then
      found:add("warning", of, ("%s, and reading what is there takes longer at max_rate "
         .. "%g: the rest is deleted unread"):format(shown, source.options.max_rate),
         "raise max_rate, or retention.ms", "retention-against-lag")
   else
      found:add("ok", of, shown)
   end
end

-- The field of a source's event time, when records carry it in their JSON.
local function time_field(source)
   local time = source.time
   for _, field in ipairs(source.format == "json" and time and source.fields or {}) do
      if field.name == time.field and field.from.kind == "value" then return field end
   end
end

-- The event time of a record as it stands in its JSON, and its unit; nil where it is not
-- found so.
local function time_in(source, text)
   local field = text and time_field(source)
   local done, of = pcall(cjson.decode, text)
   if not field or not done then return nil end
   for _, name in ipairs(field.from.path) do
      of = type(of) == "table" and of[name] or nil
   end
   return type(of) == "number" and of or nil, field.unit or source.time.unit
end

local function look_at_time(found, of, source, topic)
   local seen, unit = time_in(source, topic.value)
   local other = seen and of_sources.other_unit(seen, unit)
   if other then
      found:add("warning", of, ("`%s` of its last record is %.0f, which looks like %s, "
         .. "and is declared in %s"):format(source.time.field, seen, other, unit),
         ('write unit = "%s"'):format(other), "time-unit")
   end
end

local function look_at_partitions(found, of, source, topic)
   local highest = -1
   for _, wanted in ipairs(source.options.partitions or {}) do
      highest = math.max(highest, wanted)
   end
   if highest >= topic.partitions then
      found:add("error", of, ("has %d partition%s, `partitions` names %d"):format(
         topic.partitions, topic.partitions == 1 and "" or "s", highest),
         "leave it out")
   else
      found:add("ok", of, ("%d partition%s"):format(topic.partitions,
         topic.partitions == 1 and "" or "s"))
   end
end

--- Judge a topic that is read.
-- @tparam table found Findings
-- @tparam table source of the graph
-- @tparam table topic what was said of it
-- @tparam table said what was said of its cluster
-- @tparam integer window_ms how long the windows behind it stay open, 0: there are none
function topics.source(found, source, topic, said, window_ms)
   local of = "topic " .. topic.name
   if not is_there(found, of, topic, said, false) then return end
   look_at_partitions(found, of, source, topic)
   if look_at_rights(found, of, topic, "read_error", "read") then return end
   if topic.configs_error then
      found:add("ok", of, "its settings are not told: " .. topic.configs_error)
   end
   look_at_time(found, of, source, topic)
   look_at_rate(found, of, source, topic)
   look_at_retention(found, of, source, topic, window_ms)
end

local REASONS = {
   compact = "a compacted topic keeps the newest row of each key, any other one all "
      .. "of them",
   delete = "a compacted topic keeps only the newest of each key",
}

local function look_at_policy(found, of, topic, wanted)
   local seen = topic.configs and topic.configs["cleanup.policy"]
   if not seen or not wanted.policy then return end
   local is_compacted = seen:find "compact" ~= nil
   if is_compacted == (wanted.policy == "compact") then
      found:add("ok", of, ("cleanup.policy is %s, as %s wants "
         .. "it"):format(seen, wanted.what))
   else
      found:add("warning", of, ("cleanup.policy is %s, %s wants %s: %s"):format(seen,
         wanted.what, wanted.policy, REASONS[wanted.policy]),
         ("kafka-configs.sh --alter --topic %s --add-config cleanup.policy=%s"):format(
         topic.name, wanted.policy))
   end
end

local function look_at_replicas(found, of, topic)
   local least = number(topic.configs, "min.insync.replicas")
   if not least or not topic.replicas then return end
   if least > topic.replicas then
      found:add("error", of, ("min.insync.replicas is %d, and there are %d replicas: "
         .. "nothing can be written"):format(least, topic.replicas), "lower it")
   elseif topic.replicas > 1 and least == topic.replicas then
      found:add("warning", of, ("min.insync.replicas is %d of %d replicas: one broker "
         .. "that is away stops writing"):format(least, topic.replicas), "lower it by "
         .. "one")
   else
      found:add("ok", of, ("%d replica%s, %d must have a record"):format(topic.replicas,
         topic.replicas == 1 and "" or "s", least))
   end
end

local function look_at_size(found, of, sink, topic)
   local most = number(topic.configs, "max.message.bytes")
   if not most then return end
   local batch = config(sink, "batch.size") or BATCH_BYTES
   if most < batch then
      found:add("warning", of, ("max.message.bytes is %d, batches are up to %d: what is "
         .. "refused is sent again record by record"):format(most, batch),
         ('raise it, or write config = { ["batch.size"] = %d }'):format(most))
   else
      found:add("ok", of, ("max.message.bytes is %d"):format(most))
   end
end

--- Judge a topic that is written.
-- @tparam table found Findings
-- @tparam table sink of the graph
-- @tparam table topic what was said of it
-- @tparam table said what was said of its cluster
-- @tparam table wanted `{ policy = "compact"|"delete"|nil, what = the mode }`
function topics.sink(found, sink, topic, said, wanted)
   local of = "topic " .. topic.name
   if not is_there(found, of, topic, said, sink.options.create) then return end
   if look_at_rights(found, of, topic, "write_error", "written") then return end
   if topic.configs_error then
      found:add("ok", of, "its settings are not told: " .. topic.configs_error)
   end
   look_at_policy(found, of, topic, wanted)
   look_at_replicas(found, of, topic)
   look_at_size(found, of, sink, topic)
end

return topics
