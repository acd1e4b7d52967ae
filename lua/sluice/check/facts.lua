--- Judges what brokers said (runtime/connect/kafka_inspect.h): each finding says what was
-- seen, what is wanted, and what to do.
-- @module sluice.check.facts

local cjson = require "cjson"
local codes = require "sluice.check.codes"
local cost = require "sluice.explain.cost"
local of_topics = require "sluice.check.facts.topics"

local facts = {}

-- "Kafka at host:9092", "topic rides", …: whom a finding is about, as a text.
local Findings = {}
Findings.__index = Findings

-- The same twice (two sinks of one cluster) is told once.
function Findings:add(level, of, text, fix, name)
   local key = of .. "\n" .. text
   if self.seen[key] then return end
   self.seen[key] = true
   local entry = name and codes.BY_NAME[name]
   self.list[#self.list + 1] = { level = level, of = of, text = text, fix = fix,
      code = entry and entry.code, name = entry and entry.name }
end

local AUTHORIZER = { CLUSTER_AUTHORIZATION_FAILED = "the account may not ask for the "
   .. "rules: what it may do was tried" }

local function look_at_cluster(found, of, said)
   found:add("ok", of, ("%d broker%s, cluster %s, client librdkafka %s"):format(
      said.broker_count or 0, said.broker_count == 1 and "" or "s",
      tostring(said.cluster), tostring(said.client)))
   if said.acls then
      found:add("ok", of, ("an authorizer with %d rule%s: what the account may do was "
         .. "tried"):format(said.acls, said.acls == 1 and "" or "s"))
   elseif said.acls_error then
      found:add("ok", of, AUTHORIZER[said.acls_error]
         or "rules were not told (" .. said.acls_error .. "): what the account may do "
         .. "was tried")
   else
      found:add("ok", of, "no authorizer: whoever reaches it may do anything")
   end
end

local QUIET = { Empty = true, Dead = true }

local function look_at_group(found, group)
   local of = "group " .. tostring(group.name)
   if group.error then
      local denied = group.error:find "AUTHORIZATION"
      found:add(denied and "warning" or "ok", of, "cannot be described: " .. group.error,
         denied and "allow Describe and Read on the group" or nil)
   elseif (group.members or 0) > 0 then
      found:add("warning", of, ("%d consumer%s live in it (%s): they commit offsets "
         .. "under the pipeline's "
         .. "name"):format(group.members, group.members == 1 and " is"
         or "s", tostring(group.state)), "name another with `group`")
   else
      found:add("ok", of, QUIET[group.state] and "nobody else is in it"
         or "state " .. tostring(group.state))
   end
end

local function look_at_way(found, of, what, reason)
   found:add("ok", of, reason == "" and what .. " by sluice itself"
      or what .. " by librdkafka: " .. reason)
end

local function look_at_transactions(found, of, sink, said)
   local configs = said.broker and said.broker.configs or {}
   local most = tonumber(configs["transaction.max.timeout.ms"])
   local given = sink.options.config
      and tonumber(sink.options.config["transaction.timeout.ms"])
   if most and given and given > most then
      found:add("error", of, ("transaction.timeout.ms is %d, the broker takes %d at most "
         .. "(transaction.max.timeout.ms)"):format(given, most), "lower it in `config`, "
         .. "or raise the broker's", "transaction-timeout")
   elseif most then
      found:add("ok", of, ("transaction.max.timeout.ms is %d"):format(most))
   end
end

-- Windows that rows of a source go into, for how long they stay open.
local function longest_window(graph, source)
   local longest = 0
   for _, aggregate in ipairs(graph.aggregates) do
      if cost.source_of(graph, aggregate) == source then
         local found = cost.of(graph, aggregate)
         longest = math.max(longest, found.closes_after_ms or 0)
      end
   end
   return longest
end

-- What the outputs that feed a sink want of its topic: "compact", "delete" or nil.
local function policy_of(graph, index, sink)
   if sink.is_side then return "delete", "records" end
   for _, step in ipairs(graph.steps) do
      for _, output in ipairs(step.outputs) do
         if output.kind == "sink" and output.target == index then
            local aggregate = step.input.kind == "aggregate"
               and graph.aggregates[step.input.index]
            local mode = aggregate and aggregate.mode
            if mode == "update" or mode == "complete" then return "compact", mode end
            return "delete", mode or "rows"
         end
      end
   end
end

local function look_at_end(found, graph, one)
   local is_source = one.role == "source"
   local item = (is_source and graph.sources or graph.sinks)[one.index]
   local said = one.facts
   local of = "Kafka at " .. tostring(said.brokers or item.options.brokers)
   if said.error then
      found:add("error", of, said.error)
      return
   end
   look_at_cluster(found, of, said)
   if said.group then look_at_group(found, said.group) end
   if said.reads then look_at_way(found, of, "records are read", said.reads) end
   if said.writes then look_at_way(found, of, "rows are written", said.writes) end
   if not is_source then look_at_transactions(found, of, item, said) end
   for _, topic in ipairs(said.topics or {}) do
      if is_source then
         of_topics.source(found, item, topic, said, longest_window(graph, item))
      else
         local policy, what = policy_of(graph, one.index, item)
         of_topics.sink(found, item, topic, said, { policy = policy, what = what })
      end
   end
end

--- Judge what brokers said.
-- @tparam table graph from `sluice.analyse`
-- @tparam string text JSON: `{ ends = { { role =, index =, facts = }, … } }`
-- @treturn table list of `{ of = "topic rides", level = "ok"|"warning"|"error", text =,
--   fix = what to do or nil, code =, name = of the code or nil }`
function facts.judge(graph, text)
   local found = setmetatable({ list = {}, seen = {} }, Findings)
   for _, one in ipairs(cjson.decode(text).ends) do look_at_end(found, graph, one) end
   return found.list
end

return facts
