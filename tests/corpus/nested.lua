-- Tables: lists, structs and maps of a row, tables to look up in, tables that are made.
local sluice = require "sluice"
local shapes = require "shapes"

local derive, filter = shapes.derive, shapes.filter

local function list(of)
   return function(fn) return sluice.list(fn, of) end
end

local CITIES = { Rome = "IT", Berlin = "DE", Oslo = "NO" }
local RATES = { ride_started = { base = 1.5, factor = 2 },
   ride_completed = { base = 0, factor = 1 }, other = { base = 9, factor = 0 } }
local STEPS = { 0, 10, 25, 60 }
local SEEN = {}
for i = 0, 999, 3 do SEEN["u" .. i] = true end

return {
   { "looked up in a table", derive(sluice.string, function(row)
      return CITIES[row.place.city] or "??"
   end) },

   { "looked up two levels deep", derive(sluice.double, function(row)
      local rate = RATES[row.kind] or RATES.other
      return rate.base + rate.factor * (row.amount or 0)
   end) },

   { "member of a set", filter(function(row) return SEEN[row.user] ~= nil end) },

   { "bucket by a list of bounds", derive(sluice.int32, function(row)
      local x, found = row.amount or 0, 0
      for i, bound in ipairs(STEPS) do
         if x >= bound then found = i end
      end
      return found
   end) },

   { "field of a struct", derive(sluice.double, function(row)
      return row.place.height and row.place.height * 2
   end) },

   { "length of a list", filter(function(row) return #row.tags > 1 end) },

   { "list by ipairs", derive(sluice.int32, function(row)
      local len = 0
      for _, tag in ipairs(row.tags) do len = len + #tag end
      return len
   end) },

   { "list by number", derive(sluice.double, function(row)
      local total, items = 0, row.items
      for i = 1, #items do total = total + items[i].count * items[i].price end
      return total
   end) },

   { "dearest item of a list", derive(sluice.string, function(row)
      local best
      for _, item in ipairs(row.items) do
         if not best or item.price > best.price then best = item end
      end
      return best and best.sku
   end) },

   { "key of a map", derive(sluice.string, function(row) return row.labels.via end) },

   { "map by pairs", derive(sluice.int32, function(row)
      local len = 0
      for name, value in pairs(row.labels) do len = len + #name + #value end
      return len
   end) },

   { "an empty map by next", filter(function(row) return next(row.labels) ~= nil end) },

   { "a list made by a filter", derive(list "string", function(row)
      local long = {}
      for _, tag in ipairs(row.tags) do
         if #tag > 3 then long[#long + 1] = tag end
      end
      return long
   end) },

   { "a list made by table.insert", derive(list "double", function(row)
      local prices = {}
      for _, item in ipairs(row.items) do table.insert(prices, item.price) end
      table.insert(prices, row.amount or 0)
      return prices
   end) },

   { "a list put in order", derive(list "string", function(row)
      local tags = row.tags
      table.sort(tags) -- told: table.sort
      return tags
   end) },

   { "a list put in order by a function", derive(list "double", function(row)
      local prices = {}
      for i, item in ipairs(row.items) do prices[i] = item.price end
      table.sort(prices, function(a, b) return a > b end) -- told: a function is made
      return prices
   end) },

   { "the last taken off a list", derive(sluice.string, function(row)
      return table.remove(row.tags)
   end) },

   { "put in front of a list", derive(list "string", function(row)
      local tags = row.tags
      table.insert(tags, 1, row.kind) -- told: table.insert
      return tags
   end) },

   { "a struct made", derive(function(fn)
      return sluice.struct(fn, { sluice.double "lat", sluice.double "lon" })
   end, function(row) return { lat = row.lat * 2, lon = -row.lon } end) },

   { "unpacked", derive(sluice.double, function(row)
      local a, b = unpack({ row.lat, row.lon }) -- told: unpack
      return a + b
   end) },

   { "a table for each row", derive(sluice.double, function(row)
      local point = { x = row.lat, y = row.lon }
      local moved = { x = point.x + 1, y = point.y - 1 }
      return moved.x * moved.y
   end) },

   { "tables in tables", derive(sluice.double, function(row)
      local grid = { { row.lat, 1 }, { 2, row.lon } }
      return grid[1][1] * grid[2][2] - grid[1][2] * grid[2][1]
   end) },

   { "a table too large to be sunk", derive(sluice.double, function(row)
      local sums = {}
      for i = 1, 12 do sums[i] = row.lat * i end
      local total = 0
      for i = 1, 12 do total = total + sums[i] end
      return total
   end) },
}
