local audit = require "sluice.check.audit"
local analyse = require "sluice.analyse"
local kit = require "tests.lua.kit"
local pipeline = require "sluice.pipeline"
local sluice = require "sluice"

-- Every table of options that a module shows: all its entries have a checker, or come
-- later.
local function is_options(it)
   if type(it) ~= "table" or next(it) == nil then return false end
   for _, entry in pairs(it) do
      local right = type(entry) == "table" and (entry.later == true
         or type(entry.check) == "table" and type(entry.check.check) == "function")
      if not right then return false end
   end
   return true
end

local function collect(found, path, it, depth)
   if is_options(it) then
      found[path] = it
   elseif type(it) == "table" and depth > 0 then
      for name, inside in pairs(it) do
         collect(found, path .. "." .. tostring(name), inside, depth - 1)
      end
   end
end

describe("options", function()
   it("say what they are about, and what they risk", function()
      local found = {}
      for name, module in pairs(package.loaded) do
         if name:find "^sluice%." then collect(found, name, module, 2) end
      end
      for _, name in ipairs { "sluice.pipeline.OPTIONS", "sluice.stage.decode.TIME",
         "sluice.window.OPTIONS.tumbling", "sluice.source.kafka.options",
         "sluice.sink.kafka.options", "sluice.cluster.SASL" } do
         assert(found[name], name .. " was not looked at")
      end
      local gaps = {}
      for path, known in pairs(found) do
         for _, gap in ipairs(audit.gaps(known)) do gaps[#gaps + 1] = path .. ": "
            .. "" .. gap end
      end
      table.sort(gaps)
      assert.equal("", table.concat(gaps, "\n"))
   end)
end)

describe("audit", function()
   local function knobs(settings, ...)
      local of = assert(pipeline.override(kit.pipeline(...), settings))
      local by = {}
      for _, knob in ipairs(audit.of(analyse.graph(of), of)) do
         by[knob.of .. "." .. knob.name] = knob
      end
      return by
   end

   local function counts() return kit.counts():to(kit.sink "update") end

   it("tells values from the script with their place", function()
      local delay = knobs({}, counts())["event time of ride_events.delay"]
      assert.equal("10 minutes", delay.value)
      assert.matches("kit%.lua:%d+$", delay.from)
      assert.equal("latency", delay.about)
   end)

   it("tells defaults, settings and the environment apart", function()
      local by = knobs({ "source.max_bytes=64 MiB", "trigger=1 minute" }, counts())
      assert.equal("64 MiB", by["source ride_events.max_bytes"].value)
      assert.equal("--set source.max_bytes=64 MiB", by["source "
         .. "ride_events.max_bytes"].from)
      assert.equal("--set trigger=1 minute", by["pipeline test.trigger"].from)
      assert.equal("1 minute", by["pipeline test.trigger"].value)
      assert.equal("default", by["source ride_events.max_records"].from)
      assert.equal("never", knobs({}, kit.rides():event_time("ts",
         { delay = 1000, idle = "never" }):to(kit.sink()))
         ["event time of ride_events.idle"].value)
   end)

   it("lists the options of a distinct", function()
      local by = knobs({}, kit.rides():event_time("ts", { delay = 1000 })
         :distinct { "event_id", within = "1 hour" }:to(kit.sink()))
      assert.equal("1 hour", by["distinct distinct.within"].value)
      assert.equal("memory", by["distinct distinct.within"].about)
   end)

   it("never shows a secret", function()
      local source = sluice.kafka { topics = "in", sasl = { username = "me",
         password = sluice.env "PASSWORD" } }:json { sluice.string "a" }
      local by = knobs({}, source:to(kit.sink()))
      assert.equal('{ mechanism = PLAIN, password = sluice.env "PASSWORD", '
         .. "username = me }", by["source in.sasl"].value)
   end)
end)

describe("audit of several sources", function()
   it("lists union's sources, distincts and their times", function()
      local function rides(topic)
         return sluice.kafka { topics = topic }
            :json { sluice.string "id", sluice.int64 "ts" }
            :event_time("ts", { delay = "1 minute" })
      end
      local both = rides "a":union(rides "b")
      local of = kit.pipeline(both:distinct { "id", within = "1 hour" }:to(kit.sink()))
      local groups, seen = {}, {}
      for _, knob in ipairs(audit.of(analyse.graph(of), of)) do
         if not seen[knob.of] then groups[#groups + 1] = knob.of end
         seen[knob.of] = true
      end
      table.sort(groups)
      assert.equal("distinct distinct, event time of a, event time of b, pipeline test, "
         .. "sink out, source a, source b", table.concat(groups, ", "))
   end)
end)

describe("what options risk given the others", function()
   local function risks(options, ...)
      local of = sluice.pipeline { name = "test", checkpoint = "none",
         trigger = options.trigger, workers = options.workers, ... }
      local by = {}
      for _, knob in ipairs(audit.of(analyse.graph(of), of)) do
         by[knob.of:match "^%S+" .. "." .. knob.name] = knob.risk
      end
      return by
   end

   it("is told with figures of this pipeline", function()
      local by = risks({ trigger = "1 minute", workers = 128 },
         kit.counts():to(kit.sink "append"))
      assert.matches("here about 11 windows of aggregate live per key "
         .. "(", by["event.delay"],
         1, true)
      assert.matches("here one batch without a record is enough (trigger 1 minute)",
         by["event.idle"], 1, true)
      assert.matches("here 11 minutes after a window of aggregate "
         .. "begins", by["sink.mode"],
         1, true)
      assert.equal("nothing: mode is append", by["sink.only_if_changed"])
      assert.equal("64 of them have no shard to work on", by["pipeline.workers"])
   end)

   it("says no more than it knows", function()
      local by = risks({}, kit.rides():to(kit.sink()))
      assert.equal("nothing: rows of no group", by["sink.max_rows"])
      assert.equal("more than the machine has cores slow each other",
         by["pipeline.workers"])
   end)
end)
