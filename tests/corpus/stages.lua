-- Functions in other places than filters and columns: flat_map, keys, distinct, event
-- time, constraints, sinks, stages behind results, values of built-in aggregates.
local sluice = require "sluice"

local SECOND = sluice.tumbling { size = "1 second" }

local function counted(rows, key)
   return rows:group_by(key):window(SECOND):aggregate { n = sluice.count() }
end

local function aggregated(aggregates)
   return function(rows)
      return rows:group_by "user":window(SECOND):aggregate(aggregates)
   end
end

local function flat(fields, fn)
   return function(rows) return rows:flat_map(fields, fn) end
end

local WORD = { sluice.string "word", sluice.int64 "id" }

return {
   { "flat_map over a list", flat(WORD, function(row, emit)
      for _, tag in ipairs(row.tags) do emit { word = tag, id = row.id } end
   end) },

   { "flat_map over structs", flat({ sluice.string "sku", sluice.double "total" },
      function(row, emit)
         for _, item in ipairs(row.items) do
            emit { sku = item.sku, total = item.count * item.price }
         end
      end) },

   { "flat_map that gives one row or none", flat(WORD, function(row, emit)
      if row.active then emit { word = row.kind, id = row.id } end
   end) },

   { "flat_map of words by the helper", flat(WORD, function(row, emit)
      for _, word in ipairs(sluice.text.split(row.path, "/")) do
         if word ~= "" then emit { word = word, id = row.id } end
      end
   end) },

   { "flat_map of words by gmatch", flat(WORD, function(row, emit)
      for word in row.path:gmatch "%a+" do -- told: string.gmatch
         emit { word = word, id = row.id }
      end
   end) },

   { "flat_map with a column left out", flat({ sluice.string "word", sluice.double "x" },
      function(row, emit)
         emit { word = row.kind }
      end) },

   { "flat_map with a nested column", flat({ sluice.list("tags", "string") },
      function(row, emit) emit { tags = { row.kind, row.user } } end) },

   { "key by a number", function(rows)
      return counted(rows, { minute = sluice.int64(function(row)
         return math.floor(row.at / 60000)
      end) })
   end, mode = "append" },

   { "key by a text", function(rows)
      return counted(rows, { first = sluice.string(function(row)
         return row.user:sub(1, 2)
      end) })
   end, mode = "append" },

   { "key by a part of a path", function(rows)
      return counted(rows, { part = sluice.string(function(row)
         return row.path:match "^/([^/]*)" -- told: string.match
      end) })
   end, mode = "append" },

   { "distinct by a derived column", function(rows)
      return rows:derive { key = sluice.string(function(row)
         return row.kind .. "/" .. row.user
      end) }:distinct { "key", within = "1 second" }:select { "id", "key" }
   end },

   { "event time by a function", function(rows) return counted(rows, "user") end,
      source = function(rows)
         return rows():event_time(function(row) return row.at + row.id % 2 end,
            { delay = "10 ms" })
      end, mode = "append" },

   { "a constraint by a function", function(rows) return rows:select { "id" } end,
      source = function()
         return sluice.kafka { topics = "rows" }:json {
            sluice.int64 "id" :required(),
            sluice.string "user" :check(function(user) return #user >= 2 end),
            sluice.double "amount" :check(function(x) return x % 10 ~= 3 end),
            sluice.string "path" :matches "^/%a",
         }
      end },

   { "key, value and topic of a message", function(rows)
      return rows:select { "id", "user", "kind" }
   end, sink = function()
      return sluice.kafka {
         topic = function(row) return row.id % 2 == 0 and "even" or "odd" end,
         key = function(row) return row.user end,
         value = function(row) return row.kind .. row.id end,
      }
   end },

   { "filter and column behind results", function(rows)
      return aggregated { n = sluice.count(), total = sluice.sum "amount" } (rows)
         :filter(function(row) return row.n > 1 end)
         :derive { mean = sluice.double(function(row)
            return row.total and row.total / row.n
         end), day = sluice.string(function(row)
            return sluice.time.format(row.window_start, "%H:%M:%S")
         end) }
   end, mode = "append" },

   { "window over windows", function(rows)
      return rows:group_by "user"
         :window(sluice.tumbling { size = "1 second", name = "counts" })
         :aggregate { n = sluice.count() }
         :filter(function(row) return row.n > 1 end)
         :group_by {}
         :window(sluice.tumbling { size = "2 seconds", name = "largest" })
         :aggregate { most = sluice.max(function(row) return row.n * 2 end) }
   end, mode = "append" },

   { "values and conditions of aggregates", aggregated {
      large = sluice.count():where(function(row) return (row.amount or 0) > 50 end),
      net = sluice.sum(function(row) return row.amount and row.amount * 0.8 end),
      longest = sluice.max(function(row) return #row.path end),
      top = sluice.arg_max("path", function(row) return row.lat end),
      users = sluice.count_distinct(function(row) return row.id % 10 end),
      p90 = sluice.quantile(function(row) return row.lat + row.lon end, 0.9),
      sizes = sluice.histogram(function(row) return row.lat end, { 10, 50 }),
   }, mode = "append" },

   { "session of users", function(rows)
      return rows:group_by "user":window(sluice.session { gap = "100 ms" })
         :aggregate { n = sluice.count(), first = sluice.first "path",
            total = sluice.sum(function(row) return row.lat end) }
         :filter(function(row) return row.window_end - row.window_start > 100 end)
   end, mode = "append" },

   { "two streams as one", function(rows)
      local a = rows:filter(function(row) return row.active end)
         :derive { from = sluice.string(function(row) return "a" .. row.kind end) }
         :select { "id", "from" }
      local b = rows:filter(function(row) return not row.active end)
         :derive { from = sluice.string(function(row) return "b" .. row.user end) }
         :select { "id", "from" }
      return a:union(b)
   end },

   { "many stages", function(rows)
      return rows:filter(function(row) return row.kind ~= "heartbeat" end)
         :derive { a = sluice.double(function(row) return row.lat * 2 end) }
         :derive { b = sluice.double(function(row) return row.a + row.lon end) }
         :filter(function(row) return row.b > -1000 end)
         :derive { c = sluice.string(function(row) return row.user .. row.kind end) }
         :select { "id", "b", "c" }
   end },

   { "rows of a generator", function(rows) return rows end,
      source = function()
         return sluice.generator { count = 20000, seed = 7, row = function(i, random)
            return { id = i, kind = i % 3 == 0 and "a" or "b", x = random(100) }
         end }:rows { sluice.int64 "id", sluice.string "kind", sluice.double "x" }
      end, is_generator = true },
}
