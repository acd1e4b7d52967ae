local kit = require "tests.lua.kit"
local sluice = require "sluice"

local graph, names, refuses, rides, sink = kit.graph, kit.names, kit.refuses, kit.rides,
   kit.sink

local function count_by(of, name)
   return of:group_by "event_type":window(sluice.tumbling { size = "1 minute",
      name = name })
      :aggregate { rows = sluice.count() }
end

describe("the graph of the article's pipeline", function()
   local made = graph(kit.timed()
      :filter(function(ride) return ride.event_type ~= "heartbeat" end)
      :group_by "event_type"
      :window(sluice.hopping { size = "1 minute", every = "30 seconds",
         offset = "-10 seconds" })
      :aggregate { event_count = sluice.count(), revenue = sluice.sum "amount" }
      :to(sink "update"))

   it("has a step behind the source and one behind the aggregate", function()
      assert.equal(2, #made.steps)
      assert.same({ kind = "source", index = 1 }, made.steps[1].input)
      assert.same({ kind = "aggregate", index = 1 }, made.steps[2].input)
      assert.equal(1, made.sources[1].step)
      assert.equal(2, made.aggregates[1].step)
      assert.same({ 1 }, made.aggregates[1].input)
   end)

   it("has a filter before the output, with the function's line", function()
      local filter = made.steps[1].tree[1]
      assert.equal("filter", filter.op)
      assert.equal(1, filter.node)
      assert.same({ op = "output", output = 1 }, filter.next[1])
      assert.truthy(made.steps[1].nodes[1].line:find "analyse_spec.lua:%d+$")
   end)

   it("has the window in ms, its offset within `every`", function()
      assert.same({
         kind = "hopping", size_ms = 60000, every_ms = 30000, offset_ms = 20000,
         pane_ms = 30000, allowed_lateness_ms = 0,
      }, made.aggregates[1].window)
   end)

   it("has columns and key as semantics 5 says", function()
      local output = made.steps[2].outputs[1]
      assert.equal("event_type window_start window_end event_count revenue",
         names(output.columns))
      assert.equal("object", output.key_kind)
      assert.equal("event_type window_start", names(output.key))
      assert.equal("event_type", names(made.steps[1].outputs[1].columns))
   end)

   it("numbers slots: fields, then what stages add", function()
      for i, column in ipairs(made.steps[2].outputs[1].columns) do
         assert.equal(i, column.slot)
      end
      assert.equal(2, made.steps[1].outputs[1].columns[1].slot)
   end)

   it("has the aggregation's mode", function()
      local aggregate = made.aggregates[1]
      assert.equal("aggregate", aggregate.name)
      assert.equal("update", aggregate.mode)
      assert.is_false(aggregate.has_retractions)
      assert.is_false(aggregate.final)
      assert.equal(100000, aggregate.max_rows)
      assert.is_nil(made.sinks[1].options.mode)
   end)

   it("says which columns may be null", function()
      local columns = made.steps[2].outputs[1].schema.by_name
      assert.is_true(columns.event_type.nullable)
      assert.is_false(columns.window_start.nullable)
      assert.is_false(columns.event_count.nullable)
      assert.is_true(columns.revenue.nullable)
   end)

   it("has every option", function()
      assert.same({
         trigger = { kind = "continuous", interval_ms = 0, flush = false }, shards = 64,
         workers = 1, shutdown_timeout_ms = 10000, script_timeout_ms = 10000,
         script_memory_bytes = 268435456,
         on_error = "quarantine", checkpoint = "none", delivery = "at-least-once",
         history_ms = 604800000, memory_bytes = 1073741824, on_state_limit = "spill",
         state_dir = "./sluice-state/test",
      }, made.options)
   end)
end)

describe("branches", function()
   it("of one stream read its source once, outputs in the script's order", function()
      local all = rides()
      local big = all:filter(function(ride) return ride.amount > 5 end)
      local made = graph(big:to(sink(nil, "b")), all:to(sink(nil, "a")),
         big:to(sink(nil, "c")))
      assert.equal(1, #made.sources)
      assert.equal(1, #made.steps)
      local order = {}
      for i, output in ipairs(made.steps[1].outputs) do
         order[i] = made.sinks[output.target].name
      end
      assert.same({ "b", "c", "a" }, order)
      assert.equal(1, #made.steps[1].nodes)
   end)

   it("of two constructors read twice, under two names", function()
      local made = graph(rides():to(sink()), rides():to(sink()))
      assert.equal("ride_events", made.sources[1].name)
      assert.equal("ride_events#2", made.sources[2].name)
   end)

   it("may end in one sink, and may have several", function()
      local out = sink()
      local all = rides()
      assert.equal(2, #graph(all:to(out), all:filter(print):to(out)).sinks)
      assert.equal(2, #graph(all:to(sink()):to(sink())).steps[1].outputs)
   end)

   it("have slots of their own for what they derive", function()
      local all = rides()
      local made = graph(all:derive { a = sluice.double(print) }:to(sink()),
         all:derive { b = sluice.double(print) }:to(sink()))
      local tree = made.steps[1].tree
      assert.equal(5, tree[1].columns[1].slot)
      assert.equal(6, tree[2].columns[1].slot)
      assert.equal("event_id event_type amount ts b",
         names(made.steps[1].outputs[2].columns))
   end)

   it("end in a sink, and in nothing else", function()
      refuses(function() graph(rides()) end, "branch 1 has no sink")
      refuses(function() graph(rides():to(sink()):filter(print)) end,
         "`:filter` stands behind the last `:to`")
      assert.equal(3, #graph(kit.counts():to(sink "append"):late_to(sink(nil,
         "l"))).sinks)
   end)

   it("have at most 31 outputs behind a source", function()
      local branches = {}
      local all = rides()
      for i = 1, 32 do branches[i] = all:to(sink()) end
      refuses(function() graph(unpack(branches)) end, "more than 31 outputs")
      branches[32] = nil
      assert.equal(31, #graph(unpack(branches)).steps[1].outputs)
   end)

   it("are not written where rows have no columns", function()
      local empty = sluice.kafka { topics = "a" }:json {}
      refuses(function() empty:to(sink()) end, "each would be written as {}")
      empty:to(sluice.kafka { topic = "b", value = function() return "x" end })
   end)

   it("have one schema and one event time a source", function()
      local source = sluice.kafka { topics = "a" }
      refuses(function()
         graph(source:json { sluice.int64 "x" }:to(sink()),
            source:json { sluice.string "y" }:to(sink()))
      end, "the schema of this source stands at")
      local all = rides()
      refuses(function()
         graph(all:event_time "ts":to(sink()), all:event_time "ts":to(sink()))
      end, "the event time of this source stands at")
   end)
end)

describe("keys", function()
   local function output(of, step) return graph(of).steps[step].outputs[1] end

   it("are the record's for rows of no group", function()
      assert.equal("record", output(rides():to(sink()), 1).key_kind)
   end)

   it("are columns that the sink names", function()
      local one = output(rides():to(sluice.kafka { topic = "a", key = "ts" }), 1)
      assert.equal("plain", one.key_kind)
      local two = output(rides():to(sluice.kafka { topic = "a",
         key = { "ts", "amount" } }), 1)
      assert.equal("object", two.key_kind)
      assert.equal("ts amount", names(two.key))
      refuses(function() rides():to(sluice.kafka { topic = "a", key = "tss" }) end,
         "`ts`")
      refuses(function() kit.counts():to(sluice.kafka { topic = "a", key = "rowss" }) end,
         "`rows`")
   end)

   it("are plain for one group field without a window", function()
      local one = output(rides():group_by "ts":aggregate { n = sluice.count() }
         :to(sink "complete"), 2)
      assert.equal("plain", one.key_kind)
      assert.equal("ts n", names(one.columns))
   end)

   it("are an empty object for the global group", function()
      local all = output(rides():aggregate { n = sluice.count() }:to(sink "complete"), 2)
      assert.equal("object", all.key_kind)
      assert.same({}, all.key)
   end)

   it("stay as they are behind a select", function()
      local made = output(kit.counts():select { "rows", kind = "event_type" }
         :to(sink "append"), 2)
      assert.equal("rows kind", names(made.columns))
      assert.equal("event_type window_start", names(made.key))
   end)

   it("of typed functions are derived in front of the aggregate", function()
      local made = graph(kit.timed():group_by { "event_type", hour = sluice.int64(print) }
         :window(sluice.tumbling { size = "1 hour" }):aggregate { n = sluice.count() }
         :to(sink "append"))
      local derive = made.steps[1].tree[1]
      assert.equal("derive", derive.op)
      assert.equal("group_by", made.steps[1].nodes[1].what)
      assert.equal("event_type hour", names(made.steps[1].outputs[1].columns))
      assert.equal(5, made.steps[1].outputs[1].columns[2].slot)
   end)
end)

describe("modes", function()
   it("are said behind an aggregation", function()
      refuses(function() graph(kit.counts():to(sink())) end, "need a `mode`", '"append"')
   end)

   it("are append or nothing where there is none", function()
      assert.equal(2, #graph(rides():to(sink "append")).sinks)
      refuses(function() graph(rides():to(sink "update")) end,
         "there is none before this sink")
      refuses(function() graph(rides():to(sluice.kafka { topic = "a",
         max_rows = 5 })) end,
         "`max_rows = 5`")
   end)

   it("agree for all sinks of an aggregation", function()
      local counts = kit.counts()
      refuses(function() graph(counts:to(sink "append"), counts:to(sink "update")) end,
         'agree on `mode`: it is "update" here, "append" at')
      refuses(function()
         graph(counts:to(sink "update"):to(sluice.kafka { topic = "a", mode = "update",
            final = true }))
      end, "agree on `final`: it is true here, not given at")
   end)

   it("of append and update need a watermark", function()
      refuses(function() graph(count_by(rides():event_time "ts"):to(sink "append")) end,
         "has none", "delay")
      refuses(function() graph(count_by(rides():event_time "ts"):to(sink "update")) end,
         "closes windows by the watermark")
      assert.equal("complete",
         graph(count_by(rides():event_time "ts"):to(sink "complete"))
         .aggregates[1].mode)
   end)

   it("of append and update need a window", function()
      local all = kit.timed():group_by "ts":aggregate { n = sluice.count() }
      refuses(function() graph(all:to(sink "update")) end, "no group ever closes",
         "sluice.running { retain =")
      refuses(function() graph(all:to(sink "append")) end, 'mode = "complete"')
   end)

   it("need event time for windows", function()
      refuses(function() graph(count_by(rides()):to(sink "complete")) end,
         "a window needs event time", ":event_time(")
   end)

   it("retract where a filter stands behind the aggregation", function()
      local some = kit.counts():filter(function(row) return row.rows > 5 end)
      assert.is_true(graph(some:to(sink "update")).aggregates[1].has_retractions)
      assert.is_false(graph(some:to(sink "append")).aggregates[1].has_retractions)
      local made = graph(some:to(sluice.file { path = "-", mode = "update" }))
      assert.is_true(made.sinks[1].enveloped)
      assert.is_false(graph(kit.counts():to(sluice.file { path = "-", mode = "update" }))
         .sinks[1].enveloped)
   end)

   it("are enveloped only where their own rows can be taken back", function()
      local counts = kit.counts()
      local all = sluice.file { path = "all", mode = "update" }
      local some = sluice.file { path = "some", mode = "update" }
      local made = graph(counts:to(all), counts:filter(function(r) return r.rows > 3 end)
         :to(some))
      assert.is_true(made.aggregates[1].has_retractions)
      assert.is_false(made.sinks[1].enveloped)
      assert.is_true(made.sinks[2].enveloped)
      made = graph(counts:filter(function(r) return r.rows > 3 end)
         :derive { twice = sluice.double(function(r) return 2 * r.rows end) }
         :to(some), counts:to(all))
      assert.is_true(made.sinks[1].enveloped)
      assert.is_false(made.sinks[2].enveloped)
   end)

   it("leave the column `final` to the sink", function()
      local final = function() return sluice.kafka { topic = "a", mode = "update",
         final = true } end
      assert.is_true(graph(kit.counts():to(final())).aggregates[1].final)
      refuses(function()
         graph(kit.counts():derive { final = sluice.bool(print) }:to(final()))
      end, "adds a column `final`")
   end)
end)

describe("names of state", function()
   it("are given where there are several", function()
      local timed = kit.timed()
      refuses(function()
         graph(count_by(timed):to(sink "append"), count_by(timed):to(sink "append"))
      end, "several aggregations names each")
      refuses(function()
         graph(count_by(timed, "a"):to(sink "append"),
            count_by(timed, "a"):to(sink "append"))
      end, "is called `a` too")
      local made = graph(count_by(timed, "a"):to(sink "append"),
         timed:group_by("ts", { name = "b" }):aggregate { n = sluice.count() }
            :to(sink "complete"))
      assert.equal("a", made.aggregates[1].name)
      assert.equal("b", made.aggregates[2].name)
   end)
end)

describe("side sinks", function()
   it("get late rows and bad records", function()
      local made = graph(kit.timed():quarantine_to(sink(nil, "bad")):group_by "event_type"
         :window(sluice.tumbling { size = 5 }):aggregate { n = sluice.count() }
         :late_to(sink(nil, "late")):to(sink "append"))
      assert.equal("bad", made.sinks[made.sources[1].quarantine].name)
      assert.equal("late", made.sinks[made.aggregates[1].late].name)
      assert.is_true(made.sinks[1].is_side)
   end)

   it("are one for each source and aggregation", function()
      local all = rides()
      refuses(function()
         graph(all:quarantine_to(sink(nil, "x")):to(sink()),
            all:quarantine_to(sink()):to(sink()))
      end, "quarantined to `x` already")
      local counts = kit.counts()
      refuses(function()
         graph(counts:late_to(sink()):to(sink "append"),
            counts:late_to(sink()):to(sink "append"))
      end, "go elsewhere already")
   end)

   it("are no sinks of rows", function()
      local out = sink()
      refuses(function() graph(rides():quarantine_to(out):to(out)) end,
         "rows and records")
   end)

   it("get nothing late from an aggregation without a window", function()
      refuses(function()
         graph(rides():aggregate { n = sluice.count() }:late_to(sink())
            :to(sink "complete"))
      end, "nothing is late")
   end)
end)
