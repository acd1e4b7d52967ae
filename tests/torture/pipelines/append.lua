-- Hopping windows under `append`: one row for each, exactly.
local sluice = require "sluice"
local torture = require "torture"

return sluice.pipeline {
   name = torture.name, checkpoint = torture.store,
   torture.events("ts", "2 seconds")
      :group_by "k"
      :window(sluice.hopping { size = "6 seconds", every = "3 seconds" })
      :aggregate(torture.whole(), torture.filling())
      :late_to(torture.topic "late")
      :to(torture.topic("closed", "append")),
}
