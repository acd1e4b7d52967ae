--- The stages of an aggregation: `:group_by`, `:window`, `:aggregate`.
-- @module sluice.stage.group

local options = require "sluice.options"
local place = require "sluice.place"
local schema = require "sluice.schema"
local transform = require "sluice.stage.transform"
local window = require "sluice.window"

local group = {}

local NAME = { name = { check = options.text(), doc = "of the state", about = "access",
   risk = "state goes by it: renamed, it starts empty" } }

--- Options of `:aggregate`, behind its table.
group.OPTIONS = {
   backfill = { check = options.duration(1), as = "backfill_ms",
      doc = "what is new here when a changed script takes over is filled with the rows "
         .. "of this long, in event time back from the newest; absent: it starts empty",
      about = "latency",
      risk = "records of that time are read once more, for the new aggregates alone; the "
         .. "longer, the later the changed script takes over",
   },
}

local function read_keys(node, positional)
   local names = {}
   for i, name in ipairs(positional) do
      if window.is(name) then
         place.fail(nil, "`:group_by` takes fields, got a window: write `:group_by { … }"
            .. ":window(sluice.%s { … })`", name.kind)
      end
      local column, message = schema.column(node.schema, name)
      if not column then place.fail(nil, "`:group_by`: %s", message) end
      names[i] = column.name
   end
   return names
end

local function check_keys(names)
   local seen = {}
   for _, name in ipairs(names) do
      if seen[name] then
         place.fail(nil, "`:group_by`: `%s` stands twice: take one out", name)
      end
      seen[name] = true
   end
end

