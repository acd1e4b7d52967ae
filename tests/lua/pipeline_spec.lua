local analyse = require "sluice.analyse"
local check_view = require "sluice.check.view"
local cost = require "sluice.explain.cost"
local driver_state = require "sluice.driver.state"
local explain = require "sluice.explain"
local kit = require "tests.lua.kit"
local pipeline = require "sluice.pipeline"
local page = require "sluice.explain.page"
local sluice = require "sluice"
local warnings = require "sluice.check.warnings"

local refuses, rides, sink = kit.refuses, kit.rides, kit.sink

local function graph_of(given)
   given[1] = given[1] or rides():to(sink())
   return analyse.graph(sluice.pipeline(given))
end

describe("sluice.pipeline", function()
   it("has a name, a checkpoint and branches", function()
      refuses(function() graph_of { checkpoint = "none" } end, "`name` is missing")
      refuses(function() graph_of { name = "a" } end, "`checkpoint` is missing",
         'write checkpoint = "file:./checkpoints"', '"none"')
      refuses(function() kit.graph() end, "has no branch")
   end)

   it("names the nearest option", function()
      refuses(function() sluice.pipeline { name = "a", triger = 5 } end,
         "unknown option `triger`: did you mean `trigger`?")
      refuses(function() sluice.pipeline { name = "a b" } end, "letters, digits")
      refuses(function() sluice.pipeline { name = "a", shards = 3 } end, "a power of two")
      refuses(function() sluice.pipeline { name = ".." } end, "no `.` in front")
      refuses(function() sluice.pipeline { name = "a", migrate = { x = 1 } } end,
         "`migrate` is a table, wanted a table of functions by the names of aggregates")
   end)

   it("takes streams", function()
      refuses(function() sluice.pipeline { name = "a", sink } end,
         "branch 1 is a function")
      refuses(function() sluice.pipeline(rides()) end, "takes a table")
   end)

   it("knows its triggers", function()
      local function trigger(given, flush)
         return graph_of({ name = "a", checkpoint = "none", trigger = given,
            flush = flush })
            .options.trigger
      end
      assert.same({ kind = "interval", interval_ms = 30000, flush = false },
         trigger "30 seconds")
      assert.same({ kind = "available-now", interval_ms = 0, flush = true },
         trigger("available-now", true))
      assert.equal("once", trigger("once").kind)
      refuses(function() trigger("continuous", true) end, "`flush`")
      refuses(function() trigger "sometimes" end, '"available-now"')
   end)

   it("delivers at least once without a checkpoint", function()
      refuses(function()
         graph_of { name = "a", checkpoint = "none", delivery = "exactly-once" }
      end, "exactly-once needs a checkpoint")
   end)

   it("tells the line of a script that ends in a tail call", function()
      local path = os.tmpname()
      local file = assert(io.open(path, "w"))
      file:write('local sluice = require "sluice"\n'
         .. 'local all = sluice.kafka { topics = "a" }:json { sluice.int64 "x" }\n\n'
         .. 'return sluice.pipeline { name = "a", all }\n')
      file:close()
      local main = assert(loadfile(path))
      -- As the host does: no frame of a script is left when the pipeline is made.
      local run = coroutine.wrap(main)
      local made = run()
      os.remove(path)
      assert.equal(path .. ":4", made.line)
   end)
end)

