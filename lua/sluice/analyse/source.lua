--- Sources of a graph: options, fields, event time.
-- @module sluice.analyse.source

local analyse_step = require "sluice.analyse.step"
local connector = require "sluice.connector"
local decode_stage = require "sluice.stage.decode"
local override = require "sluice.override"
local path = require "sluice.path"
local place = require "sluice.place"

local analyse_source = {}

local function field_of(spec)
   local from = spec.from or { kind = "value", path = { spec.name } }
   return {
      name = spec.name, type = spec.type, exact = spec.exact or false, unit = spec.unit,
      shape = spec.shape,
      required = spec.required or false, default = spec.default,
      one_of = spec.one_of, range = spec.range, checks = spec.checks, from = from,
      line = spec.line,
   }
end

-- Nodes of one kind below a node, through whatever lets the source's rows pass.
local function collect(work, node, op, found)
   for _, follower in ipairs(work.followers[node]) do
      if follower.op == op then found[#found + 1] = follower end
      collect(work, follower, op, found)
   end
   return found
end

local function only(nodes, what, instead)
   if nodes[2] then
      place.fail(nodes[2].line, "%s of this source stands at %s already: %s", what,
         nodes[1].line, instead)
   end
   return nodes[1]
end

local function find_decode(work, node)
   return only(collect(work, node, "decode", {}), "the schema",
      "keep the stream behind it in a variable and branch there, or write another source")
end

local function find_time(work, node)
   return only(collect(work, node, "event_time", {}), "the event time",
      "a source has one; keep the stream behind it in a variable and branch there")
end

local function time_of(work, node)
   if not node then return nil end
   local values, set = override.values(work.pipeline, node)
   local message = decode_stage.time_conflict(node, values)
   if message then place.fail(node.line, "`:event_time`: %s%s", message, set) end
   return decode_stage.time_of(node, values)
end

local function unique_name(graph, name)
   local taken, number = {}, 1
   for _, source in ipairs(graph.sources) do taken[source.name] = true end
   local unique = name
   while taken[unique] do
      number = number + 1
      unique = ("%s#%d"):format(name, number)
   end
   return unique
end

local function check_trigger(work, source, kind, bounded)
   local trigger = work.graph.options.trigger.kind
   if trigger == "available-now" and kind == "generator" and not bounded then
      place.fail(source.line, "sluice.generator without `count` has no end, which "
         .. "trigger \"available-now\" runs to: write count = …")
   end
end

local function fields_of(decode)
   local fields = {}
   for i, spec in ipairs(decode.fields) do fields[i] = field_of(spec) end
   return fields
end

--- Add a source, and the steps behind it.
-- @tparam table work shared by the analysis
-- @tparam table node of the source
-- @raise for options that do not fit together, and a schema or event time said twice
function analyse_source.add(work, node)
   local graph = work.graph
   local one = connector.of(node.connector, "source")
   local values, set = override.values(work.pipeline, node)
   local message = connector.conflict(node.connector, "source", values)
   if message then
      place.fail(node.line, "sluice.%s: %s%s", node.connector, message, set)
   end
   local decode, time = find_decode(work, node), find_time(work, node)
   local bounded = one.is_bounded(values)
   check_trigger(work, node, node.connector, bounded)
   local source = {
      name = unique_name(graph, one.name(values)), connector = node.connector,
      options = one.fill(values, graph.name), bounded = bounded,
      format = decode.format, format_options = decode.format_options,
      has_header = decode.has_header or false,
      fields = fields_of(decode), rows = one.rows and one.rows(values),
      events = values.events,
      schema = decode.schema, time = time_of(work, time), line = node.line,
   }
   graph.sources[#graph.sources + 1] = source
   source.step = analyse_step.behind_source(work, #graph.sources, decode)
end

local function check_names(graph)
   for _, source in ipairs(graph.sources) do
      for _, sink in ipairs(graph.sinks) do
         if source.connector == "file" and sink.connector == "file" and source.name ~= "-"
            and source.name == sink.name then
            place.fail(sink.line, "the file %s is read and written: write to another one",
               sink.name)
         end
      end
   end
end

--- Check what is only known when everything stands.
-- @tparam table work shared by the analysis
-- @raise for a file that is read and written
function analyse_source.finish(work)
   check_names(work.graph)
end

-- A pattern that matched what the pipeline writes would read it round and round.
local function topics_written(graph, brokers)
   local names = {}
   for _, sink in ipairs(graph.sinks) do
      local topic = sink.connector == "kafka" and sink.options.brokers == brokers
         and sink.options.topic
      if topic then names[#names + 1] = topic end
   end
   return names
end

local function files_written(graph)
   local names = {}
   for _, sink in ipairs(graph.sinks) do
      if sink.connector == "file" and sink.options.path ~= path.STREAM then
         names[#names + 1] = sink.options.path
      end
   end
   return names
end

-- As runtime/connect/file_list.c has it.
local function has_pattern(paths)
   for _, name in ipairs(type(paths) == "table" and paths or { paths }) do
      if name:find "[*?%[]" then return true end
   end
   return false
end

--- Tell sources that read by a pattern which topics or files are never theirs.
-- @tparam table graph with all its sinks
function analyse_source.exclude(graph)
   for _, source in ipairs(graph.sources) do
      if source.options.pattern then
         source.options.without = topics_written(graph, source.options.brokers)
      elseif source.connector == "file" and has_pattern(source.options.path) then
         source.options.without = files_written(graph)
      end
   end
end

return analyse_source
