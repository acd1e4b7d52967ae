local analyse = require "sluice.analyse"
local check_page = require "tests.docs.check"
local codes = require "sluice.check.codes"
local kit = require "tests.lua.kit"
local of_sources = require "sluice.check.warn.sources"
local sluice = require "sluice"
local warnings = require "sluice.check.warnings"

-- What is found of a code in a pipeline, as "level: text".
local function found(name, options, ...)
   local given = { name = "test", checkpoint = "none", ... }
   for key, value in pairs(options) do given[key] = value end
   local texts = {}
   for _, one in ipairs(warnings.of(analyse.graph(sluice.pipeline(given)))) do
      if one.name == name then texts[#texts + 1] = one.level .. ": " .. one.text end
   end
   return table.concat(texts, "\n")
end

local function timed(time, source)
   local topic = source or sluice.kafka { topics = "rides" }
   return topic:json { sluice.string "k", sluice.int64 "ts" }:event_time("ts", time)
end

local function windowed(rows, window, sink)
   return rows:group_by "k":window(window):aggregate { n = sluice.count() }:to(sink)
end

local function out(mode) return sluice.kafka { topic = "out", mode = mode } end

local MINUTE = sluice.tumbling { size = "1 minute" }

describe("codes", function()
   it("are unique, in order, and documented", function()
      local names = {}
      for i, entry in ipairs(codes.LIST) do
         assert.equal(("W%02d"):format(i), entry.code)
         assert.is_nil(names[entry.name])
         names[entry.name] = true
         assert.truthy(entry.level == "warning" or entry.level == "note")
         assert.truthy(#entry.doc > 40 and entry.doc:find "%.$")
      end
   end)

   it("are what docs/check.md says", function()
      local file = assert(io.open("docs/check.md", "rb"))
      local text = file:read "*a"
      file:close()
      assert.equal(check_page.text(), text, "print it anew: tests/docs/check.lua")
   end)
end)

describe("warnings", function()
   it("W01: a key without the window's bounds overwrites windows", function()
      local graph = analyse.graph(kit.pipeline(windowed(timed { delay = 1000 }, MINUTE,
         out "update")))
      local function look()
         local texts = {}
         for _, one in ipairs(warnings.of(graph)) do
            if one.code == "W01" then texts[#texts + 1] = one.level .. ": "
               .. "" .. one.text end
         end
         return texts
      end
      assert.same({}, look())
      local output = graph.steps[2].outputs[1]
      output.key, output.key_kind = { output.key[1] }, "plain"
      assert.equal(1, #look())
      assert.matches("^warning: rows of all windows of aggregate go to out with the key "
         .. "`k` alone", look()[1])
      graph.aggregates[1].window.kind = "rolling" -- one row a group, to be replaced
      assert.same({}, look())
   end)

   it("W26: a pattern beside topics that a function names", function()
      local function read(source)
         return source:json { sluice.string "k" }:to(sluice.kafka {
            topic = function(row) return row.k end })
      end
      assert.matches("warning: a function names the topics of", found("reads-its-own", {},
         read(sluice.kafka { pattern = "a.*" })), 1, true)
      assert.equal("", found("reads-its-own", {}, read(sluice.kafka { topics = "a" })))
      assert.equal("", found("reads-its-own", {}, read(sluice.kafka { pattern = "a.*",
         brokers = "elsewhere:1" })))
   end)

   it("tell of a path that promises another format (W29)", function()
      local function look(options)
         return found("json-in-file", {}, kit.rides():to(sluice.file(options)))
      end
      assert.matches("out.csv is called .csv and gets a JSON object a line",
         look { path = "out.csv", append = true }, 1, true)
      assert.equal("", look { path = "out.jsonl", append = true })
      assert.equal("", look { path = "out" })
   end)

   it("W27: columns that are called like parts of a message", function()
      local function look(sink, ...)
         local rows = sluice.kafka { topics = "a" }:json { ... }
         return found("parts-as-columns", {}, rows:to(sink))
      end
      local key, value = sluice.string "key", sluice.string "value"
      assert.equal('warning: out gets `key` and `value` as fields of a JSON object, not '
         .. 'as parts of the message: write key = "key", value = function(row) return '
         .. "row.value end", look(out(), key, value))
      assert.matches("out gets `value` as", look(out(), value), 1, true)
      assert.equal("", look(out(), key, value, sluice.string "other"))
      assert.equal("", look(out(), key))
      assert.equal("", look(sluice.kafka { topic = "out", key = "key",
         value = function(row) return row.value end }, key, value))
   end)

   it("W02: max_rate below what a generator makes", function()
      local function made(rate, most)
         return sluice.generator { rate = rate, max_rate = most,
            row = function() return {} end }
            :rows { sluice.string "k" }:to(out())
      end
      assert.matches("warning: max_rate of generator is 100 records a second, and it "
         .. "makes 250: the backlog grows by 150",
         found("rate-below-input", {}, made(250, 100)))
      assert.equal("", found("rate-below-input", {}, made(100, 250)))
      assert.equal("", found("rate-below-input", {}, made(100, nil)))
   end)

   it("W03, W10: append waits, and how long", function()
      local late = sluice.hopping { size = "1 minute", every = "30 seconds",
         allowed_lateness = "1 minute" }
      local rows = timed { delay = "10 minutes" }
      local text = found("append-delay", { trigger = "30 seconds" },
         windowed(rows, late, out "append"))
      assert.matches("note: a result of aggregate comes 12 minutes behind the first "
         .. "record", text, 1, true)
      assert.matches("next batch (30 seconds)", text, 1, true)
      assert.matches("corrects nothing", found("append-waits-for-lateness", {},
         windowed(rows, late, out "append")), 1, true)
      assert.equal("", found("append-delay", {}, windowed(rows, late, out "update")))
      assert.equal("", found("append-waits-for-lateness", {},
         windowed(rows, MINUTE, out "append")))
   end)

   it("W04, W20: idle and delay against the trigger", function()
      local function with(time, trigger)
         local rows = windowed(timed(time), MINUTE, out "update")
         return found("idle-within-trigger", { trigger = trigger }, rows),
            found("trigger-above-delay", { trigger = trigger }, rows)
      end
      local idle, delay = with({ delay = "5 seconds" }, "30 seconds")
      assert.matches("warning: a partition of rides without a record in one batch is "
         .. "idle", idle)
      assert.matches("note: results come every 30 seconds", delay)
      idle, delay = with({ delay = "10 minutes" }, "30 seconds")
      assert.equal("", idle .. delay)
      idle = with({ delay = "5 seconds", idle = "2 minutes" }, "30 seconds")
      assert.equal("", idle)
      idle, delay = with({ delay = "5 seconds" }, "continuous")
      assert.equal("", idle .. delay)
   end)

   it("W05, W19: what is said of a checkpoint that is none", function()
      local rows = timed({ delay = 1000 }):to(out())
      assert.matches("note: delivery is "
         .. "at%-least%-once", found("at-least-once", {}, rows))
      assert.matches('note: checkpoint "none"', found("nothing-kept", {}, rows))
      assert.equal("", found("local-checkpoint", {}, rows))
   end)

   it("W05: at-least-once that nobody asked for names the sink", function()
      local rows = timed({ delay = 1000 })
      local kept = { checkpoint = "file:./x" }
      assert.equal("", found("at-least-once", kept, rows:to(out())))
      local to_stdout = rows:to(sluice.file { path = "-" })
      assert.matches("warning: delivery is at%-least%-once, because of sink %-: what is "
         .. "written to stdout", found("at-least-once", kept, to_stdout))
      kept.delivery = "at-least-once"
      assert.matches("^note: ", found("at-least-once", kept, to_stdout))
   end)

   it("W30: state on one machine", function()
      local rows = timed({ delay = 1000 }):to(out())
      assert.equal("note: state lies on this machine, in file:./x",
         found("local-checkpoint", { checkpoint = "file:./x" }, rows))
      assert.equal("", found("local-checkpoint", { checkpoint = "s3://bucket" }, rows))
   end)

   it("W31: memory for less than a batch", function()
      local rows = windowed(timed { delay = 1000 }, MINUTE, out "update")
      assert.matches("warning: memory is 16 MiB, and one batch of new keys can take "
         .. "%d%d MiB", found("memory-below-batch", { memory = "16 MiB" }, rows))
      assert.equal("", found("memory-below-batch", {}, rows))
   end)

   it("W32: a commit interval beside a trigger", function()
      local rows = timed({ delay = 1000 }):to(out())
      local given = { checkpoint = "file:./x", commit_interval = "1 second" }
      assert.equal("", found("interval-unused", given, rows))
      given.trigger = "5 seconds"
      assert.equal("note: commit_interval of 1 second has no use: the trigger is 5 "
         .. "seconds", found("interval-unused", given, rows))
   end)

   it("W06: a transaction's timeout below what a broker's restart takes", function()
      local function with(ms, checkpoint)
         return found("transaction-timeout", { checkpoint = checkpoint },
            timed({ delay = 1000 }):to(sluice.kafka { topic = "out",
               config = { ["transaction.timeout.ms"] = ms } }))
      end
      assert.equal("warning: transaction.timeout.ms of out is 5 seconds, and a broker "
         .. "that restarts is away for longer", with(5000, "file:./x"))
      assert.equal("", with(10000, "file:./x"))
      assert.equal("", with(5000, "none"))
   end)

   it("W08, W09: watermarks that lose or wait for ever", function()
      local odd = { delay = "1 minute", watermark = "max", idle = "never" }
      local rows = windowed(timed(odd), MINUTE, out "update")
      assert.matches("warning: the fastest partition of rides", found("watermark-max", {},
         rows))
      assert.matches("note: source rides is never idle", found("never-idle", {}, rows))
      rows = windowed(timed { delay = "1 minute" }, MINUTE, out "update")
      assert.equal("", found("watermark-max", {}, rows) .. found("never-idle", {}, rows))
   end)

   it("W11: complete sends everything", function()
      assert.matches("note: aggregation aggregate sends everything",
         found("complete-sends-all", {}, windowed(timed { delay = 1000 }, MINUTE,
         out "complete")))
   end)

   it("W12: times that look like another unit", function()
      local function declared(unit, high)
         return sluice.kafka { topics = "rides" }
            :json { sluice.string "k", sluice.int64 "ts" :range(0, high) }
            :event_time("ts", { unit = unit, delay = 1000 }):to(out())
      end
      assert.matches("warning: `ts` is declared in ms, and 1800000000 looks like s",
         found("time-unit", {}, declared("ms", 1800000000)))
      assert.equal("", found("time-unit", {}, declared("s", 1800000000)))
      assert.equal("us", of_sources.other_unit(1700000000000000, "ms"))
      assert.equal("ms", of_sources.other_unit(1700000000000, "s"))
      assert.is_nil(of_sources.other_unit(1700000000000, "ms"))
      assert.is_nil(of_sources.other_unit(3600000, "ms")) -- small numbers say nothing
   end)

   it("W13: state that only grows", function()
      local function running(retain)
         return found("grows-for-ever", {}, windowed(timed { delay = 1000 },
            sluice.running { retain = retain }, out "update"))
      end
      assert.matches("note: aggregation aggregate keeps every key for ever",
         running "forever")
      assert.equal("", running "1 day")
   end)

   it("W14: what depends on the order of pairs", function()
      local seen = warnings.new()
      local sandbox = require "sluice.sandbox"
      local box = sandbox.new { folder = "", print = print, add_text = print }
      local fn = box.load("return function(r) for k in pairs(r) do return k end end",
         "p.lua")()
      local inspect = require "sluice.check.inspect"
      assert.same({}, inspect.check(fn, { globals = box.globals, what = "filter",
         add = seen.add }))
      assert.equal("W14 note p.lua:1 filter: the order of `pairs` can differ from "
         .. "process to process: a result must not depend on "
         .. "it", table.concat({ seen.list[1].code,
         seen.list[1].level, seen.list[1].at, seen.list[1].text }, " "))
   end)

   it("W23: a sink of the script's own", function()
      local own = sluice.sink { write = function() end }
      assert.matches("note: sink .* is the script's own code", found("own-sink", {},
         timed({ delay = 1000 }):to(own)))
   end)

   it("W24: keys that change with results", function()
      local rows = windowed(timed { delay = 1000 }, MINUTE, sluice.kafka { topic = "out",
         mode = "update", key = { "k", "window_start", "n" } })
      assert.matches("warning: `key` changes with the results", found("key-changes", {},
         rows))
   end)

   it("W15, W16: bad records that nobody sees", function()
      local rows = timed({ delay = 1000 }, sluice.kafka { topics = "rides",
         bad_records = "skip", max_bad_share = 1 }):to(out())
      assert.matches("note: bad records of rides are counted and dropped",
         found("drops-bad-records", {}, rows))
      assert.matches("note: a batch of rides goes on", found("bad-share-off", {}, rows))
   end)

   it("W17: late rows without a place to go", function()
      local rows = windowed(timed { delay = 1000 }, MINUTE, out "update")
      assert.matches("note: late rows of aggregation aggregate are counted and dropped",
         found("late-rows-dropped", {}, rows))
      assert.equal("", found("late-rows-dropped", {}, rows:late_to(out())))
   end)

   it("W18: few groups", function()
      local rows = sluice.kafka { topics = "a" }
         :json { sluice.string "k" :one_of { "x" } }
      assert.matches("at most 1 groups", found("few-groups", {},
         rows:group_by "k":aggregate { n = sluice.count() }:to(out "complete")))
      assert.matches("one group", found("few-groups", {},
         rows:aggregate { n = sluice.count() }:to(out "complete")))
   end)

   it("stand before notes, in the order of their codes", function()
      local list = warnings.of(analyse.graph(kit.pipeline(windowed(
         timed { delay = "5 seconds", watermark = "max", idle = "never" }, MINUTE,
         out "append"))))
      local order = {}
      for i, one in ipairs(list) do order[i] = one.code end
      assert.equal("W08 W03 W05 W09 W17 W19", table.concat(order, " "))
      assert.matches("^tests/lua/.*:%d+: the fastest .* %[W08 watermark%-max%]$",
         warnings.say(list[1]))
   end)
end)