describe("--set", function()
   local set = kit.set

   it("replaces options of the pipeline", function()
      local made = set({ "trigger=available-now", "workers=4" }, rides():to(sink()))
      assert.equal("available-now", made.options.trigger.kind)
      assert.equal(4, made.options.workers)
   end)

   it("replaces options of the only source and sink", function()
      local made = set({ "source.start=latest", "sink.topic=other",
         "source.max_records=7" },
         rides():to(sink()))
      assert.equal("latest", made.sources[1].options.start)
      assert.equal(7, made.sources[1].options.max_records)
      assert.equal("other", made.sinks[1].name)
   end)

   it("replaces options by name, of windows too", function()
      local made = set({ "out.mode=append", "ride_events.max_rate=5",
         "aggregate.size=2 minutes" },
         kit.counts():to(sink "update"))
      assert.equal("append", made.aggregates[1].mode)
      assert.equal(5, made.sources[1].options.max_rate)
      assert.equal(120000, made.aggregates[1].window.size_ms)
   end)

   it("replaces options of the source's event time", function()
      local made = set({ "source.delay=1 minute", "ride_events.idle=never",
         "source.max_skew=0" }, kit.counts():to(sink "append"))
      local time = made.sources[1].time
      assert.equal(60000, time.delay_ms)
      assert.equal(-1, time.idle_ms)
      assert.is_true(time.skew_given)
      assert.equal("ts", time.field)
      local _, text = set({ "source.dely=1" }, kit.counts():to(sink "append"))
      assert.truthy(text:find("did you mean `delay`?", 1, true))
   end)

   it("leaves the script's pipeline as it is", function()
      local made = kit.pipeline(rides():to(sink()))
      assert(pipeline.override(made, { "source.start=latest" }))
      assert.equal("earliest", analyse.graph(made).sources[1].options.start)
   end)

   local function message(setting, ...)
      local made, text = set({ setting }, ...)
      assert.is_nil(made)
      return text
   end

   it("names the nearest path", function()
      local out = rides():to(sink())
      assert.equal("--set triger=once: unknown option `triger`: did you mean `trigger`?",
         message("triger=once", out))
      assert.truthy(message("source.strat=latest", out):find("did you mean `start`?", 1,
         true))
      assert.truthy(message("ride_event.start=latest", out):find("`ride_events`", 1,
         true))
      assert.truthy(message("trigger", out):find("PATH=VALUE", 1, true))
      assert.truthy(message("workers=many", out):find('`workers` is "many"', 1, true))
   end)

   it("names the candidates where there are several", function()
      local text = message("sink.topic=x", rides():to(sink(nil, "a")):to(sink(nil, "b")))
      assert.truthy(text:find("there are several: `a` (sink), `b` (sink)", 1, true))
   end)

   it("means the sink of rows by `sink`", function()
      local made = set({ "sink.topic=x" },
         rides():quarantine_to(sink(nil, "q")):to(sink()))
      assert.equal("x", made.sinks[2].name)
   end)

   it("is told of when the whole does not fit", function()
      refuses(function() set({ "source.min_records=600000" }, rides():to(sink())) end,
         "(with --set source.min_records=600000)")
      refuses(function()
         set({ "aggregate.every=2 minutes" }, kit.timed()
            :window(sluice.hopping { size = "1 minute", every = "30 seconds" })
            :aggregate { n = sluice.count() }:to(sink "append"))
      end, "longer than `size`", "(with --set aggregate.every=2 minutes)")
   end)

   it("gives what the script leaves out", function()
      local made = pipeline.override(sluice.pipeline { name = "a", rides():to(sink()) },
         { "checkpoint=none" })
      assert.equal("none", analyse.graph(made).options.checkpoint)
   end)
end)

