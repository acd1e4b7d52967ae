-- Arithmetic: doubles, int64, decimals, times, bits.
local sluice = require "sluice"
local shapes = require "shapes"

local derive, filter = shapes.derive, shapes.filter

local function price(fn)
   return derive(function(f) return sluice.decimal(f, 18, 4) end, fn)
end

local floor, max, min, sqrt = math.floor, math.max, math.min, math.sqrt
local FIFTY = sluice.decimal.of "50.00"
local RAD = math.pi / 180

local function haversine(lat1, lon1, lat2, lon2)
   local s1, s2 = math.sin((lat2 - lat1) * RAD / 2), math.sin((lon2 - lon1) * RAD / 2)
   local h = s1 * s1 + math.cos(lat1 * RAD) * math.cos(lat2 * RAD) * s2 * s2
   return 12742 * math.asin(sqrt(h))
end

return {
   { "a number in a range", filter(function(row)
      return row.amount and row.amount >= 10 and row.amount < 60
   end) },

   { "net of tax, null stays null", derive(sluice.double, function(row)
      return row.amount and row.amount * 0.81
   end) },

   { "default for null", derive(sluice.double, function(row)
      return (row.amount or 5) * 2
   end) },

   { "clamped", derive(sluice.double, function(row)
      return max(0, min(50, row.amount or 0))
   end) },

   { "haversine", derive(sluice.double, function(row)
      return haversine(row.lat, row.lon, 52.52, 13.405)
   end) },

   { "rounded to cents", derive(sluice.double, function(row)
      return floor((row.amount or 0) * 100 + 0.5) / 100
   end) },

   { "powers, logs, remainders", derive(sluice.double, function(row)
      local x = (row.amount or 0) + 1
      return math.log(x) + math.exp(-x) + x ^ 1.5 + x % 3 + math.abs(x - 20)
   end) },

   { "fmod", derive(sluice.double, function(row)
      return math.fmod(row.id, 7) -- told: math.fmod
   end) },

   { "modf", derive(sluice.double, function(row)
      local whole, part = math.modf((row.amount or 0) / 3) -- told: math.modf
      return whole - part
   end) },

   { "frexp", derive(sluice.double, function(row)
      local _, exponent = math.frexp(row.id) -- told: math.frexp
      return exponent
   end) },

   { "bits", derive(sluice.int32, function(row)
      return bit.bxor(bit.band(row.id, 0xff), bit.lshift(row.id % 8, 3),
         bit.rshift(row.id, 2))
   end) },

   { "hex of bits", derive(sluice.string, function(row)
      return bit.tohex(bit.bnot(row.id))
   end) },

   { "bucket of a hash", derive(sluice.int32, function(row)
      return tonumber(sluice.hash.xxh3(row.user) % 16)
   end) },

   { "int64 sums", derive(sluice.int64, function(row)
      return (row.serial * 3 + 1LL) % 1000000007LL
   end) },

   { "int64 comparison", filter(function(row)
      return row.serial % 3 == 0 and row.serial > 4611686018427387904LL
   end) },

   { "int64 as text", derive(sluice.string, function(row)
      return tostring(row.serial)
   end) },

   { "int64 as text by format", derive(sluice.string, function(row)
      return ("%d"):format(row.serial)
   end) },

   { "int64 to a number", derive(sluice.double, function(row)
      return tonumber(row.serial / 1024)
   end) },

   { "int64 bits", derive(sluice.int64, function(row)
      return bit.band(bit.rshift(row.serial, 3), 0xffffLL)
   end) },

   { "decimal times a rate", price(function(row) return row.price * "1.19" end) },

   { "decimal rounded", price(function(row)
      return (row.price * "0.333" + "0.01"):round(2)
   end) },

   { "decimal compared", filter(function(row) return row.price > FIFTY end) },

   { "decimal as text", derive(sluice.string, function(row)
      return tostring(row.price)
   end) },

   { "decimal as a number", derive(sluice.double, function(row)
      return row.price:tonumber() / 3
   end) },

   { "hour of the day", derive(sluice.int32, function(row)
      return floor(row.at / 3600000) % 24
   end) },

   { "floor to a quarter of an hour", derive(sluice.timestamp, function(row)
      return sluice.time.floor(row.at, "15 minutes")
   end) },

   { "day in a zone", derive(sluice.string, function(row)
      return sluice.time.format(sluice.time.floor(row.at, "day", "Europe/Berlin"),
         "%Y-%m-%d")
   end) },

   { "a time from its parts", derive(sluice.timestamp, function(row)
      return sluice.time.parse("2026-05-" .. ("%02d"):format(row.id % 28 + 1))
   end) },

   { "days between dates", derive(sluice.int32, function(row)
      return row.day - sluice.time.days "2026-01-01"
   end) },

   { "random sample", filter(function(row) return sluice.random(row) < 0.25 end) },

   { "math.random", derive(sluice.int32, function() return math.random(6) end) },
}
