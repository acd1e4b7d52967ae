--- Every option that is in effect: its value, where that comes from, what it is about,
-- what it risks. All of it stands in the tables of options: an entry says `about` (a word
-- of `audit.ABOUT`) and `risk`, text or a function(value, with) → text or nil, where
-- `with` is `{ graph =, pipeline =, values = the other options in the plan's form, behind
-- = figures of the aggregations concerned (`sluice.risk`) }`.
-- `environment` names the variable that stands in for what a script does not give.
-- @module sluice.check.audit

local connector = require "sluice.connector"
local cost = require "sluice.explain.cost"
local decode = require "sluice.stage.decode"
local options = require "sluice.options"
local override = require "sluice.override"
local pipeline = require "sluice.pipeline"
local secret = require "sluice.secret"
local tables = require "sluice.tables"
local window = require "sluice.window"

local audit = {}

-- The option that says most of a stage.
local FIRST = { window = "size", distinct = "within" }

--- What an option can be about. `access`: what is where, and who may.
audit.ABOUT = { latency = true, memory = true, correctness = true, access = true }

local function show_secret(value)
   if value.env then return ("sluice.env %q"):format(value.env) end
   return ("sluice.secret_file %q"):format(value.file)
end

local function show_table(value)
   local parts = {}
   for _, key in ipairs(tables.keys(value)) do
      local shown = audit.show(value[key])
      parts[#parts + 1] = type(key) == "number" and shown
         or ("%s = %s"):format(tostring(key), shown)
   end
   local text = table.concat(parts, ", ")
   return #value > 0 and text or "{ " .. text .. " }"
end

--- How a value in the plan's form looks to people: never a secret, never a function's
-- insides.
-- @param value any
-- @tparam ?table entry of the option, whose checker may have a `say`
-- @treturn string
function audit.show(value, entry)
   local say = entry and entry.check and entry.check.say
   if say then return say(value) end
   if type(value) == "function" then return "a function" end
   if type(value) == "number" then return ("%.15g"):format(value) end
   if type(value) ~= "table" then return tostring(value) end
   if secret.is(value) then return show_secret(value) end
   return show_table(value)
end

-- The setting that stands in for an option of a node.
local function set_by(of, node, name)
   local set = of.overrides[node]
   if not set or set.values[name] == nil then return nil end
   for i = #set.texts, 1, -1 do
      local path = set.texts[i]:match "^([^=]+)="
      if path == name or path:match "%.([^.]+)$" == name then
         return "--set " .. set.texts[i]
      end
   end
end

local function from_where(group, name, entry)
   local set = set_by(group.pipeline, group.node, name)
   if set then return set end
   if group.given[name] ~= nil then return group.line or "the script" end
   if entry.environment and os.getenv(entry.environment) then
      return "$" .. entry.environment
   end
   return "default"
end

local function risk_of(entry, value, with)
   if type(entry.risk) == "function" then return entry.risk(value, with) end
   return entry.risk
end

-- The options of one table that have a value.
local function add_group(list, graph, group)
   local with = { graph = graph, pipeline = group.pipeline, values = group.filled,
      behind = group.behind and group.behind(graph) or {} }
   local first = group.first
   local names = {}
   for name in pairs(group.known) do names[#names + 1] = name end
   table.sort(names, function(a, b)
      if (a == first) ~= (b == first) then return a == first end
      return a < b
   end)
   for _, name in ipairs(names) do
      local entry = group.known[name]
      local value = group.filled[entry.as or name]
      if value == nil then value = group.given[name] end
      local is_empty = type(value) == "table" and next(value) == nil
      if value ~= nil and not is_empty and not entry.later then
         list[#list + 1] = {
            of = group.of, name = name, value = audit.show(value, entry),
            from = from_where(group, name, entry), about = entry.about,
            risk = risk_of(entry, value, with),
         }
      end
   end
end

-- What the risks of options are told of an aggregation.
local function figures_of(graph, aggregate)
   local found = cost.of(graph, aggregate)
   return { name = aggregate.name, mode = aggregate.mode, windows = found.windows,
      key_bytes = found.key_bytes, closes_after_ms = found.closes_after_ms }
end

-- Aggregations for which a condition holds.
local function those(condition)
   return function(graph)
      local list = {}
      for _, aggregate in ipairs(graph.aggregates) do
         if condition(graph, aggregate) then
            list[#list + 1] = figures_of(graph, aggregate)
         end
      end
      return list
   end
end

local function behind_source(name)
   return those(function(graph, aggregate)
      local source = cost.source_of(graph, aggregate)
      return source and source.name == name
   end)
end

local function called(name)
   return those(function(_, aggregate) return aggregate.name == name end)
end

local function before_sink(name)
   return those(function(graph, aggregate)
      for _, output in ipairs(graph.steps[aggregate.step].outputs) do
         local sink = output.kind == "sink" and graph.sinks[output.target]
         if sink and sink.name == name then return true end
      end
      return false
   end)
end

-- What a script may leave to the analysis, in the plan's names.
local DECIDED = { "delivery", "commit_interval_ms", "state_dir" }

local function of_pipeline(graph, of)
   local given, set = {}, of.overrides.pipeline
   for name, value in pairs(of.values) do
      if not (set and set.values[name] ~= nil) then given[name] = value end
   end
   local filled = options.filled(pipeline.OPTIONS, of.values)
   for _, name in ipairs(DECIDED) do filled[name] = graph.options[name] end
   return { of = "pipeline " .. graph.name, known = pipeline.OPTIONS, node = "pipeline",
      given = given, filled = filled, first = "name", line = of.line, pipeline = of }
end

local function of_connector(graph, of, target)
   local one = connector.of(target.node.connector, target.role)
   local values = override.values(of, target.node)
   local filled = one.fill(values, graph.name)
   filled.cluster = nil
   return { of = ("%s %s"):format(target.is_side and "side sink" or target.role,
      target.name), known = target.known, node = target.node, given = target.node.values,
      filled = filled, first = one.required, line = target.node.line, pipeline = of,
      behind = target.role == "sink" and before_sink(target.name) or nil }
end

-- Windows, distincts: stages whose options stand in the node itself.
local function of_stage(of, target)
   local values = override.values(of, target.node)
   local kind = target.role == "window" and target.node.kind
   return { of = ("%s %s%s"):format(target.role, target.name,
      kind and " (" .. kind .. ")" or ""),
      known = target.known, node = target.node, given = target.node.values or {},
      filled = options.filled(target.known, values), line = target.node.line,
      first = FIRST[target.role], pipeline = of,
      behind = target.role == "window" and called(target.name) or nil }
end

local function of_time(of, node, name)
   return { of = "event time of " .. name, known = decode.TIME, node = node,
      given = node.values or {}, filled = decode.time_of(node, override.values(of, node)),
      first = "delay", line = node.line, pipeline = of, behind = behind_source(name) }
end

-- Parameters of the script: what they are about is their type, what they risk is said by
-- whoever wrote them.
local function add_params(list, graph)
   for _, one in ipairs(graph.params or {}) do
      list[#list + 1] = { of = "the script (sluice.param)", name = one.name,
         value = tostring(one.value), from = one.is_set and "--param" or one.line
            or "default", about = one.type, risk = one.help }
   end
end

--- List the options in effect: the script's parameters, the pipeline's, then those of
-- sources, event times, stages and sinks in the script's order.
-- @tparam table graph from `sluice.analyse`
-- @tparam sluice.pipeline.Pipeline of the graph
-- @treturn table list of `{ of = "source ride_events", name =, value = text, from =
--   "default"|"FILE:LINE"|"--set …"|"$NAME", about =, risk = text or nil }`
function audit.of(graph, of)
   local list = {}
   add_params(list, graph)
   add_group(list, graph, of_pipeline(graph, of))
   for _, target in ipairs(override.targets(of)) do
      local is_end = target.role == "source" or target.role == "sink"
      add_group(list, graph, is_end and of_connector(graph, of, target)
         or of_stage(of, target))
      if target.time then
         add_group(list, graph, of_time(of, target.time, target.name))
      end
   end
   return list
end

--- Say what is missing in a table of options.
-- @tparam table known name → entry
-- @treturn {string,...} messages
function audit.gaps(known)
   local gaps = {}
   for _, name in ipairs(tables.keys(known)) do
      local entry = known[name]
      if not entry.later and not audit.ABOUT[entry.about] then
         gaps[#gaps + 1] = ("option `%s` does not say what it is `about`: latency, "
            .. "memory, correctness or access"):format(name)
      end
      local risk = type(entry.risk)
      if not entry.later and risk ~= "string" and risk ~= "function" then
         gaps[#gaps + 1] = ("option `%s` does not say its `risk`"):format(name)
      end
   end
   return gaps
end

--- The windows' tables, for those who list all options.
audit.WINDOWS = window.OPTIONS

return audit
