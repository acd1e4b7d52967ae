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

--- A row as an argument; `fields` are those of the source it comes from, by slot;
-- `before` the stages that it has come through.
local function row_of(of, fields, before)
   return { kind = "row", schema = of, names = schema.names(of), fields = fields or {},
      before = before or {} }
end

local function extended(list, more)
   local made = {}
   for i, item in ipairs(list) do made[i] = item end
   for _, item in ipairs(more) do made[#made + 1] = item end
   return made
end

-- The functions of one branch as stages that rows come through.
local function stages_of(branch, fields)
   local arg = row_of(branch.schema, fields)
   if branch.op == "filter" then return { { fn = branch.fn, arg = arg } } end
   local stages = {}
   for i, column in ipairs(branch.columns or {}) do
      stages[i] = { fn = column.fn, arg = arg, slot = column.slot }
   end
   return stages
end

-- The stages between the begin of a step and one of its outputs.
local function path_to(tree, output, before, fields)
   for _, branch in ipairs(tree) do
      if branch.op == "output" then
         if branch.output == output then return before end
      else
         local found = path_to(branch.next or {}, output, extended(before,
            stages_of(branch, fields)), fields)
         if found then return found end
      end
   end
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

-- What is not called for each row or result.
local ONCE = { init = true, migrate = true, events = true }

local function add(list, fn, what, args, gives)
   if fn then
      list[#list + 1] = { fn = fn, what = what, args = args, gives = gives,
         once = ONCE[what:match "^%a+"], line = place.of_function(fn) }
   end
end

-- The step whose rows a step goes on with: a distinct lets them pass as they are.
local function parent_of(graph, step)
   return step.input.kind == "distinct" and step.input.step
      and graph.steps[step.input.step] or nil
end

local function fields_of(graph, step)
   local parent = parent_of(graph, step)
   if parent then return fields_of(graph, parent) end
   if step.input.kind == "flat_map" then return step.fields end
   return step.input.kind == "source" and graph.sources[step.input.index].fields or nil
end

-- The stages in front of a step's tree, of the same rows.
local function before_step(graph, step)
   local parent = parent_of(graph, step)
   if not parent then return {} end
   return path_to(parent.tree, step.input.output, before_step(graph, parent),
      fields_of(graph, parent)) or {}
end

-- Columns by name that one `:derive` makes: they do not see each other.
local function names_of(columns)
   local found = {}
   for _, column in ipairs(columns) do found[column.name] = true end
   return found
end

local function add_tree(list, tree, fields, before)
   for _, branch in ipairs(tree) do
      if branch.op == "filter" then
         local row = row_of(branch.schema, fields, before)
         add(list, branch.fn, "filter", { row }, { filter = true })
      elseif branch.op == "derive" then
         local row = row_of(branch.schema, fields, before)
         row.siblings = names_of(branch.columns)
         for _, column in ipairs(branch.columns) do
            local what = column.what or ("derive `%s`"):format(column.name)
            add(list, column.fn, what, { row },
               { type = column.type, shape = column.shape })
         end
      end
      if branch.next then
         local behind = extended(before, stages_of(branch, fields))
         add_tree(list, branch.next, fields, behind)
      end
   end
end

local function add_flat_maps(list, step, fields, before)
   for k, output in ipairs(step.outputs) do
      if output.kind == "flat_map" then
         local row = row_of(output.schema, fields, path_to(step.tree, k, before, fields))
         local emit = { kind = "emit", names = {}, fields = output.fields }
         add(list, output.fn, "flat_map", { row, emit })
      end
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
      for k, output in ipairs(step.outputs) do
         if output.kind == "aggregate" and output.target == index then
            local fields = fields_of(graph, step)
            return row_of(output.schema, fields, path_to(step.tree, k,
               before_step(graph, step), fields))
         end
      end
   end
end

-- Rows of a source say which, so that its own events can be tried.
local function tell_sources(graph, list)
   local by_fields = {}
   for _, source in ipairs(graph.sources) do by_fields[source.fields] = source end
   for _, entry in ipairs(list) do
      for _, arg in ipairs(entry.args or {}) do
         arg.source = arg.fields and by_fields[arg.fields]
         if arg.row then arg.row.source = by_fields[arg.row.fields] end
      end
   end
   return list
end

-- What the old state was is known when there is one: it is not run before.
local function add_migrate(list, item)
   if not item.migrate then return end
   local spec = item.spec.user
   add(list, item.migrate, ("migrate of `%s`"):format(item.name),
      { {}, { kind = "state", spec = spec, names = names_of_state(spec) } })
   list[#list].unprobed = true
end

--- List the user's functions of a graph, sources first, then steps, then aggregates.
-- @tparam table graph
-- @treturn table list of `{ fn =, what = "filter", line = "FILE:LINE", args = { { kind =
--   "row"|"state"|"window", names =, schema =, fields =, spec =, row = what is folded,
--   before = { { fn =, arg = row, slot = of a derived column or nil } } }, … } or nil
--   when they are not known, gives = nil (nothing), `{}` (anything), `{ filter = true }`,
--   `{ type = }` or `{ fields = { { name =, type = } } }`, once = true where it is not
--   called for each row or result, unprobed = true where it cannot be run on made-up
--   arguments }`
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
      add_tree(list, step.tree, fields_of(graph, step), before_step(graph, step))
      add_flat_maps(list, step, fields_of(graph, step), before_step(graph, step))
   end
   for index, of in ipairs(graph.aggregates) do
      local row = row_into(graph, index)
      for _, item in ipairs(of.items) do
         for _, entry in ipairs(aggregate.functions(item.spec)) do
            add(list, entry.fn, ("%s of `%s`"):format(entry.what, item.name),
               arguments(entry.what, row, item.spec.user),
               given_by(entry, item.spec))
         end
         add_migrate(list, item)
      end
   end
   return tell_sources(graph, list)
end

return functions
