-- What users do in one go: a session ends when nothing came for half an hour. Sent once,
-- when it is certain that nothing more belongs to it.
local sluice = require "sluice"

local clicks = sluice.kafka {
      topics = "clicks",
      events = function(i, random, now_ms) -- for --embedded: one user after the other
         return { user_id = ("u-%d"):format(i / 40), page = "/p" .. random(9),
            at = sluice.time.format(now_ms) }
      end,
   }
   :json {
      sluice.string "user_id" :required(),
      sluice.string "page" :required(),
      sluice.timestamp("at", "iso") :required(),
   }
   :event_time("at", { delay = "1 minute" })

local sessions = clicks
   :group_by "user_id"
   :window(sluice.session { gap = "30 minutes" })
   :aggregate {
      { clicks = sluice.count() },
      { pages = sluice.count_distinct "page" },
      { entry = sluice.first "page" },
      { exit = sluice.last "page" },
   }
   :derive {
      -- a session's window reaches `gap` beyond its last click
      seconds = sluice.double(function(row)
         return (row.window_end - row.window_start) / 1000 - 1800
      end),
   }
   :to(sluice.kafka { topic = "sessions", mode = "append" })

return sluice.pipeline {
   name = "sessions", trigger = "5 seconds", checkpoint = "file:./checkpoints", sessions,
}
