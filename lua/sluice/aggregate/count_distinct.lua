--- `count_distinct(f)`: how many different values, 0 over none: exact up to 190, then
-- HyperLogLog, whose standard error is 2.3 % (2 KB a group at most). `count_distinct(f, {
-- exact = true, limit = n })`: exact, it keeps every value; the value number n + 1 is an
-- error. NaN is one value, so are 0 and -0.
-- @module sluice.aggregate.count_distinct

local options = require "sluice.options"
local place = require "sluice.place"

local count_distinct = { accepts = "any" }

--- Options by name.
count_distinct.OPTIONS = {
   exact = { check = options.flag(), doc = "keep every value",
      about = "memory", risk = "the state grows with the number of different values" },
   limit = { check = options.integer(1, 2 ^ 31),
      doc = "with `exact`: the most values of a group", about = "memory",
      risk = "records that bring one value more are thrown out" },
}

--- Read what stands behind the field.
-- @param given options
-- @treturn table `{ limit = integer|nil }`: there is one when it is exact
-- @raise when an option is wrong
function count_distinct.read(given)
   if given == nil then return {} end
   if type(given) == "string" then
      place.fail(nil, "sluice.count_distinct counts values of one field, got %q behind "
         .. "it: write a function that joins them, sluice.count_distinct(sluice.string("
         .. "function(row) return row.a .. \"|\" .. row.b end))", given)
   end
   local read = options.read("sluice.count_distinct", count_distinct.OPTIONS, given)
   if read.exact and not read.limit then
      place.fail(nil, "sluice.count_distinct: `exact` keeps every value: say how many it "
         .. "may keep a group, as in { exact = true, limit = 100000 }")
   end
   if read.limit and not read.exact then
      place.fail(nil, "sluice.count_distinct: `limit` goes with `exact = true`")
   end
   return { limit = read.limit }
end

local MANY = '$label .. ": more than LIMIT values in the group"'

local EXACT = {
   check = "if calls.sl_set_refuses($a.part, LIMIT, data, len) ~= 0 then\n"
      .. "error(MANY, 0) end",
   fold = "calls.sl_set_add(v.table, $a.part, data, len)",
   merge = "if calls.sl_set_merge(v.text, $a.part, $b.part, LIMIT) ~= 0 then\n"
      .. "error(MANY, 0) end",
   result = "y = tonumber(calls.sl_set_count($a.part))",
}

local function exact(limit)
   local made = {}
   for what, code in pairs(EXACT) do
      made[what] = code:gsub("MANY", MANY):gsub("LIMIT", ("%d"):format(limit))
   end
   return made
end

function count_distinct.resolve(_, given)
   local made = given.limit and exact(given.limit) or {
      fold = "calls.sl_hll_add(v.table, $a.part, data, len)",
      merge = "calls.sl_hll_merge(v.text, $a.part, $b.part)",
      result = "y = calls.sl_hll_count($a.part)",
   }
   made.type, made.members = "int64", { { name = "part", type = "sl_part" } }
   made.meaning = given.limit and "exact" or "sketch"
   made.takes_bytes, made.is_shared, made.never_null = true, true, true
   made.bound = given.limit and ("%d values"):format(given.limit) or "2 KB"
   return made
end

return count_distinct
