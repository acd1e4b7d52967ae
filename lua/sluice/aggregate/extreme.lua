--- What `min` and `max` share. Numbers, timestamps, bools (false < true), text bytewise.
-- NaN is passed over like null: the result does not depend on the order of the rows.
-- @module sluice.aggregate.extreme

local held = require "sluice.aggregate.held"

local extreme = {}

--- The condition that a value is one that can be compared: NaN cannot.
-- @tparam string kind its type
-- @tparam string x its variable
-- @treturn string Lua
function extreme.comparable(kind, x)
   return kind == "double" and ("%s == %s"):format(x, x) or "true"
end

--- Make `min` or `max`.
-- @tparam string operator "<" or ">": a value that stands so to the best one takes its
--  place
-- @treturn table the aggregate
function extreme.new(operator)
   local function resolve(input)
      local best = held.of(input.type, "best")
      return held.like({
         members = { best.member, { name = "seen", type = "uint8_t" } },
         fold = ("if %s and ($a.seen == 0 or %s) then %s; $a.seen = 1 end"):format(
            extreme.comparable(input.type, "x"), best:row_is(operator), best.take),
         merge = ("if $b.seen ~= 0 and ($a.seen == 0 or %s) then %s; $a.seen = 1 end")
            :format(best:other_is(operator), best.copy),
         result = ("if $a.seen ~= 0 then %s end"):format(best.give),
      }, input)
   end
   return { accepts = "ordered", splits = true, resolve = resolve }
end

return extreme
