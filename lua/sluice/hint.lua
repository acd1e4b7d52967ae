--- What is said of the common errors of user code, beside Lua's own message: which field
-- is null, what to write. Pure: text in, text out.
-- @module sluice.hint

local nearest = require "sluice.nearest"
local tables = require "sluice.tables"

local hint = {}

-- Fields that a line reads: `ride.amount` → { text = "ride.amount", name = "amount" }.
local function fields_read(line, columns)
   local found, seen = {}, {}
   for object, name in line:gmatch "([%a_][%w_]*)%s*%.%s*([%a_][%w_]*)" do
      local text = object .. "." .. name
      if columns[name] and not seen[text] then
         seen[text] = true
         found[#found + 1] = { text = text, name = name }
      end
   end
   return found
end

local function quoted(list)
   local parts = {}
   for i, one in ipairs(list) do parts[i] = "`" .. one.text .. "`" end
   return table.concat(parts, " and ")
end

-- The fields of the line that are null in the row.
local function nulls_of(seen)
   local nulls = {}
   for _, one in ipairs(fields_read(seen.line, seen.columns)) do
      if seen.values[one.name] == nil then nulls[#nulls + 1] = one end
   end
   return nulls
end

local function guard(nulls)
   local conditions = {}
   for i, one in ipairs(nulls) do conditions[i] = one.text end
   return ("guard %s with `if %s then`"):format(#nulls == 1 and "it" or "them",
      table.concat(conditions, " and "))
end

-- What is nil though no field is: a local, an upvalue, a member of something.
local function of_nil(seen)
   local nulls = nulls_of(seen)
   if #nulls > 0 then
      return ("%s %s null here: %s"):format(quoted(nulls), #nulls == 1 and "is" or "are",
         guard(nulls))
   end
   local kind, name = seen.message:match "(%a+) '([^']+)' %(a nil value%)"
   if name then
      return ("%s `%s` is nil here: see where it gets its value, or guard it with `if %s "
         .. "then`"):format(kind, name, name)
   end
end

local function of_call(seen)
   local kind, name = seen.message:match "attempt to call (%a+) '([^']+)' %(a nil value%)"
   if not name then
      return seen.message:find "a nil value" and "what is called here is nil: a helper "
         .. "that stands below, or a name that the table does not have" or nil
   end
   if kind == "method" then
      local near = nearest.find(name, tables.keys(string))
      return ("text has no method `%s`%s"):format(name,
         near and (": did you mean `%s`?"):format(near) or "")
   end
   if kind == "upvalue" or kind == "local" then
      return ("`%s` is nil when it is called: a `local function` must stand above the "
         .. "function that calls it"):format(name)
   end
   return ("there is no function `%s` here: see how it is spelt, and that what holds it "
      .. "returns it"):format(name)
end

-- Types of the fields that the line reads, for messages about text and numbers.
local function typed(seen)
   local parts = {}
   for _, one in ipairs(fields_read(seen.line, seen.columns)) do
      local kind = seen.columns[one.name].type
      parts[#parts + 1] = ("`%s` is %s"):format(one.text, kind == "string" and "text"
         or "a " .. tostring(kind))
   end
   return #parts > 0 and table.concat(parts, ", ") .. ": " or ""
end

local function of_comparison(seen)
   local a, b = seen.message:match "attempt to compare (%a+) with (%a+)"
   if not a then a = seen.message:match "attempt to compare two (%a+) values"; b = a end
   if not a then return nil end
   if a == "nil" or b == "nil" then return of_nil(seen) end
   if a == "string" or b == "string" then
      return typed(seen) .. "compare numbers by `tonumber(text)`, or text with text"
   end
   return typed(seen) .. ("a %s cannot be put in order"):format(a)
end

local function of_text(seen)
   if not seen.message:find "%(a string value%)"
      and not seen.message:find "attempt to perform arithmetic on" then
      return nil
   end
   if seen.message:find "nil value" then return of_nil(seen) end
   return typed(seen) .. "make a number of it by `tonumber(text)`, which is nil where it "
      .. "is none"
end

local function of_index(seen)
   return seen.message:find "nil value" and of_nil(seen) or nil
end

-- Setters: "derive `x`: got string, wanted double".
local function of_result(seen)
   local got, wanted = seen.message:match ": got (%S+), wanted (%a%w*)"
   if not got then return nil end
   if wanted:find "^int" or wanted == "timestamp" then
      if tonumber(got) then
         return "round it: `math.floor(x + 0.5)`; a division by zero is no number"
      end
      return "give a number: `tonumber(text)`, or nil for null"
   end
   if wanted == "double" then return "give a number: `tonumber(text)`, or nil for "
      .. "null" end
   if wanted == "string" then return "give text: `tostring(x)`, or nil for null" end
   if wanted == "bool" then return "give true, false or nil: `x ~= nil`, `x > 0`" end
end

local FINDERS = {
   { "attempt to call", of_call },
   { "attempt to compare", of_comparison },
   { "attempt to index", of_index },
   { "attempt to concatenate", of_nil },
   { "attempt to get length", of_nil },
   { "attempt to perform arithmetic", of_text },
   { "bad argument #%d+", of_nil },
   { "wanted", of_result },
}

--- Say what probably went wrong, and what to write.
-- @tparam table seen `{ message = Lua's, line = of the source, "" when not known, columns
--   = name → column that the function sees, values = name → value, nil: null }`
-- @treturn ?string
-- @usage hint.of { message = "attempt to compare number with nil", line =
--   "return ride.amount > 3", columns = { amount = {} }, values = {} }
--   --> "`ride.amount` is null here: guard it with `if ride.amount then`"
function hint.of(seen)
   if seen.message:find "unknown field `[^`]*`$" then return nil end
   for _, entry in ipairs(FINDERS) do
      if seen.message:find(entry[1]) then
         local text = entry[2](seen)
         if text then return text end
      end
   end
end

return hint
