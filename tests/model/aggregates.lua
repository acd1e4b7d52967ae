--- Aggregates computed from all rows of a group, each time anew. A row is `{ values =,
--- time =, place = }`; `place` orders what came at one time.
local aggregates = {}

local function is_before(a, b)
   if a.time ~= b.time then return a.time < b.time end
   for i = 1, #a.place do
      if a.place[i] ~= b.place[i] then return a.place[i] < b.place[i] end
   end
   return false
end
aggregates.is_before = is_before

local function reader(of)
   if type(of) == "string" then return function(row) return row[of] end end
   if type(of) == "function" then return of end
   return of and of.fn
end

-- Rows in which `read` gives a value, as `{ row, value }`.
local function present(rows, read)
   local found = {}
   for _, row in ipairs(rows) do
      local value = read(row.values)
      if value ~= nil then found[#found + 1] = { row = row, value = value } end
   end
   return found
end

local function best(list, better)
   local kept
   for _, one in ipairs(list) do
      if not kept or better(one, kept) then kept = one end
   end
   return kept
end

local function value_of(one) return one and one.value end

local function total(list)
   local sum = 0
   for _, one in ipairs(list) do sum = sum + one.value end
   return sum
end

-- Of a sample: by n - 1.
local function variance(list)
   if #list < 2 then return nil end
   local mean, sum = total(list) / #list, 0
   for _, one in ipairs(list) do sum = sum + (one.value - mean) ^ 2 end
   return sum / (#list - 1)
end

local KINDS = {}

function KINDS.count(list) return #list end
function KINDS.sum(list) if #list > 0 then return total(list) end end
function KINDS.avg(list) if #list > 0 then return total(list) / #list end end
function KINDS.min(list)
   return value_of(best(list, function(a, b) return a.value < b.value end))
end
function KINDS.max(list)
   return value_of(best(list, function(a, b) return a.value > b.value end))
end
function KINDS.first(list)
   return value_of(best(list, function(a, b) return is_before(a.row, b.row) end))
end
function KINDS.last(list)
   return value_of(best(list, function(a, b) return is_before(b.row, a.row) end))
end
KINDS.variance = variance
function KINDS.stddev(list)
   local found = variance(list)
   return found and math.sqrt(found)
end
function KINDS.count_distinct(list)
   local seen, count = {}, 0
   for _, one in ipairs(list) do
      if not seen[one.value] then count = count + 1 end
      seen[one.value] = true
   end
   return count
end

function KINDS.collect(list, parts)
   if #list == 0 then return nil end
   table.sort(list, function(a, b) return is_before(a.row, b.row) end)
   local made = {}
   for i = 1, math.min(#list, parts.given.n) do made[i] = list[i].value end
   return made
end

function KINDS.histogram(list, parts)
   if #list == 0 then return nil end
   local made, bounds = {}, parts.given.bounds
   for i = 1, #bounds + 1 do made[i] = 0 end
   for _, one in ipairs(list) do
      local at = 1
      while bounds[at] and one.value >= bounds[at] do at = at + 1 end
      made[at] = made[at] + 1
   end
   return made
end

-- Exact, as long as there are few different values.
function KINDS.top(list, parts)
   local found, by_value = {}, {}
   for _, one in ipairs(list) do
      local entry = by_value[one.value]
      if not entry then
         entry = { value = one.value, count = 0, error = 0 }
         by_value[one.value], found[#found + 1] = entry, entry
      end
      entry.count = entry.count + 1
   end
   table.sort(found, function(a, b)
      if a.count ~= b.count then return a.count > b.count end
      return a.value < b.value
   end)
   for i = #found, parts.given.n + 1, -1 do found[i] = nil end
   return found[1] and found or nil
end

-- The value of `f` in the row with the best `by`; ties go to the earlier row.
local function arg(better)
   return function(list, parts)
      local by, kept = reader(parts.by), {}
      for _, one in ipairs(list) do
         one.by = by(one.row.values)
         if one.by ~= nil then kept[#kept + 1] = one end
      end
      return value_of(best(kept, function(a, b)
         if a.by ~= b.by then return better(a.by, b.by) end
         return is_before(a.row, b.row)
      end))
   end
end
KINDS.arg_min = arg(function(a, b) return a < b end)
KINDS.arg_max = arg(function(a, b) return a > b end)

-- A user's aggregate: its functions over the rows as they came.
local function of_user(spec, rows, bounds)
   local state = {}
   for _, member in ipairs(spec.members) do state[member.name] = member.start or 0 end
   if spec.init then spec.init(state) end
   if spec.order then
      rows = { unpack(rows) }
      table.sort(rows, is_before)
   end
   for _, row in ipairs(rows) do spec.fold(state, row.values) end
   return spec.result(state, bounds)
end

--- Results of a stage's items over rows, by column.
-- @param items `{ name =, spec = }` as the node has them
-- @param rows in the order of arrival
-- @param bounds `{ start =, stop = }` or nil
function aggregates.results(items, rows, bounds)
   local made = {}
   for _, item in ipairs(items) do
      local parts = rawget(item.spec, "parts")
      local taken = rows
      if parts.where then
         taken = {}
         for _, row in ipairs(rows) do
            if parts.where(row.values) then taken[#taken + 1] = row end
         end
      end
      if parts.user then
         local result = of_user(parts.user, taken, bounds)
         if type(result) == "table" then
            for name, value in pairs(result) do made[item.name .. "_" .. name] = value end
         else
            made[item.name] = result
         end
      else
         local read = reader(parts.field) or function() return true end
         made[item.name] = KINDS[parts.kind](present(taken, read), parts)
      end
   end
   return made
end

return aggregates
