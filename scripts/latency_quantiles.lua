-- How long requests take, by service and minute: median, 95th and 99th percentile, to one
-- percent of their value, and a histogram of fixed bounds.
local sluice = require "sluice"

local quantiles = sluice.kafka { topics = "requests" }
   :json {
      sluice.string "service" :required(),
      sluice.double "ms" :range(0, 3600000) :required(),
      sluice.int32 "status",
      sluice.timestamp("at", "ms") :required(),
   }
   :event_time("at", { delay = "10 seconds" })
   :group_by "service"
   :window(sluice.tumbling { size = "1 minute" })
   :aggregate {
      { requests = sluice.count() },
      { errors = sluice.count():where(function(row)
         return (row.status or 0) >= 500
      end) },
      { p50 = sluice.quantile("ms", 0.5) },
      { p95 = sluice.quantile("ms", 0.95) },
      { p99 = sluice.quantile("ms", 0.99) },
      { below = sluice.histogram("ms", { 10, 100, 1000 }) },
   }
   :to(sluice.kafka { topic = "latency_quantiles", mode = "append" })

return sluice.pipeline {
   name = "latency-quantiles", trigger = "5 seconds",
   checkpoint = "file:./checkpoints", quantiles,
}
