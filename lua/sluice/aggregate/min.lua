--- `min(f)`: the smallest value, null over none.
-- @module sluice.aggregate.min

return require("sluice.aggregate.extreme").new("<")
