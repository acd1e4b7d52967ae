-- JSON lines of a file into a topic: own data to try a pipeline on. The schema is that of
-- scripts/ride_counts.lua; write down your own fields.
--    sluice run scripts/file_to_topic.lua --set source.path=my_rides.jsonl
-- The topic must exist. What does not fit is in file-to-topic-quarantine.jsonl.
local sluice = require "sluice"

local rides = sluice.file { path = "rides.jsonl" }
   :json {
      sluice.string "event_id" :required(),
      sluice.string "user_id" :required(),
      sluice.string "event_type",
      sluice.double "amount",
      sluice.int64 "ts" :required(),
   }
   :to(sluice.kafka { topic = "ride_events", key = "user_id" })

return sluice.pipeline {
   name = "file-to-topic", checkpoint = "file:./checkpoints", rides,
}
