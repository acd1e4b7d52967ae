--- The user's functions in a graph, and what each is given: for inspect, probe and
-- fallback.
-- @module sluice.check.functions

local aggregate = require "sluice.aggregate"
local constraint = require "sluice.constraint"
local place = require "sluice.place"
local schema = require "sluice.schema"

local functions = {}

local function names_of_state(spec)
   local names = {}
   for i, member in ipairs(spec.members) do names[i] = member.name end
   return names
end

local BOUNDS = { "start", "stop" }

--- A row as an argument; `fields` are those of the source it comes from, by slot.
local function row_of(of, fields)
   return { kind = "row", schema = of, names = schema.names(of), fields = fields or {} }
end

--- Arguments of an aggregate's functions, by what they do.
local function arguments(what, row, spec)
   if what == "where" or what == "value" or what == "by" then return { row } end
   if what == "fold_batch" then return nil end
   local state = { kind = "state", spec = spec, names = names_of_state(spec), row = row }
   if what == "fold" then return { state, row } end
   if what == "merge" then return { state, state } end
   if what == "result" then return { state, { kind = "window", names = BOUNDS } } end
   return { state }
end

--- What a function gives when any value will do, but there must be one.
local ANYTHING = {}

local function add(list, fn, what, args, gives)
   if fn then
      list[#list + 1] = { fn = fn, what = what, args = args, gives = gives,
         line = place.of_function(fn) }
   end
end

local function fields_of(graph, step)
   return step.input.kind == "source" and graph.sources[step.input.index].fields or nil
end

local function add_tree(list, tree, fields)
   for _, branch in ipairs(tree or {}) do
      if branch.op == "filter" then
         local row = row_of(branch.schema, fields)
         add(list, branch.fn, "filter", { row }, ANYTHING)
      elseif branch.op == "derive" then
         local row = row_of(branch.schema, fields)
         for _, column in ipairs(branch.columns) do
            local what = column.what or ("derive `%s`"):format(column.name)
            add(list, column.fn, what, { row },
               { type = column.type, shape = column.shape })
         end
      end
      add_tree(list, branch.next, fields)
   end
end

--- What a function of an aggregate must give, where anything will not do.
local function given_by(entry, spec)
   local what = entry.what
   if what == "by" or what == "value" and spec.kind ~= "count" then
      return { type = entry.type, shape = entry.shape }
   end
   if what == "value" or what == "where" then return ANYTHING end
   if what == "result" then
      return { type = spec.type, shape = spec.shape, fields = spec.fields }
   end
end

--- The rows that flow into an aggregate: those of the first output that feeds it.
local function row_into(graph, index)
   for _, step in ipairs(graph.steps) do
      for _, output in ipairs(step.outputs) do
         if output.kind == "aggregate" and output.target == index then
            return row_of(output.schema, fields_of(graph, step))
         end
      end
   end
end

--- List the user's functions of a graph, sources first, then steps, then aggregates.
-- @tparam table graph
-- @treturn table list of `{ fn =, what = "filter", line = "FILE:LINE", args = { { kind =
--   "row"|"state"|"window", names =, schema =, fields =, spec =, row = what is folded },
--   … } or nil when they are not known, gives = nil (nothing), `{}` (anything),
--   `{ type = }` or `{ fields = { { name =, type = } } }` }`
function functions.of(graph)
   local list = {}
   for _, source in ipairs(graph.sources) do
      if type(source.events) == "function" then add(list, source.events, "events") end
      add(list, source.rows, "row")
      for _, one in ipairs(constraint.list(source.fields)) do
         add(list, one.check.fn, ("check of field `%s`"):format(one.field.name), nil,
            ANYTHING)
      end
      if source.time and source.time.fn then
         local row = row_of(source.schema, source.fields)
         add(list, source.time.fn, "event_time", { row }, { type = "int64" })
      end
   end
   for _, step in ipairs(graph.steps) do
      add_tree(list, step.tree, fields_of(graph, step))
   end
   for index, of in ipairs(graph.aggregates) do
      local row = row_into(graph, index)
      for _, item in ipairs(of.items) do
         for _, entry in ipairs(aggregate.functions(item.spec)) do
            add(list, entry.fn, ("%s of `%s`"):format(entry.what, item.name),
               arguments(entry.what, row, item.spec.user),
               given_by(entry, item.spec))
         end
      end
   end
   return list
end

return functions
