-- sluice test scripts/generator_spec.lua
local test = require "sluice.test"

local function rides(seconds, workers)
   local p = test.pipeline("generator.lua", { now = "2026-05-01T10:00:00Z",
      workers = workers })
   p:advance(seconds .. " seconds"):tick()
   return p:output()
end

describe("generator", function()
   it("makes a thousand rides a second, stamped with the batch's time", function()
      local rows = rides(2)
      assert.are.equal(2000, #rows)
      assert.rows_match({ { event_id = "e-0", ts = 1777629602000 } }, { rows[1] })
      assert.are.equal(rows[1].user_id, test.message(rows[1]).key)
   end)

   it("gives completed rides an amount, and no others", function()
      for _, row in ipairs(rides(1)) do
         assert.are.equal(row.event_type == "ride_completed", row.amount ~= nil)
      end
   end)

   it("makes the same rides again, with any number of workers", function()
      assert.are.same_rows_in_order(rides(1, 1), rides(1, 3))
   end)
end)
