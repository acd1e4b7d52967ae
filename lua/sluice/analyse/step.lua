--- Steps of a graph: the tree of stateless stages behind a source or an aggregate, and
-- its outputs.
-- @module sluice.analyse.step

local analyse_aggregate = require "sluice.analyse.aggregate"
local analyse_message = require "sluice.analyse.message"
local analyse_sink = require "sluice.analyse.sink"
local override = require "sluice.override"
local place = require "sluice.place"
local schema = require "sluice.schema"

local analyse_step = {}

--- Most outputs of a step, and most functions in it: `SL_MAX_OUTPUTS` of plan.h.
analyse_step.MOST = 31

local grow

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
      walk.slots = walk.slots + 1
      placed[i] = {
         name = column.name, type = column.type, exact = column.exact,
         shape = column.shape, nullable = column.nullable,
         fn = column.fn, slot = walk.slots, what = column.what,
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
      key_kind = walk.key_kind, key = walk.key }
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
   walk.has_filter = true
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

function handlers.aggregate(walk, list, node, of)
   local output = { kind = "aggregate", columns = {}, key = {}, schema = of }
   for i, name in ipairs(node.keys) do output.columns[i] = of.by_name[name] end
   output.target = analyse_aggregate.add(walk.work, node, of, walk.number, walk.source)
   list[#list + 1] = add_output(walk, output, node.line)
end

function handlers.to(walk, list, node, of)
   local output = add_sink_output(walk, list, node, of)
   output.target = analyse_sink.add(walk.work, node, false)
   analyse_message.into(walk.work.graph.sinks[output.target], output)
   walk.sinks[#walk.sinks + 1] = node
   grow(walk, list, node, of)
end

function handlers.late_to(walk, list, node, of)
   local late = analyse_sink.add(walk.work, node, true)
   analyse_aggregate.set_late(walk.aggregate, late, node)
   grow(walk, list, node, of)
end

function handlers.quarantine_to(walk, list, node, of)
   local source = walk.source
   local sink = analyse_sink.add(walk.work, node, true)
   if source.quarantine and source.quarantine ~= sink then
      place.fail(node.line, "records of source `%s` are quarantined to `%s` already: a "
         .. "source has one quarantine, write `:quarantine_to` once, before the branches "
         .. "part", source.name,
         walk.work.graph.sinks[source.quarantine].name)
   end
   source.quarantine = sink
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

local function new_walk(work, input, slots)
   local steps = work.graph.steps
   local step = { input = input, tree = {}, outputs = {}, nodes = {} }
   steps[#steps + 1] = step
   return {
      work = work, step = step, number = #steps, slots = slots, sinks = {},
      has_filter = false,
      key = {}, key_kind = "record",
   }
end

--- Add the step behind a source.
-- @tparam table work shared by the analysis
-- @tparam integer index of the source
-- @tparam table decode node of its schema
-- @treturn integer the step's index
function analyse_step.behind_source(work, index, decode)
   local walk = new_walk(work, { kind = "source", index = index }, #decode.schema.columns)
   walk.source = work.graph.sources[index]
   grow(walk, walk.step.tree, decode, decode.schema)
   return walk.number
end

--- Add the step behind an aggregate, which then knows its mode.
-- @tparam table work shared by the analysis
-- @tparam integer index of the aggregate
function analyse_step.behind_aggregate(work, index)
   local one = work.aggregate_nodes[index]
   local columns = one.schema.columns
   local walk = new_walk(work, { kind = "aggregate", index = index }, #columns)
   walk.source, walk.aggregate = one.source, one
   walk.key, walk.key_kind = analyse_aggregate.key(one)
   grow(walk, walk.step.tree, one.node, one.schema)
   work.graph.aggregates[index].step = walk.number
   one.sinks, one.has_filter = walk.sinks, walk.has_filter
end

return analyse_step
