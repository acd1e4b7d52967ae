--- Streams that a script builds and never puts into its pipeline: every method gives a
-- new stream, so that `rides:to(sink)` as a statement does nothing.
-- @module sluice.check.unused

local chain = require "sluice.chain"

local unused = {}

local DELIVERS = { to = true, late_to = true, quarantine_to = true }

local NEVER = "%s: this stream is never used: put it into sluice.pipeline (each method "
   .. "gives a new stream)"
local NEVER_ENDS = "this %s is never used"

-- Nodes on the way of a branch, and the sinks they deliver to.
local function used_by(branches)
   local used = {}
   for _, leaf in ipairs(branches) do
      for _, node in ipairs(chain.path(leaf)) do
         used[node] = true
         if node.sink then used[node.sink] = true end
      end
   end
   return used
end

-- Nodes that another one of a list stands behind, or delivers to.
local function continued_by(nodes)
   local continued = {}
   for _, node in ipairs(nodes) do
      if node.sink then continued[node.sink] = true end
      for _, before in ipairs(chain.path(node)) do
         if before ~= node then continued[before] = true end
      end
   end
   return continued
end

-- Nodes that are not used: those that deliver, and the others.
local function split(made, used)
   local delivering, others = {}, {}
   for _, node in ipairs(made) do
      local list = DELIVERS[node.op] and delivering or others
      if not used[node] then list[#list + 1] = node end
   end
   return delivering, others
end

--- Find what is built in vain.
-- @tparam table made nodes in the order in which the script made them
-- @tparam table branches nodes in which the pipeline's branches end
-- @treturn ?string why the script is refused: "FILE:LINE: message", of the first stream
--   that delivers and is not used
-- @treturn table warnings, `{ at = "FILE:LINE", text = }`: other streams that nothing
--   goes on from
function unused.find(made, branches)
   local delivering, others = split(made, used_by(branches))
   local continued = continued_by(delivering)
   for _, node in ipairs(delivering) do
      if not continued[node] then return NEVER:format(node.line or "?"), {} end
   end
   local warnings = {}
   continued = continued_by(made)
   for _, node in ipairs(others) do
      if not continued[node] then
         local what = node.op == "source" and "source or sink" or "stream"
         warnings[#warnings + 1] = { at = node.line or "?",
            text = NEVER_ENDS:format(what) }
      end
   end
   return nil, warnings
end

return unused
