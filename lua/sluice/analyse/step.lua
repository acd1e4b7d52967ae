--- Steps of a graph: trees of stateless stages behind a source or an aggregate, and
-- their outputs. Behind each distinct and flat_map a step of its own begins.
-- @module sluice.analyse.step

local analyse_aggregate = require "sluice.analyse.aggregate"
local analyse_distinct = require "sluice.analyse.distinct"
local analyse_message = require "sluice.analyse.message"
local analyse_sink = require "sluice.analyse.sink"
local analyse_stage = require "sluice.analyse.stage"
local chain = require "sluice.chain"
local override = require "sluice.override"
local place = require "sluice.place"
local schema = require "sluice.schema"

local analyse_step = {}

--- Most outputs of a step, and most functions in it: `SL_MAX_OUTPUTS` of plan.h.
analyse_step.MOST = 31

local grow

local function add_step(work, input)
   local steps = work.graph.steps
   local step = { input = input, tree = {}, outputs = {}, nodes = {} }
   steps[#steps + 1] = step
   return step, #steps
end

local function with(list, it)
   local longer = {}
   for i, one in ipairs(list) do longer[i] = one end
   longer[#longer + 1] = it
   return longer
end

local function add_function(walk, fn, what, line)
   local nodes = walk.step.nodes
   nodes[#nodes + 1] = { fn = fn, line = place.of_function(fn), what = what }
   if #nodes > analyse_step.MOST then
      place.fail(line, "more than %d functions behind one source: write a source for "
         .. "some of the branches",
         analyse_step.MOST)
   end
   return #nodes
end

local function add_output(walk, output, line)
   local outputs = walk.step.outputs
   outputs[#outputs + 1] = output
   if #outputs > analyse_step.MOST then
      place.fail(line, "more than %d outputs behind one source: write a source for some "
         .. "of the branches",
         analyse_step.MOST)
   end
   return { op = "output", output = #outputs }
end

-- Columns of functions get a slot of their own, and their functions a number.
local function place_columns(walk, columns, what, line)
   local placed = {}
   for i, column in ipairs(columns) do
      walk.layout.slots = walk.layout.slots + 1
      placed[i] = {
         name = column.name, type = column.type, exact = column.exact,
         shape = column.shape, nullable = column.nullable,
         fn = column.fn, slot = walk.layout.slots, what = column.what,
         node = add_function(walk, column.fn, what, line),
      }
   end
   return placed
end

local function as_columns(placed)
   local columns = {}
   for i, one in ipairs(placed) do
      columns[i] = { name = one.name, type = one.type, exact = one.exact,
         shape = one.shape, nullable = one.nullable,
         slot = one.slot }
   end
   return columns
end

local function add_derive(walk, node, of, what)
   local placed = place_columns(walk, node.columns, what, node.line)
   local entry = { op = "derive", columns = placed, schema = of, next = {} }
   return entry, schema.derive(of, as_columns(placed))
end

-- The value's columns, key and extras of a row that goes to a sink; functions among the
-- sink's options are a stage in front of the output.
local function add_sink_output(walk, list, node, of)
   local values = override.values(walk.work.pipeline, node.sink)
   local output = { kind = "sink", columns = of.columns, schema = of, line = node.line,
      key_kind = walk.key_kind, key = walk.key, key_step = walk.key_step }
   local columns = analyse_message.columns(values)
   if #columns > 0 then
      local placed = place_columns(walk, columns, "to", node.line)
      local entry = { op = "derive", columns = placed, schema = of, next = {} }
      list[#list + 1], list = entry, entry.next
      columns = placed
   end
   analyse_message.fill(output, values, of, columns)
   list[#list + 1] = add_output(walk, output, node.line)
   return output
end

local handlers = {}

function handlers.filter(walk, list, node, of)
   local entry = { op = "filter", fn = node.fn, schema = of, next = {} }
   entry.node = add_function(walk, node.fn, "filter", node.line)
   list[#list + 1] = entry
   walk.tree.has_filter = true
   grow(walk, entry.next, node, of)
end

function handlers.derive(walk, list, node, of)
   local entry, made = add_derive(walk, node, of, "derive")
   list[#list + 1] = entry
   grow(walk, entry.next, node, made)
end

function handlers.select(walk, list, node, of)
   grow(walk, list, node, schema.select(of, node.entries))
end

function handlers.group_by(walk, list, node, of)
   if #node.columns == 0 then return grow(walk, list, node, of) end
   local entry, made = add_derive(walk, node, of, "group_by")
   list[#list + 1] = entry
   return grow(walk, entry.next, node, made)
end

-- All inputs in the order of the first one's columns.
function handlers.union(walk, list, node, of)
   local entries = {}
   for i, column in ipairs(node.schema.columns) do
      entries[i] = { column.name, column.name }
   end
   grow(walk, list, node, schema.select(of, entries))
end

local function columns_named(of, names)
   local columns = {}
   for i, name in ipairs(names) do columns[i] = of.by_name[name] end
   return columns
end

-- Results that go on to other stages are in mode append.
local function go_on(walk, node)
   walk.tree.onward = walk.tree.onward or node
end

function handlers.aggregate(walk, list, node, of)
   local output = { kind = "aggregate", columns = columns_named(of, node.keys), key = {},
      schema = of, line = node.line }
   output.target = analyse_aggregate.add(walk.work, node, of, walk)
   list[#list + 1] = add_output(walk, output, node.line)
   go_on(walk, node)
end

-- The step behind the output that was added last.
local function child_of(walk, input, layout)
   input.step, input.output = walk.number, #walk.step.outputs
   local step, number = add_step(walk.work, input)
   step.root, step.rows = walk.step.root, layout and layout.step or number
   return setmetatable({
      step = step, number = number, layout = layout or { step = number, slots = 0 },
   }, { __index = walk })
end

function handlers.distinct(walk, list, node, of)
   local index, one = analyse_distinct.add(walk.work, node, walk)
   local output = { kind = "distinct", target = index,
      columns = columns_named(of, node.keys), schema = of, line = node.line }
   list[#list + 1] = add_output(walk, output, node.line)
   go_on(walk, node)
   local child = child_of(walk, { kind = "distinct", index = index }, walk.layout)
   output.next = child.number
   child.stages = with(walk.stages, one)
   grow(child, child.step.tree, node, of)
end

function handlers.flat_map(walk, list, node, of)
   local output = { kind = "flat_map", fn = node.fn, schema = of, line = node.line }
   list[#list + 1] = add_output(walk, output, node.line)
   go_on(walk, node)
   local child = child_of(walk, { kind = "flat_map" })
   output.next, output.fields = child.number, node.fields
   child.step.fields, child.layout.slots = node.fields, #node.fields
   if walk.key_kind ~= "record" then
      child.key_step = walk.key_step or walk.layout.step
   end
   grow(child, child.step.tree, node, node.schema)
end

function handlers.to(walk, list, node, of)
   local output = add_sink_output(walk, list, node, of)
   output.target = analyse_sink.add(walk.work, node, false)
   analyse_message.into(walk.work.graph.sinks[output.target], output)
   table.insert(walk.tree.sinks, node)
   grow(walk, list, node, of)
end

function handlers.late_to(walk, list, node, of)
   local stages = walk.stages
   local late = analyse_sink.add(walk.work, node, true)
   analyse_stage.set_late(stages, late, node)
   walk.stages = {}
   grow(walk, list, node, of)
   walk.stages = stages
end

local function set_quarantine(work, source, sink, node)
   if source.quarantine and source.quarantine ~= sink then
      place.fail(node.line, "records of source `%s` are quarantined to `%s` already: a "
         .. "source has one quarantine, write `:quarantine_to` once, before the branches "
         .. "part", source.name, work.graph.sinks[source.quarantine].name)
   end
   source.quarantine = sink
end

function handlers.quarantine_to(walk, list, node, of)
   local sink = analyse_sink.add(walk.work, node, true)
   for _, source in ipairs(walk.sources) do
      set_quarantine(walk.work, source, sink, node)
   end
   grow(walk, list, node, of)
end

-- Event time was read from the source's view; a window belongs to the aggregate behind
-- it.
local function pass(walk, list, node, of)
   grow(walk, list, node, of)
end
handlers.event_time, handlers.window = pass, pass

function grow(walk, list, node, of)
   for _, follower in ipairs(walk.work.followers[node]) do
      handlers[follower.op](walk, list, follower, of)
   end
end

-- A walk over the tree of steps behind a source or an aggregate. `stages`: those before
-- it whose late rows go nowhere yet.
local function new_walk(work, input, slots, sources, stages)
   local step, number = add_step(work, input)
   step.root, step.rows = number, number
   return {
      work = work, step = step, number = number,
      layout = { step = number, slots = slots },
      tree = { sinks = {}, has_filter = false },
      key = {}, key_kind = "record", sources = sources, stages = stages,
   }
end

--- Add the steps behind a source.
-- @tparam table work shared by the analysis
-- @tparam integer index of the source
-- @tparam table decode node of its schema
-- @treturn integer the index of the first
function analyse_step.behind_source(work, index, decode)
   local walk = new_walk(work, { kind = "source", index = index },
      #decode.schema.columns, { work.graph.sources[index] }, {})
   grow(walk, walk.step.tree, decode, decode.schema)
   return walk.number
end

local function behind_aggregate(work, index)
   local one = work.aggregate_nodes[index]
   local walk = new_walk(work, { kind = "aggregate", index = index },
      #one.schema.columns, one.sources, with(one.stages, one))
   walk.key, walk.key_kind = analyse_aggregate.key(one)
   grow(walk, walk.step.tree, one.node, one.schema)
   work.graph.aggregates[index].step = walk.number
   one.sinks, one.has_filter, one.onward = walk.tree.sinks, walk.tree.has_filter,
      walk.tree.onward
end

-- The first aggregate that all before it are done for.
local function next_aggregate(work, done)
   for index, one in ipairs(work.aggregate_nodes) do
      local is_ready = not done[one.node]
      for _, node in ipairs(is_ready and chain.path(one.node) or {}) do
         if node.op == "aggregate" and node ~= one.node and not done[node] then
            is_ready = false
         end
      end
      if is_ready then return index, one.node end
   end
end

--- Add the steps behind all aggregates, also those that this brings; each then knows its
-- sinks.
-- @tparam table work shared by the analysis
function analyse_step.behind_aggregates(work)
   local done, order = {}, {}
   local index, node = next_aggregate(work, done)
   while index do
      behind_aggregate(work, index)
      done[node], order[#order + 1] = true, index
      index, node = next_aggregate(work, done)
   end
   analyse_stage.reorder(work, order)
end

return analyse_step
