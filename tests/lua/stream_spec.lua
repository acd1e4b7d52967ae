local decode = require "sluice.stage.decode"
local kit = require "tests.lua.kit"
local sluice = require "sluice"
local stream = require "sluice.stream"

local refuses, rides, sink = kit.refuses, kit.rides, kit.sink

local function columns(of)
   return kit.names(stream.node(of).schema.columns)
end

describe("a stream", function()
   it("names the line of the call in a chain of many lines", function()
      local line = debug.getinfo(1, "l").currentline
      local message = kit.message(function()
         return rides()
            :filter(function() return true end)
            :select { "amont" }
            :to(sink()), 1
      end)
      assert.equal(("tests/lua/stream_spec.lua:%d: `:select`: unknown field `amont`: did "
         .. "you mean `amount`?"):format(line + 4), message)
   end)

   it("names the nearest method, and those that come later", function()
      refuses(function() return rides().filtr end, "no method `filtr`: did you mean "
         .. "`filter`?")
      refuses(function() return rides().join end, "not yet: `:join`")
      refuses(function() return sluice.kafka { topics = "a" }.avro end,
         "not yet: `:avro`")
   end)

   it("is called with a colon and never changed", function()
      refuses(function() rides().filter(function() end) end, "with a colon")
      refuses(function() rides().name = "x" end, "never changed")
   end)

   it("stays usable behind a method", function()
      local all = rides()
      local some = all:select { "amount" }
      assert.equal("event_id event_type amount ts", columns(all))
      assert.equal("amount", columns(some))
   end)
end)

describe("what may follow what", function()
   it("is fields first", function()
      refuses(function() sluice.kafka { topics = "a" }:filter(print) end,
         "`:json { fields }`")
      refuses(function() rides():json {} end, "the fields are said already")
   end)

   it("is event time right behind them", function()
      refuses(function() rides():filter(print):event_time "ts" end, "right behind `:json")
   end)

   it("is group, window, aggregate", function()
      refuses(function() rides():group_by "ts":filter(print) end,
         "`:filter` cannot stand behind `:group_by`")
      refuses(function() kit.timed():group_by "ts":group_by "ts" end, "one `:group_by")
      local minutes = sluice.tumbling { size = "1 minute" }
      refuses(function() kit.timed():window(minutes):group_by "ts" end,
         "before `:window`")
      refuses(function() kit.timed():window(minutes):to(sink()) end, "write `:aggregate")
   end)

   it("is `:late_to` behind an aggregation", function()
      refuses(function() rides():late_to(sink()) end, "behind `:aggregate`")
   end)
end)

describe(":json", function()
   it("takes fields in order", function()
      refuses(function() sluice.kafka { topics = "a" }:json { "amount" } end,
         'write sluice.string "amount"')
      refuses(function() sluice.kafka { topics = "a" }:json { x = sluice.int32 "x" } end,
         "got `x =`")
      refuses(function() sluice.kafka { topics = "a" }:json(sluice.int32 "x") end,
         "one field")
      refuses(function()
         sluice.kafka { topics = "a" }:json { sluice.int32 "x", sluice.int64 "x" }
      end, "field `x` stands twice")
   end)
end)

local function time_of(timed)
   local node = stream.node(timed)
   return decode.time_of(node, node.values)
end

describe(":event_time", function()
   it("fills in every default", function()
      local time = time_of(rides():event_time("ts", { delay = "10 minutes" }))
      assert.same({
         field = "ts", unit = "ms", delay_ms = 600000, idle_ms = 30000,
         max_skew_ms = 300000,
         skew_given = false, on_skew = "quarantine", wall_clock = false, rule = "min",
      }, time)
   end)

   it("takes every option", function()
      local time = time_of(rides():event_time(function(ride) return ride.ts end, {
         unit = "s", delay = 0, idle = "never", max_skew = "1 hour", on_skew = "accept",
         advance = "wall-clock", watermark = "max",
      }))
      assert.equal(-1, time.idle_ms)
      assert.is_true(time.skew_given)
      assert.is_true(time.wall_clock)
      assert.equal("max", time.rule)
      assert.equal("s", time.unit)
      assert.is_nil(time.field)
   end)

   it("refuses fields that are no time", function()
      refuses(function() rides():event_time "tss" end, "did you mean `ts`?")
      refuses(function() rides():event_time "event_id" end, "`event_id` is string",
         'sluice.timestamp("event_id", "iso")')
      refuses(function() rides():event_time(7) end, "a field's name or a function")
   end)

   it("takes a unit for integers only", function()
      local timed = sluice.kafka { topics = "a" }:json { sluice.timestamp("at", "iso") }
      refuses(function() timed:event_time("at", { unit = "s" }) end,
         "`unit` is for integers")
      assert.equal("at", time_of(timed:event_time "at").field)
   end)

   it("refuses options of a watermark that is not there", function()
      refuses(function() rides():event_time("ts", { idle = "1 second" }) end,
         "without `delay`")
      refuses(function() rides():event_time("ts", { delya = 5 }) end,
         "did you mean `delay`?")
      refuses(function() rides():event_time("ts", { delay = 1, idle = 0 }) end, '"never"')
      refuses(function() rides():event_time("ts", { delay = -1 }) end, "at least 0 ms")
   end)
end)

