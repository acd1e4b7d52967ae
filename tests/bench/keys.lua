-- Very many keys: what state costs, and how fast it comes back.
local sluice = require "sluice"
local kind = sluice.param("kind", "running", "running, window, update, distinct, forever")
local path = sluice.param("path", "keys.jsonl", "a file of rows")

local rows = sluice.file { path = path, max_records = 60000 }
   :json { sluice.string "key" :required(), sluice.double "amount", sluice.int64 "ts" }
   :event_time("ts", { unit = "ms", delay = "10 minutes" })

local result
if kind == "distinct" or kind == "forever" then
   result = rows:distinct { "key", within = kind == "forever" and kind or "1 hour" }
else
   local window = kind == "running" and sluice.running { retain = "forever" }
      or sluice.tumbling { size = "1 minute" }
   result = rows:group_by "key":window(window)
      :aggregate { rides = sluice.count(), dearest = sluice.max "amount" }
end

local MODES = { running = "update", update = "update", window = "append" }
return sluice.pipeline {
   name = "bench-keys", checkpoint = "none", trigger = "available-now",
   result:to(sluice.file { path = "-", mode = MODES[kind] }),
}
