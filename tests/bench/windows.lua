-- Windows that depend on their group beside a hopping count, by user: WINDOW=hopping|session|…
local sluice = require "sluice"
local rides = require "rides"

local WINDOWS = {
   hopping = sluice.hopping { size = "1 minute", every = "30 seconds" },
   tumbling = sluice.tumbling { size = "1 minute" },
   session = sluice.session { gap = "1 minute" },
   cumulate = sluice.cumulate { size = "2 minutes", every = "1 minute" },
   rolling = sluice.rolling { size = "1 minute", every = "30 seconds" },
   running = sluice.running { retain = "1 hour" },
}
local MODES = { rolling = "update", running = "update" }

local kind = sluice.param("window", "session", "which window")

return sluice.pipeline {
   name = "bench",
   trigger = "available-now",
   checkpoint = "none",
   rides.read(sluice.file { path = "rides.jsonl" })
      :group_by "user_id"
      :window(WINDOWS[kind])
      :aggregate { rides = sluice.count() }
      :to(sluice.file { path = "-", mode = sluice.param("mode", MODES[kind] or "append") }),
}
