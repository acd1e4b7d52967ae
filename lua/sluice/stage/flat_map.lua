--- `:flat_map({ fields }, function(row, emit) … end)`: any number of rows a row.
-- @module sluice.stage.flat_map

local decode = require "sluice.stage.decode"
local options = require "sluice.options"
local place = require "sluice.place"
local schema = require "sluice.schema"

local flat_map = {}

local function read_fields(given)
   local specs = decode.fields("flat_map", given)
   local columns = {}
   for i, spec in ipairs(specs) do
      if spec.from then
         place.fail(spec.line, "field `%s`: rows of `:flat_map` come from `emit`, not "
            .. "from bytes: leave `:from…` out", spec.name)
      end
      columns[i] = { name = spec.name, type = spec.type, exact = spec.exact or false,
         shape = spec.shape,
         nullable = not spec.required and spec.default == nil, slot = i }
   end
   if #specs == 0 then
      place.fail(nil, "`:flat_map` declares no field: name those that `emit` gives, as "
         .. "in { sluice.string \"word\" }")
   end
   return specs, columns
end

--- `:flat_map({ fields }, function(row, emit) … end)`: `emit { name = value, … }` adds a
-- row of these fields, at its record's time and under its record's key; when the function
-- throws, none of the row's rows remain.
-- @tparam table node being made
-- @tparam table fields of the rows it makes, in order
-- @tparam function fn (row, emit)
-- @raise for what is no field or function
function flat_map.make(node, fields, fn)
   local specs, columns = read_fields(fields)
   if type(fn) ~= "function" then
      place.fail(nil, "`:flat_map` takes fields and a function(row, emit), got %s: write "
         .. ":flat_map({ sluice.string \"word\" }, function(row, emit) … end)",
         options.show(fn))
   end
   local made, twice = schema.new(columns)
   if not made then
      place.fail(nil, "`:flat_map`: field `%s` stands twice: take one out", twice)
   end
   node.fields, node.fn, node.schema = specs, fn, made
end

return flat_map
