--- Assertions about rows, for busted: `assert.are.same_rows(wanted, got)` and its kin.
-- Numbers may differ by 1e-9 of their size; `test.null` and a missing column are alike.
--
-- - `assert.are.same_rows(wanted, got)`: the same rows, all columns, in any order
-- - `assert.are.same_rows_in_order(wanted, got)`: in this order
-- - `assert.rows_match(wanted, got)`: in any order, only the columns that are named
-- - `assert.has_row(columns, got)`, `assert.has_no_row(columns, got)`: one has them
-- @module sluice.test.matchers

local assert = require "luassert"
local compare = require "sluice.test.compare"
local say = require "say"

local function check_lists(name, wanted, got)
   if type(wanted) ~= "table" or type(got) ~= "table" then
      error(("%s takes two lists of rows: what is wanted, what came"):format(name), 0)
   end
end

local function register(name, is_wrong, negative)
   local positive_key = "assertion." .. name .. ".positive"
   local negative_key = "assertion." .. name .. ".negative"
   say:set(positive_key, "")
   say:set(negative_key, negative)
   assert:register("assertion", name, function(state, arguments)
      check_lists(name, arguments[1], arguments[2])
      local problem = is_wrong(arguments[1], arguments[2])
      if problem and state.mod then state.failure_message = problem end
      return not problem
   end, positive_key, negative_key)
end

local function no_row(columns, got)
   for _, row in ipairs(got) do
      if compare.matches(columns, row) then return nil end
   end
   return compare.sets({ columns }, got, true)
      :gsub("^[^\n]*", ("None of %d rows has the columns wanted"):format(#got))
end

register("same_rows", compare.sets, "The rows are the same, wanted different ones")
register("same_rows_in_order", compare.lists,
   "The rows are the same, wanted different ones")
register("rows_match", function(wanted, got) return compare.sets(wanted, got, true) end,
   "The rows match, wanted others")
register("row", no_row, "A row has these columns, wanted none")
