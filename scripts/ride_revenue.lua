-- What each kind of payment brought in, by hour of New York's time, once an hour is over:
-- exact sums of decimals, the mean, and how much it varies.
local sluice = require "sluice"

local paid = sluice.kafka { topics = "ride_payments" }
   :json {
      sluice.string "ride_id" :required(),
      sluice.string "method" :one_of { "card", "cash", "voucher" } :required(),
      sluice.decimal("amount", 12, 2) :required(),
      sluice.timestamp("paid_at", "iso") :required(),
   }
   :event_time("paid_at", { delay = "2 minutes" })

local revenue = paid
   :group_by "method"
   :window(sluice.tumbling { size = "1 hour", allowed_lateness = "10 minutes" })
   :aggregate {
      { payments = sluice.count() },
      { revenue = sluice.sum "amount" },
      { mean = sluice.avg "amount" },
      { deviation = sluice.stddev(function(row) return tonumber(row.amount) end) },
   }
   :derive {
      hour = sluice.string(function(row)
         return sluice.time.format(row.window_start, "%Y-%m-%d %H:00", "America/New_York")
      end),
   }
   :late_to(sluice.kafka { topic = "ride_payments_late" })
   :to(sluice.kafka { topic = "ride_revenue", mode = "append" })

return sluice.pipeline {
   name = "ride-revenue", trigger = "30 seconds",
   checkpoint = "file:./checkpoints", revenue,
}
