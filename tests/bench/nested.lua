-- The count by type of event of windows.lua, over events whose user and type stand in an object.
local sluice = require "sluice"

return sluice.pipeline {
   name = "bench",
   trigger = "available-now",
   checkpoint = "none",
   sluice.file { path = "rides.jsonl" }
      :json {
         sluice.string "event_id" :required(),
         sluice.struct("ride", { sluice.string "user_id" :required(), sluice.string "event_type" }),
         sluice.double "amount",
         sluice.int64 "ts" :required(),
      }
      :event_time("ts", { unit = "ms", delay = "10 minutes" })
      :derive {
         event_type = sluice.string(function(event)
            return event.ride and event.ride.event_type
         end),
      }
      :group_by "event_type"
      :window(sluice.hopping { size = "1 minute", every = "30 seconds" })
      :aggregate { rides = sluice.count() }
      :to(sluice.file { path = "-", mode = "append" }),
}
