-- One aggregate over 100 groups, from a file:
--    sluice run tests/bench/aggregates.lua --param of=quantile < /dev/null
-- What it costs a record is the difference to `of=count`.
local sluice = require "sluice"

local function number(ride) return ride.amount end

local function own(options)
   local all = {
      state = { lo = math.huge, hi = -math.huge, ring = "double[8]", at = 0,
         name = "string(8)", bins = "uint32[16]" },
      fold = function(a, ride)
         local x = ride.amount
         if x then a.lo, a.hi = math.min(a.lo, x), math.max(a.hi, x) end
      end,
      merge = function(a, b) a.lo, a.hi = math.min(a.lo, b.lo), math.max(a.hi, b.hi) end,
      result = function(a) return a.hi - a.lo end,
   }
   for key, value in pairs(options or {}) do all[key] = value end
   return sluice.aggregate(all)
end

local function arrays(a, ride)
   a.ring[a.at] = ride.amount or 0
   a.at = (a.at + 1) % 8
   a.bins[a.at] = a.bins[a.at] + 1
end

local function text(a, ride) a.name = ride.kind or "" end

local AGGREGATES = {
   count = sluice.count(),
   sum = sluice.sum "amount",
   sum_of_decimals = sluice.sum "price",
   min_of_text = sluice.min "kind",
   variance = sluice.variance "amount",
   first = sluice.first "amount",
   arg_max = sluice.arg_max("kind", "amount"),
   count_distinct = sluice.count_distinct "user",
   count_distinct_few = sluice.count_distinct "kind",
   count_distinct_exact = sluice.count_distinct("user", { exact = true, limit = 1e6 }),
   quantile = sluice.quantile("amount", 0.99),
   top = sluice.top("user", 10),
   top_few = sluice.top("kind", 10),
   histogram = sluice.histogram("amount", { 1, 2, 5, 10, 20, 50, 100 }),
   collect = sluice.collect("amount", 100),
   of_function = sluice.sum(number),
   of_typed_function = sluice.max(sluice.string(function(ride)
      return ride.kind
   end)),
   own = own(),
   own_arrays = own { fold = arrays },
   own_text = own { fold = text },
   own_ordered = own { order = "event time" },
}

return sluice.pipeline { name = "aggregates", checkpoint = "none", workers = 1,
   trigger = "available-now", flush = true,
   sluice.file { path = sluice.param("path", "aggregates.jsonl") }
      :json { sluice.int64 "group", sluice.string "kind", sluice.string "user",
         sluice.double "amount", sluice.decimal("price", 10, 2),
         sluice.int64 "t" :required() }
      :event_time("t", { delay = "1 second" })
      :group_by "group":window(sluice.tumbling { size = "1 minute" })
      :aggregate { of = AGGREGATES[sluice.param("of", "count")] }
      :to(sluice.file { path = "-", mode = "append" }) }
