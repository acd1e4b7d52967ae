--- Magnitudes of decimals: 128 bits as two uint64, the high word first.
-- @module sluice.decimal.words

local bit = require "bit"
local ffi = require "ffi"

local words = {}

local band, bor, lshift, rshift = bit.band, bit.bor, bit.lshift, bit.rshift

--- Most digits.
words.DIGITS = 38

local LOW_HALF = 0xffffffffULL
-- 10^38
local LIMIT_HIGH, LIMIT_LOW = 0x4b3b4ca85a86c47aULL, 0x098a224000000000ULL
-- Half of 64 bits: products of what lies below fit.
local SMALL = 0x7fffffffULL

-- Multiply two words: Knuth, TAOCP 2, 4.3.1, by halves.
local function mul_words(a, b)
   local a0, a1 = band(a, LOW_HALF), rshift(a, 32)
   local b0, b1 = band(b, LOW_HALF), rshift(b, 32)
   local p00, p01, p10 = a0 * b0, a0 * b1, a1 * b0
   local middle = rshift(p00, 32) + band(p01, LOW_HALF) + band(p10, LOW_HALF)
   return a1 * b1 + rshift(p01, 32) + rshift(p10, 32) + rshift(middle, 32),
      bor(band(p00, LOW_HALF), lshift(middle, 32))
end

--- Tell whether a magnitude has at most 38 digits.
-- @tparam cdata high uint64
-- @tparam cdata low uint64
-- @treturn boolean
function words.fits(high, low)
   return high < LIMIT_HIGH or (high == LIMIT_HIGH and low < LIMIT_LOW)
end

--- Multiply two magnitudes.
-- @tparam cdata a_high uint64
-- @tparam cdata a_low uint64
-- @tparam cdata b_high uint64
-- @tparam cdata b_low uint64
-- @treturn ?cdata high word; nil: the product has more than 38 digits
-- @treturn ?cdata low word
function words.mul(a_high, a_low, b_high, b_low)
   if a_high == 0 and b_high == 0 and a_low <= SMALL and b_low <= SMALL then
      return 0ULL, a_low * b_low
   end
   if a_high ~= 0 and b_high ~= 0 then return nil end
   local high, low = mul_words(a_low, b_low)
   local over, cross = mul_words(a_high + b_high, a_high ~= 0 and b_low or a_low)
   local sum = high + cross
   if over ~= 0 or sum < high or not words.fits(sum, low) then return nil end
   return sum, low
end

--- Divide a magnitude.
-- @tparam cdata high uint64
-- @tparam cdata low uint64
-- @tparam cdata by uint64 below 2^32
-- @treturn cdata high word of the quotient
-- @treturn cdata its low word
-- @treturn cdata rest
function words.divide(high, low, by)
   local rest = high % by
   local middle = bor(lshift(rest, 32), rshift(low, 32))
   local last = bor(lshift(middle % by, 32), band(low, LOW_HALF))
   return high / by, bor(lshift(middle / by, 32), last / by), last % by
end

local POWER_HIGH, POWER_LOW = ffi.new "uint64_t[39]", ffi.new "uint64_t[39]"
POWER_LOW[0] = 1
for k = 1, words.DIGITS do
   local high, low = mul_words(POWER_LOW[k - 1], 10ULL)
   POWER_HIGH[k], POWER_LOW[k] = POWER_HIGH[k - 1] * 10 + high, low
end

--- Powers of ten, by their exponent: high words and low words.
words.POWER_HIGH, words.POWER_LOW = POWER_HIGH, POWER_LOW

-- Up to 19 digits.
local function word_of(digits)
   local head = #digits - 15
   if head <= 0 then return ffi.cast("uint64_t", tonumber(digits) or 0) end
   return ffi.cast("uint64_t", tonumber(digits:sub(1, head))) * 1000000000000000ULL
      + ffi.cast("uint64_t", tonumber(digits:sub(head + 1)))
end

-- Digits without leading zeros as a magnitude; nil: more than 38.
local function magnitude_of(digits)
   if #digits > words.DIGITS then return nil end
   local head = #digits - 19
   if head <= 0 then return 0ULL, word_of(digits) end
   local high, low = mul_words(word_of(digits:sub(1, head)), 10000000000000000000ULL)
   local sum = low + word_of(digits:sub(head + 1))
   return sum < low and high + 1ULL or high, sum
end

-- Digits and their scale brought to a scale of 0 to 38; nil: it cannot be.
local function settle(digits, scale)
   if digits == "" then return "", math.max(0, math.min(scale, words.DIGITS)) end
   local zeros = #digits:match "0*$"
   local spare = math.min(zeros, math.max(0, scale - words.DIGITS))
   digits, scale = digits:sub(1, #digits - spare), scale - spare
   if scale > words.DIGITS or #digits - math.min(scale, 0) > words.DIGITS then
      return nil
   end
   if scale < 0 then return digits .. ("0"):rep(-scale), 0 end
   return digits, scale
end

--- Read a number as JSON writes it.
-- @tparam string text
-- @treturn ?cdata high word of its magnitude; nil: it is none, or has more than 38 digits
-- @treturn ?cdata low word
-- @treturn ?integer scale, 0 to 38
-- @treturn ?boolean it is negative
function words.parse(text)
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
   return high, low, scale, minus == "-"
end

return words
