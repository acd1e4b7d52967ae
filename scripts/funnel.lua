-- How far each visit got: looked at a product, put it into the cart, paid; only in that
-- order. `order = "event time"` gives the fold a session's rows as they happened, however
-- they arrived. Then: how many visits an hour reached each step.
local sluice = require "sluice"

local STEPS = { view = 1, cart = 2, pay = 3 }

local furthest = sluice.aggregate {
   state = { step = 0 },
   order = "event time",
   fold = function(a, click)
      if STEPS[click.action] == a.step + 1 then a.step = a.step + 1 end
   end,
   result = function(a) return a.step end,
   returns = "int32",
}

local visits = sluice.kafka {
      topics = "clicks",
      events = function(i, random, now_ms) -- for --embedded: one user after the other
         return { user_id = ("u-%d"):format(i / 5), at = sluice.time.format(now_ms),
            action = ({ "view", "cart", "pay" })[random(3)] }
      end,
   }
   :json {
      sluice.string "user_id" :required(),
      sluice.string "action" :required(),
      sluice.timestamp("at", "iso") :required(),
   }
   :event_time("at", { delay = "1 minute" })
   :group_by "user_id"
   :window(sluice.session { gap = "30 minutes", name = "visits" })
   :aggregate { step = furthest }

-- Visits that came at least as far.
local function reached(step)
   return sluice.count():where(function(visit) return (visit.step or 0) >= step end)
end

local funnel = visits
   :group_by {}
   :window(sluice.tumbling { size = "1 hour", name = "funnel" })
   :aggregate {
      { visits = sluice.count() },
      { viewed = reached(STEPS.view) },
      { in_cart = reached(STEPS.cart) },
      { paid = reached(STEPS.pay) },
   }
   :to(sluice.kafka { topic = "funnel", mode = "append" })

return sluice.pipeline {
   name = "funnel", trigger = "10 seconds", checkpoint = "file:./checkpoints", funnel,
}
