--- `sluice.running { retain = }`: totals without a window; a group goes when there was no
-- row for it for as long as `retain` says.
-- @module sluice.window.running

local common = require "sluice.window.common"
local options = require "sluice.options"
local units = require "sluice.units"

local FOREVER = -1

local running = {
   kind = "running", key_bounds = 0, has_bounds = false, keeps_span = true,
   is_open = true,
   options = options.merge(common.NAME, {
      retain = { check = options.duration_or({ forever = FOREVER }, 1), needed = true,
         doc = "how long after its last row, by the watermark, a group goes; "
            .. '"forever": never',
         about = "memory",
         risk = '"forever": state grows with every new group; a time: a group that comes '
            .. "again later starts anew",
      },
   }),
   needed = {
      { "retain", "7 days", ', or say that groups stay: retain = "forever"' },
   },
   no_mode = {
      append = "a running total is never done, and mode \"append\" sends what is done: "
         .. "write mode = \"update\"",
   },
   closing = { what = "`retain` lets groups go", instead = 'retain = "forever"' },
}

--- What the reference says.
running.doc = "Totals without a window: a group goes when there was no row for as long "
   .. "as `retain` says; modes `update` and `complete`. Rows have no bounds, their key "
   .. "is the group alone."

--- Times of the plan: the size is what it retains (-1: for ever), and this has no panes.
-- @tparam table values checked options
-- @treturn table
function running.plan(values)
   return { size_ms = values.retain, every_ms = 0, offset_ms = 0, pane_ms = 0 }
end

--- Whether nothing of it depends on time.
-- @tparam table of window of the graph
-- @treturn boolean
function running.is_timeless(of) return of.size_ms == FOREVER end

--- What has no last row that `final` could mark.
-- @tparam table of window of the graph
-- @treturn ?string
function running.no_final(of)
   return running.is_timeless(of) and "a total kept for ever" or nil
end

--- How `sluice check` names it.
-- @tparam table of window of the graph
-- @treturn string
function running.say(of)
   if running.is_timeless(of) then return "running totals, kept for ever" end
   return "running totals, kept " .. units.say(of.size_ms) .. " after the last row"
end

return running
