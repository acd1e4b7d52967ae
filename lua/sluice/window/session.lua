--- `sluice.session { gap = }`: for each group its rows that lie no more than `gap` apart.
-- @module sluice.window.session

local common = require "sluice.window.common"
local options = require "sluice.options"
local units = require "sluice.units"

local session = {
   kind = "session", key_bounds = 1, merges = true, keeps_span = true, retracts = true,
   options = options.merge(common.LATENESS, {
      gap = { check = options.duration(1), needed = true,
         doc = "rows of a group no further apart are one session",
         about = "latency",
         risk = "a session's last result waits for as long; one that never pauses never "
            .. "ends",
      },
   }),
   needed = { { "gap", "30 minutes" } },
}

--- What the reference says.
session.doc = "Rows of a group no more than `gap` apart. A session begins with its first "
   .. "row and ends `gap` after its last; whether a row is late is judged by the "
   .. "session it would be alone. Key: group and `window_start`; in modes `update` "
   .. "and `complete` a session that begins earlier by now, or became part of "
   .. "another, is retracted first (old key, null value)."

--- Times of the plan: the size is the gap.
-- @tparam table values checked options
-- @treturn table of `common.panes`
function session.plan(values)
   return common.panes(values.gap, values.gap)
end

--- How `sluice check` names it.
-- @tparam table of window of the graph
-- @treturn string
function session.say(of)
   return "sessions with a gap of " .. units.say(of.size_ms)
end

return session
