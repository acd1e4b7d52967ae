-- Rides counted by event type in windows of a minute, every half minute.
-- Without a Kafka: sluice run scripts/ride_counts.lua --embedded
local sluice = require "sluice"

-- A user-defined aggregate: flat state, ordinary Lua functions on it. A function of the
-- field, so that it can be used twice.
local function spread(field)
   return sluice.aggregate {
      state = { lo = math.huge, hi = -math.huge, seen = 0 },
      fold = function(a, row)
         local x = row[field]
         if x then
            a.lo, a.hi, a.seen = math.min(a.lo, x), math.max(a.hi, x), a.seen + 1
         end
      end,
      merge = function(a, b)
         a.lo, a.hi = math.min(a.lo, b.lo), math.max(a.hi, b.hi)
         a.seen = a.seen + b.seen
      end,
      result = function(a)
         if a.seen > 0 then return a.hi - a.lo end
      end,
   }
end

local EVENT_TYPES = {
   "ride_requested", "driver_assigned", "driver_arrived", "ride_started",
   "ride_completed", "ride_cancelled", "payment_failed", "heartbeat",
}

local rides = sluice.kafka {
      topics = "ride_events", start = "latest", max_records = 500000,
   }
   :json {
      sluice.string "event_id" :required(),
      sluice.string "user_id" :required(),
      sluice.string "event_type" :one_of(EVENT_TYPES),
      sluice.double "amount" :range(0, 500),
      sluice.int64 "ts" :required(),
   }
   :event_time("ts", { unit = "ms", delay = "10 minutes" })

local counts = rides
   :filter(function(ride) return ride.event_type ~= "heartbeat" end)
   :group_by "event_type"
   :window(sluice.hopping { size = "1 minute", every = "30 seconds" })
   :aggregate {
      event_count = sluice.count(),
      revenue = sluice.sum "amount",
      spread = spread "amount",
   }
   :to(sluice.kafka { topic = "ride_event_counts", mode = "update" })

return sluice.pipeline {
   name = "ride-counts",
   trigger = "30 seconds",
   checkpoint = "file:./checkpoints",
   counts,
}
