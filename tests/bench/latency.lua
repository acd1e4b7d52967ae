-- A count by key, a row for each touched key of a batch: what is measured is when a
-- record shows in it (bench_visible.c). Event time is when the record was due.
local sluice = require "sluice"

return sluice.pipeline {
   name = "bench-latency",
   checkpoint = "none",
   sluice.kafka { topics = "latency-in", start = "earliest" }
      :json {
         sluice.int64 "id" :required(), sluice.int64 "key" :required(),
         sluice.int64 "at" :required(),
      }
      :event_time("at", { unit = "us", delay = "1 second" })
      :group_by "key"
      :window(sluice.running { retain = "forever" })
      :aggregate { n = sluice.count() }
      :to(sluice.kafka { topic = "latency-out", mode = "update" }),
}
