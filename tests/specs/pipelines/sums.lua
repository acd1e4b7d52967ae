-- For kit_spec.lua: sums by key and minute, two partitions, late rows kept.
local sluice = require "sluice"

local factor = sluice.param("factor", 1, "each number counts so many times")

return sluice.pipeline {
   name = "sums", checkpoint = "none", trigger = "30 seconds",
   sluice.kafka { topics = "numbers" }
      :json {
         sluice.string "k",
         sluice.int64 "n" :required(),
         sluice.int64 "id" :exact(),
         sluice.int64 "ts" :required(),
         sluice.string "from" :from_header "from",
         sluice.string "record_key" :from_key(),
      }
      :event_time("ts", { delay = "10 seconds", idle = "1 minute" })
      :group_by "k"
      :window(sluice.tumbling { size = "1 minute" })
      :aggregate {
         total = sluice.sum(function(row) return row.n * factor end),
         rows = sluice.count(), last = sluice.last "from",
         by = sluice.last "record_key", id = sluice.max "id",
      }
      :late_to(sluice.kafka { topic = "too_late" })
      :to(sluice.kafka { topic = "sums", mode = "append" }),
}
