-- sluice test scripts/top_drivers_spec.lua
local test = require "sluice.test"

local function ride(driver, event_type)
   return { event_type = event_type or "ride_completed", driver_id = driver,
      city = "Berlin", ts = 1000 }
end

describe("top_drivers", function()
   it("orders drivers by rides, and marks the last row of an hour", function()
      local p = test.pipeline "top_drivers.lua"
      p:batch { ride "a", ride "b", ride "b", ride("a", "ride_cancelled"), ride "c" }
      assert.has_row({ city = "Berlin", rides = 4, final = false }, p:output())
      p:batch { ride "b", ride "c" }:finish()
      local row = p:latest()[1]
      assert.is_true(row.final)
      assert.are.same({ { value = "b", count = 3, error = 0 },
         { value = "c", count = 2, error = 0 }, { value = "a", count = 1, error = 0 } },
         row.drivers)
   end)
end)
