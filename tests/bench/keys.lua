-- Very many keys: what state costs, and how fast it comes back.
local sluice = require "sluice"
local keys = sluice.param("keys", 10000000, "different keys")
local count = sluice.param("count", 10000000, "rows in all")
local kind = sluice.param("kind", "running", "running, window, update, distinct, forever")
local path = sluice.param("path", "", "a file of rows; none: they are made here")

local rows
if path ~= "" then
   rows = sluice.file { path = path, max_records = 60000 }
      :json { sluice.string "key" :required(), sluice.double "amount", sluice.int64 "ts" }
else
   rows = sluice.generator {
      count = count, seed = 1,
      row = function(i)
         local key = ("user-%011d"):format(i * 7919 % keys)
         return { key = key, amount = i % 100, ts = i % 60000 }
      end,
   }
      :rows { sluice.string "key" :required(), sluice.double "amount", sluice.int64 "ts" }
end
rows = rows:event_time("ts", { unit = "ms", delay = "10 minutes" })

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
