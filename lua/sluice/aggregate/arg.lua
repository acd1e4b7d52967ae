--- What `arg_min` and `arg_max` share.
-- @module sluice.aggregate.arg

local extreme = require "sluice.aggregate.extreme"
local held = require "sluice.aggregate.held"
local position = require "sluice.aggregate.position"

local arg = {}

--- Make `arg_min` or `arg_max`.
-- @tparam string operator "<" or ">": how a value of `by` stands to the best one when its
--  row takes its place; of equal ones the earlier stays
-- @treturn table the aggregate
function arg.new(operator)
   local function resolve(input, _, by_input)
      local value, by = held.of(input.type, "value"), held.of(by_input.type, "by", "2")
      local members = { value.member, by.member }
      for _, member in ipairs(position.MEMBERS) do members[#members + 1] = member end
      return held.like({
         members = members,
         fold = ("%s\nif %s and ($a.seen == 0 or %s or (%s and %s)) then %s; %s; %s end")
            :format(position.OF_ROW, extreme.comparable(by_input.type, "x2"),
            by:row_is(operator), by:row_is "==", position.is "<", position.TAKE,
            value.take, by.take),
         merge = ("%s\nif $b.seen ~= 0 and ($a.seen == 0 or %s or (%s and %s)) then "
            .. "%s; %s; %s end"):format(position.OF_OTHER, by:other_is(operator),
            by:other_is "==", position.is "<", position.TAKE, value.copy, by.copy),
         result = ("if $a.seen ~= 0 then %s end"):format(value.give),
      }, input)
   end
   return { accepts = "any", by = "ordered", splits = true, resolve = resolve }
end

return arg
