-- A topic into files, one a batch, each complete when it appears: here the results of
-- scripts/ride_counts.lua. Only to look at them:
--    sluice run scripts/topic_to_file.lua --set sink.path=- 2>/dev/null
-- Ends with what is there now; with --set trigger=continuous it goes on. Nothing is
-- committed: looking changes nothing for others.
local sluice = require "sluice"

local counts = sluice.kafka { topics = "ride_event_counts", start = "earliest" }
   :json {
      sluice.int32 "partition" :from_metadata "partition",
      sluice.int64 "offset" :from_metadata "offset",
      sluice.string "event_type",
      sluice.timestamp "window_start" :required(),
      sluice.int64 "event_count" :required(),
      sluice.double "revenue",
   }
   :quarantine_to(sluice.file { path = "topic-to-file-quarantine.jsonl", append = true })
   :to(sluice.file { path = "ride_event_counts", times = "iso" })

return sluice.pipeline {
   name = "topic-to-file", checkpoint = "none", trigger = "available-now", counts,
}
