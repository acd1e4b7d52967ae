--- `stddev(f)`: the square root of the variance of a sample, a double; null below two
-- values.
-- @module sluice.aggregate.stddev

local variance = require "sluice.aggregate.variance"

local stddev = { accepts = "number" }

function stddev.resolve(input)
   local made = variance.resolve(input)
   made.result = variance.RESULT .. "\nif y ~= nil then y = sqrt(y) end"
   return made
end

return stddev
