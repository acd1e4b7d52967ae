--- `sum(f)`: integers exact in 128 bits, decimals exact with 38 digits, doubles
-- compensated; null over none. NaN makes the sum NaN.
-- @module sluice.aggregate.sum

local ffi = require "ffi"

local sum = { accepts = "addable", splits = true }

-- 128 bits in two words, without a branch: carry = rshift((lo & n) | ((lo | n) & ~new),
-- 63) (Warren, Hacker's Delight, 2-13).
local INT = {
   members = {
      { name = "lo", type = "int64_t" }, { name = "hi", type = "int64_t" },
      { name = "n", type = "double" },
   },
   fold = [[
local n, lo = int64(x), $a.lo
local new = lo + n
local carry = rshift(bor(band(lo, n), band(bor(lo, n), bnot(new))), 63)
$a.lo, $a.hi = new, $a.hi + arshift(n, 63) + carry
$a.n = $a.n + 1]],
   merge = [[
local n, lo = $b.lo, $a.lo
local new = lo + n
local carry = rshift(bor(band(lo, n), band(bor(lo, n), bnot(new))), 63)
$a.lo, $a.hi = new, $a.hi + $b.hi + carry
$a.n = $a.n + $b.n]],
}

-- The error of each addition is kept beside the sum (TwoSum without a branch: Knuth,
-- TAOCP 2, 4.2.2; summed as Neumaier 1974). Once the sum is not finite, the compensation
-- is NaN or infinite and says nothing.
local DOUBLE = {
   members = {
      { name = "sum", type = "double" }, { name = "rest", type = "double" },
      { name = "n", type = "double" },
   },
   fold = [[
local s = $a.sum
local new = s + x
local z = new - s
$a.sum, $a.rest = new, $a.rest + ((s - (new - z)) + (x - z))
$a.n = $a.n + 1]],
   merge = [[
local s, n = $a.sum, $b.sum
local new = s + n
local z = new - s
$a.sum, $a.rest = new, $a.rest + $b.rest + ((s - (new - z)) + (n - z))
$a.n = $a.n + $b.n]],
}

-- All digits, of one scale.
local DECIMAL = {
   members = { { name = "sum", type = "sl_wide" }, { name = "n", type = "double" } },
   fold = "calls.sl_wide_add($a.sum, x)\n$a.n = $a.n + 1",
   merge = "calls.sl_wide_merge($a.sum, $b.sum)\n$a.n = $a.n + $b.n",
}

local STATES = { double = DOUBLE, decimal = DECIMAL }

--- The state of a sum, for `avg` too.
-- @tparam string kind type of what is added
-- @treturn table `{ members =, fold =, merge = }`; `n` counts the values
function sum.state(kind)
   return STATES[kind] or INT
end

--- The most digits of a decimal.
sum.DIGITS = 38

local DECIMAL_RESULT = [[
if $a.n > 0 then
   if calls.sl_wide_sum($a.sum, $k.into) ~= 0 then
      error($label .. ": the sum has more than 38 digits", 0)
   end
   y = $k.into
end]]

--- The code that gives a compensated sum as `y`.
sum.COMPENSATED = [[
local rest = $a.rest
if rest - rest == 0 then y = $a.sum + rest else y = $a.sum end]]

function sum.resolve(input)
   local state = sum.state(input.type)
   local made = { members = state.members, fold = state.fold, merge = state.merge }
   if input.type == "double" then
      made.type = "double"
      made.result = "if $a.n > 0 then\n" .. sum.COMPENSATED .. "\nend"
      return made
   end
   if input.type == "decimal" then
      made.type = "decimal"
      made.shape = { precision = sum.DIGITS, scale = input.shape.scale }
      made.constants = { into = ffi.new "sl_decimal" }
      made.result = DECIMAL_RESULT
      return made
   end
   made.type, made.exact = "int64", input.exact
   made.result = [[
if $a.n > 0 then
   if $a.hi ~= arshift($a.lo, 63) then
      error($label .. ": the sum does not fit into int64", 0)
   end
   y = $a.lo
end]]
   return made
end

return sum
