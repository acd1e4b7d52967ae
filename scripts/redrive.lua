-- A second chance for what scripts/ride_counts.lua put into its quarantine: a producer
-- wrote amounts as text ("12.50"). They go back into the topic, repaired; what cannot be
-- helped goes to a topic of its own, so that it does not come round again.
--    sluice run scripts/redrive.lua
local sluice = require "sluice"

local rides = sluice.kafka { topics = "ride-counts-quarantine" }
   :json {
      sluice.string "event_id" :required(),
      sluice.string "user_id" :required(),
      sluice.string "event_type",
      sluice.string "amount_text" :from "amount" :required(),
      sluice.int64 "ts" :required(),
      -- The verdict stands in headers, the record's own bytes are untouched.
      sluice.string "field" :from_header "sluice.field",
      sluice.string "kind" :from_header "sluice.kind",
   }
   :quarantine_to(sluice.kafka { topic = "ride-dead-letters" })
   :filter(function(ride) return ride.kind == "bad" and ride.field == "amount" end)
   :derive {
      amount = sluice.double(function(ride) return tonumber(ride.amount_text) end),
   }
   :filter(function(ride) return ride.amount ~= nil end)
   :select { "event_id", "user_id", "event_type", "amount", "ts" }
   :to(sluice.kafka { topic = "ride_events" })

return sluice.pipeline {
   name = "redrive", trigger = "available-now", checkpoint = "file:./checkpoints", rides,
}
