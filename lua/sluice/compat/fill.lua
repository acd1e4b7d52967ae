--- What is to be filled with rows read again, where a changed script wants it: the bytes
-- of states that are new in an aggregation with a `backfill`.
-- @module sluice.compat.fill

local units = require "sluice.units"

local fill = {}

-- Groups of these go by their own time, which the rows alone do not tell.
local EMPTY = { session = true, running = true }

-- Whether a stage that is new can be filled.
local function can_be_whole(operator)
   return operator.kind == "aggregate"
      and not EMPTY[operator.window and operator.window.kind]
end

--- What becomes of an aggregate, or a stage, that is new.
-- @tparam table wants as for `of`
-- @tparam table operator of a shape (`sluice.compat.shape`)
-- @tparam boolean is_there the stage, and the aggregate alone is new
-- @treturn string
function fill.say(wants, operator, is_there)
   local ms = wants[operator.name]
   if operator.kind ~= "aggregate" or not ms then
      return "starts empty" .. (is_there and ", in windows that are open too" or "")
   end
   if not is_there and not can_be_whole(operator) then
      return ("starts empty (a stage of windows `%s` that is new is not filled)"):format(
         operator.window.kind)
   end
   return ("is filled with the rows of the last %s"):format(units.say(ms))
end

local function by_name(operators)
   local found = {}
   for _, operator in ipairs(operators) do
      if operator.kind == "aggregate" then found[operator.name] = operator end
   end
   return found
end

-- Whether what an aggregate that stays keeps lies there, too.
local function is_taken(map, member)
   for _, part in ipairs(member.part and map.parts or {}) do
      if part == member.part then return true end
   end
   for _, run in ipairs(member.part and {} or map.runs) do
      local behind = run.to + run.size
      if member.offset >= run.to and member.offset < behind then return true end
   end
   return false
end

local function add_members(into, item, map, seen)
   for _, member in ipairs(item.members) do
      if not seen[member.offset] and not is_taken(map, member) then
         seen[member.offset] = true
         if member.part then
            into.parts[#into.parts + 1] = member.offset
         else
            into.runs[#into.runs + 1] = { at = member.offset, size = member.size }
         end
      end
   end
end

local function fill_of(index, old, new, map)
   local made = { aggregate = index, is_whole = not old, runs = {}, parts = {} }
   if not old then return can_be_whole(new) and made or nil end
   local before, seen = {}, {}
   for _, item in ipairs(old.items) do before[item.name] = true end
   for _, item in ipairs(new.items) do
      if not before[item.name] then add_members(made, item, map, seen) end
   end
   return (made.runs[1] or made.parts[1]) and made or nil
end

--- Find it.
-- @tparam {table,...} old operators of the stored shape
-- @tparam {table,...} new operators of the script's
-- @tparam table wants by name of the aggregation: ms
-- @tparam {table,...} changes as `sluice.compat` decided
-- @treturn table list of `{ aggregate = number among aggregations from 0, is_whole =,
--  runs = { { at =, size = }, … }, parts = { byte offset, … } }`
function fill.of(old, new, wants, changes)
   local before, maps, fills, index = by_name(old), {}, {}, 0
   for _, change in ipairs(changes) do maps[change.section] = change end
   for _, operator in ipairs(new) do
      if operator.kind == "aggregate" then
         local map = maps["aggregate " .. operator.name]
         local was = before[operator.name]
         local is_same = was and (not map or map.fate == "same")
         if wants[operator.name] and not is_same then
            fills[#fills + 1] = fill_of(index, was, operator, map)
         end
         index = index + 1
      end
   end
   return fills
end

return fill