--- `:group_by "a"`, `:group_by { "a", hour = sluice.int64(fn) }`: fields in order, then
-- functions by name.
-- @tparam table node being made
-- @tparam string|table given
-- @tparam ?table more `name`: of the state, where a pipeline has two aggregations
-- @raise for unknown fields, functions without a type, names that exist
function group.group_by(node, given, more)
   if type(given) == "string" then given = { given } end
   if type(given) ~= "table" then
      place.fail(nil, "`:group_by` takes a field or a table of them, got %s",
         options.show(given))
   end
   if type(more) == "string" then
      place.fail(nil, "`:group_by` takes several fields in a table: write `:group_by { "
         .. "%q, %q }`", given[1],
         more)
   end
   node.name = options.read("`:group_by`", NAME, more == nil and {} or more).name
   local positional, named = options.split(given)
   node.keys = read_keys(node, positional)
   node.columns = transform.typed_columns("group_by", named)
   local made, twice = schema.derive(node.schema, node.columns)
   if not made then
      place.fail(nil, "`:group_by`: column `%s` exists already: take another name", twice)
   end
   for _, column in ipairs(node.columns) do node.keys[#node.keys + 1] = column.name end
   check_keys(node.keys)
   node.schema = made
end

--- `:window(w)`: the windows of the aggregation behind it.
-- @tparam table node being made
-- @tparam sluice.window.Window given
-- @raise for anything else
function group.window(node, given)
   if not window.is(given) then
      place.fail(nil, "`:window` takes a window, got %s: write %s { size = … }",
         options.show(given),
         window.kinds())
   end
   node.kind, node.values = given.kind, given.values
end

-- The nodes of an aggregation, seen from the one being made.
local function stages_before(node)
   local of_window = node.parent.op == "window" and node.parent or nil
   local before = of_window and of_window.parent or node.parent
   return of_window, before.op == "group_by" and before or nil
end

local function is_spec(it)
   return type(it) == "table" and type(it.resolve) == "function"
end

local function wanted_spec(name, it)
   if type(it) == "function" then
      place.fail(nil, "`:aggregate`: `%s` is a function: call it, as in %s = "
         .. "sluice.count()", name, name)
   end
   place.fail(nil, "`:aggregate`: `%s` is %s, wanted an aggregate such as sluice.count()",
      name,
      options.show(it))
end

local function add_item(items, name, it)
   if not is_spec(it) then wanted_spec(tostring(name), it) end
   local wrong = schema.bad_name(name)
   if wrong then
      place.fail(nil, "`:aggregate`: column %s: %s", options.show(name), wrong)
   end
   items[#items + 1] = { name = name, spec = it }
end

-- Positional entries are tables with one name: that is how a script orders its results.
local function add_positional(items, entry)
   if type(entry) ~= "table" or is_spec(entry) then
      place.fail(nil, "`:aggregate`: an aggregate has no name: write { name = "
         .. "sluice.count() }")
   end
   local unnamed, named = options.split(entry)
   if unnamed[1] ~= nil or #named ~= 1 then
      place.fail(nil, "`:aggregate`: an entry without a name is a table with one "
         .. "aggregate: write { { name = sluice.count() }, … }")
   end
   add_item(items, named[1][1], named[1][2])
end

local function read_items(given)
   if type(given) ~= "table" or is_spec(given) then
      place.fail(nil, "`:aggregate` takes a table of aggregates by name, got %s: write { "
         .. "name = sluice.count() }", is_spec(given) and "one aggregate"
         or options.show(given))
   end
   local positional, named = options.split(given)
   local items = {}
   for _, entry in ipairs(positional) do add_positional(items, entry) end
   for _, entry in ipairs(named) do add_item(items, entry[1], entry[2]) end
   if #items == 0 then
      place.fail(nil, "`:aggregate` computes nothing: name one, as in { rows = "
         .. "sluice.count() }")
   end
   return items
end

local function key_columns(of, keys)
   local columns = {}
   for i, name in ipairs(keys) do columns[i] = of.by_name[name] end
   return columns
end

local function add_result(columns, name, of)
   columns[#columns + 1] = {
      name = name, type = of.type, exact = of.exact or false, shape = of.shape,
      nullable = of.nullable ~= false,
   }
end

--- Columns of the rows that an aggregation gives, with their slots.
-- @tparam table key columns
-- @tparam string kind of window, or "none"
-- @tparam table items `{ name =, resolved = }`
-- @treturn table columns: group, window bounds, results
function group.result_columns(key, kind, items)
   local columns = {}
   for _, column in ipairs(key) do
      columns[#columns + 1] = {
         name = column.name, type = column.type, exact = column.exact,
         shape = column.shape, nullable = column.nullable,
      }
   end
   local bounds = window.has_bounds(kind) and { "window_start", "window_end" } or {}
   for _, name in ipairs(bounds) do
      columns[#columns + 1] = { name = name, type = "timestamp", exact = false,
         nullable = false }
   end
   for _, item in ipairs(items) do
      if not item.resolved.fields then add_result(columns, item.name, item.resolved) end
      for _, part in ipairs(item.resolved.fields or {}) do
         add_result(columns, item.name .. "_" .. part.name, part)
      end
   end
   for slot, column in ipairs(columns) do column.slot = slot end
   return columns
end

--- Resolve aggregates against a schema.
-- @tparam table items `{ name =, spec = }`
-- @tparam table of schema of the rows they fold
-- @tparam string kind of window
-- @treturn ?table list of `{ name =, spec =, resolved = }`
-- @treturn ?string a message
function group.resolve(items, of, kind)
   local resolved = {}
   for i, item in ipairs(items) do
      local one, message = item.spec:resolve(of, kind)
      if not one then return nil, ("aggregate `%s`: %s"):format(item.name, message) end
      resolved[i] = { name = item.name, spec = item.spec, resolved = one }
   end
   return resolved
end

--- `:aggregate { name = sluice.count(), … }`: one row a group and window.
-- @tparam table node being made
-- @tparam table given aggregates: tables with one name in order, then named ones by name
-- @tparam ?table more `backfill`
-- @raise for what is no aggregate, unknown fields, names that exist
function group.aggregate(node, given, more)
   local of_window, of_group = stages_before(node)
   node.window_node, node.group_node = of_window, of_group
   local kind = of_window and of_window.kind or "none"
   node.items = read_items(given)
   node.backfill_ms = options.read("`:aggregate`", group.OPTIONS, more == nil and {}
      or more).backfill
   local resolved, message = group.resolve(node.items, node.schema, kind)
   if not resolved then place.fail(nil, "%s", message) end
   node.keys = of_group and of_group.keys or {}
   local key = key_columns(node.schema, node.keys)
   local made, twice = schema.new(group.result_columns(key, kind, resolved))
   if not made then
      local why = schema.WINDOW_COLUMNS[twice] and window.has_bounds(kind)
         and "the window adds a column of that name"
         or "a group field or another aggregate has that name"
      place.fail(nil, "`:aggregate`: column `%s` stands twice (%s): take another name",
         twice, why)
   end
   node.schema = made
end

return group
