local kit = require "tests.lua.kit"
local sluice = require "sluice"

local refuses, rides, timed, counts = kit.refuses, kit.rides, kit.timed, kit.counts

local function refused(branch, ...)
   return refuses(function() kit.graph(branch) end, ...)
end

local function tumbling(name, size)
   return sluice.tumbling { size = size or "1 hour", name = name }
end

local function words(of)
   return of:flat_map({ sluice.string "word", sluice.int64 "n" }, function(row, emit)
      emit { word = row.event_type, n = 1 }
   end)
end

describe(":distinct", function()
   it("is a step of its own over the same rows", function()
      local graph = kit.graph(timed():filter(function(r) return r.ts > 0 end)
         :distinct { "event_id", within = "1 hour" }
         :derive { twice = sluice.double(function(r) return r.ts * 2 end) }
         :to(kit.sink()))
      local first, second = graph.steps[1], graph.steps[2]
      assert.same({ kind = "distinct", index = 1, step = 1, output = 1 }, second.input)
      assert.equal(2, first.outputs[1].next)
      assert.equal("event_id", kit.names(first.outputs[1].columns))
      assert.same({ 1, 1, 0, 1 }, { second.root, second.rows, first.level, second.level })
      assert.equal(5, second.tree[1].columns[1].slot)
      local distinct = graph.distincts[1]
      assert.same({ "distinct", 3600000, 0 },
         { distinct.name, distinct.within_ms, distinct.level })
      assert.same({ { 1 }, { 1 } }, { distinct.input, distinct.sources })
   end)

   it("says how long", function()
      refuses(function() timed():distinct { "event_id" } end, "`within` is missing",
         'within = "forever"')
      refuses(function() timed():distinct { within = "1 hour" } end, "names no field")
      refuses(function() timed():distinct "event_id" end, "takes a table of fields")
      refuses(function() timed():distinct { "event", within = 1 } end,
         "unknown field `event`")
      refuses(function() timed():distinct { "ts", "ts", within = 1 } end, "stands twice")
      refuses(function() timed():distinct { "ts", within = "for ever" } end, "within")
      refused(rides():distinct { "event_id", within = "1 hour" }:to(kit.sink()),
         "has no event time", 'within = "forever"')
      refused(rides():event_time("ts", {}):distinct { "event_id", within = "1 hour" }
         :to(kit.sink()), "by the watermark", "delay")
      local graph = kit.graph(rides():distinct { "event_id", within = "forever" }
         :to(kit.sink()))
      assert.is_nil(graph.distincts[1].within_ms)
   end)

   it("is named where there are two", function()
      local twice = timed():distinct { "event_id", within = "1 hour" }
         :distinct { "amount", within = "1 hour" }:to(kit.sink())
      refused(twice, "several distincts names each", "among the options of `:distinct`")
      local function named(a, b)
         return timed():distinct { "event_id", within = "1 hour", name = a }
            :distinct { "amount", within = "1 hour", name = b }:to(kit.sink())
      end
      refused(named("x", "x"), "is called `x` too")
      assert.equal(2, kit.graph(named("x", "y")).distincts[2].level + 1)
   end)

   it("sends late rows on", function()
      local late = sluice.kafka { topic = "late" }
      local graph = kit.graph(timed():distinct { "event_id", within = "1 hour" }
         :late_to(late):to(kit.sink()))
      assert.equal("late", graph.sinks[graph.distincts[1].late].name)
      refused(timed():distinct { "event_id", within = "forever" }:late_to(late)
         :to(kit.sink()), "remembers its keys forever")
      refuses(function() timed():late_to(late) end, "nothing before it can be late")
   end)

   it("is overridden by name", function()
      local function of(setting)
         return kit.set({ setting }, timed():distinct { "event_id", within = "1 hour" }
            :to(kit.sink()))
      end
      assert.equal(60000, of("distinct.within=1 minute").distincts[1].within_ms)
      assert.is_nil(of("distinct.within=forever").distincts[1].within_ms)
   end)
end)

describe(":flat_map", function()
   it("makes rows of its fields only", function()
      local graph = kit.graph(words(timed()):to(kit.sink()))
      local step = graph.steps[2]
      assert.same({ "flat_map", 1, 1 },
         { step.input.kind, step.input.step, step.input.output })
      assert.same({ 2, 0, 1 }, { step.rows, step.level, step.root })
      assert.equal("word n", kit.names(step.outputs[1].columns))
      assert.equal("record", step.outputs[1].key_kind)
      refuses(function()
         words(timed()):select { "ts" }
      end, "unknown field `ts`")
   end)

   it("keeps the key of a result", function()
      local graph = kit.graph(counts():flat_map({ sluice.int64 "n" }, function(_, emit)
         emit { n = 1 }
      end):to(kit.sink "append"))
      local output = graph.steps[3].outputs[1]
      assert.equal("event_type window_start", kit.names(output.key))
      assert.equal(2, output.key_step)
   end)

   it("takes fields and a function", function()
      refuses(function() timed():flat_map({}, print) end, "declares no field")
      refuses(function() timed():flat_map({ sluice.int64 "n" }) end,
         "takes fields and a function(row, emit)")
      refuses(function() timed():flat_map({ sluice.int64("n"):from_key() }, print) end,
         "leave `:from…` out")
      local n = sluice.int64 "n"
      refuses(function() timed():flat_map({ n, n }, print) end, "`n` stands twice")
   end)
end)

