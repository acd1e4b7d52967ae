--- `sluice.time`: times as text and by the calendar, in zones of the system's database
-- ("UTC" unless said, "Europe/Berlin"). Times are Unix ms; nil gives nil.
-- @module sluice.time

local ffi = require "ffi"

local binary = require "sluice.helper.binary"
local nearest = require "sluice.nearest"
local options = require "sluice.options"
local units = require "sluice.units"

local time = {}

local DATABASE = "/usr/share/zoneinfo/tzdata.zi"
local ROOM = 512
local BUFFER = ffi.new("char[?]", ROOM)

-- Names of all zones, for "did you mean" only.
local function zone_names()
   local names = {}
   local file = io.open(DATABASE)
   if not file then return names end
   for line in file:lines() do
      names[#names + 1] = line:match "^Z (%S+)" or line:match "^L %S+ (%S+)"
   end
   file:close()
   return names
end

local function unknown_zone(name)
   if type(name) ~= "string" then
      error(("sluice.time: a zone is %s, wanted a name as \"Europe/Berlin\"")
         :format(options.show(name)), 4)
   end
   local near = nearest.find(name, zone_names())
   local hint = near and (": did you mean %q?"):format(near)
      or ", wanted a name as \"Europe/Berlin\""
   error(("sluice.time: unknown zone %q%s"):format(name, hint), 4)
end

-- By name; `false` (no zone said) is UTC.
local zones = {}

local function zone_of(name)
   local known = zones[name or false]
   if known then return known end
   local text = name or "UTC"
   local found = type(text) == "string" and binary.sl_zone_new(text, #text) or nil
   if found == nil then unknown_zone(name) end
   zones[name or false] = ffi.gc(found, binary.sl_zone_free)
   return zones[name or false]
end

local function refuse(name, given, wanted)
   error(("sluice.time.%s: got %s, wanted %s"):format(name, options.show(given),
      wanted), 3)
end

local UNITS = {
   day = ffi.C.SL_FLOOR_DAY, week = ffi.C.SL_FLOOR_WEEK, month = ffi.C.SL_FLOOR_MONTH,
   quarter = ffi.C.SL_FLOOR_QUARTER, year = ffi.C.SL_FLOOR_YEAR,
}
local WORDS = { hour = "1 hour", minute = "1 minute", second = "1 second" }
local SPAN = ffi.C.SL_FLOOR_SPAN

-- Durations by their text, as scripts write them.
local spans = {}

local function learn_span(unit)
   local ms = units.duration(WORDS[unit] or unit)
   if not ms or ms <= 0 then
      local near = type(unit) == "string"
         and nearest.find(unit, { "day", "week", "month", "quarter", "year", "hour",
            "minute", "second" })
      error(("sluice.time.floor: the unit is %s, wanted second, minute, hour, day, week, "
         .. "month, quarter, year or a duration as \"15 minutes\"%s"):format(
         options.show(unit), near and (": did you mean %q?"):format(near) or ""), 3)
   end
   spans[unit] = ms
   return ms
end

--- The beginning of the day, week (from Monday), month, quarter, year, hour, minute,
-- second or duration in which a time lies, by the clocks of a zone.
-- @tparam ?number ms Unix ms
-- @tparam string unit a word above, or a duration as "15 minutes", counted from midnight
--   of 1970-01-01 on the zone's clocks
-- @tparam ?string zone UTC unless said
-- @treturn ?integer Unix ms
-- @usage local day = sluice.time.floor(row.at, "day", "Europe/Berlin")
function time.floor(ms, unit, zone)
   if ms == nil then return nil end
   if type(ms) ~= "number" then refuse("floor", ms, "Unix ms") end
   local calendar = UNITS[unit]
   if not calendar then
      local span = spans[unit] or learn_span(unit)
      if zone == nil then return ms - ms % span end
      return (binary.sl_time_floor(zone_of(zone), ms, SPAN, span))
   end
   return (binary.sl_time_floor(zone_of(zone), ms, calendar, 0))
end

--- Read a time. Without a format: RFC 3339, also without an offset, or a date alone.
-- @tparam ?string text
-- @tparam ?string format as strftime: "%d.%m.%Y %H:%M"; `%E*S` reads parts of a second,
--   `%Ez` an offset
-- @tparam ?string zone of texts that say no offset; UTC unless said
-- @treturn ?integer Unix ms; nil for what is no such time
-- @usage local at = sluice.time.parse(row.at, "%d/%b/%Y:%H:%M:%S %z")
function time.parse(text, format, zone)
   if text == nil then return nil end
   if type(text) ~= "string" then refuse("parse", text, "text") end
   local ms = binary.sl_time_parse(zone_of(zone), text, #text, format, #(format or ""))
   if ms ~= ms then return nil end
   return ms
end

--- Write a time. Without a format: RFC 3339 with ms, 2024-05-01T12:30:00.000Z.
-- @tparam ?number ms Unix ms
-- @tparam ?string format as strftime; `%E3S` writes seconds with ms, `%Ez` the offset
-- @tparam ?string zone UTC unless said
-- @treturn ?string
-- @usage local hour = sluice.time.format(row.at, "%Y-%m-%d %H", "America/New_York")
function time.format(ms, format, zone)
   if ms == nil then return nil end
   if type(ms) ~= "number" then refuse("format", ms, "Unix ms") end
   local len = binary.sl_time_format(zone_of(zone), ms, format, #(format or ""), BUFFER,
      ROOM)
   if len < 0 then refuse("format", ms, "a time within 2^53 and a text of 512 bytes") end
   return (ffi.string(BUFFER, len))
end

--- Days from 1970-01-01 to a date, as date columns hold them.
-- @tparam ?string text "2024-05-01"
-- @treturn ?integer nil for what is no date
-- @usage local is_new = row.signed_up >= sluice.time.days "2024-05-01"
function time.days(text)
   if text == nil then return nil end
   if type(text) ~= "string" then refuse("days", text, "text") end
   local days = binary.sl_time_days(text, #text)
   if days ~= days then return nil end
   return days
end

return time
