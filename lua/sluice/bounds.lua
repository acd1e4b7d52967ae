--- What `:range` and `:one_of` hold values of scripts to (those of records are held to
-- them by the codec).
-- @module sluice.bounds

local ffi = require "ffi"

local decimal = require "sluice.decimal"
local units = require "sluice.units"

local bounds = {}

local function as_number(x)
   if type(x) == "number" or ffi.istype("int64_t", x) then return x end
end

local function as_day(x)
   if type(x) == "string" then return units.date(x) end
   return as_number(x)
end

-- Values as they can be compared; nil: of another type, which is told elsewhere.
local COMPARABLE = {
   int32 = as_number, int64 = as_number, double = as_number, timestamp = as_number,
   date = as_day, decimal = decimal.of,
   string = function(x) return type(x) == "string" and x or nil end,
}
COMPARABLE.bytes = COMPARABLE.string

-- Exact int64 beyond 2^53 stands as digits in a spec.
local function from_digits(x)
   if type(x) ~= "string" then return x end
   local minus, digits = x:match "^(-?)(%d+)$"
   local value = 0LL
   for digit in digits:gmatch "%d" do value = value * 10 - tonumber(digit) end
   return minus == "-" and value or -value
end

local function stored(spec, x)
   if spec.type == "int64" then return from_digits(x) end
   return COMPARABLE[spec.type](x)
end

local function is_one_of(allowed, x)
   for i = 1, #allowed do
      if allowed[i] == x then return true end
   end
   return false
end

--- A value of a spec as messages show it.
-- @tparam table spec
-- @param x as it stands in the spec: dates as days
-- @treturn string
function bounds.show(spec, x)
   if spec.type == "date" and type(x) == "number" then return units.date_text(x) end
   return tostring(x)
end

--- Make the check of a field's constraints.
-- @tparam table spec with `range`, `one_of`, or neither
-- @treturn ?function (value) → nil, or what is wanted instead; nil: there are none
-- @usage bounds.of { type = "date", range = { 0, 19844 } }
function bounds.of(spec)
   local range, allowed = spec.range, spec.one_of and {}
   if not range and not allowed then return nil end
   for i, x in ipairs(spec.one_of or {}) do allowed[i] = stored(spec, x) end
   local low = range and stored(spec, range[1])
   local high = range and stored(spec, range[2])
   local comparable = COMPARABLE[spec.type]
   return function(given)
      local x = comparable(given)
      if x == nil then return nil end
      if range and not (x >= low and x <= high) then
         return ("a value from %s to %s"):format(bounds.show(spec, range[1]),
            bounds.show(spec, range[2]))
      end
      if allowed and not is_one_of(allowed, x) then
         return "one of the values that the field allows"
      end
   end
end

return bounds
