--- `top(f, n)`: the n most frequent values, a list of structs `{ value, count, error }`,
-- the most frequent first, equal ones in the order of their values; null over none. By
-- Space-Saving with 4 n counters, 64 at least: exact while there are no more different
-- values, then a count is too large by at most its `error`, and that is at most rows /
-- counters; a value that is more frequent than that is never missed. 2.1 KB a group at
-- most up to n = 16, longer text apart. n is 1 to 250.
-- @module sluice.aggregate.top

local ffi = require "ffi"

local options = require "sluice.options"
local place = require "sluice.place"
local shape = require "sluice.shape"

local top = { accepts = "any" }

local MOST = 250

--- Read what stands behind the field.
-- @param n as written
-- @treturn table `{ n = integer }`
-- @raise when it is no whole number from 1 to 250
function top.read(n)
   if type(n) ~= "number" or n % 1 ~= 0 or n < 1 or n > MOST then
      place.fail(nil, "sluice.top takes a whole number from 1 to %d behind the field, "
         .. "got %s", MOST, options.show(n))
   end
   return { n = n }
end

-- The list that it gives.
local function shape_of(input)
   local value = { name = "value", type = input.type, exact = input.exact,
      shape = input.shape }
   local count = { name = "count", type = "int64" }
   local error_of = { name = "error", type = "int64" }
   return { item = { type = "struct", shape = { fields = { value, count, error_of } } } }
end

function top.resolve(input, given)
   local capacity = math.max(64, 4 * given.n)
   return {
      type = "list", shape = shape_of(input),
      members = { { name = "part", type = "sl_part" } },
      constants = { block = ffi.new "sl_string" },
      takes_bytes = true, is_shared = true,
      bound = ("%d counters and their values"):format(capacity),
      fold = ("calls.sl_top_add(v.table, $a.part, %d, data, len)"):format(capacity),
      merge = ("calls.sl_top_merge(v.text, $a.part, $b.part, %d)"):format(capacity),
      result = ([[
if $a.part.data ~= nil then
   calls.sl_top_give(v.text, $a.part, %d, %d, %d, $k.block)
   data, len = $k.block.data, $k.block.len
end]]):format(given.n, capacity, shape.TYPES[input.type]),
   }
end

return top
