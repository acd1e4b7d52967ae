--- Windows: `sluice.tumbling`, `hopping`, `cumulate`, `rolling`, `session`, `running`.
-- @module sluice.window

local nearest = require "sluice.nearest"
local options = require "sluice.options"
local place = require "sluice.place"
local risk = require "sluice.risk"
local units = require "sluice.units"

local window = {}

local Window = {}

local NAME = {
   name = {
      check = options.text(), doc = "of the state, where a pipeline has two aggregations",
      about = "access",
      risk = "state goes by it: renamed, it starts empty",
   },
}
local LATENESS = options.merge(NAME, {
   allowed_lateness = { check = options.duration(0), default = 0,
      doc = "how long after its end, by the watermark, a window still takes rows",
      about = "memory",
      risk = risk.lateness,
   },
})
local COMMON = options.merge(LATENESS, {
   size = { check = options.duration(1), doc = "how long a window is", needed = true,
      about = "latency",
      risk = "in mode append no result comes sooner than this",
   },
   offset = { check = options.duration(-units.LONGEST_MS), default = 0,
      doc = "moves the boundaries, which else start at the epoch",
      about = "correctness",
      risk = "readers must expect the same boundaries",
   },
})

local function every(doc, text)
   return options.merge(COMMON, {
      every = { check = options.duration(1), doc = doc, needed = true,
         about = "memory", risk = text },
   })
end

local FOREVER = -1

--- Options by kind of window.
window.OPTIONS = {
   tumbling = COMMON,
   hopping = every("how often a window begins",
      "shorter: more windows at a time for each key, and more results"),
   cumulate = every("how often a window that grows up to `size` gives a result",
      "shorter: more windows at a time for each key, and more results"),
   rolling = every("the step in which the window moves on",
      "shorter: more panes for each key, and more to merge for each result"),
   session = options.merge(LATENESS, {
      gap = { check = options.duration(1), needed = true,
         doc = "rows of a group no further apart are one session",
         about = "latency",
         risk = "a session's last result waits for as long; one that never pauses never "
            .. "ends",
      },
   }),
   running = options.merge(NAME, {
      retain = { check = options.duration_or({ forever = FOREVER }, 1), needed = true,
         doc = "how long after its last row, by the watermark, a group goes; "
            .. '"forever": never',
         about = "memory",
         risk = '"forever": state grows with every new group; a time: a group that comes '
            .. "again later starts anew",
      },
   }),
}

--- No window: every row of a group meets every other.
window.NONE = {
   kind = "none", size_ms = 0, every_ms = 0, offset_ms = 0, pane_ms = 0,
   allowed_lateness_ms = 0,
}

-- What each kind needs, and how the message shows it.
local NEEDED = {
   tumbling = { { "size", "1 minute" } },
   hopping = { { "size", "1 minute" }, { "every", "30 seconds" } },
   cumulate = { { "size", "1 day" }, { "every", "1 hour" } },
   rolling = { { "size", "1 hour" }, { "every", "1 minute" } },
   session = { { "gap", "30 minutes" } },
   running = { { "retain", "7 days" } },
}

-- Which bounds of a window stand in its rows' key.
local KEY_BOUNDS = { tumbling = 1, hopping = 1, cumulate = 2, session = 1 }
local UNBOUNDED = { none = true, running = true }
local STEPPED = { cumulate = true, rolling = true }

--- Whether rows of a kind of window have `window_start` and `window_end`.
-- @tparam string kind of window, or "none"
-- @treturn boolean
function window.has_bounds(kind)
   return not UNBOUNDED[kind]
end

--- How many of these bounds stand in the key of the rows: 0, 1 (the start) or 2.
-- @tparam string kind of window, or "none"
-- @treturn integer
function window.key_bounds(kind)
   return KEY_BOUNDS[kind] or 0
end

--- Whether nothing of a window depends on time: no event time is needed.
-- @tparam table of window of the graph
-- @treturn boolean
function window.is_timeless(of)
   return of.kind == "none" or of.kind == "running" and of.size_ms == FOREVER
end

--- Whether a group's state keeps the times of its first and last row.
-- @tparam table of window of the graph
-- @treturn boolean
function window.keeps_span(of)
   return of.kind == "session" or of.kind == "running"
end

local function greatest_divisor(a, b)
   while b ~= 0 do a, b = b, a % b end
   return a
end

--- Say what is wrong between options.
-- @tparam string kind of window
-- @tparam table values checked options
-- @treturn ?string a message
function window.conflict(kind, values)
   for _, needed in ipairs(NEEDED[kind]) do
      local name, example = needed[1], needed[2]
      if not values[name] then
         return ("give `%s`, as in %s = %q"):format(name, name, example)
            .. (kind == "running" and ', or say that groups stay: retain = "forever"'
            or "")
      end
   end
   if not values.every then return nil end
   if values.every > values.size then
      return ("`every` (%s) is longer than `size` (%s)%s")
         :format(units.say(values.every), units.say(values.size), kind == "hopping"
         and ": rows between two windows would be lost" or "")
   end
   if STEPPED[kind] and values.size % values.every ~= 0 then
      return ("`size` (%s) is not a multiple of `every` (%s): write size = %q")
         :format(units.say(values.size), units.say(values.every),
         units.say(math.ceil(values.size / values.every) * values.every))
   end
