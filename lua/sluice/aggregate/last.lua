--- `last(f)`: the value of the latest row in which it is not null.
-- @module sluice.aggregate.last

return require("sluice.aggregate.position").new(">")
