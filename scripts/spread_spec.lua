-- sluice test scripts/spread_spec.lua
local test = require "sluice.test"

local function ride(ts, amount, km)
   return { event_type = "ride_completed", ts = ts, amount = amount, distance_km = km }
end

describe("spread", function()
   it("is highest less lowest, of each field on its own", function()
      local p = test.pipeline "spread.lua"
      p:batch { ride(0, 10, 3), ride(1, 25), ride(2, 12, 5) }
      assert.has_row({ window_start = 0, amount = 15, distance = 2 }, p:output())
   end)

   it("is null over no value", function()
      local p = test.pipeline "spread.lua"
      p:batch { ride(0) }
      assert.has_row({ window_start = 0, amount = test.null }, p:output())
   end)

   it("merges: order, splits and workers change nothing", function()
      local rides = {}
      for i = 1, 50 do rides[i] = ride(i * 20000, i * 37 % 400, i * 11 % 90) end
      test.check_invariance("spread.lua", rides)
   end)
end)
