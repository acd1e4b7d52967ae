-- Sessions under `append`, and keys of which the first record passes: of those there are
-- more than the memory holds.
local sluice = require "sluice"
local torture = require "torture"

local LONG = ("k"):rep(150)
local events = torture.events("ts", "2 seconds")

return sluice.pipeline {
   name = torture.name, checkpoint = torture.store,
   events
      :group_by "k"
      :window(sluice.session { gap = "500 ms" })
      :aggregate(torture.whole())
      :late_to(torture.topic "late")
      :to(torture.topic("sessions", "append")),
   events
      :derive {
         d = sluice.string(function(row) return LONG .. math.floor(row.id / 3) end),
      }
      :distinct { "d", within = "forever" }
      :select { "p", "o", "id" }
      :to(torture.topic "distinct"),
}
