--- `avg(f)`: the exact or compensated sum by the number of values, a double; of decimals
-- a decimal with 4 more digits behind the point, rounded half away from zero; null over
-- none.
-- @module sluice.aggregate.avg

local ffi = require "ffi"

local sum = require "sluice.aggregate.sum"

local avg = { accepts = "addable", splits = true }

local MORE_DIGITS = 4

function avg.resolve(input)
   local state = sum.state(input.type)
   local made = { type = "double", members = state.members }
   made.fold, made.merge = state.fold, state.merge
   if input.type == "double" then
      made.result = "if $a.n > 0 then\n" .. sum.COMPENSATED .. "\ny = y / $a.n\nend"
      return made
   end
   if input.type == "decimal" then
      local precision, scale = input.shape.precision, input.shape.scale
      local more = math.min(MORE_DIGITS, sum.DIGITS - precision)
      made.type = "decimal"
      made.shape = { precision = precision + more, scale = scale + more }
      made.constants = { into = ffi.new "sl_decimal" }
      made.result = ("if $a.n > 0 then calls.sl_wide_mean($a.sum, $a.n, %d, $k.into) "
         .. "y = $k.into end"):format(more)
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
