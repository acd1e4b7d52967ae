-- sluice test scripts/running_totals_spec.lua
local test = require "sluice.test"

local DAY = 86400000

local function ride(user, day, amount)
   return { user_id = user, ts = day * DAY, amount = amount }
end

describe("running_totals", function()
   it("adds up over batches", function()
      local p = test.pipeline "running_totals.lua"
      p:batch { ride("u", 100, 10), ride("v", 100) }:batch { ride("u", 101, 5) }
      assert.are.same_rows({
         { user_id = "u", rides = 2, spent = 15, dearest = 10, last_seen = 101 * DAY },
         { user_id = "v", rides = 1, last_seen = 100 * DAY },
      }, p:latest())
   end)

   it("forgets users after 30 days, and begins anew", function()
      local p = test.pipeline "running_totals.lua"
      p:batch { ride("u", 100, 10) }:batch { ride("v", 131, 1) }
      p:batch { ride("u", 132, 5) }
      assert.has_row({ user_id = "u", rides = 1, spent = 5 }, p:latest())
   end)
end)
