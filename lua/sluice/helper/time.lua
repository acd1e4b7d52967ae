--- `sluice.time`: times as text and by the calendar, in zones of the system's database
-- ("UTC" unless said, "Europe/Berlin"). Times are Unix ms; nil gives nil.
-- @module sluice.time

local ffi = require "ffi"

local binary = require "sluice.helper.binary"
local clock = require "sluice.helper.clock"
local options = require "sluice.options"
local place = require "sluice.place"

local time = {}

local ROOM = 512
local BUFFER = ffi.new("char[?]", ROOM)

local zones, formats, spans = clock.zones, clock.formats, clock.spans

-- Raised at the line of the script that calls, where a tail call has not hidden it.
local function refuse(name, given, wanted)
   place.fail(nil, "sluice.time.%s: got %s, wanted %s", name, options.show(given), wanted)
end

local function zone_of(name, given)
   local known = zones[given or false]
   if known then return known end
   local found, problem = clock.zone(given)
   if not found then place.fail(nil, "sluice.time.%s: %s", name, problem) end
   return found
end

local function check_format(name, format)
   local problem = clock.format_problem(format)
   if problem then place.fail(nil, "sluice.time.%s: %s", name, problem) end
end

local function span_of(unit)
   local ms, problem = clock.span(unit)
   if not ms then place.fail(nil, "sluice.time.floor: %s", problem) end
   return ms
end

local UNITS = {
   day = ffi.C.SL_FLOOR_DAY, week = ffi.C.SL_FLOOR_WEEK, month = ffi.C.SL_FLOOR_MONTH,
   quarter = ffi.C.SL_FLOOR_QUARTER, year = ffi.C.SL_FLOOR_YEAR,
}
local SPAN = ffi.C.SL_FLOOR_SPAN

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
      local span = spans[unit] or span_of(unit)
      if zone == nil then return ms - ms % span end
      return (binary.sl_time_floor(zone_of("floor", zone), ms, SPAN, span))
   end
   return (binary.sl_time_floor(zone_of("floor", zone), ms, calendar, 0))
end

--- Read a time. Without a format: RFC 3339, also without an offset, or a date alone.
-- @tparam ?string text
-- @tparam ?string format as strftime: `%Y` year, `%m` month, `%d` day, `%b` its name
--   (May), `%H` hour, `%I` and `%p` of twelve, `%M` minute, `%S` second, `%E*S` with its
--   parts, `%z` an offset as +0200, `%Ez` as +02:00
-- @tparam ?string zone of texts that say no offset; UTC unless said
-- @treturn ?integer Unix ms; nil for text that is no such time: nothing is thrown
-- @usage local at = sluice.time.parse(row.at, "%d/%b/%Y:%H:%M:%S %z")
function time.parse(text, format, zone)
   if text == nil then return nil end
   if type(text) ~= "string" then refuse("parse", text, "text") end
   if format ~= nil and not formats[format] then check_format("parse", format) end
   local ms = binary.sl_time_parse(zone_of("parse", zone), text, #text, format,
      #(format or ""))
   if ms ~= ms then return nil end
   return ms
end

--- Write a time. Without a format: RFC 3339 with ms, 2024-05-01T12:30:00.000Z.
-- @tparam ?number ms Unix ms
-- @tparam ?string format as strftime, see `parse`; `%a` day of the week, `%j` of the
--   year, `%E3S` seconds with ms
-- @tparam ?string zone UTC unless said
-- @treturn ?string
-- @usage local hour = sluice.time.format(row.at, "%Y-%m-%d %H", "America/New_York")
function time.format(ms, format, zone)
   if ms == nil then return nil end
   if type(ms) ~= "number" then refuse("format", ms, "Unix ms") end
   if format ~= nil and not formats[format] then check_format("format", format) end
   local len = binary.sl_time_format(zone_of("format", zone), ms, format,
      #(format or ""), BUFFER, ROOM)
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
