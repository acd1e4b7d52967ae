--- `arg_min(f, by)`: the value of `f` in the row with the smallest `by`, of equal ones
-- the earliest; rows in which either is null are passed over, so is NaN.
-- @module sluice.aggregate.arg_min

return require("sluice.aggregate.arg").new("<")
