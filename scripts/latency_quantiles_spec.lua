-- sluice test scripts/latency_quantiles_spec.lua
local test = require "sluice.test"

describe("latency_quantiles", function()
   it("gives quantiles to one percent, and the rest exactly", function()
      local p, requests = test.pipeline "latency_quantiles.lua", {}
      for ms = 1, 1000 do
         local status = ms > 990 and 503 or 200
         requests[ms] = { service = "api", ms = ms, status = status, at = ms }
      end
      p:batch(requests):finish()
      local row = p:output()[1]
      assert.are.equal(1000, row.requests)
      assert.are.equal(10, row.errors)
      assert.are.same({ 9, 90, 900, 1 }, row.below)
      for name, wanted in pairs { p50 = 500, p95 = 950, p99 = 990 } do
         assert.is_true(math.abs(row[name] - wanted) <= wanted * 0.011, name)
      end
   end)
end)
