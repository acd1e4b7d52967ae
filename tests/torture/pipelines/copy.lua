-- Every good record once, with its place in the source; bad ones to the quarantine, and
-- those that are larger than the topic takes.
local sluice = require "sluice"
local torture = require "torture"

return sluice.pipeline {
   name = torture.name, checkpoint = torture.store,
   torture.copied(torture.events("ts", "2 seconds", sluice.string "pad"), nil, "pad"),
}