describe("explain", function()
   local function view(...)
      local of = kit.pipeline(...)
      return check_view.new(analyse.graph(of), of, warnings.new())
   end

   local function counts(options)
      return kit.timed():filter(function() return true end)
         :group_by "event_type"
         :window(sluice.hopping { size = "1 minute", every = "30 seconds" })
         :aggregate { rows = sluice.count(), worst = sluice.max(options or "amount") }
         :to(sink "update")
   end

   it("draws the plan", function()
      local text = view(counts()):explain(false, false)
      for _, line in ipairs {
         "source kafka ride_events", "└─ filter (tests/lua/pipeline_spec.lua:",
         "hopping window of 1 minute every 30 seconds", "sends: mode update",
         "key: { event_type, window_start }", "rows int64",
         "about 22 windows live per key at 10 minutes and 30 seconds",
         'note: checkpoint "none"', "note: delivery is at-least-once",
      } do
         assert.truthy(text:find(line, 1, true), line .. " is not in\n" .. text)
      end
   end)

   it("says what is promised and what that costs", function()
      local function lines(given, put_ms, ...)
         local of = sluice.pipeline { name = "test", delivery = given.delivery,
            checkpoint = given.checkpoint, trigger = given.trigger, ... }
         local text = check_view.new(analyse.graph(of), of, warnings.new())
            :explain(false, false, nil, put_ms, put_ms > 10)
         return (text:gsub("%s+", " "))
      end
      local function holds(text, ...)
         for _, part in ipairs { ... } do
            assert.truthy(text:find(part, 1, true), part .. " is not in\n" .. text)
         end
      end
      holds(lines({ checkpoint = "s3://bucket/x" }, 60, counts()),
         "delivery: exactly-once (out, test-quarantine: in the transaction that commits "
         .. "the progress)", "progress: offsets of group test at localhost:9092",
         "state: s3://bucket/x/test; at most 1 GiB in memory, then to disk; local copy: "
         .. "./sluice-state/test; kept for looking back: 1 week",
         "cost: at most 86,400 objects a day, a batch every 1 second (each is charged); "
         .. "results are seen 66 ms or more")
      holds(lines({ checkpoint = "file:./x/", trigger = "30 seconds",
         delivery = "at-least-once" }, 1, rides():to(sluice.file { path = "out" })),
         "delivery: at-least-once, as the script says (out: a batch done again replaces "
         .. "its file; test-quarantine: ahead of the progress, which follows)",
         "state: file:./x/test; no stage keeps groups;",
         "cost: at most 2,880 objects a day, a batch "
         .. "every 30 seconds; results are seen 2 ms or more")
      local file = sluice.file { path = "in" }:json { sluice.int64 "x" }
      holds(lines({ checkpoint = "file:./x" }, 1, file:to(sink())),
         "progress: the offset of partition 0 of out for group test",
         "cost: 2 objects a batch; results are seen 8 ms or more")
      holds(lines({ checkpoint = "file:./x" }, 1, file:to(sluice.file { path = "out" })),
         "progress: in the store, with the state", "cost: 3 objects a batch")
   end)

   it("fits 100 columns, and paints only where it is asked to", function()
      local many = {}
      for i = 1, 30 do many[i] = sluice.double("a_rather_long_name_" .. i) end
      local wide = view(sluice.kafka { topics = "in" }:json(many):to(sink()))
      local text = wide:explain(false, false)
      for line in text:gmatch "[^\n]+" do
         assert(page.columns(line) <= page.WIDTH, line)
      end
      assert.is_nil(text:find("\27", 1, true))
      local painted = wide:explain(false, true)
      assert.truthy(painted:find("\27[1mpipeline test\27[0m", 1, true))
      assert.equal(text, (painted:gsub("\27%[%d+m", "")))
   end)

   it("draws branches, and notes few groups", function()
      local all = sluice.kafka { topics = "a" }:json { sluice.string "k" :one_of { "x" } }
      local text = view(all:to(sink(nil, "raw")),
         all:group_by "k":aggregate { n = sluice.count() }:to(sink "complete"))
         :explain(false, false)
      assert.truthy(text:find("├─ to kafka raw", 1, true))
      assert.truthy(text:find("└─ aggregate aggregate: no window", 1, true))
      assert.truthy(text:find("at most 1 groups (`k` alone)", 1, true))
   end)

   it("says what a key costs by the real size of its state", function()
      local made = analyse.graph(kit.pipeline(counts()))
      local found = cost.of(made, made.aggregates[1])
      assert.equal(22, found.windows)
      assert.equal(22, found.panes)
      assert.equal(driver_state.layout(made.aggregates[1].items).size, found.state_bytes)
      assert.equal(32 + found.state_bytes + 24 + 16, found.entry_bytes)
      assert.equal(22 * found.entry_bytes, found.key_bytes)
      assert.equal(660000 + 0, found.closes_after_ms)
   end)

   it("gives all of it as JSON", function()
      local json = view(counts()):explain(true, false)
      local read = require("cjson").decode(json)
      assert.equal("test", read.plan.name)
      assert.equal("aggregate", read.state[1].aggregation)
      assert.equal("pipeline test", read.options[1].of)
      assert.equal("W05", read.findings[1].code)
      assert.equal("note", read.findings[1].level)
      assert.is_nil(read.connect)
   end)

   it("gives the same JSON for the same plan", function()
      local of = kit.pipeline(counts())
      assert.equal(explain.plan_json(analyse.graph(of)),
         explain.plan_json(analyse.graph(of)))
   end)

   it("counts live windows", function()
      local window = { size_ms = 60000, every_ms = 60000, allowed_lateness_ms = 60000 }
      assert.equal(2, explain.live_windows(window, 0))
   end)

   it("explains the script of scripts/", function()
      local script = assert(loadfile "scripts/ride_counts.lua")
      local graph = analyse.graph((script()))
      assert.equal("ride-counts", graph.name)
      assert.equal("latest", graph.sources[1].options.start)
      assert.equal("update", graph.aggregates[1].mode)
   end)
end)
