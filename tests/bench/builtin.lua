-- R1 without the aggregate in Lua.
local sluice = require "sluice"
local rides = require "rides"

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
      }
      :to(sluice.file { path = "-", mode = "append" }),
}
