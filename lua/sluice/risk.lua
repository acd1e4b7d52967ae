--- What options risk given the others: functions for `risk` in tables of options, where a
-- text alone says too little. Each takes the value in the plan's form and `with`, as
-- `sluice.check.audit` gives it; without `with` it says what holds in general.
--
-- `with.behind` lists the aggregations that the option concerns: `{ name =, mode =,
-- windows = live ones of a key or nil, key_bytes =, closes_after_ms = }`.
-- @module sluice.risk

local units = require "sluice.units"

local risk = {}

local function say(general, parts)
   if #parts == 0 then return general end
   return general .. "; here " .. table.concat(parts, ", ")
end

-- One text for each aggregation that windows say something of.
local function each(with, text)
   local parts = {}
   for _, one in ipairs(with and with.behind or {}) do
      parts[#parts + 1] = one.windows and text(one) or nil
   end
   return parts
end

--- `delay` of a watermark.
function risk.delay(_, with)
   return say("longer: results later and more windows in memory; shorter: more records "
      .. "are late", each(with, function(one)
      return ("about %d windows of %s live per key (%d bytes a key)"):format(one.windows,
         one.name, one.key_bytes)
   end))
end

--- `idle` of a watermark.
function risk.idle(ms, with)
   local parts, trigger = {}, with and with.graph.options.trigger
   if trigger and trigger.kind == "interval" and ms and ms > 0
      and ms <= trigger.interval_ms then
      parts[1] = ("one batch without a record is enough (trigger %s)"):format(
         units.say(trigger.interval_ms))
   end
   return say("shorter: a partition that paused loses what it held back; longer: one "
      .. "silent partition holds all results", parts)
end

--- `allowed_lateness` of a window.
function risk.lateness(ms, with)
   return say("windows stay in memory for as long, and append waits for it",
      each(ms and ms > 0 and with, function(one)
      return ("windows of %s close %s after they begin"):format(one.name,
         units.say(one.closes_after_ms))
   end))
end

local MODES = {
   append = "each window once, late by size, delay and lateness",
   update = "at once and again: readers keep the newest row of a key",
   complete = "everything in every batch, and nothing is ever dropped",
}

--- `mode` of a sink.
function risk.mode(mode, with)
   if not MODES[mode] then
      return ("append: %s; update: %s; complete: %s"):format(MODES.append, MODES.update,
         MODES.complete)
   end
   return say(MODES[mode], each(mode == "append" and with, function(one)
      return ("%s after a window of %s begins"):format(units.say(one.closes_after_ms),
         one.name)
   end))
end

--- Make the risk of an option that only one mode heeds.
-- @tparam string mode
-- @tparam string general
-- @treturn function
function risk.only_in(mode, general)
   return function(_, with)
      local seen = with and with.values.mode
      if not with or seen == mode then return general end
      return seen and ("nothing: mode is %s"):format(seen) or "nothing: rows of no group"
   end
end

--- `start` of a source.
function risk.start(start, with)
   local parts = {}
   if with and start == "latest" and with.graph.options.checkpoint == "none" then
      parts[1] = "what comes while the pipeline is down is never read (checkpoint none)"
   end
   return say('"latest" passes over what is there already', parts)
end

--- `checkpoint` of a pipeline.
function risk.checkpoint(store)
   if store and store.url ~= "none" then
      return "lost, or another one: the pipeline does not start until it is told what "
         .. "to do"
   end
   return '"none": a restart begins at `start` with empty state'
end

--- `workers` of a pipeline.
function risk.workers(workers, with)
   local shards = with and with.values.shards
   if shards and workers > shards then
      return ("%d of them have no shard to work on"):format(workers - shards)
   end
   return "more than the machine has cores slow each other"
end

return risk
