-- The ride events of the benchmarks, as scripts/ride_counts.lua reads them.
local sluice = require "sluice"

local EVENT_TYPES = {
   "ride_requested", "driver_assigned", "driver_arrived", "ride_started",
   "ride_completed", "ride_cancelled", "payment_failed", "heartbeat",
}

return function(source)
   return source
      :json {
         sluice.string "event_id" :required(),
         sluice.string "user_id" :required(),
         sluice.string "event_type" :one_of(EVENT_TYPES),
         sluice.double "amount" :range(0, 500),
         sluice.int64 "ts" :required(),
      }
      :event_time("ts", { unit = "ms", delay = "10 minutes" })
end
