-- The revenue of the last hour in each city, as of its newest minute: one row a city that
-- something happened in, under the city as key: a table of them is always current.
local sluice = require "sluice"

local revenue = sluice.kafka { topics = "ride_events" }
   :json {
      sluice.string "city" :required(),
      sluice.double "amount" :range(0, 500),
      sluice.int64 "ts" :required(),
   }
   :event_time("ts", { delay = "1 minute" })
   :group_by "city"
   :window(sluice.rolling { size = "1 hour", every = "1 minute" })
   :aggregate { rides = sluice.count(), revenue = sluice.sum "amount" }
   :to(sluice.kafka { topic = "rolling_revenue", mode = "update" })

return sluice.pipeline {
   name = "rolling-revenue", trigger = "5 seconds",
   checkpoint = "file:./checkpoints", revenue,
}
