-- R1: the query of scripts/ride_counts.lua over a file, an aggregate in Lua included.
local sluice = require "sluice"
local rides = require "rides"

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

return sluice.pipeline {
   name = "bench",
   trigger = "available-now",
   checkpoint = "none",
   rides(sluice.file { path = "rides.jsonl" })
      :filter(function(ride) return ride.event_type ~= "heartbeat" end)
      :group_by "event_type"
      :window(sluice.hopping { size = "1 minute", every = "30 seconds" })
      :aggregate {
         event_count = sluice.count(),
         revenue = sluice.sum "amount",
         spread = spread "amount",
      }
      :to(sluice.file { path = "-", mode = "append" }),
}
