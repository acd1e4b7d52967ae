-- A raw topic made fit for others: what breaks the rules is set aside with its reason,
-- what nobody needs is left out, and what everybody computes is computed once.
local sluice = require "sluice"

local rides = sluice.kafka {
      topics = "ride_events_raw",
      events = function(i, random, now_ms) -- for --embedded
         return { event_id = "e-" .. i, user_id = "u-" .. random(12), ts = now_ms,
            event_type = "ride_completed", amount = random(510),
            pickup = { city = "Berlin", lat = 52.5 } }
      end,
   }
   :json {
      sluice.string "event_id" :required() :matches "^e%-%d+$",
      sluice.string "user_id" :required(),
      sluice.string "event_type" :required(),
      sluice.double "amount" :range(0, 500),
      sluice.string "currency" :default "EUR" :one_of { "EUR", "USD", "GBP" },
      sluice.struct("pickup", {
         sluice.string "city", sluice.double "lat" :range(-90, 90),
      }),
      sluice.int64 "ts" :required() :check(function(ts) return ts > 1577836800000 end),
   }
   :quarantine_to(sluice.kafka { topic = "ride_events_bad" })
   :filter(function(ride) return ride.event_type ~= "heartbeat" end)
   :derive {
      city = sluice.string(function(ride)
         return ride.pickup and ride.pickup.city and ride.pickup.city:lower()
      end),
      day = sluice.date(function(ride) return math.floor(ride.ts / 86400000) end),
      is_large = sluice.bool(function(ride) return (ride.amount or 0) >= 80 end),
   }
   :select {
      "event_id", "user_id", "event_type", "amount", "currency", "city", "day",
      "is_large", "ts",
   }
   :to(sluice.kafka { topic = "ride_events", key = "user_id" })

return sluice.pipeline {
   name = "clean", trigger = "1 second", checkpoint = "file:./checkpoints", rides,
}
