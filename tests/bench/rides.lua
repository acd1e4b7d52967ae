-- The ride events of the benchmarks, and the article's query over them.
local sluice = require "sluice"

local EVENT_TYPES = {
   "ride_requested", "driver_assigned", "driver_arrived", "ride_started",
   "ride_completed", "ride_cancelled", "payment_failed", "heartbeat",
}

local rides = {}

-- With `has_checks` fields are held to what they may be, as in scripts/ride_counts.lua.
function rides.read(source, has_checks, delay)
   local event_type, amount = sluice.string "event_type", sluice.double "amount"
   if has_checks then
      event_type, amount = event_type:one_of(EVENT_TYPES), amount:range(0, 500)
   end
   return source
      :json {
         sluice.string "event_id" :required(),
         sluice.string "user_id" :required(),
         event_type,
         amount,
         sluice.int64 "ts" :required(),
      }
      :event_time("ts", { unit = "ms", delay = delay or "10 minutes" })
end

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

-- A pipeline of the article's query; `has_spread`: with an aggregate in Lua.
function rides.article(stream, has_spread)
   return sluice.pipeline {
      name = "bench",
      trigger = "available-now",
      checkpoint = "none",
      stream
         :filter(function(ride) return ride.event_type ~= "heartbeat" end)
         :group_by "event_type"
         :window(sluice.hopping { size = "1 minute", every = "30 seconds" })
         :aggregate {
            event_count = sluice.count(),
            revenue = sluice.sum "amount",
            spread = has_spread and spread "amount" or nil,
         }
         :to(sluice.file { path = "-", mode = "append" }),
   }
end

return rides
