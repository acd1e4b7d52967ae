-- Cards with many refused payments in a short time. A filter behind an aggregation: an
-- alert that was sent and no longer holds is taken back (its key with a null value).
local sluice = require "sluice"

local alerts = sluice.kafka {
      topics = "ride_payments",
      events = function(_, random, now_ms) -- for --embedded: every third card is refused
         local card = random(30)
         return { card = "c-" .. card, status = card % 3 == 0 and "refused" or "paid",
            amount = random(90), at = sluice.time.format(now_ms) }
      end,
   }
   :json {
      sluice.string "card" :required(),
      sluice.string "status" :required(),
      sluice.double "amount",
      sluice.timestamp("at", "iso") :required(),
   }
   :event_time("at", { delay = "30 seconds" })
   :group_by "card"
   :window(sluice.hopping { size = "10 minutes", every = "1 minute" })
   :aggregate {
      { refused = sluice.count():where(function(row)
         return row.status == "refused"
      end) },
      { paid = sluice.count():where(function(row) return row.status == "paid" end) },
      { last_amount = sluice.last "amount" },
   }
   :filter(function(row) return row.refused >= 3 and row.paid == 0 end)
   :to(sluice.kafka { topic = "card_alerts", mode = "update", only_if_changed = true })

return sluice.pipeline {
   name = "alerts", trigger = "1 second", checkpoint = "file:./checkpoints", alerts,
}
