--- Decimal numbers, exact: 128 bits and a scale, as scripts see them.
--
-- `a + b`, `a - b`, `a * b`, `-a`, comparisons, `tostring(a)`, `tonumber(a)`. The other
-- operand may be a number or text that is one. Nothing is ever rounded but by
-- `a:round(scale)`; what has more than 38 digits is an error.
--
-- Magnitudes are pairs of uint64 here, the high word first. All in Lua, so that the trace
-- compiler sees through it.
-- @module sluice.decimal

local bit = require "bit"
local ffi = require "ffi"

local words = require "sluice.decimal.words"

local decimal = {}

--- Most digits.
decimal.DIGITS = words.DIGITS

local divide, fits, mul = words.divide, words.fits, words.mul
local POWER_HIGH, POWER_LOW = words.POWER_HIGH, words.POWER_LOW

local new

local function magnitude(x)
   local low = x.low
   if x.high >= 0 then return ffi.cast("uint64_t", x.high), low end
   local high = bit.bnot(ffi.cast("uint64_t", x.high))
   low = bit.bnot(low) + 1ULL
   if low == 0 then high = high + 1ULL end
   return high, low
end

local function signed(high, low, negative, scale)
   if negative then
      high, low = bit.bnot(high), bit.bnot(low) + 1ULL
      if low == 0 then high = high + 1ULL end
   end
   return new(low, high, scale)
end

--- The value with another, larger scale; nil when it has too many digits then.
local function widen(x, scale)
   local more = scale - x.scale
   if more == 0 then return x end
   if more > decimal.DIGITS then return nil end
   local high, low = magnitude(x)
   high, low = mul(high, low, POWER_HIGH[more], POWER_LOW[more])
   return high and signed(high, low, x.high < 0, scale)
end

-- A magnitude without its last `count` digits, and whether half of the last place or more
-- was lost, and whether anything was.
local function cut(count, x)
   local high, low = magnitude(x)
   local digit, inexact = 0ULL, false
   for _ = 1, count do
      inexact = inexact or digit ~= 0
      high, low, digit = divide(high, low, 10ULL)
   end
   return high, low, digit >= 5, inexact or digit ~= 0
end

local function parse(text)
   local high, low, scale, negative = words.parse(text)
   return high and signed(high, low, negative, scale)
end

local function of_number(x)
   if x % 1 == 0 and x > -2 ^ 53 and x < 2 ^ 53 then
      local low = ffi.cast("int64_t", x)
      return new(ffi.cast("uint64_t", low), low < 0 and -1 or 0, 0)
   end
   if x - x ~= 0 then return nil end
   local text = ("%.15g"):format(x)
   return parse(tonumber(text) == x and text or ("%.17g"):format(x))
end

--- Make a decimal.
-- @param x text ("12.50"), a number (its shortest form: 0.1 is 0.1), int64 cdata, a
--  decimal
-- @treturn ?cdata nil: `x` is none of these, or has more than 38 digits
-- @usage sluice.decimal.of "0.19"
function decimal.of(x)
   if ffi.istype(new, x) then return x end
   local kind = type(x)
   if kind == "number" then return of_number(x) end
   if kind == "string" then return parse(x) end
   if ffi.istype("int64_t", x) then
      return new(ffi.cast("uint64_t", x), x < 0 and -1 or 0, 0)
   end
end

--- Tell a decimal from other values.
-- @param x any
-- @treturn boolean
function decimal.is(x)
   return ffi.istype(new, x)
end

--- The words of a value in a column: it has at most `precision` digits, `scale` of them
-- behind the point, and is not rounded.
-- @param x as for `decimal.of`
-- @tparam integer precision
-- @tparam integer scale
-- @treturn ?cdata uint64 low; nil: it does not fit
-- @treturn ?cdata int64 high
function decimal.words(x, precision, scale)
   local value = decimal.of(x)
   if not value then return nil end
   if value.scale > scale then
      local high, low, _, inexact = cut(value.scale - scale, value)
      if inexact then return nil end
      value = signed(high, low, value.high < 0, scale)
   end
   value = widen(value, scale)
   if not value then return nil end
   local high, low = magnitude(value)
   if high > POWER_HIGH[precision]
      or (high == POWER_HIGH[precision] and low >= POWER_LOW[precision]) then
      return nil
   end
   return value.low, value.high
end

-- What stands in a script comes again with each row, and reading text is not compiled.
local MOST_KNOWN = 256
local known, known_count = {}, 0

local function learn(x)
   local value, kind = decimal.of(x), type(x)
   if value and kind ~= "cdata" and known_count < MOST_KNOWN then
      known[x], known_count = value, known_count + 1
   end
   return value
end

local function operand(x, what)
   if ffi.istype(new, x) then return x end
   local value = known[x] or learn(x)
   if value then return value end
   error(("a decimal %s %s: write a number, or text like \"0.19\""):format(what,
      type(x) == "string" and ("%q"):format(x) or type(x)), 3)
end

