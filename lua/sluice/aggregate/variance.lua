--- `variance(f)`: of a sample (by n - 1), a double; null below two values. NaN makes it
-- NaN.
-- @module sluice.aggregate.variance

-- Fold: Welford 1962. Merge: Chan, Golub, LeVeque 1983, "Algorithms for computing the
-- sample variance".
local variance = { accepts = "number" }

--- The code that gives the variance as `y`.
variance.RESULT = "if $a.n > 1 then y = $a.m2 / ($a.n - 1) end"

function variance.resolve()
   return {
      type = "double",
      members = {
         { name = "mean", type = "double" }, { name = "m2", type = "double" },
         { name = "n", type = "double" },
      },
      fold = [[
local value, n = tonumber(x), $a.n + 1
local distance = value - $a.mean
local mean = $a.mean + distance / n
$a.m2 = $a.m2 + distance * (value - mean)
$a.mean, $a.n = mean, n]],
      merge = [[
if $b.n > 0 then
   local n, distance = $a.n + $b.n, $b.mean - $a.mean
   $a.m2 = $a.m2 + $b.m2 + distance * distance * ($a.n * $b.n / n)
   $a.mean, $a.n = $a.mean + distance * ($b.n / n), n
end]],
      result = variance.RESULT,
   }
end

return variance
