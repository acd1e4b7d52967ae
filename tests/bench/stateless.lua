-- R4: no state. Rides without heartbeats, their amount in cents, whether it is much.
-- From Kafka to Kafka; --param from=file, --param to=file.
local sluice = require "sluice"
local rides = require "rides"

local SOURCES = {
   kafka = sluice.kafka { topics = "rides", start = "earliest" },
   file = sluice.file { path = "rides.jsonl" },
}
local SINKS = {
   kafka = sluice.kafka { topic = "stateless" },
   file = sluice.file { path = "-" },
}

return sluice.pipeline {
   name = "bench-stateless",
   trigger = "available-now",
   checkpoint = "none",
   rides.read(SOURCES[sluice.param("from", "kafka")])
      :filter(function(ride) return ride.event_type ~= "heartbeat" end)
      :derive {
         cents = sluice.int64(function(ride)
            return math.floor((ride.amount or 0) * 100 + 0.5)
         end),
         is_dear = sluice.bool(function(ride) return (ride.amount or 0) >= 80 end),
      }
      :to(SINKS[sluice.param("to", "kafka")]),
}
