--- `collect(f, n)`: the first n values by event time, then source, topic, partition,
-- offset: a list; null over none. n is 1 to 10000, all n are kept.
-- @module sluice.aggregate.collect

local ffi = require "ffi"

local options = require "sluice.options"
local place = require "sluice.place"
local position = require "sluice.aggregate.position"
local shape = require "sluice.shape"

local collect = { accepts = "any" }

local MOST = 10000

--- Read what stands behind the field.
-- @param n as written
-- @treturn table `{ n = integer }`
-- @raise when it is no whole number from 1 to 10000
function collect.read(n)
   if type(n) ~= "number" or n % 1 ~= 0 or n < 1 or n > MOST then
      place.fail(nil, "sluice.collect takes a whole number from 1 to %d behind the "
         .. "field, got %s", MOST, options.show(n))
   end
   return { n = n }
end

function collect.resolve(input, given)
   return {
      type = "list",
      shape = { item = { type = input.type, exact = input.exact, shape = input.shape } },
      members = { { name = "part", type = "sl_part" } },
      constants = { block = ffi.new "sl_string" },
      takes_bytes = true, bound = ("%d values"):format(given.n),
      fold = ("%s\ncalls.sl_collect_add(v.table, $a.part, %d, time, place, offset, data, "
         .. "len)"):format(position.OF_ROW, given.n),
      merge = ("calls.sl_collect_merge(v.text, $a.part, $b.part, %d)"):format(given.n),
      result = ([[
if $a.part.data ~= nil then
   calls.sl_collect_give(v.text, $a.part, %d, $k.block)
   data, len = $k.block.data, $k.block.len
end]]):format(shape.TYPES[input.type]),
   }
end

return collect
