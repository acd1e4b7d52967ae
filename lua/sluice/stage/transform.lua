--- Stages that look at one row at a time: `:filter`, `:derive`, `:select`.
-- @module sluice.stage.transform

local condition = require "sluice.condition"
local field = require "sluice.field"
local options = require "sluice.options"
local place = require "sluice.place"
local schema = require "sluice.schema"

local transform = {}

--- `:filter(fn)`: keep the rows for which it gives true.
-- @tparam table node being made
-- @tparam function fn (row) → boolean
-- @raise for anything else
function transform.filter(node, fn)
   if type(fn) ~= "function" then
      place.fail(nil, "`:filter` takes a function(row), got %s: write :filter(%s)",
         options.show(fn), condition.of(fn))
   end
   node.fn = fn
end

local function check_typed(method, name, it)
   local wrong = schema.bad_name(name)
   if wrong then
      place.fail(nil, "`:%s`: column %s: %s", method, options.show(name), wrong)
   end
   if field.is_typed(it) then return end
   if type(it) == "function" then
      place.fail(nil, "`:%s`: `%s` needs a type: write %s = sluice.double(function(row) "
         .. "… end) or another",
         method, name, name)
   end
   place.fail(nil, "`:%s`: `%s` is %s, wanted a typed function: "
      .. "sluice.double(function(row) … end)", method,
      name, options.show(it))
end

--- Columns of typed functions, by name.
-- @tparam string method which one asks, for messages
-- @tparam table named list of `{ name, typed function }`
-- @treturn table columns `{ name =, type =, fn =, line = }`
-- @raise for anything but typed functions
function transform.typed_columns(method, named)
   local columns = {}
   for i, entry in ipairs(named) do
      local name, it = entry[1], entry[2]
      check_typed(method, name, it)
      columns[i] = { name = name, type = it.type, shape = it.shape, fn = it.fn,
         line = it.line, exact = false, nullable = true }
   end
   return columns
end

--- `:derive { name = sluice.TYPE(fn), … }`: add columns. Each function sees only the
-- columns before.
-- @tparam table node being made
-- @tparam table given typed functions by name
-- @raise for columns that exist, and functions without a type
function transform.derive(node, given)
   if type(given) ~= "table" or field.is_typed(given) or field.spec(given) then
      place.fail(nil, "`:derive` takes a table of typed functions by name, got %s",
         options.show(given))
   end
   local positional, named = options.split(given)
   if positional[1] ~= nil then
      place.fail(nil, "`:derive`: an entry has no name: write name = "
         .. "sluice.double(function(row) … end)")
   end
   if not named[1] then place.fail(nil, "`:derive` adds no column: name one") end
   node.columns = transform.typed_columns("derive", named)
   local made, twice = schema.derive(node.schema, node.columns)
   if not made then
      place.fail(nil, "`:derive`: column `%s` exists already: take another name, and "
         .. "rename it by `:select { …, %s = \"other\" }` behind it", twice, twice)
   end
   node.schema = made
end

-- What stands where a column's name is wanted.
local function check_selected(entry)
   local new, old = entry[1], entry[2]
   if type(old) == "string" then return end
   local instead = 'write the names side by side, as in { "a", "b", new = "a" }'
   if type(old) == "function" or field.is_typed(old) then
      instead = ("what is computed stands in `:derive { %s = sluice.double(function(row) "
         .. "… end) }`"):format(type(new) == "string" and new or "new")
   end
   place.fail(nil, "`:select` takes names of columns, got %s: %s",
      field.is_typed(old) and "a typed function" or options.show(old), instead)
end

--- `:select { "a", "b", new = "a" }`: keep, rename, order.
-- @tparam table node being made
-- @tparam table given columns in order, then renamed ones by their new name
-- @raise for unknown columns and names that stand twice
function transform.select(node, given)
   if type(given) ~= "table" then
      place.fail(nil, "`:select` takes a table of columns, got %s: write :select { %s }",
         options.show(given), type(given) == "string" and ("%q"):format(given) or '"id"')
   end
   local positional, named = options.split(given)
   local entries = {}
   for _, name in ipairs(positional) do entries[#entries + 1] = { name, name } end
   for _, entry in ipairs(named) do
      local wrong = schema.bad_name(entry[1])
      if wrong then
         place.fail(nil, "`:select`: column %s: %s", options.show(entry[1]), wrong)
      end
      entries[#entries + 1] = entry
   end
   if #entries == 0 then place.fail(nil, "`:select` keeps no column: name one") end
   for _, entry in ipairs(entries) do check_selected(entry) end
   local made, message = schema.select(node.schema, entries)
   if not made then place.fail(nil, "`:select`: %s", message) end
   node.entries, node.schema = entries, made
end

return transform
