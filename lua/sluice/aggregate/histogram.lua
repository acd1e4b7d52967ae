--- `histogram(f, bounds)`: how many values lie below the first bound, from each bound up
-- to the next, from the last one on: a list of int64, one longer than the bounds, which
-- ascend; null over none. NaN is passed over.
-- @module sluice.aggregate.histogram

local ffi = require "ffi"

local options = require "sluice.options"
local place = require "sluice.place"

local histogram = { accepts = "number", splits = true }

local MOST = 1000

local function are_bounds(given)
   if type(given) ~= "table" or #given < 1 or #given > MOST then return false end
   for i, bound in ipairs(given) do
      local right = type(bound) == "number" and bound == bound
         and (i == 1 or bound > given[i - 1])
      if not right then return false end
   end
   return true
end

--- Read what stands behind the field.
-- @param bounds as written
-- @treturn table `{ bounds = list }`
-- @raise when they do not ascend
function histogram.read(bounds)
   if not are_bounds(bounds) then
      place.fail(nil, "sluice.histogram takes a list of 1 to %d ascending numbers behind "
         .. "the field, as in { 1, 10, 100 }, got %s", MOST, options.show(bounds))
   end
   return { bounds = bounds }
end

function histogram.resolve(_, given)
   local count = #given.bounds
   return {
      type = "list", shape = { item = { type = "int64" } },
      members = {
         { name = "counts", type = "double", count = count + 1 },
         { name = "n", type = "double" },
      },
      meaning = table.concat(given.bounds, ", "),
      constants = {
         bounds = ffi.new("double[?]", count, given.bounds), block = ffi.new "sl_string",
      },
      fold = ([[
if x == x then
   local at = calls.sl_histogram_place($k.bounds, %d, tonumber(x))
   $a.counts[at], $a.n = $a.counts[at] + 1, $a.n + 1
end]]):format(count),
      merge = ("for at = 0, %d do $a.counts[at] = $a.counts[at] + $b.counts[at] end\n"
         .. "$a.n = $a.n + $b.n"):format(count),
      result = ([[
if $a.n > 0 then
   calls.sl_histogram_give(v.text, $a.counts, %d, $k.block)
   data, len = $k.block.data, $k.block.len
end]]):format(count + 1),
   }
end

return histogram
