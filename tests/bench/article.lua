-- R1: the article's query over a file, with an aggregate in Lua.
local sluice = require "sluice"
local rides = require "rides"

return rides.article(rides.read(sluice.file { path = "rides.jsonl" }), true)
