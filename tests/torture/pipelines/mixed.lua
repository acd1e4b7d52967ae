-- Some sinks in Kafka, others files: one commit for both.
local sluice = require "sluice"
local torture = require "torture"

local function lines(ending, mode)
   local path = torture.folder .. "/" .. ending .. ".jsonl"
   return sluice.file { path = path, mode = mode, append = true }
end

local events = torture.events("ts", "2 seconds")
   :quarantine_to(sluice.file { path = torture.folder .. "/quarantine" })

local function windows(name)
   return events:group_by("k", { name = name })
      :window(sluice.hopping { size = "20 seconds", every = "10 seconds" })
end

return sluice.pipeline {
   name = torture.name, checkpoint = torture.store,
   torture.copied(events),
   windows "touched":aggregate(torture.counted(), torture.filling()):late_to(lines "late")
      :to(torture.topic("out", "update")),
   windows "closed":aggregate(torture.whole(), torture.filling())
      :to(lines("closed", "append")),
}
