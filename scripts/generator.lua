-- Made-up rides into a topic, a thousand a second: something to count for
-- scripts/ride_counts.lua. The same rows in every run, but for their times.
-- A fixed number of them: sluice run scripts/generator.lua --set source.count=100000
local sluice = require "sluice"

local EVENT_TYPES = {
   "ride_requested", "driver_assigned", "driver_arrived", "ride_started",
   "ride_completed", "ride_cancelled", "payment_failed", "heartbeat",
}

local rides = sluice.generator {
      rate = 1000, seed = 7,
      row = function(i, random)
         local event_type = EVENT_TYPES[random(#EVENT_TYPES)]
         return {
            event_id = ("e-%d"):format(i),
            user_id = ("u-%d"):format(random(5000)),
            event_type = event_type,
            -- absent: null
            amount = event_type == "ride_completed" and random(300, 9000) / 100 or nil,
         }
      end,
   }
   :rows {
      sluice.string "event_id" :required(),
      sluice.string "user_id" :required(),
      sluice.string "event_type" :required(),
      sluice.double "amount",
      -- Scripts read no clock: the batch's time comes as a field.
      sluice.int64 "ts" :from_metadata "processing_time",
   }
   :to(sluice.kafka { topic = "ride_events", key = "user_id" })

return sluice.pipeline { name = "ride-generator", checkpoint = "none", rides }
