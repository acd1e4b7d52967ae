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

local decimal = {}

local band, bor, lshift, rshift = bit.band, bit.bor, bit.lshift, bit.rshift

--- Most digits.
decimal.DIGITS = 38

local LOW_HALF = 0xffffffffULL
-- 10^38
local LIMIT_HIGH, LIMIT_LOW = 0x4b3b4ca85a86c47aULL, 0x098a224000000000ULL
-- Half of 64 bits: products of what lies below fit.
local SMALL = 0x7fffffffULL

local new

--- Multiply two words: Knuth, TAOCP 2, 4.3.1, by halves.
local function mul_words(a, b)
   local a0, a1 = band(a, LOW_HALF), rshift(a, 32)
   local b0, b1 = band(b, LOW_HALF), rshift(b, 32)
   local p00, p01, p10 = a0 * b0, a0 * b1, a1 * b0
   local middle = rshift(p00, 32) + band(p01, LOW_HALF) + band(p10, LOW_HALF)
   return a1 * b1 + rshift(p01, 32) + rshift(p10, 32) + rshift(middle, 32),
      bor(band(p00, LOW_HALF), lshift(middle, 32))
end

local function fits(high, low)
   return high < LIMIT_HIGH or (high == LIMIT_HIGH and low < LIMIT_LOW)
end

--- Multiply two magnitudes; nil when the product has more than 38 digits.
local function mul(a_high, a_low, b_high, b_low)
   if a_high == 0 and b_high == 0 and a_low <= SMALL and b_low <= SMALL then
      return 0ULL, a_low * b_low
   end
   if a_high ~= 0 and b_high ~= 0 then return nil end
   local high, low = mul_words(a_low, b_low)
   local over, cross = mul_words(a_high + b_high, a_high ~= 0 and b_low or a_low)
   local sum = high + cross
   if over ~= 0 or sum < high or not fits(sum, low) then return nil end
   return sum, low
end

--- Divide a magnitude by a number below 2^32: quotient and rest.
local function divide(high, low, by)
   local rest = high % by
   local middle = bor(lshift(rest, 32), rshift(low, 32))
   local last = bor(lshift(middle % by, 32), band(low, LOW_HALF))
   return high / by, bor(lshift(middle / by, 32), last / by), last % by
end

local POWER_HIGH, POWER_LOW = ffi.new "uint64_t[39]", ffi.new "uint64_t[39]"
POWER_LOW[0] = 1
for k = 1, decimal.DIGITS do
   local high, low = mul_words(POWER_LOW[k - 1], 10ULL)
   POWER_HIGH[k], POWER_LOW[k] = POWER_HIGH[k - 1] * 10 + high, low
end

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

-- Up to 19 digits.
local function word_of(digits)
   local head = #digits - 15
   if head <= 0 then return ffi.cast("uint64_t", tonumber(digits) or 0) end
   return ffi.cast("uint64_t", tonumber(digits:sub(1, head))) * 1000000000000000ULL
      + ffi.cast("uint64_t", tonumber(digits:sub(head + 1)))
end

-- Digits without leading zeros as a magnitude; nil: more than 38.
local function magnitude_of(digits)
   if #digits > decimal.DIGITS then return nil end
   local head = #digits - 19
   if head <= 0 then return 0ULL, word_of(digits) end
   local high, low = mul_words(word_of(digits:sub(1, head)), 10000000000000000000ULL)
   local sum = low + word_of(digits:sub(head + 1))
   return sum < low and high + 1ULL or high, sum
end

-- Digits and their scale brought to a scale of 0 to 38; nil: it cannot be.
local function settle(digits, scale)
   if digits == "" then return "", math.max(0, math.min(scale, decimal.DIGITS)) end
   local zeros = #digits:match "0*$"
   local spare = math.min(zeros, math.max(0, scale - decimal.DIGITS))
   digits, scale = digits:sub(1, #digits - spare), scale - spare
   if scale > decimal.DIGITS or #digits - math.min(scale, 0) > decimal.DIGITS then
      return nil
   end
   if scale < 0 then return digits .. ("0"):rep(-scale), 0 end
   return digits, scale
end

local function parse(text)
   local minus, whole, rest = text:match "^(-?)(%d+)(.*)$"
   if not whole then return nil end
   local fraction, exponent = rest:match "^%.(%d+)(.*)$"
   fraction, exponent = fraction or "", fraction and exponent or rest
   local power = exponent == "" and 0 or tonumber(exponent:match "^[eE]([+-]?%d+)$")
   if not power then return nil end
   local digits, scale = settle((whole .. fraction):match "^0*(.*)$",
      #fraction - power)
   if not digits then return nil end
   local high, low = magnitude_of(digits)
   return high and signed(high, low, minus == "-", scale)
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

local function operand(x, what)
   local value = decimal.of(x)
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

local function digits_of(x)
   local high, low = magnitude(x)
   if high == 0 then return (tostring(low):gsub("ULL$", "")) end
   local parts = {}
   while high ~= 0 or low ~= 0 do
      local rest
      high, low, rest = divide(high, low, 1000000000ULL)
      table.insert(parts, 1, ("%09d"):format(tonumber(rest)))
   end
   return (table.concat(parts):gsub("^0+", ""))
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
   return tonumber(tostring(self))
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
   __tostring = function(x)
      local digits, scale = digits_of(x), x.scale
      if #digits <= scale then digits = ("0"):rep(scale + 1 - #digits) .. digits end
      local minus = x.high < 0 and "-" or ""
      if scale == 0 then return minus .. digits end
      return ("%s%s.%s"):format(minus, digits:sub(1, -scale - 1), digits:sub(-scale))
   end,
})

--- Make a decimal of the words of a column.
-- @tparam cdata low uint64
-- @tparam cdata high int64
-- @tparam integer scale
-- @treturn cdata
decimal.new = new

return decimal
