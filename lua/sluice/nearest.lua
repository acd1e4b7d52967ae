--- "Did you mean": the nearest of the names that exist.
-- @module sluice.nearest

local foreign = require "sluice.foreign"

local nearest = {}

--- Edits between two words: insert, delete, replace, swap of neighbours.
-- Source: Damerau 1964, in the optimal-string-alignment form.
local function distance(a, b)
   local before, last = nil, {}
   for j = 0, #b do last[j] = j end
   for i = 1, #a do
      local row = { [0] = i }
      for j = 1, #b do
         local same = a:byte(i) == b:byte(j)
         local cost = math.min(last[j] + 1, row[j - 1] + 1,
            last[j - 1] + (same and 0 or 1))
         if before and j > 1 and a:byte(i) == b:byte(j - 1)
            and a:byte(i - 1) == b:byte(j) then
            cost = math.min(cost, before[j - 2] + 1)
         end
         row[j] = cost
      end
      before, last = last, row
   end
   return last[#b]
end

--- The name nearest to a misspelt one.
-- @tparam string name as written
-- @tparam {string,...} names that exist
-- @treturn ?string nil when none is near enough to be meant
-- @usage nearest.find("max_record", { "max_bytes", "max_records" }) --> "max_records"
function nearest.find(name, names)
   local best, best_cost = nil, math.max(1, math.floor(#name / 3)) + 1
   local plain = foreign.plain(name)
   for _, candidate in ipairs(names) do
      local cost = plain ~= "" and plain == foreign.plain(candidate) and 0
         or distance(name:lower(), candidate:lower())
      if cost < best_cost or (cost == best_cost and best and candidate < best) then
         best, best_cost = candidate, cost
      end
   end
   return best
end

--- The end of a message about an unknown name.
-- @tparam string name as written
-- @tparam {string,...} names that exist
-- @tparam ?string context of `sluice.foreign`: names that other systems have come first
-- @treturn string ": did you mean `x`?", or what another system's name is here, or the
--   list of what there is
function nearest.hint(name, names, context)
   local known = foreign.hint(context, name)
   if known then return known end
   local found = nearest.find(name, names)
   if found then return (": did you mean `%s`?"):format(found) end
   if #names == 0 then return ": there are none" end
   local sorted = {}
   for i, candidate in ipairs(names) do sorted[i] = candidate end
   table.sort(sorted)
   return ": there are `" .. table.concat(sorted, "`, `") .. "`"
end

return nearest
