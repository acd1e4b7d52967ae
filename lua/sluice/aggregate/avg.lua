--- `avg(f)`: the exact or compensated sum by the number of values, a double; null over
-- none.
-- @module sluice.aggregate.avg

local sum = require "sluice.aggregate.sum"

local avg = { accepts = "number" }

function avg.resolve(input)
   local state = sum.state(input.type)
   local made = { type = "double", members = state.members }
   made.fold, made.merge = state.fold, state.merge
   if input.type == "double" then
      made.result = "if $a.n > 0 then\n" .. sum.COMPENSATED .. "\ny = y / $a.n\nend"
      return made
   end
   made.result = [[
if $a.n > 0 then
   local hi, lo = $a.hi, $a.lo
   if hi == arshift(lo, 63) then y = tonumber(lo)
   else y = tonumber(hi) * 18446744073709551616 + tonumber(uint64(lo)) end
   y = y / $a.n
end]]
   return made
end

return avg
