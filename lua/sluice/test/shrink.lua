--- A small case out of a large one: what `check_invariance` tells.
-- @module sluice.test.shrink

local compare = require "sluice.test.compare"

local shrink = {}

local MOST_TRIES = 2000

local function without(way, gone)
   local made = { workers = way.workers, batches = {} }
   for _, batch in ipairs(way.batches) do
      local kept = { dies_at = batch.dies_at }
      for _, i in ipairs(batch) do
         if not gone[i] then kept[#kept + 1] = i end
      end
      made.batches[#made.batches + 1] = kept
   end
   return made
end

local function numbers_of(way)
   local list = {}
   for _, batch in ipairs(way.batches) do
      for _, i in ipairs(batch) do list[#list + 1] = i end
   end
   table.sort(list)
   return list
end

-- Leave out halves of the rows, then quarters, … then single ones, as long as the ways
-- still differ. Source: Zeller and Hildebrandt 2002, ddmin, without its complements.
local function fewer_rows(base, way, differs)
   local size = math.ceil(#numbers_of(base) / 2)
   while size >= 1 do
      local list, at, any = numbers_of(base), 1, false
      while at <= #list do
         local gone = {}
         for k = at, math.min(at + size - 1, #list) do gone[list[k]] = true end
         local smaller, other = without(base, gone), without(way, gone)
         if differs(smaller, other) then
            base, way, any = smaller, other, true
            list = numbers_of(base)
         else
            at = at + size
         end
      end
      if not (any and size == 1) then size = size == 1 and 0 or math.ceil(size / 2) end
   end
   return base, way
end

local function joined(way, b)
   local made = { workers = way.workers, batches = {} }
   for i, batch in ipairs(way.batches) do
      if i == b + 1 then
         local last = made.batches[#made.batches]
         for _, number in ipairs(batch) do last[#last + 1] = number end
      else
         local copy = { dies_at = batch.dies_at }
         for k, number in ipairs(batch) do copy[k] = number end
         made.batches[#made.batches + 1] = copy
      end
   end
   return made
end

local function fewer_batches(base, way, differs)
   local b = 1
   while b < #way.batches do
      local other = joined(way, b)
      if differs(base, other) then way = other else b = b + 1 end
   end
   return way
end

local function fewer_deaths(base, way, differs)
   for b, batch in ipairs(way.batches) do
      if batch.dies_at then
         local other = without(way, {})
         other.batches[b].dies_at = nil
         if differs(base, other) then way = other end
      end
   end
   return way
end

local function fewer_workers(base, way, differs)
   for workers = 1, way.workers - 1 do
      local other = { workers = workers, batches = way.batches }
      if differs(base, other) then return other end
   end
   return way
end

local function show_way(way, names)
   local parts = {}
   for _, batch in ipairs(way.batches) do
      local numbers = {}
      for i, number in ipairs(batch) do numbers[i] = names[number] end
      if #numbers > 0 then
         local at = batch.dies_at
         local how = (at == "restart" or at == "reload") and " (%s before)"
            or at and " (dies at %s)" or ""
         parts[#parts + 1] = table.concat(numbers, " ") .. how:format(at)
      end
   end
   return ("%d worker%s, batches: %s"):format(way.workers, way.workers == 1 and "" or "s",
      table.concat(parts, " | "))
end

--- Make the message about two ways that differ.
-- @tparam table case with its `records`
-- @tparam table base one way
-- @tparam table way the other
-- @tparam function difference (case, base, way) → report or nil
-- @treturn string
function shrink.report(case, base, way, difference)
   local tries = 0
   local function differs(a, b)
      tries = tries + 1
      return tries < MOST_TRIES and difference(case, a, b) ~= nil
   end
   base, way = fewer_rows(base, way, differs)
   way = fewer_deaths(base, way, differs)
   way = fewer_workers(base, way, differs)
   way = fewer_batches(base, way, differs)
   local lines, names = { "check_invariance: the result depends on how the rows come; "
      .. "the smallest case found:" }, {}
   for i, number in ipairs(numbers_of(base)) do
      local one = case.records[number]
      names[number] = i
      lines[#lines + 1] = ("  %d  %s  %s"):format(i, one.place, compare.show(one.row))
   end
   lines[#lines + 1] = "A: " .. show_way(base, names)
   lines[#lines + 1] = "B: " .. show_way(way, names)
   lines[#lines + 1] = difference(case, base, way) or "(and then it did not)"
   return table.concat(lines, "\n")
end

return shrink
