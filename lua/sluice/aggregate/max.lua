--- `max(f)`: the largest value, null over none.
-- @module sluice.aggregate.max

return require("sluice.aggregate.extreme").new(">")
