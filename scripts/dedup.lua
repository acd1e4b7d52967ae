-- A topic without its repeats: a producer that retries sends an event twice. The first of
-- an id passes; for an hour of event time others like it are dropped, and counted.
local sluice = require "sluice"

local unique = sluice.kafka { topics = "ride_events" }
   :json {
      sluice.string "event_id" :required(),
      sluice.string "user_id" :required(),
      sluice.string "event_type",
      sluice.double "amount",
      sluice.int64 "ts" :required(),
   }
   :event_time("ts", { delay = "10 minutes" })
   :distinct { "event_id", within = "1 hour" }
   :late_to(sluice.kafka { topic = "ride_events_late" })
   :to(sluice.kafka { topic = "ride_events_unique", key = "user_id" })

return sluice.pipeline {
   name = "dedup", trigger = "1 second", checkpoint = "file:./checkpoints", unique,
}
