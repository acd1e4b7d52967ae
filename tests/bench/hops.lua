-- Windows of a minute, one every `every` seconds (60: tumbling), by user; `append`. The
-- delay is short, so that windows close while there is input.
local sluice = require "sluice"
local rides = require "rides"
local every = sluice.param("every", 60, "seconds from one window to the next")

return sluice.pipeline {
   name = "bench",
   trigger = "available-now",
   checkpoint = "none",
   rides.read(sluice.file { path = "rides.jsonl" }, false, "2 seconds")
      :group_by "user_id"
      :window(sluice.hopping { size = "1 minute", every = every * 1000 })
      :aggregate {
         rides = sluice.count(),
         spent = sluice.sum "amount",
         dearest = sluice.max "amount",
      }
      :to(sluice.file { path = "-", mode = "append" }),
}
