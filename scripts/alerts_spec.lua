-- sluice test scripts/alerts_spec.lua
local test = require "sluice.test"

local function payment(card, at, status, amount)
   return { card = card, at = "2026-05-01T10:" .. at .. "Z", status = status,
      amount = amount }
end

local FIVE_PAST = 1777629900000 -- 10:05

describe("alerts", function()
   it("tells of a card refused three times in ten minutes", function()
      local p = test.pipeline "alerts.lua"
      p:batch { payment("c", "05:00", "refused", 10),
         payment("c", "05:01", "refused", 20) }
      assert.are.same({}, p:output())
      p:batch { payment("c", "05:02", "refused", 30) }
      local rows = p:output()
      assert.are.equal(10, #rows) -- one for each window that holds the three
      assert.has_row({ card = "c", refused = 3, paid = 0, last_amount = 30,
         window_start = FIVE_PAST }, rows)
   end)

   it("takes an alert back when the card pays", function()
      local p = test.pipeline "alerts.lua"
      for i = 0, 2 do p:batch { payment("c", "05:0" .. i, "refused") } end
      p:output()
      p:batch { payment("c", "05:30", "paid") }
      assert.has_row({ card = "c", window_start = FIVE_PAST, retracted = true },
         p:output())
      assert.are.same({}, p:latest())
   end)

   it("does not mix cards", function()
      local p = test.pipeline "alerts.lua"
      for i = 1, 6 do p:batch { payment("c-" .. i % 3, "05:0" .. i, "refused") } end
      assert.are.same({}, p:output())
   end)
end)
