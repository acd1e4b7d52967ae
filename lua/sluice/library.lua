--- Events that come with the library, to try pipelines on: rides, clicks, Nexmark. The
-- same for the same seed and options.
--
-- Each module gives `fields()`, `time` (its field of event time, Unix ms), `required`
-- (the field that a bad row goes without) and `row(i, random, time_ms)`.
-- @module sluice.library

local library = {}

--- By name.
library.EVENTS = {
   rides = require "sluice.library.rides",
   clicks = require "sluice.library.clicks",
   nexmark = require "sluice.library.nexmark",
}

local EPOCH_MS = 1704067200000 -- 2024-01-01T00:00:00Z
local PACE = 100
local DISORDER_MS, LATE_MS = 400, 60000

--- What stands where an option is not given.
library.DEFAULTS = { start = EPOCH_MS, pace = PACE, disorder = DISORDER_MS, late = 0,
   late_by = LATE_MS, bad = 0 }

--- The function that makes rows of a kind.
-- @tparam string name one of `EVENTS`
-- @tparam table options `start` (Unix ms of the first), `pace` (events a second of event
--   time), `disorder` (ms, most that one lies behind), `late` (share of those that lie
--   `late_by` ms further behind), `bad` (share of those without a required field)
-- @treturn function(i, random) → table
-- @usage local row = library.rows("rides", library.DEFAULTS)
function library.rows(name, options)
   local of = library.EVENTS[name]
   local make, required = of.row, of.required
   local start, step_ms = options.start, 1000 / options.pace
   local disorder, late_by = options.disorder, options.late_by
   local late, bad = options.late, options.bad
   local floor = math.floor
   return function(i, random)
      local time_ms = start + floor(i * step_ms)
      if disorder > 0 then time_ms = time_ms - random(0, disorder) end
      if late > 0 and random() < late then time_ms = time_ms - late_by end
      local is_bad = bad > 0 and random() < bad
      local row = make(i, random, time_ms)
      if is_bad then row[required] = nil end
      return row
   end
end

return library
