-- sluice test scripts/redrive_spec.lua
local test = require "sluice.test"

-- A record as the quarantine holds it: its own bytes, the verdict in headers.
local function bad(amount, field, kind)
   return test.record {
      value = { event_id = "e", user_id = "u", amount = amount, ts = 7 }, key = "K",
      headers = { ["sluice.kind"] = kind or "bad", ["sluice.field"] = field or "amount" },
   }
end

describe("redrive", function()
   it("gives amounts that are text back as numbers", function()
      local p = test.pipeline "redrive.lua"
      p:batch { bad "12.50" }
      local rows = p:output "ride_events"
      assert.are.same_rows({ { event_id = "e", user_id = "u", amount = 12.5, ts = 7 } },
         rows)
      assert.are.equal("K", test.message(rows[1]).key)
   end)

   it("leaves alone what was thrown out for another reason", function()
      local p = test.pipeline "redrive.lua"
      p:batch { bad("12.50", "ts"), bad("12.50", "amount", "threw"), bad "a lot" }
      assert.are.same({}, p:output "ride_events")
      assert.are.equal(3, p:metrics().filtered)
   end)

   it("puts what cannot be helped where it does not come round again", function()
      local p = test.pipeline "redrive.lua"
      p:batch { bad(12.5) }
      assert.rows_match({ { field = "amount", topic = "ride-counts-quarantine" } },
         p:quarantined())
      assert.are.equal(1, p:metrics().sinks["ride-dead-letters"].rows)
   end)
end)
