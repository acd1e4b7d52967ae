-- Aggregates of users: fold, merge, result over each kind of state, in each kind of
-- window.
local sluice = require "sluice"

local SECOND = sluice.tumbling { size = "1 second" }

local function over(window, key)
   return function(name, given)
      return { name, function(rows)
         return rows:group_by(key or "user"):window(window)
            :aggregate { made = sluice.aggregate(given) }
      end, mode = "append" }
   end
end

local tumbling, session = over(SECOND), over(sluice.session { gap = "100 ms" })
local hopping = over(sluice.hopping { size = "1 second", every = "250 ms" })

local STAGES = { ride_started = 1, ride_completed = 2, heartbeat = 3 }
local MOST = 5

return {
   tumbling("numbers: spread", {
      state = { lo = math.huge, hi = -math.huge },
      fold = function(a, row)
         local x = row.amount
         if x then a.lo, a.hi = math.min(a.lo, x), math.max(a.hi, x) end
      end,
      result = function(a) if a.hi >= a.lo then return a.hi - a.lo end end,
   }),

   hopping("numbers, merged: mean", {
      state = { n = 0, total = 0 },
      fold = function(a, row) a.n, a.total = a.n + 1, a.total + row.lat end,
      merge = function(a, b) a.n, a.total = a.n + b.n, a.total + b.total end,
      result = function(a, window)
         return a.total / a.n + (window.stop - window.start) / 1e6
      end,
   }),

   tumbling("numbers: variance by Welford", {
      state = { n = 0, mean = 0, m2 = 0 },
      fold = function(a, row)
         a.n = a.n + 1
         local delta = row.lat - a.mean
         a.mean = a.mean + delta / a.n
         a.m2 = a.m2 + delta * (row.lat - a.mean)
      end,
      result = function(a) return a.n > 1 and math.sqrt(a.m2 / (a.n - 1)) or nil end,
   }),

   tumbling("int64", {
      state = { total = "int64", last = "timestamp" },
      fold = function(a, row)
         a.total = a.total + row.serial % 1000
         if row.at > a.last then a.last = row.at end
      end,
      result = function(a) return tonumber(a.total) + tonumber(a.last % 10) end,
   }),

   tumbling("small numbers and flags", {
      state = { n = "uint8", seen = "bool", day = "date", sign = "int16" },
      fold = function(a, row)
         if a.n < 250 then a.n = a.n + 1 end
         a.seen = a.seen or row.active
         a.day = math.max(a.day, row.day)
         a.sign = a.sign + (row.lat > 0 and 1 or -1)
      end,
      result = function(a) return a.n + a.day + a.sign + (a.seen and 0.5 or 0) end,
   }),

   tumbling("text", {
      state = { first = "string(40)", n = 0 }, returns = "string",
      fold = function(a, row)
         if a.n == 0 then a.first = row.path:sub(1, 40) end
         a.n = a.n + 1
      end,
      result = function(a) return a.first .. "*" .. a.n end,
   }),

   tumbling("an array as a ring", {
      state = { n = 0, last = "double[8]" },
      fold = function(a, row)
         a.last[a.n % 8] = row.lat
         a.n = a.n + 1
      end,
      result = function(a)
         local total, count = 0, math.min(a.n, 8)
         for i = 0, count - 1 do total = total + a.last[i] end
         return total / count
      end,
   }),

   hopping("an array as a histogram", {
      state = { counts = "int32[16]" }, returns = sluice.list "int32",
      fold = function(a, row)
         local i = math.max(0, math.min(15, math.floor((row.amount or 0) / 7)))
         a.counts[i] = a.counts[i] + 1
      end,
      merge = function(a, b)
         for i = 0, 15 do a.counts[i] = a.counts[i] + b.counts[i] end
      end,
      result = function(a)
         local list = {}
         for i = 0, 15 do list[i + 1] = a.counts[i] end
         return list
      end,
   }),

   tumbling("the dearest in order", {
      state = { n = 0, price = "double[5]", id = "double[5]" },
      returns = sluice.list(sluice.struct { sluice.double "price", sluice.int64 "id" }),
      fold = function(a, row)
         local price, i = row.lat, a.n
         if i == MOST then
            if price <= a.price[MOST - 1] then return end
            i = MOST - 1
         else
            a.n = i + 1
         end
         while i > 0 and price > a.price[i - 1] do
            a.price[i], a.id[i] = a.price[i - 1], a.id[i - 1]
            i = i - 1
         end
         a.price[i], a.id[i] = price, row.id
      end,
      result = function(a)
         local list = {}
         for i = 0, a.n - 1 do list[i + 1] = { price = a.price[i], id = a.id[i] } end
         return list
      end,
   }),

   tumbling("several columns", {
      state = { n = 0, total = 0 },
      returns = { sluice.int64 "n", sluice.double "mean" },
      fold = function(a, row) a.n, a.total = a.n + 1, a.total + row.lat end,
      result = function(a) return { n = a.n, mean = a.total / a.n } end,
   }),

   tumbling("texts in an array", {
      state = { n = 0, names = "string(24)[3]" }, returns = sluice.list "string",
      fold = function(a, row)
         if a.n < 3 then
            a.names[a.n] = row.kind
            a.n = a.n + 1
         end
      end,
      result = function(a)
         local list = {}
         for i = 0, a.n - 1 do list[i + 1] = a.names[i] end
         return list
      end,
   }),

   tumbling("init", {
      state = { weights = "double[4]", total = 0 },
      init = function(a) for i = 0, 3 do a.weights[i] = 1 / (i + 1) end end,
      fold = function(a, row) a.total = a.total + row.lat * a.weights[row.id % 4] end,
      result = function(a) return a.total end,
   }),

   session("a session's funnel", {
      state = { step = 0 }, returns = "int32", order = "event time",
      fold = function(a, row)
         if STAGES[row.kind] == a.step + 1 then a.step = a.step + 1 end
      end,
      result = function(a) return a.step end,
   }),

   session("a session, merged", {
      state = { n = 0, from = math.huge, to = -math.huge },
      fold = function(a, row)
         a.n, a.from, a.to = a.n + 1, math.min(a.from, row.at), math.max(a.to, row.at)
      end,
      merge = function(a, b)
         a.n, a.from, a.to = a.n + b.n, math.min(a.from, b.from), math.max(a.to, b.to)
      end,
      result = function(a) return (a.to - a.from) / a.n end,
   }),

   tumbling("in the order of event time", {
      state = { last = "string(24)", changes = 0 }, order = "event time",
      fold = function(a, row)
         if a.last ~= row.kind then a.last, a.changes = row.kind, a.changes + 1 end
      end,
      result = function(a) return a.changes end,
   }),

   tumbling("many rows at once", {
      state = { worst = -math.huge },
      fold_batch = function(states, rows, count)
         for i = 0, count - 1 do
            local a, x = states[i], rows[i].amount
            if x and x > a.worst then a.worst = x end
         end
      end,
      result = function(a) if a.worst > -math.huge then return a.worst end end,
   }),

   tumbling("a pattern in the fold", {
      state = { errors = 0 },
      fold = function(a, row)
         if row.path:find "%d%d$" then a.errors = a.errors + 1 end -- told: string.find
      end,
      result = function(a) return a.errors end,
   }),

   tumbling("a closure in the fold", {
      state = { total = 0 },
      fold = function(a, row)
         local function add(x) a.total = a.total + x end -- told: a function is made
         add(row.lat)
      end,
      result = function(a) return a.total end,
   }),

   tumbling("a pattern in the result", {
      state = { n = 0 }, returns = "string",
      fold = function(a) a.n = a.n + 1 end,
      result = function(a)
         return (tostring(a.n):gsub("%d", "x")) -- told rarely unseen: string.gsub
      end,
   }),

   hopping("a closure in the merge", {
      state = { total = 0 },
      fold = function(a, row) a.total = a.total + row.lat end,
      merge = function(a, b)
         local function take(x) -- told rarely: a function is made
            a.total = a.total + x
         end
         take(b.total)
      end,
      result = function(a) return a.total end,
   }),

   { "a running total", function(rows)
      return rows:group_by "user":window(sluice.running { retain = "forever" })
         :aggregate { made = sluice.aggregate {
            state = { n = 0, mean = 0 },
            fold = function(a, row)
               a.n = a.n + 1
               a.mean = a.mean * 0.9 + (row.amount or 0) * 0.1
            end,
            result = function(a) return a.mean end,
         } }
   end, mode = "update" },
}