describe(":filter, :derive, :select", function()
   it("take functions", function()
      refuses(function() rides():filter "amount" end, 'a function(row), got "amount"')
      refuses(function() rides():derive { x = function() end } end, "needs a type",
         "x = sluice.double(")
      refuses(function() rides():derive { x = 7 } end, "wanted a typed function")
      refuses(function() rides():derive { sluice.double(print) } end, "has no name")
      refuses(function() rides():derive {} end, "adds no column")
   end)

   it("add columns by name, none twice", function()
      local more = rides():derive { z = sluice.double(print), b = sluice.int64(print) }
      assert.equal("event_id event_type amount ts b z", columns(more))
      refuses(function() rides():derive { amount = sluice.double(print) } end,
         "`amount` exists already")
   end)

   it("keep, order and rename columns", function()
      assert.equal("ts amount cost",
         columns(rides():select { "ts", "amount", cost = "amount" }))
      refuses(function() rides():select { "ts", "ts" } end, "`ts` stands twice")
      refuses(function() rides():select { ts = "amount", "ts" } end, "`ts` stands twice")
      refuses(function() rides():select {} end, "keeps no column")
      refuses(function() rides():select "ts" end, "a table of columns")
   end)
end)

describe("windows", function()
   it("say how long, and how often", function()
      refuses(function() sluice.tumbling {} end, "give `size`")
      refuses(function() sluice.tumbling { size = 0 } end, "`size` is 0")
      refuses(function() sluice.hopping { size = "1 minute" } end, "give `every`")
      refuses(function() sluice.hopping { size = "1 minute", every = "90 seconds" } end,
         "`every` (90 seconds) is longer than `size` (1 minute)")
      refuses(function() sluice.tumbling { size = 5, every = 1 } end, "sluice.hopping")
      refuses(function() sluice.tumbling { sise = 5 } end, "did you mean `size`?")
   end)

   it("stand in :window", function()
      refuses(function() kit.timed():window { size = 5 } end, "takes a window")
   end)
end)

describe(":group_by", function()
   it("takes fields in order, then typed functions by name", function()
      local groups = rides():group_by { "ts", "event_type", b = sluice.int64(print),
         a = sluice.string(print) }
      assert.same({ "ts", "event_type", "a", "b" }, stream.node(groups).keys)
   end)

   it("names the nearest field", function()
      refuses(function() rides():group_by "event_typ" end, "did you mean `event_type`?")
      refuses(function() rides():group_by { "ts", "ts" } end, "`ts` stands twice")
      refuses(function() rides():group_by { ts = sluice.int64(print) } end,
         "exists already")
      refuses(function() rides():group_by("ts", "amount") end, '{ "ts", "amount" }')
      refuses(function() rides():group_by { hour = print } end, "needs a type")
   end)
end)

describe(":aggregate", function()
   it("gives group, window bounds, entries in order, then by name", function()
      local counts = kit.timed():group_by { "event_type" }
         :window(sluice.tumbling { size = "1 minute" })
         :aggregate { { z = sluice.count() }, { y = sluice.sum "amount" },
            b = sluice.max "ts",
            a = sluice.min "ts" }
      assert.equal("event_type window_start window_end z y a b", columns(counts))
   end)

   it("refuses what is no aggregate, and names", function()
      refuses(function() rides():aggregate { n = sluice.count } end, "call it")
      refuses(function() rides():aggregate { n = 7 } end, "wanted an aggregate")
      refuses(function() rides():aggregate { sluice.count() } end, "has no name")
      refuses(function() rides():aggregate(sluice.count()) end, "one aggregate")
      refuses(function() rides():aggregate {} end, "computes nothing")
      refuses(function() rides():aggregate { n = sluice.sum "amont" } end,
         "did you mean `amount`?")
   end)

   it("refuses columns that stand twice", function()
      refuses(function() rides():group_by "ts":aggregate { ts = sluice.count() } end,
         "`ts` stands twice")
      refuses(function()
         kit.timed():window(sluice.tumbling { size = 5 })
            :aggregate { window_end = sluice.count() }
      end, "the window adds a column of that name")
   end)

   it("wants a merge in hopping windows", function()
      refuses(function()
         kit.timed():window(sluice.hopping { size = 6, every = 3 }):aggregate {
            n = sluice.aggregate {
               state = { n = 0 }, fold = function(a) a.n = a.n + 1 end,
               result = function(a) return a.n end,
            },
         }
      end, "merge")
   end)
end)

describe("sinks", function()
   it("are what :to takes", function()
      refuses(function() rides():to "out" end, "takes a sink")
      refuses(function() rides():to(rides()) end, "got a stream")
      refuses(function() rides():to() end, "got nil")
   end)

   it("name the nearest option", function()
      refuses(function() sluice.kafka { topic = "a", mod = "update" } end,
         "did you mean `mode`?")
      refuses(function() sink "upsert" end, '"append", "update", "complete"')
   end)

   it("know what belongs to which mode", function()
      refuses(function() sluice.kafka { topic = "a", mode = "append", final = true } end,
         'mode = "update"')
      refuses(function() sluice.kafka { topic = "a", mode = "complete",
         only_if_changed = true } end,
         "`only_if_changed` compares updates")
      refuses(function() sluice.kafka { topic = "a", mode = "append", max_rows = 5 } end,
         'mode = "complete"')
   end)

   it("of records take nothing of an aggregation", function()
      refuses(function() kit.counts():late_to(sink "append") end, "`mode` is for rows")
      refuses(function() rides():quarantine_to(sluice.kafka { topic = "a",
         key = "ts" }) end,
         "keep their key")
   end)
end)
