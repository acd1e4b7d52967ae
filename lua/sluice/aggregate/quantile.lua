--- `quantile(f, q)`: the value of rank q * (n - 1), rounded down, 0 <= q <= 1: 0.5 is
-- the median. Exact up to 16 values, then DDSketch: within 1 % of the value, except for
-- values more than 100,000 times smaller than the largest ones (two signs: 300 times),
-- which count as 0, held to the smallest value. 2.5 KB a group at most, whatever the
-- number of quantiles. Free of the order of rows. NaN is passed over.
-- @module sluice.aggregate.quantile

local options = require "sluice.options"
local place = require "sluice.place"

local quantile = { accepts = "number" }

--- Read what stands behind the field.
-- @param q as written
-- @treturn table `{ q = number }`
-- @raise when it is no number from 0 to 1
function quantile.read(q)
   if type(q) ~= "number" or not (q >= 0 and q <= 1) then
      place.fail(nil, "sluice.quantile takes a number from 0 to 1 behind the field, got "
         .. "%s: 0.5 is the median", options.show(q))
   end
   return { q = q }
end

function quantile.resolve(_, given)
   return {
      type = "double", members = { { name = "part", type = "sl_part" } },
      is_shared = true, bound = "2.5 KB",
      fold = "calls.sl_quantile_add(v.table, $a.part, tonumber(x))",
      merge = "calls.sl_quantile_merge(v.text, $a.part, $b.part)",
      result = ("if $a.part.data ~= nil then y = calls.sl_quantile_value($a.part, %.17g) "
         .. "end"):format(given.q),
   }
end

return quantile
