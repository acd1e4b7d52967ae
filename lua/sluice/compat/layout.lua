--- How the state of an aggregation lies in a newer layout: which bytes go where.
-- @module sluice.compat.layout

local layout = {}

-- Of an sl_span.
local SPAN_BYTES = 16
-- Of the hash of what was sent to one output.
local SENT_BYTES = 8

local Map = {}
Map.__index = Map

local function new_map(part_count)
   local map = setmetatable({ runs = {}, parts = {}, taken = {}, filled = {} }, Map)
   for i = 1, part_count do map.parts[i] = -1 end
   return map
end

-- Bytes that go to one place; what comes first stays.
function Map:add_run(from, to, size)
   if self.taken[to] then return end
   self.taken[to] = true
   table.insert(self.runs, { from = from, to = to, size = size })
end

-- A part has one place, and a place one part: nil when it went elsewhere already.
function Map:add_part(from, to)
   local had = self.parts[from + 1]
   if had == to or self.filled[to] then return true end
   if had ~= -1 then return nil end
   self.parts[from + 1], self.filled[to] = to, true
   return true
end

-- Runs that lie side by side in both are one.
function Map:finish()
   table.sort(self.runs, function(a, b) return a.to < b.to end)
   local joined = {}
   for _, run in ipairs(self.runs) do
      local last = joined[#joined]
      if last and last.from + last.size == run.from and last.to + last.size == run.to then
         last.size = last.size + run.size
      else
         joined[#joined + 1] = run
      end
   end
   return { runs = joined, parts = self.parts }
end

local function by_name(list)
   local found = {}
   for _, one in ipairs(list) do found[one.name] = one end
   return found
end

-- Members of an item that is in both, in the order of the new one.
local function map_members(map, old, new)
   local members = by_name(old.members)
   for _, member in ipairs(new.members) do
      local from = members[member.name]
      if not member.part then
         map:add_run(from.offset, member.offset, member.size)
      elseif not map:add_part(from.part, member.part) then
         return nil
      end
   end
   return true
end

--- Say how a state of an older layout lies in a newer one. Items of one name must have
-- the same members, but for those that are left out.
-- @tparam table old operator of a shape (`sluice.compat.shape`)
-- @tparam table new
-- @tparam table apart name → anything: what becomes of these is not said by bytes
-- @treturn ?table `{ runs = { { from =, to =, size = }, … }, parts = { number in the new
--  one or -1, … } }`; nil: an item was kept together with another, and no longer is
-- @treturn ?string name of that item
function layout.map(old, new, apart)
   local map, items = new_map(old.part_count), by_name(old.items)
   if old.span_offset and new.span_offset then
      map:add_run(old.span_offset, new.span_offset, SPAN_BYTES)
   end
   for _, item in ipairs(new.items) do
      local before = not apart[item.name] and items[item.name]
      if before and not map_members(map, before, item) then return nil, item.name end
   end
   return map:finish()
end

--- The same for what was sent, which goes by the outputs' names.
-- @tparam {string,...} old names by place
-- @tparam {string,...} new
-- @treturn table as of `map`
function layout.map_sent(old, new)
   local map, places = new_map(0), {}
   for i, name in ipairs(old) do places[name] = i end
   for i, name in ipairs(new) do
      local from = places[name]
      if from then
         map:add_run((from - 1) * SENT_BYTES, (i - 1) * SENT_BYTES, SENT_BYTES)
      end
   end
   return map:finish()
end

return layout
