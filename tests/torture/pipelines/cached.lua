-- Windows under `update` whose panes are more than the memory: they go to disk, and come
-- back when they are touched. A copy tells where batches were cut, as in update.lua.
local sluice = require "sluice"
local torture = require "torture"

local events = torture.events("w", "1 minute")

return sluice.pipeline {
   name = torture.name, checkpoint = torture.store,
   torture.copied(events),
   events
      :group_by { g = torture.long_key() }
      :window(sluice.hopping { size = "12 seconds", every = "6 seconds" })
      :aggregate(torture.counted())
      :late_to(torture.topic "late")
      :to(torture.topic("out", "update")),
}
