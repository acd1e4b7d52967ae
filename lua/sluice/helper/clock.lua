--- What `sluice.time` is told beside times: zones, formats, units. What is wrong with one
-- is found once: a record more with the same mistake costs no search.
-- @module sluice.helper.clock

local ffi = require "ffi"

local binary = require "sluice.helper.binary"
local nearest = require "sluice.nearest"
local options = require "sluice.options"
local units = require "sluice.units"

local clock = {}

local DATABASE = "/usr/share/zoneinfo/tzdata.zi"
-- So many wrong names are remembered, and told with what is near: others may come from
-- data, and are only refused.
local MOST_REFUSED = 64
local MOST_SHOWN = 60

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

local zones, refused, refused_count = {}, {}, 0

local function refuse_zone(name)
   if refused_count == MOST_REFUSED then return ("unknown zone %q"):format(name) end
   local near = nearest.find(name, zone_names())
   refused_count = refused_count + 1
   refused[name] = ("unknown zone %q%s"):format(name,
      near and (": did you mean %q?"):format(near)
      or ", wanted a name as \"Europe/Berlin\"")
   return refused[name]
end

--- Zones by name, those that were asked for; `false` (no zone said) is UTC. See `zone`.
clock.zones = zones

--- Load a zone.
-- @tparam ?string name "Europe/Berlin"; UTC when absent
-- @treturn ?cdata zone, owned here
-- @treturn ?string why there is none
function clock.zone(name)
   local text = name or "UTC"
   if zones[name or false] then return zones[name or false] end
   if type(text) ~= "string" then
      return nil, ("a zone is %s, wanted a name as \"Europe/Berlin\"")
         :format(options.show(name))
   end
   if refused[text] then return nil, refused[text] end
   local found = binary.sl_zone_new(text, #text)
   if found == nil then return nil, refuse_zone(text) end
   zones[name or false] = ffi.gc(found, binary.sl_zone_free)
   return zones[name or false]
end

-- Java's letters, which Spark and Flink take; longer ones first.
local LETTERS = { { "'([^']*)'", "%1" }, { "yyyy", "%%Y" }, { "yy", "%%y" },
   { "MMM+", "%%b" }, { "MM", "%%m" }, { "dd", "%%d" }, { "HH", "%%H" },
   { "hh", "%%I" }, { "mm", "%%M" }, { "ss%.SSS", "%%E3S" }, { "ss", "%%S" },
   { "XX" .. "X", "%%Ez" }, { "EEE+", "%%a" } }

local function with_signs(format)
   local made = format
   for _, entry in ipairs(LETTERS) do made = made:gsub(entry[1], entry[2]) end
   return made:find("%", 1, true) and made or nil
end

local CODES = "%Y year, %m month, %d day, %H hour, %M minute, %S second, %E3S the same "
   .. "with ms, %Ez offset"

local formats, format_count = {}, 0

--- Formats that are known to be good. See `format_problem`.
clock.formats = formats

local no_code, no_code_count = {}, 0

local function is_zone(name)
   local found = binary.sl_zone_new(name, #name)
   if found == nil then return false end
   binary.sl_zone_free(found)
   return true
end

local function refuse_format(format)
   local shown = format:sub(1, MOST_SHOWN)
   if no_code_count == MOST_REFUSED then
      return ("the format %q has no %%"):format(shown)
   end
   no_code_count = no_code_count + 1
   local signs = with_signs(shown)
   no_code[format] = is_zone(format)
      and ("the format is %q: a zone comes behind it, nil stands for no format")
         :format(shown)
      or ("the format %q has no %%, so nothing of a time is in it: write %s (%s)")
         :format(shown, signs and ("%q"):format(signs) or "as in \"%Y-%m-%d\"", CODES)
   return no_code[format]
end

--- Say what is wrong with a format.
-- @param format as given
-- @treturn ?string nil: it is good
function clock.format_problem(format)
   if type(format) ~= "string" then
      return ("a format is %s, wanted text as \"%%Y-%%m-%%d\""):format(
         options.show(format))
   end
   if format:find("%", 1, true) then
      if format_count < 1000 then
         format_count = format_count + 1
         formats[format] = true
      end
      return nil
   end
   return no_code[format] or refuse_format(format)
end

local WORDS = { hour = "1 hour", minute = "1 minute", second = "1 second" }

--- Durations by their text, those that were asked for. See `span`.
clock.spans = {}

--- Words for spans of the calendar, which are no durations.
clock.CALENDAR = { day = true, week = true, month = true, quarter = true, year = true }

--- Length of a unit.
-- @param unit a word or a duration
-- @treturn ?number ms
-- @treturn ?string why it is none
function clock.span(unit)
   local ms = units.duration(WORDS[unit] or unit)
   if ms and ms > 0 then
      clock.spans[unit] = ms
      return ms
   end
   local near = type(unit) == "string" and nearest.find(unit,
      { "day", "week", "month", "quarter", "year", "hour", "minute", "second" })
   return nil, ("the unit is %s, wanted second, minute, hour, day, week, month, quarter, "
      .. "year or a duration as \"15 minutes\"%s"):format(options.show(unit),
      near and (": did you mean %q?"):format(near) or "")
end

return clock
