--- `first(f)`: the value of the earliest row in which it is not null.
-- @module sluice.aggregate.first

return require("sluice.aggregate.position").new("<")
