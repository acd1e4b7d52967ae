-- R1 without the aggregate in Lua.
local sluice = require "sluice"
local rides = require "rides"

return rides.article(rides.read(sluice.file { path = "rides.jsonl" }))