end

--- The window as the plan has it.
-- @tparam string kind of window
-- @tparam table values checked options
-- @treturn table `{ kind =, size_ms =, every_ms =, offset_ms =, pane_ms =,
--   allowed_lateness_ms = }`; a session's size is its gap, a running total's what it
--   retains (-1: for ever), and this has no panes
function window.plan(kind, values)
   local size = values.size or values.gap or values.retain
   local planned = {
      kind = kind, size_ms = size, every_ms = 0, offset_ms = 0, pane_ms = 0,
      allowed_lateness_ms = values.allowed_lateness or 0,
   }
   if kind == "running" then return planned end
   local step = values.every or size
   local phase = kind == "cumulate" and size or step
   planned.every_ms, planned.pane_ms = step, greatest_divisor(size, step)
   planned.offset_ms = (values.offset or 0) % phase
   return planned
end

--- How `sluice check` names a window.
-- @tparam table of window of the graph
-- @treturn string
function window.say(of)
   if of.kind == "none" then return "no window" end
   local size = units.say(of.size_ms)
   if window.is_timeless(of) then return "running totals, kept for ever" end
   if of.kind == "running" then
      return "running totals, kept " .. size .. " after the last row"
   end
   local text = ("%s window of %s"):format(of.kind, size)
   if of.kind == "session" then text = "sessions with a gap of " .. size end
   if of.every_ms ~= of.size_ms then
      text = text .. " every " .. units.say(of.every_ms)
   end
   if of.offset_ms > 0 then text = text .. ", moved by " .. units.say(of.offset_ms) end
   if of.allowed_lateness_ms > 0 then
      text = text .. ", " .. units.say(of.allowed_lateness_ms) .. " of lateness allowed"
   end
   return text
end

local function make(kind, given)
   local what = "sluice." .. kind
   if kind == "tumbling" and type(given) == "table" and given.every ~= nil then
      place.fail(nil, "sluice.tumbling: unknown option `every`: windows that overlap are "
         .. "sluice.hopping")
   end
   local values = options.read(what, window.OPTIONS[kind], given)
   local message = window.conflict(kind, values)
   if message then place.fail(nil, "%s: %s", what, message) end
   return setmetatable({ kind = kind, values = values }, Window)
end

--- Windows of one size that do not overlap, aligned to the epoch.
-- @tparam table given `size`: duration, > 0; `offset`: duration; `allowed_lateness`:
--   duration; `name`: text
-- @treturn sluice.window.Window
-- @raise when size is missing or not a positive duration
-- @usage clicks:window(sluice.tumbling { size = "1 minute" })
function window.tumbling(given)
   local made = make("tumbling", given)
   return made
end

--- Windows of one size that begin every so often and overlap.
-- @tparam table given as of `tumbling`, and `every`: duration, > 0, at most `size`
-- @treturn sluice.window.Window
-- @raise when size or every is missing, or every is longer than size
-- @usage rides:window(sluice.hopping { size = "1 minute", every = "30 seconds" })
function window.hopping(given)
   local made = make("hopping", given)
   return made
end

--- Windows that begin together and end one after the other, up to `size`: what the day
-- has brought so far, every hour. The key of a row has the window's end, too.
-- @tparam table given as of `tumbling`, and `every`: duration, of which `size` is a
--   multiple; `offset` moves where a `size` begins
-- @treturn sluice.window.Window
-- @raise when size or every is missing, or size is not a multiple of every
-- @usage rides:window(sluice.cumulate { size = "1 day", every = "1 hour" })
function window.cumulate(given)
   local made = make("cumulate", given)
   return made
end

--- For each group the last `size`, up to its newest rows: mode "update" only, one row for
-- each group that a batch touched. The key of a row is its group alone.
-- @tparam table given as of `tumbling`, and `every`: duration, of which `size` is a
--   multiple: the step in which the window moves on
-- @treturn sluice.window.Window
-- @raise when size or every is missing, or size is not a multiple of every
-- @usage rides:window(sluice.rolling { size = "1 hour", every = "1 minute" })
function window.rolling(given)
   local made = make("rolling", given)
   return made
end

--- For each group its rows that lie no more than `gap` apart: a session begins with its
-- first row and ends `gap` after its last.
-- @tparam table given `gap`: duration, > 0; `allowed_lateness`: duration; `name`: text
-- @treturn sluice.window.Window
-- @raise when gap is missing or not a positive duration
-- @usage clicks:group_by "user_id":window(sluice.session { gap = "30 minutes" })
function window.session(given)
   local made = make("session", given)
   return made
end

--- Totals without a window: a group goes when there was no row for it for as long as
-- `retain` says. Rows have no bounds, their key is the group alone.
-- @tparam table given `retain`: duration, > 0, or "forever"; `name`: text
-- @treturn sluice.window.Window
-- @raise when retain is missing
-- @usage rides:group_by "user_id":window(sluice.running { retain = "7 days" })
function window.running(given)
   local made = make("running", given)
   return made
end

--- Tell a window from other values.
-- @param it any
-- @treturn boolean
function window.is(it)
   return getmetatable(it) == Window
end

--- Names of the constructors, for messages.
-- @treturn string
function window.kinds()
   return "sluice." .. table.concat(nearest.names(window.OPTIONS), ", sluice.")
end

return window
