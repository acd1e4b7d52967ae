-- sluice test scripts/ride_revenue_spec.lua
local test = require "sluice.test"

local function paid(method, amount, at)
   return { ride_id = "r", method = method, amount = amount, paid_at = at }
end

describe("ride_revenue", function()
   it("adds decimals exactly, and names the hour as New York does", function()
      local p = test.pipeline "ride_revenue.lua"
      p:batch {
         paid("card", "0.10", "2026-07-01T12:00:00Z"),
         paid("card", "0.20", "2026-07-01T12:59:59Z"),
         paid("cash", "7", "2026-07-01T13:00:00Z"),
      }
      p:finish()
      assert.rows_match({
         { method = "card", payments = 2, revenue = "0.30", hour = "2026-07-01 08:00" },
         { method = "cash", payments = 1, revenue = "7.00", hour = "2026-07-01 09:00" },
      }, p:output())
   end)

   it("refuses cents that are none", function()
      local p = test.pipeline "ride_revenue.lua"
      p:batch { paid("card", "0.105", "2026-07-01T12:00:00Z") }
      assert.rows_match({ { field = "amount" } }, p:quarantined())
   end)
end)
