--- What `first` and `last` share: the value of the first or last row in which it is not
-- null, by event time, then topic, partition, offset, whatever the order of arrival.
-- @module sluice.aggregate.position

local extreme = require "sluice.aggregate.extreme"

local position = {}

local BEFORE = [[
$a.seen == 0 or time OP $a.time or (time == $a.time and (place OP $a.place
   or (place == $a.place and offset OP $a.offset)))]]

local PLACE = "$a.time, $a.offset, $a.place, $a.seen = time, offset, place, 1"

local FOLD = [[
local time, offset, place = r.__time, r.__offset, v.places[r.__partition]
if BEFORE then
   PLACE
   TAKE
end]]

local MERGE = [[
local time, offset, place = $b.time, $b.offset, $b.place
if $b.seen ~= 0 and (BEFORE) then
   PLACE
   TAKE
end]]

local function code(template, operator, take)
   local parts = { BEFORE = BEFORE:gsub("OP", operator), PLACE = PLACE, TAKE = take }
   return (template:gsub("%u%u+", parts))
end

local function of_text(operator)
   return {
      value = { name = "text", type = "sl_part" },
      fold = code(FOLD, operator, "calls.sl_part_set(v.table, $a.text, data, len)"),
      merge = code(MERGE, operator,
         "$a.text.data, $a.text.len = $b.text.data, $b.text.len"),
      result = "if $a.seen ~= 0 then data, len = $a.text.data, $a.text.len end",
   }
end

local function of_number(operator, kind)
   return {
      value = { name = "value", type = extreme.MEMBERS[kind] },
      fold = code(FOLD, operator, "$a.value = x"),
      merge = code(MERGE, operator, "$a.value = $b.value"),
      result = "if $a.seen ~= 0 then y = $a.value end",
   }
end

--- Make `first` or `last`.
-- @tparam string operator how a row's position stands to the kept one's when it takes its
--  place: "<" or ">". Two rows at one position do not happen.
-- @treturn table the aggregate
function position.new(operator)
   local function resolve(input)
      local text = input.type == "string"
      local made = text and of_text(operator) or of_number(operator, input.type)
      made.type, made.exact = input.type, input.exact
      made.members = {
         made.value,
         { name = "time", type = "int64_t" }, { name = "offset", type = "int64_t" },
         { name = "place", type = "uint32_t" }, { name = "seen", type = "uint8_t" },
      }
      return made
   end
   return { accepts = "any", resolve = resolve }
end

return position
