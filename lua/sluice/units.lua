--- Durations and sizes as scripts write them: "10 minutes", "64 MiB", or plain numbers.
-- @module sluice.units

local units = {}

local YEAR_MS = 365 * 86400000
--- Longest duration that is taken, ms: a thousand years, far from where sums of times
-- lose exactness.
units.LONGEST_MS = 1000 * YEAR_MS

local DURATIONS = {
   ms = 1, millisecond = 1, second = 1000, s = 1000, minute = 60000, min = 60000,
   hour = 3600000, h = 3600000, day = 86400000, d = 86400000, week = 604800000,
}
local SIZES = {
   b = 1, byte = 1, kib = 1024, mib = 1048576, gib = 1073741824, tib = 1099511627776,
   kb = 1000, mb = 1000000, gb = 1000000000, tb = 1000000000000,
}

local function parse(text, factors)
   local number, unit = text:match("^%s*(-?%d+%.?%d*)%s*(%a*)%s*$")
   if not number then return nil end
   unit = unit:lower()
   local factor = factors[unit] or factors[unit:gsub("s$", "")]
   return factor and tonumber(number) * factor
end

local function read(value, factors)
   local number = value
   if type(value) == "string" then number = parse(value, factors) end
   if type(number) ~= "number" or number % 1 ~= 0 then return nil end
   return number
end

--- Milliseconds of a duration.
-- @tparam string|number value "30 seconds", "500 ms", "7 days", or milliseconds
-- @treturn ?integer ms; nil when it is none, text without a unit, not a whole number of
--   ms, or beyond a thousand years
-- @usage units.duration "10 minutes" --> 600000
function units.duration(value)
   local ms = read(value, DURATIONS)
   if ms and math.abs(ms) <= units.LONGEST_MS then return ms end
end

--- Bytes of a size.
-- @tparam string|number value "64 MiB", "10 kB", or bytes
-- @treturn ?integer bytes; nil when it is none or not a whole number of bytes
-- @usage units.size "64 MiB" --> 67108864
function units.size(value)
   return read(value, SIZES)
end

--- A size in the largest binary unit that divides it.
-- @tparam integer bytes
-- @treturn string
-- @usage units.say_size(16777216) --> "16 MiB"
function units.say_size(bytes)
   for _, unit in ipairs { "GiB", "MiB", "KiB" } do
      local factor = SIZES[unit:lower()]
      if bytes ~= 0 and bytes % factor == 0 then
         return ("%d %s"):format(bytes / factor, unit)
      end
   end
   return ("%d bytes"):format(bytes)
end

local SPOKEN = { { 604800000, "week" }, { 86400000, "day" }, { 3600000, "hour" },
   { 60000, "minute" }, { 1000, "second" } }

--- A duration in the largest unit that divides it.
-- @tparam integer ms
-- @treturn string
-- @usage units.say(90000) --> "90 seconds"
function units.say(ms)
   for _, entry in ipairs(SPOKEN) do
      local factor, name = entry[1], entry[2]
      if ms ~= 0 and ms % factor == 0 then
         local count = ms / factor
         return ("%d %s%s"):format(count, name, count == 1 and "" or "s")
      end
   end
   return ("%d ms"):format(ms)
end

-- Days since 1970-01-01: Hinnant, "chrono-Compatible Low-Level Date Algorithms",
-- days_from_civil.
local function days_from_civil(year, month, day)
   local y = month <= 2 and year - 1 or year
   local era = math.floor(y / 400)
   local year_of_era = y - era * 400
   local day_of_year = math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1
   local day_of_era = year_of_era * 365 + math.floor(year_of_era / 4)
      - math.floor(year_of_era / 100) + day_of_year
   return era * 146097 + day_of_era - 719468
end

--- A date as days since 1970-01-01.
-- @tparam string text "2024-05-01"
-- @treturn ?integer nil: there is no such day
-- @usage units.date "2024-05-01" --> 19844
function units.date(text)
   local year, month, day = text:match "^(%d%d%d%d)%-(%d%d)%-(%d%d)$"
   if not year then return nil end
   year, month, day = tonumber(year), tonumber(month), tonumber(day)
   if month < 1 or month > 12 or day < 1 then return nil end
   local days = days_from_civil(year, month, day)
   local next_year = month == 12 and year + 1 or year
   return days < days_from_civil(next_year, month % 12 + 1, 1) and days or nil
end

--- The inverse, for years 0 to 9999.
-- @tparam integer days since 1970-01-01
-- @treturn string
function units.date_text(days)
   local shifted = days + 719468
   local era = math.floor(shifted / 146097)
   local of_era = shifted - era * 146097
   local leaps = math.floor(of_era / 1460) - math.floor(of_era / 36524)
      + math.floor(of_era / 146096)
   local year = math.floor((of_era - leaps) / 365)
   local of_year = of_era - (365 * year + math.floor(year / 4) - math.floor(year / 100))
   local march = math.floor((5 * of_year + 2) / 153)
   local month = march < 10 and march + 3 or march - 9
   return ("%04d-%02d-%02d"):format(year + era * 400 + (month <= 2 and 1 or 0), month,
      of_year - math.floor((153 * march + 2) / 5) + 1)
end

--- Date and time of RFC 3339 as Unix ms.
-- @tparam string text "2024-05-01T12:30:00Z", "2024-05-01T12:30:00.250+02:00",
--   "2024-05-01"
-- @treturn ?integer Unix ms
function units.time(text)
   local year, month, day, rest = text:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)(.*)$")
   if not year then return nil end
   year, month, day = tonumber(year), tonumber(month), tonumber(day)
   if month < 1 or month > 12 or day < 1 or day > 31 then return nil end
   local clock_ms = units.clock(rest)
   if not clock_ms then return nil end
   return days_from_civil(year, month, day) * 86400000 + clock_ms
end

--- The time of day of RFC 3339, zone taken off.
-- @tparam string text "T12:30:00.5Z", "T12:30:00+02:00", or "" for midnight UTC
-- @treturn ?integer ms since midnight UTC
function units.clock(text)
   if text == "" then return 0 end
   local hour, minute, second, part, zone =
      text:match("^[Tt ](%d%d):(%d%d):(%d%d)(%.?%d*)(.*)$")
   if not hour or tonumber(hour) > 23 or tonumber(minute) > 59
      or tonumber(second) > 59 then
      return nil
   end
   local ms = (hour * 3600 + minute * 60 + second) * 1000
      + math.floor((tonumber("0" .. part) or 0) * 1000)
   if zone == "Z" or zone == "z" then return ms end
   local sign, zone_hour, zone_minute = zone:match("^([+-])(%d%d):(%d%d)$")
   if not sign then return nil end
   local shift = (zone_hour * 60 + zone_minute) * 60000
   return sign == "+" and ms - shift or ms + shift
end

return units
