-- sluice test scripts/clean_spec.lua
local test = require "sluice.test"

local TS = 1777629603000

local function ride(changes)
   local made = { event_id = "e-1", user_id = "u", event_type = "ride_completed",
      amount = 90, ts = TS }
   for name, value in pairs(changes or {}) do made[name] = value end
   return made
end

describe("clean", function()
   it("fills in, computes, leaves out", function()
      local p = test.pipeline "clean.lua"
      p:batch { ride { pickup = { city = "Berlin", lat = 52.5 } } }
      assert.are.same_rows({
         { event_id = "e-1", user_id = "u", event_type = "ride_completed", amount = 90,
            currency = "EUR", city = "berlin", day = "2026-05-01", is_large = true,
            ts = TS },
      }, p:output "ride_events")
   end)

   it("drops heartbeats", function()
      local p = test.pipeline "clean.lua"
      p:batch { ride { event_type = "heartbeat" } }
      assert.are.equal(1, p:metrics().filtered)
   end)

   it("sets aside what breaks a rule, with the field", function()
      local p = test.pipeline "clean.lua"
      p:batch {
         ride { event_id = "1" }, ride { amount = 501 }, ride { currency = "DEM" },
         ride { pickup = { lat = 91 } }, ride { ts = 1 }, "not JSON",
      }
      assert.rows_match({
         { field = "event_id" }, { field = "amount" }, { field = "currency" },
         { field = "pickup.lat" }, { field = "ts" }, { offset = 5 },
      }, p:quarantined())
   end)
end)
