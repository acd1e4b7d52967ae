--- Types of LuaCATS for what the tables that check scripts say: the words that an option
-- takes, the arguments of a function by their names.
-- @module sluice.help.types

local types = {}

-- By how the words begin with which an option says what it takes; the first that fits.
local WANTED = {
   { "^true, false, or a number", "boolean|integer" },
   { "^true or false", "boolean" },
   { "^true or a table", "boolean|table" },
   { "^a duration", "sluice.Duration" },
   { "^a size", "sluice.Size" },
   { "^a whole number", "integer" },
   { "^a power of two", "integer" },
   { "^a number", "number" },
   { "^a function%(i, random, now_ms%), a list", "function|table|string" },
   { "^a function", "function" },
   { "^a topic's name.*function", "string|fun(row: sluice.Row): string?" },
   { "^a topic's name.*list", "string|string[]" },
   { "^a column's name", "string|string[]|fun(row: sluice.Row): any" },
   { "^a path, a pattern", "string|string[]" },
   { "^sluice%.env", "string|sluice.Secret" },
   { "^a list of partition", "integer[]" },
   { "^names of all columns", "string[]" },
   { "^a type or a list of fields", "string|sluice.Field|sluice.Field[]" },
   { "^a time ", "string|integer" },
   { "^a table", "table" },
   { "^client options", "table<string, string|number|boolean>" },
   { "^text", "string" }, { "^a path", "string" }, { "^a folder", "string" },
   { "^one ASCII", "string" }, { "^letters", "string" },
   { "^brokers as", "string|string[]" },
   { "^a regular expression", "string" },
}

-- Words in quotes, and nothing else: an enumeration.
local function enumeration(wanted)
   local words, rest = {}, wanted
   for word in wanted:gmatch '"([^"]*)"' do words[#words + 1] = ('"%s"'):format(word) end
   rest = rest:gsub('"[^"]*"', ""):gsub("[%s,]", ""):gsub("or", "")
   if rest == "" and #words > 0 then return table.concat(words, "|") end
end

--- The type of an option.
-- @tparam string wanted what it takes, in words
-- @treturn string
-- @usage types.of_wanted '"fail", "skip"' --> '"fail"|"skip"'
function types.of_wanted(wanted)
   local words = enumeration(wanted)
   if words then return words end
   for _, entry in ipairs(WANTED) do
      if wanted:find(entry[1]) then return entry[2] end
   end
   return "any"
end

local ARGUMENTS = {
   fn = "fun(row: sluice.Row): any", f = "string|fun(row: sluice.Row): any",
   by = "string|fun(row: sluice.Row): any", q = "number", n = "integer",
   bounds = "number[]", options = "table", name = "string", fields = "sluice.Field[]",
   text = "string", zone = "string", format = "string", ms = "number", unit = "string",
   pattern = "string", prefix = "string", part = "string", separator = "string",
   path = "string", sink = "sluice.Connector", low = "number", high = "number",
   row = "sluice.Row", w = "sluice.Window", keys = "string|table", columns = "table",
   values = "any[]", value = "any", help = "string", span = "sluice.Duration",
   counts = "table<string, integer>", step = "string",
}

--- The type of an argument, by its name.
-- @tparam string name
-- @treturn string
function types.of_argument(name) return ARGUMENTS[name] or "any" end

return types