local function overflow(what)
   error(("the %s of two decimals has more than %d digits"):format(what,
      decimal.DIGITS), 3)
end

-- 128 bits do not overflow: |a| + |b| < 2 * 10^38 < 2^127.
local function add(a, b, what)
   local scale = math.max(a.scale, b.scale)
   a, b = widen(a, scale), widen(b, scale)
   if not a or not b then overflow(what) end
   local low = a.low + b.low
   local carry = low < a.low and 1LL or 0LL
   local sum = new(low, a.high + b.high + carry, scale)
   local high
   high, low = magnitude(sum)
   if not fits(high, low) then overflow(what) end
   return sum
end

local function negate(a)
   local high, low = magnitude(a)
   return signed(high, low, a.high >= 0, a.scale)
end

local function sign(a)
   return a.high < 0 and -1 or 1
end

local function compare(a, b)
   local scale = math.max(a.scale, b.scale)
   local x, y = widen(a, scale), widen(b, scale)
   -- What cannot be widened is larger than what can: only one of them is.
   if not x then return sign(a) end
   if not y then return -sign(b) end
   if x.high == y.high and x.low == y.low then return 0 end
   return (x.high < y.high or (x.high == y.high and x.low < y.low)) and -1 or 1
end

--- -1, 0 or 1, as `a` stands to `b`.
-- @tparam cdata a decimal
-- @tparam cdata b decimal
-- @treturn integer
decimal.compare = compare

-- Of most decimals by what is compiled.
local function digits_of(x)
   local high, low = magnitude(x)
   if high == 0 and low <= 0x7fffffffffffffffULL then return ("%d"):format(low) end
   local parts = {}
   while high ~= 0 or low ~= 0 do
      local rest
      high, low, rest = divide(high, low, 1000000000ULL)
      table.insert(parts, 1, ("%09d"):format(tonumber(rest)))
   end
   return (table.concat(parts):gsub("^0+", ""))
end

--- The text of a decimal, as `tostring` gives it.
-- @tparam cdata x decimal
-- @treturn string
function decimal.text(x)
   local digits, scale = digits_of(x), x.scale
   if #digits <= scale then digits = ("0"):rep(scale + 1 - #digits) .. digits end
   local minus = x.high < 0 and "-" or ""
   if scale == 0 then return minus .. digits end
   return minus .. digits:sub(1, -scale - 1) .. "." .. digits:sub(-scale)
end

local methods = {}

--- Round to fewer places behind the point, half of the last one away from zero.
-- @tparam integer scale 0..38
-- @treturn sluice.decimal
-- @usage (row.price * "0.19"):round(2)
function methods:round(scale)
   local right = type(scale) == "number" and scale % 1 == 0 and scale >= 0
      and scale <= decimal.DIGITS
   if not right then
      error("a decimal is rounded to a whole number of places from 0 to 38", 2)
   end
   if scale >= self.scale then return widen(self, scale) or overflow "widening" end
   local high, low, up = cut(self.scale - scale, self)
   if up then
      low = low + 1ULL
      if low == 0 then high = high + 1ULL end
   end
   return signed(high, low, self.high < 0, scale)
end

--- The double nearest to it.
-- @treturn number
function methods:tonumber()
   return (tonumber(decimal.text(self)))
end

new = ffi.metatype(ffi.typeof [[struct {
   uint64_t low; int64_t high; int32_t scale; int32_t unused; }]], {
   __index = methods,
   __add = function(a, b) return add(operand(a, "plus"), operand(b, "plus"), "sum") end,
   __sub = function(a, b)
      return add(operand(a, "minus"), negate(operand(b, "minus")), "difference")
   end,
   __mul = function(a, b)
      a, b = operand(a, "times"), operand(b, "times")
      local scale = a.scale + b.scale
      local a_high, a_low = magnitude(a)
      local b_high, b_low = magnitude(b)
      local high, low = mul(a_high, a_low, b_high, b_low)
      if not high or scale > decimal.DIGITS then overflow "product" end
      return signed(high, low, (a.high < 0) ~= (b.high < 0), scale)
   end,
   __div = function()
      error("a decimal is not divided, the quotient would be rounded: multiply it, or "
         .. "divide tonumber(a)", 2)
   end,
   __unm = negate,
   __concat = function(a, b) return tostring(a) .. tostring(b) end,
   __eq = function(a, b)
      a, b = decimal.of(a), decimal.of(b)
      if a and b then return compare(a, b) == 0 end
      return false -- `a == nil` comes here, too
   end,
   __lt = function(a, b)
      return compare(operand(a, "compared with"), operand(b, "compared with")) < 0
   end,
   __le = function(a, b)
      return compare(operand(a, "compared with"), operand(b, "compared with")) <= 0
   end,
   __tostring = decimal.text,
})

--- Make a decimal of the words of a column.
-- @tparam cdata low uint64
-- @tparam cdata high int64
-- @tparam integer scale
-- @treturn cdata
decimal.new = new

return decimal
