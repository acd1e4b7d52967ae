-- What stages cost beside the same count in hopping windows: windows of another kind and
-- a distinct by user, aggregates by type of event.
local sluice = require "sluice"
local rides = require "rides"

local HOPPING = sluice.hopping { size = "1 minute", every = "30 seconds" }

local function counted(by, window, aggregate)
   return function(stream)
      return stream:group_by(by):window(window)
         :aggregate { rides = aggregate or sluice.count() }
   end
end

local KINDS = {
   hopping = counted("user_id", HOPPING),
   session = counted("user_id", sluice.session { gap = "1 minute" }),
   distinct = function(stream)
      return stream:distinct { "user_id", within = "1 minute" }
   end,
   count = counted("event_type", HOPPING),
   count_distinct = counted("event_type", HOPPING, sluice.count_distinct "user_id"),
   quantile = counted("event_type", HOPPING, sluice.quantile("amount", 0.99)),
   top = counted("event_type", HOPPING, sluice.top("user_id", 10)),
}

local kind = sluice.param("kind", "session", "what to measure")
local stream = rides.read(sluice.file { path = "rides.jsonl" })

return sluice.pipeline {
   name = "bench",
   trigger = "available-now",
   checkpoint = "none",
   KINDS[kind](stream):to(sluice.file { path = "-", mode = "append" }),
}
