-- sluice test scripts/late_rides_spec.lua
local test = require "sluice.test"

local function ride(ts, amount)
   return { event_id = "e-" .. ts, user_id = "u", event_type = "ride_completed", ts = ts,
      amount = amount }
end

describe("late_rides", function()
   it("closes a minute 50 seconds behind its end, in the slowest partition", function()
      local p = test.pipeline "late_rides.lua"
      p:batch { [0] = { ride(10000, 5) }, [1] = { ride(20000, 7), ride(300000, 1) } }
      p:batch { ride(109999, 1) }
      assert.are.same({}, p:output "ride_counts_by_minute")
      p:batch { ride(110000, 1) }
      assert.rows_match({ { window_start = 0, event_count = 2, revenue = 12 } },
         p:output "ride_counts_by_minute")
   end)

   it("keeps late rides with their bytes and the verdict", function()
      local p = test.pipeline "late_rides.lua"
      p:batch { ride(110000) }:batch { test.record { key = "k", value = ride(5) } }
      local late = p:late()
      assert.rows_match({ { key = "k", window_start = 0, window_end = 60000,
         watermark = 100000, topic = "ride_events", partition = 0, offset = 1 } }, late)
      assert.are.equal(5, require("cjson").decode(late[1].value).ts)
   end)

   it("copies large payments under the key of their record", function()
      local p = test.pipeline "late_rides.lua"
      p:batch { { key = "u-7", value = ride(1, 100) }, ride(2, 79), ride(3) }
      local rows = p:output "large_payments"
      assert.are.same_rows({ { event_id = "e-1", user_id = "u", amount = 100, fee = 2,
         at = 1 } }, rows)
      assert.are.equal("u-7", test.message(rows[1]).key)
   end)
end)
