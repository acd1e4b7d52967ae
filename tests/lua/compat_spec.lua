local vectors = dofile "tests/lua/vectors.lua"

local analyse = require "sluice.analyse"
local compat = require "sluice.compat"
local kit = require "tests.lua.kit"
local lower = require "sluice.lower"
local sluice = require "sluice"

-- The shape of a pipeline of one aggregation: what of it is not given is as in `BASE`.
local function shape(given)
   given = given or {}
   local stream = (given.source or kit.timed)()
   if given.before then stream = given.before(stream) end
   stream = stream:group_by(given.keys or "event_type")
      :window(given.window or sluice.tumbling { size = "1 minute", name = given.name })
      :aggregate(given.items or { rows = sluice.count() })
   if given.behind then stream = given.behind(stream) end
   local out = sluice.kafka(given.out or { topic = "out", mode = "update" })
   local of = sluice.pipeline { name = "test", checkpoint = "none",
      shards = given.shards, stream:to(out), unpack(given.more or {}) }
   return lower.plan(analyse.graph(of), vectors.calls).shape
end

local function verdict(old, new)
   return compat.compare(shape(old), shape(new))
end

local function text(found)
   return found.verdict .. ": " .. table.concat(found.messages, "; ")
end

local function refused(old, new, ...)
   local found = verdict(old, new)
   assert.equal("refused", found.verdict)
   for _, part in ipairs { ... } do
      assert.truthy(text(found):find(part, 1, true), part .. " is not in " .. text(found))
   end
   assert.same({}, found.changes)
   assert.matches("another `name`", found.ways_out)
end

local function accepted(old, new, ...)
   local found = verdict(old, new)
   assert.equal("accepted", found.verdict, text(found))
   for _, part in ipairs { ... } do
      assert.truthy(text(found):find(part, 1, true), part .. " is not in " .. text(found))
   end
   return found
end

local function changes(found)
   local list = {}
   for i, change in ipairs(found.changes) do
      list[i] = change.section .. " " .. change.fate
   end
   return table.concat(list, ", ")
end

