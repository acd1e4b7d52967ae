-- R2: the windows of the article by user: a million groups, more rows than records.
local sluice = require "sluice"
local rides = require "rides"

return sluice.pipeline {
   name = "bench",
   trigger = "available-now",
   checkpoint = "none",
   rides.read(sluice.file { path = "rides.jsonl" })
      :group_by "user_id"
      :window(sluice.hopping { size = "1 minute", every = "30 seconds" })
      :aggregate {
         rides = sluice.count(),
         spent = sluice.sum "amount",
         dearest = sluice.max "amount",
      }
      :to(sluice.file { path = "-", mode = "append" }),
}
