-- Hopping windows under `update`, beside a copy of what they took: the copy tells the
-- oracle where each batch was cut, and hence every row that must have come out.
local sluice = require "sluice"
local name = sluice.param("name", "update", "of the pipeline and its topics")
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
      sluice.int32 "p" :from_metadata "partition",
      sluice.int64 "o" :from_metadata "offset",
   }
   :event_time("ts", { unit = "ms", delay = "2 seconds", idle = "never" })

local function from(partition)
   return sluice.count():where(function(row) return row.p == partition end)
end

return sluice.pipeline {
   name = name, checkpoint = sluice.param("store", "none"),
   events:select { "p", "o", "id" }
      :to(sluice.kafka { topic = name .. "-copy", partition_by = "p", config = config }),
   events
      :group_by "k"
      :window(sluice.hopping { size = "20 seconds", every = "10 seconds" })
      :aggregate {
         n0 = from(0), n1 = from(1), n2 = from(2),
         sum = sluice.sum "v", most = sluice.max "v",
         users = sluice.count_distinct "u", first = sluice.collect("id", 4),
      }
      :late_to(sluice.kafka { topic = name .. "-late" })
      :to(sluice.kafka { topic = name .. "-out", config = config, mode = "update" })
}
