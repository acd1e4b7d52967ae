-- Yahoo's streaming benchmark over a file: views by campaign in windows of 10 seconds.
-- The lookup of an ad's campaign is a table in the script.
local sluice = require "sluice"

local CAMPAIGN_OF = {}
for ad = 0, 999 do
   CAMPAIGN_OF[("ad-%03d"):format(ad)] = ("campaign-%02d"):format(ad * 7 % 100)
end

return sluice.pipeline {
   name = "bench",
   trigger = "available-now",
   flush = true,
   checkpoint = "none",
   sluice.file { path = "ysb.jsonl" }
      :json {
         sluice.string "user_id", sluice.string "page_id",
         sluice.string "ad_id" :required(),
         sluice.string "ad_type",
         sluice.string "event_type" :required(),
         sluice.int64 "event_time" :required(),
         sluice.string "ip_address",
      }
      :event_time("event_time", { delay = "2 seconds" })
      :filter(function(event) return event.event_type == "view" end)
      :derive { campaign = sluice.string(function(event)
         return CAMPAIGN_OF[event.ad_id]
      end) }
      :group_by "campaign"
      :window(sluice.tumbling { size = "10 seconds" })
      :aggregate { views = sluice.count() }
      :to(sluice.file { path = "-", mode = "append" }),
}
