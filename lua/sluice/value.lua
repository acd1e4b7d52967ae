--- Values that a script writes for a field (defaults, `:one_of`), checked against its
-- type.
-- @module sluice.value

local ffi = require "ffi"

local bounds = require "sluice.bounds"
local constraint = require "sluice.constraint"
local decimal = require "sluice.decimal"
local read = require "sluice.nested.read"
local shape = require "sluice.shape"
local units = require "sluice.units"
local write = require "sluice.nested.write"

local value = {}

-- What UTF-8 is made of (RFC 3629).
local UTF8 = { "^[%z\1-\127]+", "^[\194-\223][\128-\191]",
   "^\224[\160-\191][\128-\191]",
   "^[\225-\236\238\239][\128-\191][\128-\191]", "^\237[\128-\159][\128-\191]",
   "^\240[\144-\191][\128-\191][\128-\191]",
   "^[\241-\243][\128-\191][\128-\191][\128-\191]",
   "^\244[\128-\143][\128-\191][\128-\191]" }

local function is_utf8(text)
   local at = 1
   while at <= #text do
      local last
      for _, pattern in ipairs(UTF8) do
         last = last or select(2, text:find(pattern, at))
      end
      if not last then return false end
      at = last + 1
   end
   return true
end

-- For the few values of a script: specs run without the binary, whose check is faster.
local CALLS = { sl_text_is_valid = function(text) return is_utf8(text) and 1 or 0 end }

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
   bytes = function(given)
      return type(given) == "string" and given or nil, "text, the bytes themselves"
   end,
   date = function(given)
      if type(given) == "string" then given = units.date(given) end
      return whole(given, -2147483648, 2147483647),
         "text like 2024-05-01, or days since 1970-01-01"
   end,
   decimal = function(given, spec)
      local inner = spec.shape
      local low, high = decimal.words(given, inner.precision, inner.scale)
      if not low then return nil, "a number that fits into " .. shape.text(spec) end
      return tostring(decimal.new(low, high, inner.scale))
   end,
}

-- The block goes into the plan: nothing that a script could still change.
local function block(given, spec)
   local write_block = write.writer(spec, "it", CALLS)
   local done, data, len = pcall(write_block, given)
   if not done then return nil, (data:gsub("^it: ", "")) end
   return ffi.string(data, len)
end
CHECKS.list, CHECKS.map, CHECKS.struct = block, block, block


--- Check a value against a field's type.
-- @tparam table spec the field: `type`, `exact`, `shape`
-- @param given as written
-- @treturn ?any as it goes into the plan: dates as days, decimals as text, lists, maps
--  and structs as the bytes of a block
-- @treturn ?string what is wanted
function value.of(spec, given)
   return CHECKS[spec.type](given, spec)
end

--- The value of a spec as scripts see it.
-- @tparam table spec
-- @param stored from `value.of`
-- @return a decimal, a table, or `stored` itself
function value.in_lua(spec, stored)
   if shape.BLOCKS[spec.type] then return read.block(spec, stored) end
   return spec.type == "decimal" and decimal.of(stored) or stored
end

--- Check a field's default against its other constraints.
-- @tparam table spec the field
-- @treturn ?string what is wrong
function value.conflict(spec)
   local default = spec.default
   if default == nil then return nil end
   local wrong = bounds.of { type = spec.type, range = spec.range }
   if wrong and wrong(default) then
      return ("the default %s lies outside `:range(%s, %s)`"):format(
         bounds.show(spec, default), bounds.show(spec, spec.range[1]),
         bounds.show(spec, spec.range[2]))
   end
   wrong = bounds.of { type = spec.type, one_of = spec.one_of }
   if wrong and wrong(default) then
      return ("the default %s is not in `:one_of`"):format(bounds.show(spec, default))
   end
   local unkept = spec.checks
      and constraint.unkept(spec.checks, value.in_lua(spec, default))
   if unkept then
      return ("the default %s %s"):format(bounds.show(spec, default), unkept)
   end
end

return value
