-- The count by type of event of windows.lua, over events whose user and type stand in an
-- object, taken from it by `:from`.
local sluice = require "sluice"

return sluice.pipeline {
   name = "bench",
   trigger = "available-now",
   checkpoint = "none",
   sluice.file { path = "rides.jsonl" }
      :json {
         sluice.string "event_id" :required(),
         sluice.string "user_id" :from "ride.user_id" :required(),
         sluice.string "event_type" :from "ride.event_type",
         sluice.double "amount",
         sluice.int64 "ts" :required(),
      }
      :event_time("ts", { unit = "ms", delay = "10 minutes" })
      :group_by "event_type"
      :window(sluice.hopping { size = "1 minute", every = "30 seconds" })
      :aggregate { rides = sluice.count() }
      :to(sluice.file { path = "-", mode = "append" }),
}
