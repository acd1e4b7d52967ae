-- A count by user in windows of one kind: a session beside what a hopping window costs.
local sluice = require "sluice"
local rides = require "rides"

local WINDOWS = {
   hopping = sluice.hopping { size = "1 minute", every = "30 seconds" },
   session = sluice.session { gap = "1 minute" },
}

return sluice.pipeline {
   name = "bench",
   trigger = "available-now",
   checkpoint = "none",
   rides.read(sluice.file { path = "rides.jsonl" })
      :group_by "user_id"
      :window(WINDOWS[sluice.param("window", "session", "hopping or session")])
      :aggregate { rides = sluice.count() }
      :to(sluice.file { path = "-", mode = "append" }),
}
