--- `count()`: rows; `count(f)`: rows in which the field is not null. 0 over none.
-- @module sluice.aggregate.count

local count = { optional = true, accepts = "any", splits = true }

-- A double counts exactly to 2^53.
function count.resolve()
   return {
      type = "int64", never_null = true,
      members = { { name = "n", type = "double" } },
      fold = "$a.n = $a.n + 1",
      merge = "$a.n = $a.n + $b.n",
      result = "y = $a.n",
   }
end

return count
