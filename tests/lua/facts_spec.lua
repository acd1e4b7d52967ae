local analyse = require "sluice.analyse"
local cjson = require "cjson"
local facts = require "sluice.check.facts"
local kit = require "tests.lua.kit"
local sluice = require "sluice"

local GRAPH = analyse.graph(kit.pipeline(kit.counts():to(kit.sink "update")))

-- What is found of one end, as "level of: text".
local function judge(role, said, graph)
   local index = 1
   local text = cjson.encode { ends = { { role = role, index = index, facts = said } } }
   local lines = {}
   for i, one in ipairs(facts.judge(graph or GRAPH, text)) do
      lines[i] = ("%s %s: %s"):format(one.level, one.of, one.text)
   end
   return table.concat(lines, "\n")
end

local function source(topic, more)
   local said = { brokers = "k:9092", broker_count = 1, cluster = "c", client = "2",
      topics = { topic } }
   for name, value in pairs(more or {}) do said[name] = value end
   return said
end

local function rides(more)
   local topic = { name = "rides", partitions = 4, replicas = 1, records = 1000,
      recent = 600, recent_ms = 600000, configs = {} }
   for name, value in pairs(more or {}) do topic[name] = value end
   return topic
end

describe("what brokers said", function()
   it("ends at those that do not answer", function()
      assert.equal("error Kafka at k:9092: nobody there", judge("source",
         { brokers = "k:9092", error = "nobody there" }))
   end)

   it("judges a group by who lives in it", function()
      assert.matches("warning group g: 2 consumers live in it", judge("source",
         source(rides(), { group = { name = "g", state = "Stable", members = 2 } })))
      assert.matches("ok group g: nobody else is in it", judge("source",
         source(rides(), { group = { name = "g", state = "Dead", members = 0 } })))
      assert.matches("warning group g: cannot be described: GROUP_AUTHORIZATION_FAILED",
         judge("source", source(rides(), { group = { name = "g",
         error = "GROUP_AUTHORIZATION_FAILED" } })))
   end)

   it("says who reads the records", function()
      assert.matches("ok Kafka at k:9092: records are read by sluice itself",
         judge("source", source(rides(), { reads = "" })))
      assert.matches("records are read by librdkafka: option sasl",
         judge("source", source(rides(), { reads = "option sasl: it logs in" })))
   end)

   it("holds retention against windows and against the backlog", function()
      local function retention(ms, more)
         return judge("source", source(rides { configs = { ["retention.ms"] = ms },
            records = more }))
      end
      assert.matches("ok topic rides: retention.ms is 1 week", retention "604800000")
      assert.matches("warning topic rides: retention.ms is 5 minutes, a window stays "
         .. "open for 11 minutes", retention "300000")
      assert.matches("nothing is deleted", retention "-1")
      local slow = analyse.graph(kit.pipeline(sluice.kafka { topics = "rides",
         max_rate = 2 }:json { sluice.string "a" }:to(kit.sink())))
      assert.matches("reading what is there takes longer at max_rate 2", judge("source",
         source(rides { records = 1000000, configs = { ["retention.ms"] = "86400000" } }),
         slow))
      -- what the group has committed is not read again
      assert.matches("ok topic rides: retention.ms", judge("source", source(rides {
         records = 1000000, committed = 10,
         configs = { ["retention.ms"] = "86400000" } }),
         slow))
   end)

   it("measures the rate against max_rate", function()
      local slow = analyse.graph(kit.pipeline(sluice.kafka { topics = "rides",
         max_rate = 0.5 }:json { sluice.string "a" }:to(kit.sink())))
      assert.matches("warning topic rides: 1 records a second came in the last 10 "
         .. "minutes, max_rate is 0.5", judge("source", source(rides()), slow))
   end)

   it("sees times of another unit in the last record", function()
      assert.matches("warning topic rides: `ts` of its last record is 1700000000, which "
         .. "looks like s, and is declared in ms", judge("source",
         source(rides { value = '{"ts":1700000000}' })))
      assert.is_nil(judge("source", source(rides { value = '{"ts":1700000000000}' }))
         :find("looks like", 1, true))
      assert.is_nil(judge("source", source(rides { value = '{"ts":' }))
         :find("looks like", 1, true))
   end)

   it("tells how to make what is missing", function()
      local missing = source { name = "rides", missing = true }
      local list = facts.judge(GRAPH, cjson.encode { ends = {
         { role = "source", index = 1, facts = missing } } })
      assert.equal("make it: kafka-topics.sh --bootstrap-server k:9092 --create --topic "
         .. "rides --partitions 4", list[#list].fix)
      assert.equal("error", list[#list].level)
      missing = source { name = "rides", missing = true, near = "ride" }
      assert.matches("error topic rides: does not exist: did you mean `ride`%?",
         judge("source", missing))
   end)

   it("refuses what the account may not do", function()
      assert.matches("error topic rides: may not be read: TOPIC_AUTHORIZATION_FAILED",
         judge("source", source(rides { tried = true,
         read_error = "TOPIC_AUTHORIZATION_FAILED" })))
      assert.matches("ok topic rides: may be read", judge("source",
         source(rides { tried = true })))
      assert.matches("error topic out: may not be written", judge("sink",
         source { name = "out", partitions = 1, replicas = 1, configs = {}, tried = true,
         write_error = "TOPIC_AUTHORIZATION_FAILED" }))
   end)

   it("tells the same of two ends once", function()
      local said = source(rides())
      local list = facts.judge(GRAPH, cjson.encode { ends = {
         { role = "source", index = 1, facts = said },
         { role = "source", index = 1, facts = said } } })
      assert.equal(#facts.judge(GRAPH, cjson.encode { ends = {
         { role = "source", index = 1, facts = said } } }), #list)
   end)
end)
