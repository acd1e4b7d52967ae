"""A script of 300 lines with seven branches: what `sluice check` of a large pipeline costs."""

PIPELINE = """local sluice = require "sluice"
local rides = sluice.kafka { topics = "rides" }
   :json {
      sluice.string "id" :required(),
      sluice.int64 "ts" :required(),
      sluice.string "kind" :one_of { "start", "end" },
FIELDS
   }
   :event_time("ts", { delay = "10 minutes" })
BRANCHES
return sluice.pipeline {
   name = "long",
   checkpoint = "none",
   NAMES
}
"""

BRANCH = """local bNUMBER = rides
   :filter(function(r)
      return r.kind == "end" and r.amountNUMBER ~= nil
   end)
   :derive {
      double = sluice.double(function(r)
         local x = r.amountNUMBER
         if x > 10 then
            return x * 2
         end
         return x + NUMBER
      end),
      long_id = sluice.bool(function(r)
         return #r.id > 10
      end),
   }
   :filter(function(r)
      return r.double and r.double > 1
   end)
   :group_by("kind", { name = "aggNUMBER" })
   :window(sluice.hopping { size = "1 minute", every = "30 seconds" })
   :aggregate {
      rides = sluice.count(),
      first = sluice.min "ts",
      last = sluice.max "ts",
      least = sluice.min(
         "double"
      ),
      spread = sluice.aggregate {
         state = {
            lo = math.huge,
            hi = -math.huge,
         },
         fold = function(a, r)
            a.lo = math.min(a.lo, r.double)
            a.hi = math.max(a.hi, r.double)
         end,
         merge = function(a, b)
            a.lo = math.min(a.lo, b.lo)
            a.hi = math.max(a.hi, b.hi)
         end,
         result = function(a)
            return a.hi - a.lo
         end,
      },
      total = sluice.sum "double",
      worst = sluice.max "double",
      mean = sluice.avg "double",
      big = sluice.count():where(function(r)
         return r.double > 100
      end),
   }
   :to(sluice.kafka { topic = "outNUMBER", mode = "update" })
"""

COUNT = 7


def write(path):
    fields = "\n".join(f'      sluice.double "amount{n}",' for n in range(COUNT))
    branches = "\n".join(BRANCH.replace("NUMBER", str(n)) for n in range(COUNT))
    names = ", ".join(f"b{n}" for n in range(COUNT))
    with open(path, "w") as file:
        file.write(PIPELINE.replace("FIELDS", fields).replace("BRANCHES", branches).replace("NAMES", names))
