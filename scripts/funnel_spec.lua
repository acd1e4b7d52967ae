-- sluice test scripts/funnel_spec.lua
local sluice = require "sluice"
local test = require "sluice.test"

local MINUTE = 60000

local function click(user, minute, action)
   return { user_id = user, action = action, at = sluice.time.format(minute * MINUTE) }
end

describe("funnel", function()
   it("counts how many visits got how far, in the order of event time", function()
      local p = test.pipeline "funnel.lua"
      p:batch { click("a", 3, "pay"), click("a", 1, "view"), click("a", 2, "cart") }
      p:batch { click("b", 1, "view"), click("b", 2, "pay"), click("c", 5, "cart") }
      p:finish()
      assert.are.same_rows({
         { window_start = 0, window_end = 60 * MINUTE, visits = 3, viewed = 2,
            in_cart = 1, paid = 1 },
      }, p:output())
   end)

   it("puts a visit into the hour of its end", function()
      local p = test.pipeline "funnel.lua"
      p:batch { click("a", 0, "view"), click("b", 45, "view") }:finish()
      assert.rows_match({
         { window_start = 0, visits = 1 }, { window_start = 60 * MINUTE, visits = 1 },
      }, p:output())
   end)
end)
