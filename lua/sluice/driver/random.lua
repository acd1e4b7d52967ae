--- Random numbers of a generator's row: the same for the same (seed, i), on every
-- machine. Source: splitmix64, Steele, Lea, Flood 2014, "Fast splittable pseudorandom
-- number generators".
-- @module sluice.driver.random

local bit = require "bit"
local ffi = require "ffi"

local driver_random = {}

local bxor, rshift = bit.bxor, bit.rshift

local STEP = 0x9e3779b97f4a7c15ULL

local function mix(z)
   z = bxor(z, rshift(z, 30)) * 0xbf58476d1ce4e5b9ULL
   z = bxor(z, rshift(z, 27)) * 0x94d049bb133111ebULL
   return (bxor(z, rshift(z, 31))) -- no tail call: see row.lua
end

--- Make a source of random numbers.
-- @tparam integer seed
-- @treturn function random as math.random: `()` in [0, 1), `(n)` in 1..n, `(a, b)` in
--  a..b
-- @treturn function (i) to begin row i
function driver_random.new(seed)
   local state = ffi.new "uint64_t[1]"
   local function word(x) return (ffi.cast("uint64_t", ffi.cast("int64_t", x))) end
   local start = mix(word(seed) + STEP)
   local function next_double()
      state[0] = state[0] + STEP
      return tonumber(rshift(mix(state[0]), 11)) * 2 ^ -53
   end
   local function random(low, high)
      local x = next_double()
      if low == nil then return x end
      if high == nil then low, high = 1, low end
      if low > high then error("random: the interval is empty", 2) end
      return math.floor(x * (high - low + 1)) + low
   end
   local function reseed(i)
      state[0] = mix(bxor(start, word(i)))
   end
   return random, reseed
end

return driver_random
