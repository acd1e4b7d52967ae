--- What drivers and the user's functions in them are called in messages: a text a
-- driver, whose first line is the driver, and each further one the function of that
-- number (`v.node`).
-- @module sluice.driver.names

local constraint = require "sluice.constraint"
local place = require "sluice.place"

local driver_names = {}

local function name_of(what, fn)
   return fn and what .. " " .. place.of_function(fn) or what
end

local function add_tree(list, tree, first)
   for _, stage in ipairs(tree) do
      if stage.op == "filter" then
         list[first + stage.node] = name_of("filter", stage.fn)
      end
      for _, column in ipairs(stage.columns or {}) do
         local what = column.what or ("derive `%s`"):format(column.name)
         list[first + column.node] = name_of(what, column.fn)
      end
      if stage.next then add_tree(list, stage.next, first) end
   end
end

local function first_of(spec, emits)
   local user = spec.user
   if user then return emits and user.result or user.fold or user.fold_batch end
   if emits then return nil end
   local first, second = (spec.inputs or {})[1], (spec.inputs or {})[2]
   return spec.where or first and first.fn or second and second.fn
end

local function add_items(list, items, emits)
   for k, item in ipairs(items) do
      list[k] = name_of(("%s of `%s`"):format(emits and "result" or "fold", item.name),
         first_of(item.spec, emits))
   end
end

--- How many functions the stages of a tree number.
-- @tparam table tree of stages
-- @treturn integer
function driver_names.count(tree)
   local count = 0
   for _, stage in ipairs(tree) do
      count = math.max(count, stage.node or 0, driver_names.count(stage.next or {}))
      for _, column in ipairs(stage.columns or {}) do
         count = math.max(count, column.node or 0)
      end
   end
   return count
end

-- The merges of users' aggregates, numbered behind all others.
local function add_merges(list, items, first)
   for k, item in ipairs(items) do
      local user = item.spec.user
      if user and user.merge then
         list[first + k] = name_of(("merge of `%s`"):format(item.name), user.merge)
      end
   end
end

local function text_of(what, name, list)
   local last = 0
   for k in pairs(list) do last = math.max(last, k) end
   local lines = { ("%s of %s"):format(what, name) }
   for k = 1, last do lines[k + 1] = list[k] or "" end
   return table.concat(lines, "\n")
end

--- Name a driver of a source with one function: `time` or `rows`.
-- @tparam string what the driver
-- @tparam string name of the source
-- @tparam string stage what the function is in the script
-- @tparam function fn
-- @treturn string
function driver_names.of_source(what, name, stage, fn)
   return text_of(what, name, { name_of(stage, fn) })
end

--- Name the driver of a source's constraints.
-- @tparam string name of the source
-- @tparam table fields of the source
-- @treturn string
function driver_names.of_checks(name, fields)
   local list = {}
   for k, one in ipairs(constraint.list(fields)) do
      list[k] = name_of(("check of field `%s`"):format(one.field.name), one.check.fn)
   end
   return text_of("checks", name, list)
end

--- Name a driver by what it works on.
-- @tparam string what `prepare`, `fold` or `emit`
-- @tparam string name of the source or aggregation
-- @tparam ?table items of the aggregation: they are numbered first
-- @tparam ?table tree of stages, numbered behind these; then the merges of the items
-- @treturn string
function driver_names.of(what, name, items, tree)
   local list = {}
   if items then add_items(list, items, what == "emit") end
   if tree then add_tree(list, tree, items and #items or 0) end
   if items and tree then add_merges(list, items, #items + driver_names.count(tree)) end
   return text_of(what, name, list)
end

local function add_schemas(schemas, tree, first)
   for _, stage in ipairs(tree) do
      if stage.node then schemas[first + stage.node] = stage.schema end
      for _, column in ipairs(stage.columns or {}) do
         if column.node then schemas[first + column.node] = stage.schema end
      end
      if stage.next then add_schemas(schemas, stage.next, first) end
   end
end

--- What the functions of a driver see, for what is said when one throws.
-- @tparam table step Step
-- @tparam ?table tree of stages
-- @tparam ?table schema that all other functions see
-- @tparam ?integer first how many functions are numbered before those of the tree
-- @treturn table `{ step =, schema = or nil, schemas = number of a function, from 1 →
--  schema }`; of emission also `state` and `first_merge`, `v.node` of the first merge
function driver_names.sees(step, tree, schema, first)
   local schemas = {}
   if tree then add_schemas(schemas, tree, first or 0) end
   return { step = step, schema = schema, schemas = schemas }
end

return driver_names
