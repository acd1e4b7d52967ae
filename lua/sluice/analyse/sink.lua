--- Sinks of a graph. One constructor call is one sink, however many branches end in it.
-- @module sluice.analyse.sink

local analyse_message = require "sluice.analyse.message"
local common = require "sluice.sink.common"
local connector = require "sluice.connector"
local options = require "sluice.options"
local override = require "sluice.override"
local place = require "sluice.place"
local retract = require "sluice.analyse.retract"

local analyse_sink = {}

local STDOUT = "-"

-- Two sinks that write one file would each undo what the other wrote.
local function check_file(work, sink, name)
   if sink.connector ~= "file" or name == STDOUT then return end
   for _, other in ipairs(work.graph.sinks) do
      if other.connector == "file" and other.name == name then
         place.fail(sink.line, "the sink at %s writes `%s` already: take another path, "
            .. "or make one sluice.file and write `:to` it twice", other.line, name)
      end
   end
end

local function make(work, node, is_side)
   local sink = node.sink
   local one = connector.of(sink.connector, "sink")
   local values, set = override.values(work.pipeline, sink)
   local message = connector.conflict(sink.connector, "sink", values)
   if message then
      place.fail(sink.line, "sluice.%s: %s%s", sink.connector, message, set)
   end
   local filled = one.fill(values, work.graph.name)
   check_file(work, sink, one.name(values))
   for _, name in ipairs(common.OF_AGGREGATION) do filled[name] = nil end
   local own = sink.connector == "sink" and { open = values.open, write = values.write,
      close = values.close } or nil
   return {
      script = own,
      name = one.name(values), connector = sink.connector, options = filled,
      times = filled.times,
      on_error = filled.on_error, enveloped = false, is_side = is_side, line = sink.line,
   }
end

--- Add a sink, or find it.
-- @tparam table work shared by the analysis
-- @tparam table node of `:to`, `:late_to` or `:quarantine_to`
-- @tparam boolean is_side it gets records, not rows
-- @treturn integer its index
-- @raise for options that do not fit together, and a sink of rows and records alike
function analyse_sink.add(work, node, is_side)
   local graph = work.graph
   local index = work.sink_index[node.sink]
   if not index then
      index = #graph.sinks + 1
      work.sink_index[node.sink] = index
      graph.sinks[index] = make(work, node, is_side)
   end
   if graph.sinks[index].is_side ~= is_side then
      place.fail(node.line, "sink `%s` would get rows and records in one: write one sink "
         .. "for `:to`, another for `:late_to` and `:quarantine_to`",
         graph.sinks[index].name)
   end
   work.sink_nodes[#work.sink_nodes + 1] = { node = node, index = index }
   return index
end

-- Rows of no group are sent once each: there is nothing to update.
local function check_plain(work, node)
   local values = override.values(work.pipeline, node.sink)
   for _, name in ipairs(common.OF_AGGREGATION) do
      local value = values[name]
      local right = value == nil or value == false
         or (name == "mode" and value == "append")
      if not right then
         place.fail(node.line, "`%s = %s` is for rows of an aggregation, and there is "
            .. "none before this sink: leave it out", name, options.show(value))
      end
   end
end

-- A file cannot take a row back: where that may be asked, each line says its key.
local function mark_enveloped(work)
   local graph = work.graph
   for _, step in ipairs(graph.steps) do
      for k, output in ipairs(step.outputs) do
         local sink = output.kind == "sink" and graph.sinks[output.target]
         if sink and sink.connector == "file" and retract.from(graph, step, k) then
            sink.enveloped = true
         end
      end
   end
end

--- Check what is only known when all aggregates stand.
-- @tparam table work shared by the analysis
-- @raise for options of an aggregation where there is none
function analyse_sink.finish(work)
   for _, entry in ipairs(work.sink_nodes) do
      if entry.node.op == "to" and entry.node.phase == "rows" then
         check_plain(work, entry.node)
      end
   end
   mark_enveloped(work)
   analyse_message.finish(work.graph)
end

return analyse_sink
