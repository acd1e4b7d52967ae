-- sluice test scripts/ride_counts_spec.lua
local test = require "sluice.test"

local function ride(event_type, ts, amount)
   return { event_id = "e", user_id = "u", event_type = event_type, ts = ts,
      amount = amount }
end

describe("ride_counts", function()
   it("sends what changed: each ride is in two windows", function()
      local p = test.pipeline "ride_counts.lua"
      p:batch { ride("ride_completed", 45000, 8), ride("ride_completed", 50000, 20) }
      assert.are.same_rows_in_order({
         { event_type = "ride_completed", window_start = 0, window_end = 60000,
            event_count = 2, revenue = 28, spread = 12 },
         { event_type = "ride_completed", window_start = 30000, window_end = 90000,
            event_count = 2, revenue = 28, spread = 12 },
      }, p:output())
      p:batch { ride("ride_completed", 15000, 2) }
      assert.rows_match({
         { window_start = -30000, event_count = 1, spread = 0 },
         { window_start = 0, event_count = 3, spread = 18 },
      }, p:output())
   end)

   it("leaves heartbeats out", function()
      local p = test.pipeline "ride_counts.lua"
      p:batch { ride("heartbeat", 1000) }
      assert.are.same({}, p:output())
      assert.are.equal(1, p:metrics().filtered)
   end)

   it("takes rides ten minutes late, then counts them as late", function()
      local p = test.pipeline "ride_counts.lua"
      p:batch { ride("ride_started", 700000) }:batch { ride("ride_started", 70000) }
      assert.has_row({ window_start = 60000, event_count = 1 }, p:output())
      p:batch { ride("ride_started", 39999) }
      assert.are.equal(1, p:metrics().late)
   end)

   it("throws out unknown types and amounts that cannot be", function()
      local p = test.pipeline "ride_counts.lua"
      p:batch { ride("ride_teleported", 1), ride("ride_completed", 1, 501) }
      assert.rows_match({ { field = "event_type" }, { field = "amount" } },
         p:quarantined())
   end)
end)
