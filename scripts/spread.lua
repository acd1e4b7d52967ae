-- An aggregate of one's own: the spread of a field, highest less lowest. A function of
-- the field, so that it can be used twice; as fast as written out.
--    sluice run scripts/spread.lua --embedded
local sluice = require "sluice"

local function spread(field)
   return sluice.aggregate {
      state = { lo = math.huge, hi = -math.huge },
      fold = function(a, row)
         local x = row[field]
         if x then a.lo, a.hi = math.min(a.lo, x), math.max(a.hi, x) end
      end,
      merge = function(a, b)
         a.lo, a.hi = math.min(a.lo, b.lo), math.max(a.hi, b.hi)
      end,
      result = function(a)
         if a.hi >= a.lo then return a.hi - a.lo end -- over none: null
      end,
   }
end

local spreads = sluice.kafka { topics = "ride_events" }
   :json {
      sluice.string "event_type",
      sluice.double "amount" :range(0, 500),
      sluice.double "distance_km" :range(0, 2000),
      sluice.int64 "ts" :required(),
   }
   :event_time("ts", { delay = "1 minute" })
   :group_by "event_type"
   :window(sluice.hopping { size = "10 minutes", every = "1 minute" })
   :aggregate { amount = spread "amount", distance = spread "distance_km" }
   :to(sluice.kafka { topic = "ride_spreads", mode = "update" })

return sluice.pipeline {
   name = "spread", trigger = "10 seconds", checkpoint = "file:./checkpoints", spreads,
}
