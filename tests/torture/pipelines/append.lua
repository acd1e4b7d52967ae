-- Hopping windows under `append`: one row for each, exactly.
local sluice = require "sluice"
local name = sluice.param("name", "append", "of the pipeline and its topics")
local timeout = sluice.param("timeout", 30000, "of transactions, ms")
local config = { ["transaction.timeout.ms"] = timeout }

local input = sluice.param("input", "torture")
local events = sluice.kafka { topics = input, start = "earliest", max_records = 60 }
   :json {
      sluice.int64 "id" :required(),
      sluice.string "k" :required(),
      sluice.string "u",
      sluice.int64 "v",
      sluice.int64 "ts" :required(),
   }
   :event_time("ts", { unit = "ms", delay = "2 seconds", idle = "never" })

-- A user's own aggregate: its state is saved and read again like the built-in ones'.
local function mix(field)
   return sluice.aggregate {
      state = { x = 0 },
      fold = function(a, row) a.x = (a.x + (row[field] or 0) * 31) % 1000003 end,
      merge = function(a, b) a.x = (a.x + b.x) % 1000003 end,
      result = function(a) return a.x end,
   }
end

return sluice.pipeline {
   name = name, checkpoint = sluice.param("store", "none"),
   events
      :group_by "k"
      :window(sluice.hopping { size = "6 seconds", every = "3 seconds" })
      :aggregate {
         n = sluice.count(), sum = sluice.sum "v", mix = mix "v",
         users = sluice.count_distinct("u", { exact = true, limit = 1000 }),
         first = sluice.collect("id", 4),
      }
      :late_to(sluice.kafka { topic = name .. "-late" })
      :to(sluice.kafka { topic = name .. "-out", config = config, mode = "append" })
}
