--- Which sinks may be asked to take a row back: those of windows that do so themselves,
-- and those behind a filter that a result can stop to pass.
-- @module sluice.analyse.retract

local window = require "sluice.window"

local retract = {}

-- Whether a filter stands between the begin of a tree and one of its outputs; nil: the
-- output is not in it.
local function is_filtered(tree, output, behind_filter)
   for _, branch in ipairs(tree) do
      if branch.op == "output" then
         if branch.output == output then return behind_filter end
      else
         local found = is_filtered(branch.next or {}, output,
            behind_filter or branch.op == "filter")
         if found ~= nil then return found end
      end
   end
end

--- Say whether rows of an output may be taken back.
-- @tparam table graph
-- @tparam table step that the output belongs to
-- @tparam integer output its number in the step
-- @treturn ?table the aggregate whose results may be taken back there
function retract.from(graph, step, output)
   local from = step.input.kind == "aggregate" and graph.aggregates[step.input.index]
   if not from or not from.has_retractions then return nil end
   local may = window.of(from.window.kind).retracts
      or is_filtered(step.tree, output, false)
   return may and from or nil
end

return retract