describe(":union", function()
   local function other()
      return sluice.kafka { topics = "more" }
         :json {
            sluice.int64 "ts" :required(), sluice.string "event_id",
            sluice.string "event_type", sluice.double "amount",
         }
         :event_time("ts", { delay = "1 minute" })
   end

   it("lets what stands behind it stand behind each input", function()
      local graph = kit.graph(timed():union(other()):group_by "event_type"
         :window(tumbling()):aggregate { n = sluice.count() }:to(kit.sink "append"))
      local aggregate = graph.aggregates[1]
      assert.equal(1, #graph.aggregates)
      assert.same({ { 1, 2 }, { 1, 2 } }, { aggregate.input, aggregate.sources })
      for _, step in ipairs(aggregate.input) do
         local output = graph.steps[step].outputs[1]
         assert.same({ "aggregate", 1 }, { output.kind, output.target })
         assert.equal("event_id event_type amount ts", kit.names(output.schema.columns))
      end
      assert.equal(1, graph.steps[2].outputs[1].schema.by_name.ts.slot)
   end)

   it("joins what has one schema", function()
      refuses(function() timed():union() end, "takes the other stream")
      refuses(function() timed():union("x") end, "argument 1 is")
      refuses(function() timed():union(other():select { "ts" }) end,
         "it has no `event_id` (string)")
      refuses(function()
         timed():select { "ts" }:union(other():select { "ts", "amount" })
      end, "it has `amount` (double) beside")
      refuses(function()
         timed():select { x = "ts" }:union(other():select { x = "amount" })
      end, "`x` is double there, int64 here")
      refuses(function() timed():union(other():group_by "ts") end, "not a stream of rows")
   end)

   it("may be null where one input may", function()
      local made = timed():union(other())
      assert.is_true(rawget(made, "node").schema.by_name.event_id.nullable)
      assert.is_false(rawget(made, "node").schema.by_name.ts.nullable)
   end)

   it("needs the time of every input", function()
      local untimed = sluice.kafka { topics = "more" }
         :json { sluice.int64 "ts" :required() }
      refused(timed():select { "ts" }:union(untimed):window(tumbling())
         :aggregate { n = sluice.count() }:to(kit.sink "append"),
         "source `more` has none")
   end)

   it("puts an aggregation that feeds another first, in whatever order", function()
      local first = timed():group_by "event_type":window(tumbling "first")
         :aggregate { n = sluice.count() }:select { "n" }
      local second = other():select { n = "ts" }:union(first):window(tumbling "second")
         :aggregate { s = sluice.sum "n" }:to(kit.sink "append")
      local graph = kit.graph(second)
      assert.same({ "first", "second" },
         { graph.aggregates[1].name, graph.aggregates[2].name })
      for index, aggregate in ipairs(graph.aggregates) do
         assert.equal(index, graph.steps[aggregate.step].input.index)
      end
      assert.same({ 1, 2 }, graph.aggregates[2].sources)
   end)

   it("applies quarantine and late rows to all inputs", function()
      local bad, late = sluice.kafka { topic = "bad" }, sluice.kafka { topic = "late" }
      local graph = kit.graph(timed():union(other()):quarantine_to(bad)
         :distinct { "event_id", within = "1 hour" }:window(tumbling())
         :aggregate { n = sluice.count() }:late_to(late):to(kit.sink "append"))
      for _, source in ipairs(graph.sources) do
         assert.equal("bad", graph.sinks[source.quarantine].name)
      end
      assert.equal("late", graph.sinks[graph.distincts[1].late].name)
      assert.equal("late", graph.sinks[graph.aggregates[1].late].name)
   end)
end)

describe("windows over windows", function()
   local function second(first)
      return first:group_by "event_type":window(tumbling "second")
         :aggregate { most = sluice.max "rows" }
   end

   it("gives the first append, the second its sinks' mode", function()
      local graph = kit.graph(second(counts { name = "first" }):to(kit.sink "update"))
      assert.same({ "append", "update" },
         { graph.aggregates[1].mode, graph.aggregates[2].mode })
      assert.same({ "aggregate", 1 },
         { graph.steps[2].input.kind, graph.steps[2].input.index })
   end)

   it("lets the first have sinks in append", function()
      local first = counts { name = "first" }
      local function graph(mode)
         return kit.graph(first:to(kit.sink(mode, "minutes")),
            second(first):to(kit.sink "update"))
      end
      assert.equal("append", graph("append").aggregates[1].mode)
      refuses(function() graph "update" end, 'mode = "update" does not go with this',
         "go on to another aggregation", "from an aggregation of its own")
      refuses(function() graph() end, "need a `mode`")
   end)

   it("refuses a first window that never closes", function()
      local running = timed():group_by({ "event_type" }, { name = "first" })
         :aggregate { rows = sluice.count() }
      refused(second(running):to(kit.sink "update"), "each once, when its window closes",
         "it has no window")
      local unclosed = rides():event_time("ts", {}):group_by "event_type"
         :window(tumbling("first", "1 minute")):aggregate { rows = sluice.count() }
      refused(second(unclosed):to(kit.sink "update"), "source `ride_events` has none")
   end)

   it("refuses updates behind what takes each result once", function()
      refused(counts():distinct { "rows", within = "1 hour" }:to(kit.sink "update"),
         'mode = "update" does not go with this', "go on to `:distinct`")
   end)

   it("keeps a stage's late rows where the nearest `:late_to` sends them", function()
      local a, b = sluice.kafka { topic = "a" }, sluice.kafka { topic = "b" }
      local graph = kit.graph(second(counts { name = "first" }:late_to(a)):late_to(b)
         :to(kit.sink "append"))
      assert.equal("a", graph.sinks[graph.aggregates[1].late].name)
      assert.equal("b", graph.sinks[graph.aggregates[2].late].name)
   end)
end)
