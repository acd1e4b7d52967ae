--- `arg_max(f, by)`: the value of `f` in the row with the largest `by`, of equal ones the
-- earliest; rows in which either is null are passed over, so is NaN.
-- @module sluice.aggregate.arg_max

return require("sluice.aggregate.arg").new(">")
