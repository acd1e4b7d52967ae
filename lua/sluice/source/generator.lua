--- A function as a source: row i is what it returns for i; or events of the library.
-- @module sluice.source.generator

local library = require "sluice.library"
local limits = require "sluice.source.limits"
local options = require "sluice.options"
local tables = require "sluice.tables"
local units = require "sluice.units"

local generator = {}

--- The option without which it is no source.
generator.required, generator.instead = "row", "events"

local NAMES = tables.keys(library.EVENTS)

local EVENTS = options.checker('"' .. table.concat(NAMES, '", "') .. '"', function(value)
   return library.EVENTS[value] and value or nil
end)

local TIME = options.checker('a time ("2024-05-01T00:00:00Z", or Unix ms)',
   function(value)
   local ms = type(value) == "string" and (units.time(value) or tonumber(value)) or value
   return type(ms) == "number" and ms % 1 == 0 and ms or nil
end)

-- Options that only the library's events take.
local OF_EVENTS = { "start", "pace", "disorder", "late", "late_by", "bad" }

--- Options by name.
generator.options = options.merge(limits.options, {
   row = {
      check = options.fn "a function(i, random) that returns a row",
      doc = "makes row i, from 0",
      about = "access",
      risk = "made up: no real data",
   },
   events = { check = EVENTS,
      doc = "instead of `row` and `:rows`: events that come with the library, with their "
         .. "schema",
      about = "access",
      risk = "made up: no real data",
   },
   start = { check = TIME, doc = "of `events`: when the first happened; 2024-01-01",
      about = "correctness",
      risk = "far from now: results are of that time",
   },
   pace = { check = options.number(0.001, 1000000),
      doc = "of `events`: how many happened a second; `rate`, else 100",
      about = "correctness",
      risk = "more: fewer windows for as many events",
   },
   disorder = { check = options.duration(0),
      doc = "of `events`: up to how far one lies behind its place; 400 ms",
      about = "correctness",
      risk = "beyond `delay` events are late",
   },
   late = { check = options.number(0, 1),
      doc = "of `events`: share of those that are late",
      about = "correctness",
      risk = "what is late for all its windows is in no result",
   },
   late_by = { check = options.duration(0),
      doc = "of `events`: how late these are; 1 minute",
      about = "correctness",
      risk = "below `delay` they are in time",
   },
   bad = { check = options.number(0, 1),
      doc = "of `events`: share of those without a field that is required",
      about = "correctness",
      risk = "bad records go to the quarantine; above `max_bad_share` a batch fails",
   },
   rate = {
      check = options.number(0, math.huge, true),
      doc = "rows a second; else as fast as it goes",
      about = "latency",
      risk = "without it rows come as fast as the pipeline takes them",
   },
   count = { check = options.integer(0), doc = "how many rows; else without end",
      about = "access",
      risk = "without it the source never ends, and its last windows never close",
   },
   seed = {
      check = options.integer(0), default = 1, doc = "of `random`, together with i",
      about = "correctness",
      risk = "another seed gives other rows",
   },
})

--- How the plan calls it.
-- @treturn string
function generator.name(values)
   return values and values.events or "generator"
end

--- The function that makes rows.
-- @tparam table values checked options
-- @treturn ?function (i, random) → row
function generator.rows(values)
   if not values.events then return values.row end
   local given, defaults = {}, library.DEFAULTS
   for _, name in ipairs(OF_EVENTS) do
      given[name] = values[name] == nil and defaults[name] or values[name]
   end
   given.pace = values.pace or values.rate or defaults.pace
   return library.rows(values.events, given)
end

--- Say what is wrong between options.
-- @tparam table values checked options
-- @treturn ?string a message
function generator.conflict(values)
   if values.row and values.events then
      return "`row` and `events` are given: write one of them"
   end
   for _, name in ipairs(OF_EVENTS) do
      if values.row and values[name] then
         return ("`%s` is of the library's `events`: a `row` function says it itself")
            :format(name)
      end
   end
   return limits.conflict(values)
end

--- Options as they go into the plan.
-- @tparam table values checked options
-- @treturn table with every default, without the function
function generator.fill(values)
   local filled = options.filled(generator.options, values)
   filled.row = nil
   if values.events and not values.pace then
      filled.pace = values.rate or library.DEFAULTS.pace
   end
   limits.fill(filled)
   return filled
end

--- Say whether it ends by itself.
-- @tparam table values checked options
-- @treturn boolean
function generator.is_bounded(values)
   return values.count ~= nil
end

return generator
