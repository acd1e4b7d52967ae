-- R3: an aggregate of one's own over a file: count, sum, deviation (Welford 1962; merged
-- by Chan et al. 1979) and the 95th percentile of a histogram of whole units, in Lua.
-- `kind=builtin`: the same by aggregates that are C.
local sluice = require "sluice"
local rides = require "rides"

local BINS = 128

local statistics = sluice.aggregate {
   state = { n = 0, sum = 0, mean = 0, m2 = 0, bins = ("uint32[%d]"):format(BINS) },
   fold = function(a, ride)
      local x = ride.amount
      if not x then return end
      local delta = x - a.mean
      a.n, a.sum = a.n + 1, a.sum + x
      a.mean = a.mean + delta / a.n
      a.m2 = a.m2 + delta * (x - a.mean)
      local bin = math.min(math.floor(x), BINS - 1)
      a.bins[bin] = a.bins[bin] + 1
   end,
   merge = function(a, b)
      local n = a.n + b.n
      if n == 0 then return end
      local delta = b.mean - a.mean
      a.m2 = a.m2 + b.m2 + delta * delta * a.n * b.n / n
      a.mean = a.mean + delta * b.n / n
      a.n, a.sum = n, a.sum + b.sum
      for i = 0, BINS - 1 do a.bins[i] = a.bins[i] + b.bins[i] end
   end,
   result = function(a)
      if a.n == 0 then return { n = 0 } end
      local seen, p95 = 0, 0
      while seen < a.n * 0.95 do
         seen = seen + a.bins[p95]
         p95 = p95 + 1
      end
      return { n = a.n, sum = a.sum, deviation = math.sqrt(a.m2 / a.n), p95 = p95 }
   end,
   returns = {
      sluice.int64 "n", sluice.double "sum", sluice.double "deviation",
      sluice.int32 "p95",
   },
}

local function builtin()
   local bounds = {}
   for i = 1, 99 do bounds[i] = i end
   return {
      n = sluice.count "amount", sum = sluice.sum "amount",
      deviation = sluice.stddev "amount", bins = sluice.histogram("amount", bounds),
   }
end

local is_own = sluice.param("kind", "own", "own, builtin") == "own"

return sluice.pipeline {
   name = "bench",
   trigger = "available-now",
   checkpoint = "none",
   rides.read(sluice.file { path = "rides.jsonl" })
      :group_by "event_type"
      :window(sluice.hopping { size = "1 minute", every = "30 seconds" })
      :aggregate(is_own and { amount = statistics } or builtin())
      :to(sluice.file { path = "-", mode = "append" }),
}
