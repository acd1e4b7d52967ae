--- Comparing lists of rows, and telling how they differ.
-- @module sluice.test.compare

local json = require "sluice.test.json"

local compare = {}

local TOLERANCE = 1e-9
local MOST_SHOWN = 20

local is_equal

local function tables_equal(a, b)
   for name, value in pairs(a) do
      if not is_equal(value, b[name]) then return false end
   end
   for name, value in pairs(b) do
      if a[name] == nil and value ~= json.null then return false end
   end
   return true
end

--- Whether two values are the same: numbers within 1e-9 of the larger, tables by their
-- members, null and nothing alike.
-- @param a any
-- @param b any
-- @treturn boolean
function is_equal(a, b)
   if a == json.null then a = nil end
   if b == json.null then b = nil end
   if a == b then return true end
   local kind = type(a)
   if kind == "number" and type(b) == "number" then
      if a ~= a or b ~= b then return a ~= a and b ~= b end
      return math.abs(a - b) <= TOLERANCE * math.max(math.abs(a), math.abs(b))
   end
   return kind == "table" and type(b) == "table" and tables_equal(a, b)
end
compare.is_equal = is_equal

--- Whether a row has what a pattern names.
-- @tparam table pattern columns; `json.null`: must be null
-- @tparam table row
-- @treturn boolean
function compare.matches(pattern, row)
   if type(row) ~= "table" then return false end
   for name, value in pairs(pattern) do
      if not is_equal(value, row[name]) then return false end
   end
   return true
end

local function show(value)
   if value == nil or value == json.null then return "nil" end
   if type(value) == "string" then return ("%q"):format(value) end
   if type(value) == "table" then return compare.show(value) end
   if type(value) == "cdata" then return tostring(value) end
   return json.encode(value)
end

local function sorted_names(...)
   local names, seen = {}, {}
   for _, row in ipairs { ... } do
      for name in pairs(row) do
         if not seen[name] then names[#names + 1] = name end
         seen[name] = true
      end
   end
   table.sort(names, function(a, b)
      if type(a) == type(b) then return a < b end
      return type(a) == "number"
   end)
   return names
end

local function named(name, text)
   if type(name) == "number" then return text end
   return (name:find "^[%a_][%w_]*$" and name or ("[%q]"):format(name)) .. " = " .. text
end

--- A row as Lua would write it, columns by name.
-- @param row table, or anything
-- @treturn string
function compare.show(row)
   if type(row) ~= "table" or row == json.null then return show(row) end
   local parts = {}
   for i, name in ipairs(sorted_names(row)) do parts[i] = named(name, show(row[name])) end
   return #parts == 0 and "{}" or "{ " .. table.concat(parts, ", ") .. " }"
end

-- The columns in which two rows differ marked: `>2< (wanted 3)`.
local function show_both(wanted, got, by_pattern)
   local parts = {}
   local names = by_pattern and sorted_names(wanted) or sorted_names(wanted, got)
   for _, name in ipairs(names) do
      local right = is_equal(wanted[name], got[name])
      local text = right and show(got[name])
         or (">%s< (wanted %s)"):format(show(got[name]), show(wanted[name]))
      parts[#parts + 1] = named(name, text)
   end
   return "{ " .. table.concat(parts, ", ") .. " }"
end

-- How many columns two rows share.
local function likeness(wanted, got)
   local same = 0
   if type(wanted) ~= "table" or type(got) ~= "table" then return 0 end
   for name, value in pairs(wanted) do
      if is_equal(value, got[name]) then same = same + 1 end
   end
   return same
end

-- Pairs of rows that are meant for each other: the most alike first.
local function pair_up(missing, unexpected)
   local pairs_found = {}
   if #missing * #unexpected > 10000 then return pairs_found end
   while true do
      local best, at_wanted, at_got = 0, nil, nil
      for w, wanted in ipairs(missing) do
         for g, got in ipairs(unexpected) do
            local same = likeness(wanted, got)
            if same > best then best, at_wanted, at_got = same, w, g end
         end
      end
      if best == 0 then return pairs_found end
      pairs_found[#pairs_found + 1] = { table.remove(missing, at_wanted),
         table.remove(unexpected, at_got) }
   end
end

local function add_some(lines, mark, list, text_of)
   for i, one in ipairs(list) do
      if i > MOST_SHOWN then
         lines[#lines + 1] = ("  %s … and %d more"):format(mark, #list - MOST_SHOWN)
         return
      end
      lines[#lines + 1] = ("  %s %s"):format(mark, text_of(one))
   end
end

local function report(head, missing, unexpected, by_pattern)
   local lines = { head }
   local both = pair_up(missing, unexpected)
   add_some(lines, "differs   ", both, function(one)
      return show_both(one[1], one[2], by_pattern)
   end)
   add_some(lines, "missing   ", missing, compare.show)
   add_some(lines, "unexpected", unexpected, compare.show)
   return table.concat(lines, "\n")
end

local function counts(wanted, got)
   return ("%d rows wanted, %d got"):format(#wanted, #got)
end

-- What of `wanted` no row of `got` is, and the other way round.
local function unmatched(wanted, got, same)
   local used, missing, unexpected = {}, {}, {}
   for _, row in ipairs(wanted) do
      local found
      for i, other in ipairs(got) do
         if not used[i] and same(row, other) then
            found = i
            break
         end
      end
      if found then used[found] = true else missing[#missing + 1] = row end
   end
   for i, row in ipairs(got) do
      if not used[i] then unexpected[#unexpected + 1] = row end
   end
   return missing, unexpected
end

--- How two lists of rows differ, in any order.
-- @tparam {table,...} wanted
-- @tparam {table,...} got
-- @tparam ?boolean by_pattern only the columns that wanted rows name are compared
-- @treturn ?string report; nil: they do not
function compare.sets(wanted, got, by_pattern)
   local same = by_pattern and compare.matches or is_equal
   local missing, unexpected = unmatched(wanted, got, same)
   if #missing == 0 and #unexpected == 0 then return nil end
   return report("The rows differ (in any order): " .. counts(wanted, got), missing,
      unexpected, by_pattern)
end

--- How two lists of rows differ, in this order.
-- @tparam {table,...} wanted
-- @tparam {table,...} got
-- @treturn ?string report; nil: they do not
function compare.lists(wanted, got)
   for i = 1, math.max(#wanted, #got) do
      if not is_equal(wanted[i], got[i]) then
         local missing, unexpected = unmatched(wanted, got, is_equal)
         if #missing == 0 and #unexpected == 0 then
            return ("The rows are the same, but not in this order; row %d is\n"
               .. "  wanted     %s\n  got        %s"):format(i, compare.show(wanted[i]),
               compare.show(got[i]))
         end
         return report(("The rows differ, first in row %d: %s"):format(i,
            counts(wanted, got)), missing, unexpected)
      end
   end
end

return compare
