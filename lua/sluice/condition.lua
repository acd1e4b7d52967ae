--- Conditions that are written as in SQL, for messages: what they are in Lua.
-- @module sluice.condition

local condition = {}

local OPERATORS = { ["="] = "==", ["<>"] = "~=", ["!="] = "~=" }

--- The function to write instead of what was given.
-- @param given anything; a text such as "ms > 3" is made a condition of Lua
-- @treturn string
-- @usage condition.of "ms > 3" --> "function(row) return row.ms and row.ms > 3 end"
function condition.of(given)
   local text = type(given) == "string" and given or ""
   local name, operator, value = text:match "^%s*([%a_][%w_]*)%s*([<>=!]+)%s*(.-)%s*$"
   if not name then name, operator, value = "amount", ">", "3" end
   operator = OPERATORS[operator] or operator
   local compared = ("row.%s %s %s"):format(name, operator, value)
   if operator ~= "==" and operator ~= "~=" then
      compared = ("row.%s and %s"):format(name, compared)
   end
   return ("function(row) return %s end"):format(compared)
end

return condition
