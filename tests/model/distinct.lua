--- One `:distinct` node at run time (semantics, section 6).
local distinct = {}

local Stage = {}
Stage.__index = Stage

local FOREVER = -1

function distinct.new(node)
   return setmetatable({ node = node, within = node.values.within, seen = {},
      late = {} }, Stage)
end

function Stage:begin(watermark)
   self.watermark, self.late = watermark, {}
end

--- "late", "duplicate", or nil: the row is the first of its key.
function Stage:judge(row, text_of)
   local key = { n = #self.node.keys }
   for i, name in ipairs(self.node.keys) do key[i] = row.values[name] end
   local id, forever = text_of(key), self.within == FOREVER
   local watermark = self.watermark or -math.huge
   if not forever and row.time + self.within <= watermark then
      self.late[#self.late + 1] = { row = row }
      return "late"
   end
   local first = self.seen[id]
   if first and (forever or watermark < first + self.within) then return "duplicate" end
   self.seen[id] = row.time
end

--- Nothing comes out of it by itself.
function Stage.is_due() return false end

return distinct
