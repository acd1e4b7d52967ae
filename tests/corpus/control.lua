-- How functions are put together: conditions, loops, calls, closures, recursion,
-- metatables, errors.
local sluice = require "sluice"
local shapes = require "shapes"

local derive, filter = shapes.derive, shapes.filter

local function above(limit)
   return function(row) return (row.amount or 0) > limit end
end

local function all(...)
   local list = { ... }
   return function(row)
      for i = 1, #list do
         if not list[i](row) then return false end
      end
      return true
   end
end

local function grade(x)
   if not x then return "none" end
   if x < 10 then return "low" elseif x < 50 then return "middle" end
   return "high"
end

local function sum(...)
   local total = 0
   for i = 1, select("#", ...) do total = total + (select(i, ...)) end
   return total
end

local function gcd(a, b)
   if b == 0 then return a end
   return gcd(b, a % b)
end

local function factorial(n) return n < 2 and 1 or n * factorial(n - 1) end

local function fib(n)
   if n < 2 then return n end
   return fib(n - 1) + fib(n - 2)
end

local function depth_of(tree)
   if not tree then return 0 end
   return 1 + math.max(depth_of(tree.left), depth_of(tree.right))
end

local TREE = { left = { left = {}, right = { left = {} } }, right = {} }

local BY_KIND = {
   ride_started = function(row) return row.lat end,
   ride_completed = function(row) return row.lon end,
   heartbeat = function() return 0 end,
}

local Point = {}
Point.__index = Point
Point.__add = function(a, b)
   return setmetatable({ x = a.x + b.x, y = a.y + b.y }, Point)
end
function Point.new(x, y) return setmetatable({ x = x, y = y }, Point) end
function Point:norm() return self.x * self.x + self.y * self.y end

local Shape = setmetatable({}, { __index = Point, __call = function(_, x)
   return x * 2
end })

local function risky(row) return #row.user + row.lat end

local twice = load "local x = ... return x * 2"

return {
   { "a limit from outside", filter(above(20)) },

   { "conditions put together", filter(all(above(5), function(row)
      return row.active
   end, function(row) return row.kind ~= "heartbeat" end)) },

   { "early returns in a helper", derive(sluice.string, function(row)
      return grade(row.amount)
   end) },

   { "nil handled by and, or", derive(sluice.string, function(row)
      return row.note and row.note ~= "" and row.note or row.active and "on" or nil
   end) },

   { "many conditions", derive(sluice.int32, function(row)
      local id = row.id % 12
      if id == 0 then return 5 elseif id == 1 then return 9
      elseif id == 2 then return 1 elseif id == 3 then return 4
      elseif id == 4 then return 7 elseif id == 5 then return 2
      elseif id == 6 then return 8 elseif id == 7 then return 0
      elseif id == 8 then return 6 elseif id == 9 then return 3 end
      return 10
   end) },

   { "a function by kind", derive(sluice.double, function(row)
      local fn = BY_KIND[row.kind]
      return fn and fn(row)
   end) },

   { "varargs in a helper", derive(sluice.double, function(row)
      return sum(row.lat, row.lon, row.amount or 0) -- told either unseen: select
   end) },

   { "a list of varargs", derive(sluice.double, function(row)
      local function total(...) -- told: a function is made
         local list, made = { ... }, 0
         for i = 1, #list do made = made + list[i] end
         return made
      end
      return total(row.lat, row.lon)
   end) },

   { "a closure for each row", filter(function(row)
      local function larger(x) -- told: a function is made
         return x > (row.amount or 0)
      end
      return larger(row.lat)
   end) },

   { "a function without upvalues for each row", derive(sluice.double, function(row)
      local half = function(x) return x / 2 end -- told: a function is made
      return half(row.lat)
   end) },

   { "a closure in a loop", derive(sluice.double, function(row)
      local total = 0
      for i = 1, 3 do
         local add = function(x) return x + i end -- told: a function is made
         total = total + add(row.lat)
      end
      return total
   end) },

   { "tail recursion", derive(sluice.int32, function(row)
      return gcd(row.id, 360)
   end) },

   { "recursion", derive(sluice.double, function(row)
      return factorial(row.id % 10) -- told either unseen: it calls itself
   end) },

   { "recursion that branches", derive(sluice.int32, function(row)
      return fib(row.id % 12) -- told either unseen: it calls itself
   end) },

   { "recursion over a tree", derive(sluice.int32, function(row)
      return depth_of(TREE) + row.id % 2 -- told either unseen: it calls itself
   end) },

   { "an object", derive(sluice.double, function(row)
      return (Point.new(row.lat, 1) + Point.new(1, row.lon)):norm()
   end) },

   { "a metatable with __call", derive(sluice.double, function(row)
      return Shape(row.lat)
   end) },

   { "pcall of what does not throw", derive(sluice.double, function(row)
      local done, made = pcall(risky, row)
      return done and made or 0
   end) },

   { "pcall of what throws now and then", derive(sluice.double, (function()
      local function checked(row)
         if row.id % 7 == 0 then error "seven" end -- told unseen: error
         return row.lat
      end
      return function(row)
         local done, made = pcall(checked, row)
         return done and made or -1
      end
   end)()) },

   { "assert", derive(sluice.double, function(row)
      return assert(row.lat, "no latitude")
   end) },

   { "while and repeat", derive(sluice.int32, function(row)
      local n, steps = row.id % 100 + 1, 0
      while n ~= 1 do
         n = n % 2 == 0 and n / 2 or 3 * n + 1
         steps = steps + 1
      end
      repeat steps = steps - 3 until steps < 3
      return steps
   end) },

   { "goto", derive(sluice.int32, function(row)
      local count = 0
      for i = 1, 8 do
         if (row.id + i) % 3 == 0 then goto continue end
         count = count + i
         ::continue::
      end
      return count
   end) },

   { "loops in a loop", derive(sluice.double, function(row)
      local best = 0
      for i = 1, 4 do
         for j = i, 4 do
            local x = row.lat * i - row.lon * j
            if x > best then best = x end
         end
      end
      return best
   end) },

   { "put in order by hand", derive(sluice.double, function(row)
      local a = { row.lat, row.lon, row.amount or 0, row.id % 50 }
      for i = 2, #a do
         local x, j = a[i], i - 1
         while j > 0 and a[j] > x do
            a[j + 1], j = a[j], j - 1
         end
         a[j + 1] = x
      end
      return a[2]
   end) },

   { "a coroutine for each row", derive(sluice.double, function(row)
      local next_one = coroutine.wrap(function() -- told: a function is made
         coroutine.yield(row.lat)
      end)
      return next_one()
   end) },

   { "types asked for", derive(sluice.string, function(row)
      return type(row.note) .. type(row.amount) .. type(row.tags)
   end) },

   { "loaded text", derive(sluice.double, function(row) return twice(row.lat) end) },

   { "select of a count", derive(sluice.int32, function(row)
      return select("#", row.lat, row.note, row.lon)
   end) },
}
