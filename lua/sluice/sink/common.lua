--- Options of every sink.
-- @module sluice.sink.common

local options = require "sluice.options"
local risk = require "sluice.risk"

local common = {}

--- Options by name.
common.options = {
   mode = { check = options.word { "append", "update", "complete" },
      doc = "what of an aggregation is sent: closed windows, touched groups, or all",
      about = "correctness",
      risk = risk.mode,
   },
   final = { check = options.flag(), default = false,
      doc = "update: one more row, marked, when a window closes",
      about = "latency",
      risk = risk.only_in("update",
         "without it nothing tells readers that a window has closed"),
   },
   only_if_changed = { check = options.flag(), default = false,
      doc = "update: rows whose values are as they were sent are left out",
      about = "memory",
      risk = risk.only_in("update",
         "what was sent is remembered for each live group"),
   },
   max_rows = {
      check = options.integer(1), default = 100000, doc = "complete: most groups",
      about = "memory",
      risk = risk.only_in("complete", "beyond as many groups the pipeline fails"),
   },
   times = {
      check = options.word { "ms", "iso" }, default = "ms",
      doc = "how timestamps are written",
      about = "correctness",
      risk = "readers must expect the same form",
   },
   on_error = { check = options.word { "quarantine", "fail" }, default = "quarantine",
      doc = "when a row is refused for itself",
      about = "correctness",
      risk = '"quarantine" goes on without the row that was refused',
   },
}

--- What belongs to the aggregation before the sink, not to the sink.
common.OF_AGGREGATION = { "mode", "final", "only_if_changed", "max_rows" }

--- Say what is wrong between options.
-- @tparam table values checked options
-- @treturn ?string a message
function common.conflict(values)
   local mode = values.mode
   if not mode then return nil end
   if values.final and mode ~= "update" then
      return ('`final` marks the last of several updates: leave it out, or write mode = '
         .. '"update"'
         .. " (%s has none)"):format(mode)
   end
   if values.only_if_changed and mode ~= "update" then
      return ('`only_if_changed` compares updates: leave it out, or write mode = "update"'
         .. " (%s sends each once)"):format(mode)
   end
   if values.max_rows and mode ~= "complete" then
      return ('`max_rows` limits the whole result: leave it out, or write mode = '
         .. '"complete" (it is %s)')
         :format(mode)
   end
end

return common
