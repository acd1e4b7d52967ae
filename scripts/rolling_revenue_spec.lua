-- sluice test scripts/rolling_revenue_spec.lua
local test = require "sluice.test"

local MINUTE = 60000

local function ride(city, minute, amount)
   return { city = city, ts = minute * MINUTE, amount = amount }
end

describe("rolling_revenue", function()
   it("gives the last hour up to each city's newest minute", function()
      local p = test.pipeline "rolling_revenue.lua"
      p:batch { ride("Berlin", 0, 10), ride("Berlin", 59, 5), ride("Paris", 0, 7) }
      assert.rows_match({
         { city = "Berlin", rides = 2, revenue = 15, window_end = 60 * MINUTE },
         { city = "Paris", rides = 1, revenue = 7, window_end = MINUTE },
      }, p:output())
      p:batch { ride("Berlin", 60, 1) }
      assert.rows_match({ { city = "Berlin", rides = 2, revenue = 6 } }, p:output())
   end)

   it("writes under the city alone, so that a table is current", function()
      local p = test.pipeline "rolling_revenue.lua"
      p:batch { ride("Berlin", 0, 10) }:batch { ride("Berlin", 1, 1) }
      local rows = p:latest()
      assert.are.equal(1, #rows)
      assert.has_row({ city = "Berlin", revenue = 11 }, rows)
      assert.are.equal("Berlin", test.message(rows[1]).key)
   end)
end)
