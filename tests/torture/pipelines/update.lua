-- Hopping windows under `update`, beside a copy of what they took: the copy tells the
-- oracle where each batch was cut, and hence every row that must have come out.
local sluice = require "sluice"
local torture = require "torture"

local events = torture.events("ts", "2 seconds")

return sluice.pipeline {
   name = torture.name, checkpoint = torture.store,
   torture.copied(events),
   events
      :group_by "k"
      :window(sluice.hopping { size = "20 seconds", every = "10 seconds" })
      :aggregate(torture.counted(), torture.filling())
      :late_to(torture.topic "late")
      :to(torture.topic("out", "update")),
}