describe("stored state", function()
   it("goes with a script that does other things in the same places", function()
      assert.equal("same", verdict().verdict)
      assert.equal("same", verdict({}, {
         before = function(stream)
            return stream:filter(function() return true end)
         end,
         out = { topic = "other", mode = "append" },
         source = function()
            return kit.rides():event_time("ts", { delay = "1 hour" })
         end,
         items = { rows = sluice.count():where(function() return true end) },
      }).verdict)
   end)

   it("does not go with other sources", function()
      local function from(topic, options)
         return function()
            return sluice.kafka { topics = topic, partitions = options and options.only }
               :json { sluice.string "event_type", sluice.int64 "ts", sluice.int64 "at" }
               :event_time(options and options.time or "ts", { delay = "1 minute",
                  unit = options and options.unit })
         end
      end
      local was = { source = from "ride_events" }
      refused(was, { source = from "rides" },
         "source 1 was kafka ride_events, and is kafka rides")
      refused(was, { source = from("ride_events", { only = { 0, 1 } }) },
         "(partitions 0, 1)")
      refused(was, { source = from("ride_events", { time = "at" }) },
         "the event time of source 1 (kafka ride_events) was `ts` in ms, and is `at`")
      refused(was, { source = from("ride_events", { unit = "s" }) }, "and is `ts` in s")
      refused(was, { source = function()
         return sluice.file { path = "x" }:json { sluice.string "event_type",
            sluice.int64 "ts" }:event_time("ts", { delay = "1 minute" })
      end }, "and is file x")
      refused(was, { source = from "ride_events", more = {
         from "b"():to(sluice.kafka { topic = "b" }) } },
         "there were 1 sources, and there are 2")
   end)

   it("does not go with other shards, keys and windows", function()
      refused({}, { shards = 32 }, "there were 64 shards, and there are 32")
      refused({}, { keys = { "event_type", "event_id" } }, "the key of aggregate "
         .. "aggregate was event_type string, and is event_type string, event_id string")
      refused({}, { window = sluice.tumbling { size = "2 minutes" } },
         "was tumbling window of 1 minute, and is tumbling window of 2 minutes")
      refused({}, { window = sluice.tumbling { size = "1 minute",
         allowed_lateness = "1 hour" } }, "allowed lateness 1 hour")
      refused({}, { window = sluice.tumbling { size = "1 minute", offset = 1000 } },
         "offset 1 second")
      refused({}, { out = { topic = "out", mode = "complete" } },
         "was not in mode complete")
   end)

   it("does not go with a stage of another name, and says which", function()
      refused({}, { name = "rides" }, "aggregate aggregate is gone, and aggregate rides "
         .. "is new", "call the stage `aggregate` as before")
   end)

   it("stays where a stage comes, and goes with the stage", function()
      local function distinct(stream)
         return stream:distinct { "event_id", within = "1 hour" }
      end
      refused({}, { before = distinct }, "took rows of source 1, and takes them of "
         .. "distinct distinct")
      local stream = kit.timed()
      local function two(within)
         local branch = within and stream:distinct { "event_id", within = within }
            :to(sluice.kafka { topic = "b" })
         return { source = function() return stream end, more = { branch } }
      end
      local found = accepted(two(), two "1 hour",
         "distinct distinct is new and starts empty")
      assert.equal("aggregate aggregate same", changes(found))
      found = accepted(two "1 hour", two(), "distinct distinct is gone")
      assert.equal("aggregate aggregate same, distinct distinct gone", changes(found))
      refused(two "1 hour", two "2 hours",
         "distinct distinct was within 1 hour, and is within 2 hours")
   end)

   it("says what went wrong with what cannot be read", function()
      assert.matches("cannot be read", text(compat.compare("{", shape())))
      local newer = shape():gsub('"version":1', '"version":2')
      local found = compat.compare(newer, shape())
      assert.matches("has version 2, and this sluice knows 1", text(found))
   end)
end)

