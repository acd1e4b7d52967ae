-- What wrote the checkpoint beside it: keyed state of every kind, from a file to files.
local sluice = require "sluice"

local rides = sluice.file { path = "rides.jsonl", follow = true }
   :json {
      sluice.string "user", sluice.int64 "n" :required(), sluice.int64 "t" :required(),
   }
   :event_time("t", { delay = 0 })

local spread = sluice.aggregate {
   state  = { lo = math.huge, hi = -math.huge },
   fold   = function(a, row)
      a.lo, a.hi = math.min(a.lo, row.n), math.max(a.hi, row.n)
   end,
   merge  = function(a, b) a.lo, a.hi = math.min(a.lo, b.lo), math.max(a.hi, b.hi) end,
   result = function(a) return a.hi - a.lo end,
}

return sluice.pipeline {
   name = "kept", trigger = "available-now", checkpoint = "file:./checkpoints",
   rides:group_by "user"
      :window(sluice.hopping { size = 200, every = 100, name = "hops" })
      :aggregate {
         s = sluice.sum "n", u = sluice.count_distinct "user",
         l = sluice.collect("user", 5), q = sluice.quantile("n", 0.5),
         m = sluice.max "user", spread = spread,
      }
      :to(sluice.file { path = "hops.jsonl", append = true, mode = "append" }),
   rides:group_by "user"
      :window(sluice.session { gap = 50, name = "sessions" })
      :aggregate { c = sluice.count() }
      :to(sluice.file { path = "sessions.jsonl", append = true, mode = "append" }),
   rides:group_by "user"
      :window(sluice.running { retain = 1000, name = "totals" })
      :aggregate { s = sluice.sum "n" }
      :filter(function(row) return (row.s or 0) < 100 end)
      :to(sluice.file { path = "totals.jsonl", append = true, mode = "update" }),
   rides:distinct { "user", within = 500 }
      :to(sluice.file { path = "users.jsonl", append = true }),
}
