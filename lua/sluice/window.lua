--- Windows: `sluice.tumbling` and `sluice.hopping`.
-- @module sluice.window

local nearest = require "sluice.nearest"
local options = require "sluice.options"
local place = require "sluice.place"
local units = require "sluice.units"

local window = {}

local Window = {}

local COMMON = {
   size = { check = options.duration(1), doc = "how long a window is",
      about = "latency",
      risk = "in mode append no result comes sooner than this",
   },
   offset = { check = options.duration(-units.LONGEST_MS), default = 0,
      doc = "moves the boundaries, which else start at the epoch",
      about = "correctness",
      risk = "readers must expect the same boundaries",
   },
   allowed_lateness = { check = options.duration(0), default = 0,
      doc = "how long after its end, by the watermark, a window still takes rows",
      about = "memory",
      risk = "windows stay in memory for as long, and append waits for it",
   },
   name = {
      check = options.text(), doc = "of the state, where a pipeline has two aggregations",
      about = "access",
      risk = "state goes by it: renamed, it starts empty",
   },
}

--- Options by kind of window.
window.OPTIONS = {
   tumbling = COMMON,
   hopping = options.merge(COMMON, {
      every = { check = options.duration(1), doc = "how often a window begins",
         about = "memory",
         risk = "shorter: more windows at a time for each key, and more results" },
   }),
}

--- No window: every row of a group meets every other.
window.NONE = {
   kind = "none", size_ms = 0, every_ms = 0, offset_ms = 0, pane_ms = 0,
   allowed_lateness_ms = 0,
}

local function greatest_divisor(a, b)
   while b ~= 0 do a, b = b, a % b end
   return a
end

--- Say what is wrong between options.
-- @tparam string kind tumbling, hopping
-- @tparam table values checked options
-- @treturn ?string a message
function window.conflict(kind, values)
   if not values.size then return "give `size`, as in size = \"1 minute\"" end
   if kind == "tumbling" then return nil end
   if not values.every then return "give `every`, as in every = \"30 seconds\"" end
   if values.every > values.size then
      return ("`every` (%s) is longer than `size` (%s): rows between two windows would "
         .. "be lost")
         :format(units.say(values.every), units.say(values.size))
   end
end

--- The window as the plan has it.
-- @tparam string kind tumbling, hopping
-- @tparam table values checked options
-- @treturn table `{ kind =, size_ms =, every_ms =, offset_ms =, pane_ms =,
--   allowed_lateness_ms = }`
function window.plan(kind, values)
   local size = values.size
   local every = values.every or size
   return {
      kind = kind, size_ms = size, every_ms = every,
      offset_ms = (values.offset or 0) % every,
      pane_ms = greatest_divisor(size, every),
      allowed_lateness_ms = values.allowed_lateness or 0,
   }
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
