-- R1 as scripts/ride_counts.lua has it: fields are held to what they may be.
local sluice = require "sluice"
local rides = require "rides"

return rides.article(rides.read(sluice.file { path = "rides.jsonl" }, true), true)
