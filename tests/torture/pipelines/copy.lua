-- Every good record once, with its place in the source; bad ones to the quarantine.
local sluice = require "sluice"
local name = sluice.param("name", "copy", "of the pipeline and its topics")
local timeout = sluice.param("timeout", 30000, "of transactions, ms")
local config = { ["transaction.timeout.ms"] = timeout }

local input = sluice.param("input", "torture")
local events = sluice.kafka { topics = input, start = "earliest", max_records = 60 }
   :json {
      sluice.int64 "id" :required(),
      sluice.string "k" :required(),
      sluice.int64 "ts" :required(),
      sluice.int32 "p" :from_metadata "partition",
      sluice.int64 "o" :from_metadata "offset",
   }

return sluice.pipeline {
   name = name, checkpoint = sluice.param("store", "none"),
   events:select { "p", "o", "id" }
      :to(sluice.kafka { topic = name .. "-copy", partition_by = "p", config = config }),
}
