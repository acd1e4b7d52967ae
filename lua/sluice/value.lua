--- Values that a script writes for a field (defaults, `:one_of`), checked against its
-- type.
-- @module sluice.value

local constraint = require "sluice.constraint"
local units = require "sluice.units"

local value = {}

local EXACT = 2 ^ 53

local function whole(given, low, high)
   local right = type(given) == "number" and given % 1 == 0 and given >= low
      and given <= high
   return right and given or nil
end

-- Digits as text that fit into 64 bits, leading zeros gone.
local function digits(given)
   local sign, number = tostring(given):match "^(-?)0*(%d+)$"
   local limit = sign == "-" and "9223372036854775808" or "9223372036854775807"
   if not number or #number > #limit or (#number == #limit and number > limit) then
      return nil
   end
   return sign .. number
end

local CHECKS = {
   bool = function(given)
      if type(given) == "boolean" then return given end
      return nil, "true or false"
   end,
   int32 = function(given)
      return whole(given, -2147483648, 2147483647), "a whole number of 32 bits"
   end,
   int64 = function(given, spec)
      if spec.exact and type(given) == "string" then
         return digits(given), "digits that fit into 64 bits"
      end
      return whole(given, -EXACT, EXACT), "a whole number within 2^53"
   end,
   double = function(given)
      local right = type(given) == "number" and math.abs(given) < math.huge
      return right and given or nil, "a finite number"
   end,
   timestamp = function(given)
      if type(given) == "string" then given = units.time(given) end
      return whole(given, -EXACT, EXACT), "Unix ms or text like 2024-05-01T12:30:00Z"
   end,
   string = function(given)
      return type(given) == "string" and given or nil, "text"
   end,
}

--- Check a value against a field's type.
-- @tparam table spec the field: `type`, `exact`
-- @param given as written
-- @treturn ?any as it goes into the plan
-- @treturn ?string what is wanted
function value.of(spec, given)
   return CHECKS[spec.type](given, spec)
end

--- Check a field's default against its other constraints.
-- @tparam table spec the field
-- @treturn ?string what is wrong
function value.conflict(spec)
   local default = spec.default
   if default == nil then return nil end
   local number = tonumber(default)
   if spec.range and (number < spec.range[1] or number > spec.range[2]) then
      return ("the default %s lies outside `:range(%s, %s)`")
         :format(default, spec.range[1],
         spec.range[2])
   end
   local unkept = constraint.unkept(spec.checks, default)
   if unkept then return ("the default %s %s"):format(tostring(default), unkept) end
   if not spec.one_of then return nil end
   for _, allowed in ipairs(spec.one_of) do
      if allowed == default then return nil end
   end
   return ("the default %s is not in `:one_of`"):format(tostring(default))
end

return value
