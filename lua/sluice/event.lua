--- Event times that a user's function gives, in Unix ms.
-- @module sluice.event

local ffi = require "ffi"

local event = {}

local LARGEST = 2 ^ 53

-- Units in a ms: fractions of one are cut off downwards, also before 1970.
local IN_MS = { s = 1 / 1000, ms = 1, us = 1000, ns = 1000000 }

-- int64 cdata keep all digits of a time in ns, which a double does not.
local function floor_div(x, by)
   local whole = x / by
   if whole * by > x then whole = whole - 1 end
   return tonumber(whole)
end

local function exact(x, unit)
   if unit == "s" then return tonumber(x) * 1000 end
   return floor_div(x, ffi.new("int64_t", IN_MS[unit]))
end

local function refuse(x)
   local shown = type(x) == "number" and ("%.17g"):format(x) or type(x)
   error(("event time: got %s, wanted a number or nil"):format(shown), 0)
end

--- Make the conversion of a unit.
-- @tparam string unit "s", "ms", "us" or "ns"
-- @treturn function (number or int64 cdata) → Unix ms; raises for NaN, for what is beyond
--  2^53 ms and for all other values
function event.converter(unit)
   local factor, divisor = unit == "s" and 1000 or 1, unit == "s" and 1 or IN_MS[unit]
   local floor = math.floor
   return function(x)
      local ms
      if type(x) == "number" then
         ms = floor(x * factor / divisor)
      elseif ffi.istype("int64_t", x) then
         ms = exact(x, unit)
      else
         refuse(x)
      end
      if not (ms >= -LARGEST and ms <= LARGEST) then refuse(x) end
      return ms
   end
end

return event
