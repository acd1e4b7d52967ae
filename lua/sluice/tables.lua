--- Small things about tables that modules share. Order follows from the keys, so that
-- `pairs` reaches neither plan nor output.
-- @module sluice.tables

local tables = {}

local function comes_before(a, b)
   if type(a) == type(b) and (type(a) == "number" or type(a) == "string") then
      return a < b
   end
   return type(a) < type(b)
end

--- Keys of a table in order: numbers, then texts.
-- @tparam table of keys are numbers or texts
-- @treturn table list of the keys
function tables.keys(of)
   local keys = {}
   for key in pairs(of) do keys[#keys + 1] = key end
   table.sort(keys, comes_before)
   return keys
end

--- A table with the same entries.
-- @tparam table of
-- @treturn table
function tables.copy(of)
   local made = {}
   for key, value in pairs(of) do made[key] = value end
   return made
end

--- The names of what stands in a list.
-- @tparam table list of tables with a `name`
-- @treturn {string,...} in the list's order
function tables.names(list)
   local names = {}
   for i, one in ipairs(list) do names[i] = one.name end
   return names
end

return tables
