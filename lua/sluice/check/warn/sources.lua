--- What is doubtful about sources and their event times.
-- @module sluice.check.warn.sources

local units = require "sluice.units"

local sources = {}

-- Above this a number of seconds since 1970 would lie beyond the year 2100, and a number
-- of ms before 1971.
local SECONDS_END = 4102444800
local YEAR_1971_MS = 31536000000

local IN_MS = { s = 1000, ms = 1, us = 1 / 1000, ns = 1 / 1000000 }

local function look_at_rate(source, add)
   local rate, most = source.options.rate, source.options.max_rate
   if rate and most and most < rate then
      add("rate-below-input", source.line, "max_rate of %s is %g records a second, and "
         .. "it makes %g: the backlog grows by %g a second", source.name, most, rate,
         rate - most)
   end
end

local function look_at_bad(source, add)
   if source.options.bad_records == "skip" then
      add("drops-bad-records", source.line, "bad records of %s are counted and dropped",
         source.name)
   end
   if source.options.max_bad_share == 1 then
      add("bad-share-off", source.line, "a batch of %s goes on even if all of it is bad",
         source.name)
   end
end

--- Say what unit times look like, when it is another than the declared one.
-- @tparam number value as it stands in the record
-- @tparam string unit declared
-- @treturn ?string the unit it looks like
function sources.other_unit(value, unit)
   local factor = IN_MS[unit]
   if not factor or value <= 0 then return nil end
   local ms = value * factor
   if ms >= YEAR_1971_MS and ms < SECONDS_END * 1000 then return nil end
   for _, other in ipairs { "s", "ms", "us", "ns" } do
      local seen = value * IN_MS[other]
      if seen >= YEAR_1971_MS * 25 and seen < SECONDS_END * 1000 then return other end
   end
end

-- A time that is known without a record: a default, or the end of a range.
local function known_time(field)
   local known = type(field.default) == "number" and field.default
      or field.range and field.range[2]
   return type(known) == "number" and known > 0 and known or nil
end

local function look_at_unit(source, add)
   local time = source.time
   for _, field in ipairs(time and time.field and source.fields or {}) do
      local unit = field.unit or time.unit
      local known = field.name == time.field and known_time(field)
      local other = known and sources.other_unit(known, unit)
      if other then
         add("time-unit", field.line or source.line, "`%s` is declared in %s, and %.0f "
            .. "looks like %s", field.name, unit, known, other)
      end
   end
end

local function look_at_idle(graph, source, add)
   local time, trigger = source.time, graph.options.trigger
   if not time or not time.delay_ms then return end
   if time.idle_ms < 0 then
      add("never-idle", source.line, "source %s is never idle: a partition without "
         .. "records holds the watermark for ever", source.name)
   end
   if time.rule == "max" then
      add("watermark-max", source.line, "the fastest partition of %s moves the "
         .. "watermark: what slower ones hold beyond %s is late", source.name,
         units.say(time.delay_ms))
   end
   if trigger.kind ~= "interval" then return end
   local interval = trigger.interval_ms
   if time.idle_ms > 0 and time.idle_ms <= interval and time.delay_ms < interval then
      add("idle-within-trigger", source.line, "a partition of %s without a record in one "
         .. "batch is idle (idle %s, trigger %s), and its next records may be late "
         .. "(delay %s)", source.name, units.say(time.idle_ms), units.say(interval),
         units.say(time.delay_ms))
   end
   if interval > time.delay_ms then
      add("trigger-above-delay", source.line, "results come every %s, however short the "
         .. "delay of %s (%s)", units.say(interval), source.name,
         units.say(time.delay_ms))
   end
end

--- Look through the sources of a graph.
-- @tparam table graph
-- @tparam function add (name of the code, place, text, …)
function sources.find(graph, add)
   for _, source in ipairs(graph.sources) do
      look_at_rate(source, add)
      look_at_bad(source, add)
      look_at_unit(source, add)
      look_at_idle(graph, source, add)
   end
end

return sources