describe("what is to be filled", function()
   local rows, sum = sluice.count(), sluice.sum "amount"
   local wants = { aggregate = 3600000 }

   local function fills(old, new)
      return compat.compare(shape(old), shape(new), nil, wants)
   end

   local function bytes(fill)
      local sum_of = 0
      for _, run in ipairs(fill.runs) do sum_of = sum_of + run.size end
      return sum_of
   end

   it("is the bytes of what is new, and no others", function()
      local found = fills({ items = { rows = rows } },
         { items = { rows = rows, sum = sum, half = sluice.quantile("amount", 0.5) } })
      assert.matches("`sum` is new and is filled with the rows of the last 1 hour",
         text(found))
      assert.equal(1, #found.fills)
      local fill = found.fills[1]
      assert.equal(0, fill.aggregate)
      assert.is_false(fill.is_whole)
      assert.equal(1, #fill.parts)
      for _, run in ipairs(found.changes[1].runs) do
         for _, one in ipairs(fill.runs) do
            assert.is_true(one.at >= run.to + run.size or one.at + one.size <= run.to)
         end
      end
      assert.is_true(bytes(fill) >= 3 * 8) -- sum, rest, n
   end)

   it("is nothing where nothing new is kept, or it is not wanted", function()
      local half = sluice.quantile("amount", 0.5)
      local found = fills({ items = { rows = rows, half = half } },
         { items = { rows = rows, half = half, more = sluice.quantile("amount", 0.9) } })
      assert.equal(0, #found.fills)
      found = fills({ items = { rows = rows, sum = sum } }, { items = { rows = rows } })
      assert.equal(0, #found.fills)
      found = compat.compare(shape { items = { rows = rows } },
         shape { items = { rows = rows, sum = sum } })
      assert.equal(0, #found.fills)
      assert.matches("starts empty", text(found))
   end)
end)

describe("aggregates of stored state", function()
   it("may come and go: members move by the map", function()
      local rows, sum = sluice.count(), sluice.sum "amount"
      local found = accepted({ items = { rows = rows, sum = sum } },
         { items = { rows = rows, most = sluice.max "amount", sum = sum } },
         "aggregate aggregate: `most` is new and starts empty")
      local change = found.changes[1]
      assert.equal("mapped", change.fate)
      local bytes = 0
      for _, run in ipairs(change.runs) do bytes = bytes + run.size end
      assert.equal(4 * 8, bytes) -- n of count; sum, rest, n of sum
      found = accepted({ items = { rows = rows, sum = sum } },
         { items = { rows = rows } }, "`sum` is gone, and with it its state")
      assert.same({ { from = 0, to = 0, size = 8 } }, found.changes[1].runs)
   end)

   it("lose their state when they go, and that is no mere note", function()
      local rows, sum = sluice.count(), sluice.sum "amount"
      local one, two = { items = { rows = rows } }, { items = { rows = rows, sum = sum } }
      assert.is_nil(accepted(one, two).loses)
      assert.is_true(accepted(two, one).loses)
      local found = accepted(two, { items = { rows = rows, total = sum } },
         "`sum` is gone, and with it its state: state goes by name; if it was only "
         .. "renamed (to `total`), call it `sum` again", "`total` is new")
      assert.is_true(found.loses)
   end)

   it("keep their parts under other numbers", function()
      local q, d = sluice.quantile("amount", 0.5), sluice.count_distinct "event_id"
      local found = accepted({ items = { a = q, b = d } }, { items = { b = d } })
      assert.same({ -1, 0 }, found.changes[1].parts)
      assert.same({}, found.changes[1].runs)
      found = accepted({ items = { b = d } }, { items = { a = q, b = d } })
      assert.same({ 1 }, found.changes[1].parts)
   end)

   it("that share a sketch stay together", function()
      local half, most = sluice.quantile("amount", 0.5), sluice.quantile("amount", 0.99)
      local both = { items = { a = half, b = most } }
      local found = accepted(both, { items = { b = most } }, "`a` is gone")
      assert.same({ 0 }, found.changes[1].parts)
      refused(both, { items = { a = half,
         b = sluice.quantile("amount", 0.99):where(function() return true end) } },
         "was kept together with another aggregate")
      assert.equal("same", verdict(both, { items = { a = most, b = half } }).verdict)
   end)

   it("do not become others under the same name", function()
      refused({ items = { x = sluice.min "amount" } },
         { items = { x = sluice.max "amount" } }, "`x` of aggregate aggregate was "
         .. "min(double)", "and is max(double)", "another name")
      refused({ items = { x = sluice.sum "amount" } },
         { items = { x = sluice.sum "ts" } }, "sum(double)", "sum(int64)")
      refused({ items = { x = sluice.histogram("amount", { 1, 2 }) } },
         { items = { x = sluice.histogram("amount", { 1, 3 }) } }, "of 1, 2", "of 1, 3")
      local exact = sluice.count_distinct("event_id", { exact = true, limit = 9 })
      refused({ items = { x = sluice.count_distinct "event_id" } },
         { items = { x = exact } },
         "of sketch", "of exact")
   end)

   local function own(state, order)
      return { items = { x = sluice.aggregate { state = state, order = order,
         fold = function(s, row) s.a = s.a + row.amount end,
         result = function(s) return s.a end } } }
   end

   it("of a user go by the members of their struct", function()
      refused(own { a = 0 }, own { a = "int32" }, "a double", "a int32")
      refused(own { a = 0 }, own { a = 0, b = 0 }, "with a double, and is", "b double")
      assert.equal("same", verdict(own { a = 0 }, own { a = 1 }).verdict)
      local found = accepted({ items = { rows = sluice.count(), x = own({ a = "int32",
         name = "string(5)" }).items.x } }, own { a = "int32", name = "string(5)" })
      local bytes = 0
      for _, run in ipairs(found.changes[1].runs) do bytes = bytes + run.size end
      assert.equal(4 + 8, bytes) -- `name`: a length of two bytes, five, one of room
   end)

   local function migrated(old, new)
      return compat.compare(shape(old), shape(new), { aggregate = { x = true } })
   end

   it("of a user with other members need a migrate, and say which", function()
      refused(own { a = 0, b = 0, c = 0 }, own { a = 0, b = 0, d = 0 }, "sluice.pipeline "
         .. "{ migrate = { x = function(old, new) new.a, new.b = old.a, old.b end }, … }")
      refused(own { a = 0 }, { items = { x = sluice.aggregate { state = { z = 0 },
         fold = function(s) s.z = 1 end, result = function(s) return s.z end } } },
         "new.z = old.a")
      local twice = own { a = "int32" }
      twice.name = "first"
      twice.more = { kit.timed():group_by "event_type":window(sluice.tumbling {
         size = "1 minute", name = "second" }):aggregate(twice.items)
         :to(sluice.kafka { topic = "twice", mode = "update" }) }
      local found = verdict({ name = "first", items = own({ a = 0 }).items }, twice)
      assert.truthy(text(found):find('["first.x"] = function', 1, true), text(found))
      found = migrated(own { a = 0 }, own { a = "int32", b = 0 })
      assert.equal("accepted", found.verdict)
      assert.truthy(text(found):find("`x` is migrated: it was user() with a double, and "
         .. "is user() with a int32, b double", 1, true), text(found))
      assert.equal("a", found.changes[1].migrates.x.members[1].name)
      assert.same({}, found.changes[1].runs)
   end)

   it("without plain members are not migrated", function()
      for old, new in pairs {
         [{ items = { x = sluice.first "event_id" } }] = own { a = 0 },
         [own({ a = 0 }, "event time")] = own { a = 0 },
         [own { a = 0 }] = own({ a = 0 }, "event time"),
         [own { b = 0, a = 0 }] = { items = { x = sluice.count() } } } do
         local found = migrated(old, new)
         assert.equal("refused", found.verdict)
         assert.matches("give it another name", text(found))
         assert.falsy(text(found):find("declare", 1, true))
      end
   end)

   it("that keep rows in order go by the columns they keep", function()
      refused(own({ a = 0 }, "event time"), { items = { x = sluice.aggregate {
         state = { a = 0 }, order = "event time",
         fold = function(s, row) s.a = s.a + row.ts end,
         result = function(s) return s.a end } } }, '"amount"', '"ts"')
   end)

   it("keep the times of their rows", function()
      local function session(items)
         return { window = sluice.session { gap = "1 minute" }, items = items,
            out = { topic = "out", mode = "append" } }
      end
      local found = accepted(session { rows = sluice.count() },
         session { big = sluice.max "amount", rows = sluice.count() })
      local span = found.changes[1].runs[1]
      assert.same({ from = 0, to = 0 }, { from = span.from, to = span.to })
      assert.is_true(span.size >= 16)
   end)

   it("remember what was sent by its place", function()
      local function sent(...)
         local branches, stream = {}, kit.timed():group_by "event_type"
            :window(sluice.tumbling { size = "1 minute" })
            :aggregate { rows = sluice.count() }
         for i, name in ipairs { ... } do
            branches[i] = stream:to(sluice.kafka { topic = name, mode = "update",
               only_if_changed = true })
         end
         local of = sluice.pipeline { name = "test", checkpoint = "none",
            unpack(branches) }
         return lower.plan(analyse.graph(of), vectors.calls).shape
      end
      local found = compat.compare(sent("a", "b"), sent("b", "c", "a"))
      assert.equal("aggregate aggregate same, sent aggregate mapped", changes(found))
      assert.same({ { from = 8, to = 0, size = 8 }, { from = 0, to = 16, size = 8 } },
         found.changes[2].runs)
      assert.equal("aggregate aggregate same, sent aggregate gone",
         changes(compat.compare(sent "a", shape())))
      assert.equal("aggregate aggregate same", changes(compat.compare(shape(), sent "a")))
   end)
end)
