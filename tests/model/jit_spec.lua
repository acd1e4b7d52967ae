-- Results do not depend on the JIT compiler: workloads of the benchmarks, byte by byte.
local test = require "sluice.test"

local TYPES = {
   "ride_requested", "ride_started", "ride_completed", "ride_cancelled", "heartbeat",
}
local ROWS, BATCH = 6000, 1500

-- Rides of ten minutes, some of them late, every seventh without an amount.
local function rides()
   local batches, batch = {}, {}
   for i = 1, ROWS do
      batch[#batch + 1] = {
         event_id = "e-" .. i, user_id = "u-" .. i * 7919 % 311,
         event_type = TYPES[i % #TYPES + 1],
         amount = i % 7 > 0 and i * 7907 % 9000 / 100 or nil,
         ts = 1700000000000 + i * 100 - i * 104729 % 700000,
      }
      if #batch == BATCH then batches[#batches + 1], batch = batch, {} end
   end
   return batches
end

local function messages(path, jit)
   local p, found = test.pipeline(path, { jit = jit }), {}
   for _, batch in ipairs(rides()) do p:batch(batch) end
   p:finish()
   for i, row in ipairs(p:output()) do
      local message = test.message(row)
      found[i] = message.key .. " " .. message.value
   end
   p:close()
   return found
end

describe("the JIT compiler changes no byte of", function()
   for name, script in pairs { R1 = "article", R2 = "users", R3 = "own" } do
      it(name, function()
         local path = ("../bench/%s.lua"):format(script)
         local compiled = messages(path, true)
         assert.is_true(#compiled > 20)
         assert.are.same(compiled, messages(path, false))
      end)
   end
end)
