-- sluice test scripts/user_totals_spec.lua
local test = require "sluice.test"

local HOUR = 3600000

local function ride(user, ts, amount)
   return { user_id = user, event_type = "ride_completed", ts = ts, amount = amount }
end

describe("user_totals", function()
   it("sends a user's hour when it changes, and a last row marked final", function()
      local p = test.pipeline "user_totals.lua"
      p:batch { ride("u-1", 1, 10), ride("u-1", 2, 20), ride("u-2", 3, 5) }
      assert.rows_match({
         { user_id = "u-1", total = 30, spent_mean = 15, spent_deviation = 5,
            spent_rides = 2, final = false },
         { user_id = "u-2", total = 5, spent_deviation = 0, final = false },
      }, p:output())
      p:batch { ride("u-2", 4) } -- no amount: nothing changes, nothing is sent
      assert.are.same({}, p:output())
      p:finish()
      assert.rows_match({ { user_id = "u-1", total = 30, final = true },
         { user_id = "u-2", total = 5, final = true } }, p:output())
   end)

   it("counts completed rides only", function()
      local p = test.pipeline "user_totals.lua"
      p:batch { { user_id = "u", event_type = "ride_started", ts = 1, amount = 3 } }
      assert.are.equal(1, p:metrics().filtered)
   end)

   it("merges its mean and deviation right", function()
      local rides = {}
      for i = 1, 60 do rides[i] = ride("u-" .. i % 4, i * HOUR / 20, i % 7 * 1.25) end
      test.check_invariance("user_totals.lua", rides)
   end)
end)
