--- Which windows a row is in, by semantics, section 4: all found, nothing clever.
local windows = {}

local function floor_to(time, step, offset)
   return math.floor((time - offset) / step) * step + offset
end

local KINDS = {}

function KINDS.none() return { { group = true } } end
KINDS.running = KINDS.none

function KINDS.tumbling(w, time)
   local start = floor_to(time, w.size, w.offset)
   return { { start = start, stop = start + w.size } }
end

function KINDS.hopping(w, time)
   local found, start = {}, floor_to(time, w.every, w.offset)
   while start + w.size > time do
      table.insert(found, 1, { start = start, stop = start + w.size })
      start = start - w.every
   end
   return found
end

function KINDS.cumulate(w, time)
   local found, start = {}, floor_to(time, w.size, w.offset)
   for stop = start + w.every, start + w.size, w.every do
      if stop > time then found[#found + 1] = { start = start, stop = stop } end
   end
   return found
end

--- Windows of a time, earlier ends first. Sessions and rolling windows are found by
--- their stage.
function windows.of(w, time)
   return KINDS[w.kind](w, time)
end

--- The options of a `:window` node: `{ kind =, size =, every =, offset =, lateness =,
--- gap =, retain = }`; nil: none.
function windows.read(node)
   if not node then return { kind = "none", lateness = 0 } end
   local values = node.values
   local size = values.size
   local every = values.every or size
   return {
      kind = node.kind, size = size, every = every, offset = values.offset or 0,
      lateness = values.allowed_lateness or 0, gap = values.gap, retain = values.retain,
   }
end

windows.floor_to = floor_to

return windows
