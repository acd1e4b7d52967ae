--- Lists of columns: what a row has at one place of a chain. Never changed, only made
-- anew. `{ columns = { { name =, type =, shape =, slot =, exact =, nullable = }, … },
-- by_name = {…} }`; `shape`: see `sluice.shape`
-- @module sluice.schema

local nearest = require "sluice.nearest"
local tables = require "sluice.tables"

local schema = {}

--- What a column may be.
schema.TYPES = { bool = true, int32 = true, int64 = true, double = true, timestamp = true,
   string = true, bytes = true, date = true, decimal = true, list = true, map = true,
   struct = true }

--- Names of the columns that a window adds.
schema.WINDOW_COLUMNS = { window_start = true, window_end = true }

local HIDDEN = "^__"

--- Say whether a column can have a name.
-- @param name any
-- @treturn ?string what is wrong with it
function schema.bad_name(name)
   if type(name) ~= "string" or name == "" then return "a name is text, not empty" end
   if name:find "%c" then return "a name holds no control characters" end
   if name:find(HIDDEN) then return "names that begin with `__` are the runtime's own" end
   if #name > 255 then return "a name is at most 255 bytes long" end
end

--- Make a schema.
-- @tparam table columns
-- @treturn ?table schema
-- @treturn ?string the name that stands twice
function schema.new(columns)
   local by_name = {}
   for _, column in ipairs(columns) do
      if by_name[column.name] then return nil, column.name end
      by_name[column.name] = column
   end
   return { columns = columns, by_name = by_name }
end

--- Names in their order.
-- @tparam table of schema
-- @treturn {string,...}
function schema.names(of)
   local names = {}
   for i, column in ipairs(of.columns) do names[i] = column.name end
   return names
end

--- Find a column.
-- @tparam table of schema
-- @tparam string name
-- @treturn ?table column
-- @treturn ?string "unknown field `x`: did you mean `y`?"
function schema.column(of, name)
   local column = type(name) == "string" and of.by_name[name]
   if column then return column end
   if type(name) ~= "string" then
      return nil, ("wanted a field's name, got a %s"):format(type(name))
   end
   local shown = name
   return nil, ("unknown field `%s`%s"):format(shown,
      nearest.hint(shown, schema.names(of)))
end

--- Add columns behind those there are.
-- @tparam table of schema
-- @tparam table added columns
-- @treturn ?table schema
-- @treturn ?string the name that stands twice
function schema.derive(of, added)
   local columns = {}
   for i, column in ipairs(of.columns) do columns[i] = column end
   for _, column in ipairs(added) do columns[#columns + 1] = column end
   return schema.new(columns)
end

--- Keep, rename and order columns.
-- @tparam table of schema
-- @tparam table entries list of `{ new name, old name }`
-- @treturn ?table schema
-- @treturn ?string a message
function schema.select(of, entries)
   local columns = {}
   for i, entry in ipairs(entries) do
      local column, message = schema.column(of, entry[2])
      if not column then return nil, message end
      local copy = tables.copy(column)
      copy.name = entry[1]
      columns[i] = copy
   end
   local made, twice = schema.new(columns)
   if not made then return nil, ("`%s` stands twice"):format(twice) end
   return made
end

return schema
