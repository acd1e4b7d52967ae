--- What aggregates share that go by a row's position: event time, then source, topic,
-- partition, offset, whatever the order of arrival.
-- @module sluice.aggregate.position

local held = require "sluice.aggregate.held"

local position = {}

--- Members that hold a position.
position.MEMBERS = {
   { name = "time", type = "int64_t" }, { name = "offset", type = "int64_t" },
   { name = "place", type = "double" }, { name = "seen", type = "uint8_t" },
}

--- Statements that name the position of a row, of a state merged, and that take it over.
position.OF_ROW =
   "local time, offset, place = r.__time, r.__offset, v.places[r.__partition]"
position.OF_OTHER = "local time, offset, place = $b.time, $b.offset, $b.place"
position.TAKE = "$a.time, $a.offset, $a.place, $a.seen = time, offset, place, 1"

-- Rows that a flat_map made of one record stand at one position: they come in its order,
-- as do results.
local TIES = { ["<"] = "<", [">"] = ">=" }

--- The condition that `time, place, offset` stand so to the position held.
-- @tparam string operator "<" or ">"
-- @treturn string Lua
function position.is(operator)
   local text = "(time OP $a.time or (time == $a.time and (place OP $a.place "
      .. "or (place == $a.place and offset TIE $a.offset))))"
   return (text:gsub("OP", operator):gsub("TIE", TIES[operator]))
end

--- Make `first` or `last`.
-- @tparam string operator how a row's position stands to the kept one's when it takes its
--  place: "<" or ">"
-- @treturn table the aggregate
function position.new(operator)
   local function resolve(input)
      local value = held.of(input.type, "value")
      local members = { value.member }
      for _, member in ipairs(position.MEMBERS) do members[#members + 1] = member end
      local taken = ("%s; %s"):format(position.TAKE, "%s")
      return held.like({
         members = members,
         fold = ("%s\nif $a.seen == 0 or %s then %s end"):format(position.OF_ROW,
            position.is(operator), taken:format(value.take)),
         merge = ("%s\nif $b.seen ~= 0 and ($a.seen == 0 or %s) then %s end"):format(
            position.OF_OTHER, position.is(operator), taken:format(value.copy)),
         result = ("if $a.seen ~= 0 then %s end"):format(value.give),
      }, input)
   end
   return { accepts = "any", splits = true, resolve = resolve }
end

return position
