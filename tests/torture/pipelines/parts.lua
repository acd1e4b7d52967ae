-- Windows under `append` whose panes are more than the memory: they go to disk in parts,
-- which are put together when a window closes.
local sluice = require "sluice"
local torture = require "torture"

return sluice.pipeline {
   name = torture.name, checkpoint = torture.store,
   torture.events("w", "1 minute")
      :group_by { g = torture.long_key() }
      :window(sluice.hopping { size = "12 seconds", every = "6 seconds" })
      :aggregate(torture.columns {
         n = sluice.count(), sum = sluice.sum "v",
         most = sluice.max "v", least = sluice.min "v",
         first = sluice.first "id", last = sluice.last "id",
      })
      :late_to(torture.topic "late")
      :to(torture.topic("closed", "append")),
}
