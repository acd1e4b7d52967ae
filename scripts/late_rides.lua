-- One topic, three uses, read once: rides by type, a copy of the large payments, and what
-- came too late for its window, with its original bytes, for whoever repairs the books.
local sluice = require "sluice"

local rides = sluice.kafka { topics = "ride_events" }
   :json {
      sluice.string "event_id" :required(),
      sluice.string "user_id" :required(),
      sluice.string "event_type",
      sluice.double "amount" :range(0, 500),
      sluice.int64 "ts" :required(),
   }
   :event_time("ts", { unit = "ms", delay = "10 seconds", idle = "1 minute" })

-- A window is sent once, 50 seconds behind its end: delay + allowed_lateness after the
-- newest event of the slowest partition.
local counts = rides
   :filter(function(ride) return ride.event_type ~= "heartbeat" end)
   :group_by "event_type"
   :window(sluice.tumbling { size = "1 minute", allowed_lateness = "40 seconds" })
   :aggregate { event_count = sluice.count(), revenue = sluice.sum "amount" }
   :late_to(sluice.kafka { topic = "late_rides" })
   :to(sluice.kafka { topic = "ride_counts_by_minute", mode = "append" })

-- Rows of no group keep the key of their record.
local large = rides
   :filter(function(ride) return ride.amount and ride.amount >= 80 end)
   :derive {
      fee = sluice.double(function(ride) return ride.amount and ride.amount * 0.02 end),
   }
   :select { "event_id", "user_id", "amount", "fee", at = "ts" }
   :to(sluice.kafka { topic = "large_payments" })

return sluice.pipeline {
   name = "late-rides", trigger = "5 seconds",
   checkpoint = "file:./checkpoints", counts, large,
}
