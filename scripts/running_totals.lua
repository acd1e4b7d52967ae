-- What each user has spent so far, and when they were last seen. Users of whom nothing
-- was heard for 30 days are forgotten; one who comes back begins anew.
local sluice = require "sluice"

local totals = sluice.kafka { topics = "ride_events" }
   :json {
      sluice.string "user_id" :required(),
      sluice.double "amount" :range(0, 500),
      sluice.timestamp("ts", "ms") :required(),
   }
   :event_time("ts", { delay = "10 minutes" })
   :group_by "user_id"
   :window(sluice.running { retain = "30 days" })
   :aggregate {
      { rides = sluice.count() },
      { spent = sluice.sum "amount" },
      { dearest = sluice.max "amount" },
      { last_seen = sluice.max "ts" },
   }
   :to(sluice.kafka { topic = "user_running_totals", mode = "update" })

return sluice.pipeline {
   name = "running-totals", trigger = "1 second",
   checkpoint = "file:./checkpoints", totals,
}
