-- The ten drivers with most rides in each city, by hour. `top` keeps a fixed number of
-- counters, however many drivers there are: `error` says by how much a count may be high.
local sluice = require "sluice"

local top = sluice.kafka { topics = "ride_events", events = "rides" }
   :json {
      sluice.string "event_type",
      sluice.string "driver_id",
      sluice.string "city",
      sluice.int64 "ts" :required(),
   }
   :event_time("ts", { delay = "1 minute" })
   :filter(function(ride) return ride.event_type == "ride_completed" end)
   :group_by "city"
   :window(sluice.tumbling { size = "1 hour" })
   :aggregate { rides = sluice.count(), drivers = sluice.top("driver_id", 10) }
   :to(sluice.kafka { topic = "top_drivers", mode = "update", final = true })

return sluice.pipeline {
   name = "top-drivers", trigger = "10 seconds", checkpoint = "file:./checkpoints", top,
}
