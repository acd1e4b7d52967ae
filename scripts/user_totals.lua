-- What each user spent an hour, with an aggregate of several results; a last, marked row
-- when the hour is over. Try it: sluice run scripts/user_totals.lua --embedded
local sluice = require "sluice"

-- Mean and deviation in one pass: Welford 1962; two states merge by Chan et al. 1979.
-- Three results in one: columns NAME_mean, NAME_deviation, NAME_rides.
local function spending(field)
   return sluice.aggregate {
      state = { n = 0, mean = 0, m2 = 0 },
      fold = function(a, ride)
         local x = ride[field]
         if not x then return end
         local delta = x - a.mean
         a.n = a.n + 1
         a.mean = a.mean + delta / a.n
         a.m2 = a.m2 + delta * (x - a.mean)
      end,
      merge = function(a, b)
         local n = a.n + b.n
         if n == 0 then return end
         local delta = b.mean - a.mean
         a.m2 = a.m2 + b.m2 + delta * delta * a.n * b.n / n
         a.mean = a.mean + delta * b.n / n
         a.n = n
      end,
      result = function(a)
         if a.n == 0 then return { rides = 0 } end
         return { mean = a.mean, deviation = math.sqrt(a.m2 / a.n), rides = a.n }
      end,
      returns = { sluice.double "mean", sluice.double "deviation", sluice.int64 "rides" },
   }
end

local totals = sluice.kafka {
      topics = "ride_events",
      events = function(_, random, now_ms) -- for --embedded
         return { user_id = ("u-%d"):format(random(12)), event_type = "ride_completed",
            amount = random(300, 9000) / 100, ts = now_ms }
      end,
   }
   :json {
      sluice.string "user_id" :required(),
      sluice.string "event_type",
      sluice.double "amount" :range(0, 500),
      sluice.int64 "ts" :required(),
   }
   :event_time("ts", { unit = "ms", delay = "10 minutes" })
   :filter(function(ride) return ride.event_type == "ride_completed" end)
   :group_by "user_id"
   :window(sluice.tumbling { size = "1 hour" })
   :aggregate { total = sluice.sum "amount", spent = spending "amount" }
   :to(sluice.kafka {
      topic = "user_totals", mode = "update", only_if_changed = true, final = true,
   })

return sluice.pipeline {
   name = "user-totals", trigger = "10 seconds",
   checkpoint = "file:./checkpoints", totals,
}
