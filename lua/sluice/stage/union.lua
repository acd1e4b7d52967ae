--- `:union(other, …)`: the rows of several streams of one schema.
-- @module sluice.stage.union

local options = require "sluice.options"
local place = require "sluice.place"
local schema = require "sluice.schema"
local shape = require "sluice.shape"
local tables = require "sluice.tables"

local union = {}

-- `sluice.stream` needs this module: what a stream is, is told by its node.
local function node_of(it)
   local node = type(it) == "table" and rawget(it, "node")
   return type(node) == "table" and node or nil
end

local function kind_of(column)
   return shape.text(column) .. (column.exact and " (exact)" or "")
end

-- Why two schemas are not one; nil: they are, in whatever order.
local function difference(of, other)
   for _, column in ipairs(of.columns) do
      local same = other.by_name[column.name]
      if not same then
         return ("it has no `%s` (%s)"):format(column.name, kind_of(column))
      end
      if kind_of(same) ~= kind_of(column) then
         return ("`%s` is %s there, %s here"):format(column.name, kind_of(same),
            kind_of(column))
      end
   end
   for _, column in ipairs(other.columns) do
      if not of.by_name[column.name] then
         return ("it has `%s` (%s) beside"):format(column.name, kind_of(column))
      end
   end
end

local ROWS = { decoded = true, rows = true, results = true }

local function check(node, other, given, number)
   if not other then
      place.fail(nil, "`:union` takes streams, argument %d is %s", number,
         options.show(given))
   end
   if not ROWS[other.phase] then
      place.fail(nil, "`:union`: argument %d is not a stream of rows: it ends in `:%s`",
         number, other.op)
   end
   local wrong = difference(node.schema, other.schema)
   if wrong then
      place.fail(nil, "`:union`: argument %d has another schema: %s; give both the same "
         .. "columns by `:select` or `:derive`", number, wrong)
   end
end

-- Columns as the first stream has them; one that may be null anywhere may be null.
local function merge(node)
   local columns = {}
   for i, column in ipairs(node.schema.columns) do
      local nullable = column.nullable
      for _, other in ipairs(node.others) do
         nullable = nullable or other.schema.by_name[column.name].nullable
      end
      local copy = tables.copy(column)
      copy.nullable = nullable
      columns[i] = copy
   end
   return schema.new(columns)
end

--- `:union(other, …)`: the rows of all of them; the same columns by name and type, in the
-- order of the first.
-- @tparam table node being made
-- @tparam sluice.stream.Stream ... the other streams
-- @raise for what is no stream, and other schemas
function union.make(node, ...)
   node.others = {}
   if select("#", ...) == 0 then
      place.fail(nil, "`:union` takes the other stream: write `rides:union(more_rides)`")
   end
   for i = 1, select("#", ...) do
      local given = select(i, ...)
      local other = node_of(given)
      check(node, other, given, i)
      node.others[i] = other
      if other.phase == "results" then node.phase = "results" end
   end
   node.schema = merge(node)
end

return union
