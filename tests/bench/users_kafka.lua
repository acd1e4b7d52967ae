-- R2 from Kafka to Kafka.
local sluice = require "sluice"
local rides = require "rides"

return sluice.pipeline {
   name = "bench-users",
   trigger = "available-now",
   checkpoint = "none",
   rides.read(sluice.kafka { topics = "rides", start = "earliest" })
      :group_by "user_id"
      :window(sluice.hopping { size = "1 minute", every = "30 seconds" })
      :aggregate {
         rides = sluice.count(),
         spent = sluice.sum "amount",
         dearest = sluice.max "amount",
      }
      :to(sluice.kafka { topic = "users", mode = "append" }),
}
