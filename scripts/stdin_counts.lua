-- Page views by minute, from JSON lines on stdin to JSON lines on stdout; no Kafka.
--    cat views.jsonl | sluice run scripts/stdin_counts.lua
-- A line: {"page":"/cart","ms":40,"at":"2026-05-01T10:00:20Z"}
local sluice = require "sluice"

local views = sluice.file { path = "-" }
   :json {
      sluice.string "page" :required(),
      sluice.int64 "ms",
      sluice.timestamp("at", "iso") :required(),
   }
   :event_time("at", { delay = "5 seconds" })

local counts = views
   :group_by "page"
   :window(sluice.tumbling { size = "1 minute" })
   :aggregate {
      { views = sluice.count() },
      { slow = sluice.count():where(function(view) return view.ms and view.ms > 30 end) },
      { worst_ms = sluice.max "ms" },
   }
   :to(sluice.file { path = "-", mode = "append", times = "iso" })

return sluice.pipeline { name = "page-views", checkpoint = "none", counts }
