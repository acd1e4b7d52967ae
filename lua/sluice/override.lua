--- `--set PATH=VALUE`: finds what a path means in a pipeline and replaces one option
-- there. Nodes stay as they are: the pipeline remembers what stands in for their options.
-- @module sluice.override

local chain = require "sluice.chain"
local connector = require "sluice.connector"
local decode = require "sluice.stage.decode"
local distinct = require "sluice.stage.distinct"
local nearest = require "sluice.nearest"
local options = require "sluice.options"
local window = require "sluice.window"

local override = {}

local SINKS = { to = "sink", late_to = "side sink", quarantine_to = "side sink" }

local function connector_target(node, role, values)
   local one = connector.of(node.connector, role)
   return { node = node, role = role, name = one.name(values), known = one.options,
      context = connector.context(node.connector, role) }
end

local function window_target(node, name)
   local kind = node.window_node.kind
   return { node = node.window_node, role = "window", name = name,
      known = window.OPTIONS[kind] }
end

--- Name of a stage's state as the script gives it.
-- @tparam table of pipeline
-- @tparam table node of `:aggregate` or `:distinct`
-- @treturn ?string
function override.stage_name(of, node)
   if node.op == "distinct" then return override.values(of, node).name end
   local values = node.window_node and override.values(of, node.window_node)
   return values and values.name or node.group_node and node.group_node.name
end

-- What one node stands for, or nil.
local function target_of(of, node)
   if node.op == "source" then
      return connector_target(node, "source", override.values(of, node))
   end
   if SINKS[node.op] then
      local target = connector_target(node.sink, "sink", override.values(of, node.sink))
      target.is_side = node.op ~= "to"
      return target
   end
   if node.op == "distinct" then
      local name = override.stage_name(of, node) or "distinct"
      return { node = node, role = "distinct", name = name, known = distinct.OPTIONS }
   end
   if node.op == "aggregate" and node.window_node then
      return window_target(node, override.stage_name(of, node) or "aggregate")
   end
end

-- Options of its event time are a source's, too.
local function note_time(found, node)
   local source = node
   while source.parent do source = source.parent end
   for _, target in ipairs(found) do
      if target.node == source and target.role == "source" then target.time = node end
   end
end

--- Everything in a pipeline that has options, in the script's order.
-- @tparam table of pipeline
-- @treturn table list of `{ node =, role =, name =, known =, time = node of the source's
--   event time }`
function override.targets(of)
   local found, seen = {}, {}
   for _, leaf in ipairs(of.branches) do
      for _, one in ipairs(chain.path(leaf)) do
         local target = target_of(of, one)
         local key = target and target.role .. tostring(target.node)
         if target and not seen[key] then
            seen[key] = true
            found[#found + 1] = target
         end
         if one.op == "event_time" then note_time(found, one) end
      end
   end
   return found
end

--- Options of a node with what `--set` said.
-- @tparam table of pipeline
-- @tparam table node of a connector or window
-- @treturn table checked options, without defaults
-- @treturn string " (with --set …)" for messages, or ""
function override.values(of, node)
   local set = of.overrides[node]
   if not set then return node.values, "" end
   local values = {}
   for name, value in pairs(node.values) do values[name] = value end
   for name, value in pairs(set.values) do values[name] = value end
   return values, " (with --set " .. table.concat(set.texts, ", --set ") .. ")"
end

local function candidates(targets)
   local names = {}
   for i, target in ipairs(targets) do
      names[i] = ("`%s` (%s)"):format(target.name, target.role)
   end
   return table.concat(names, ", ")
end

local function find(targets, name)
   local found, names = {}, {}
   local is_role = name == "source" or name == "sink"
   for _, target in ipairs(targets) do
      names[#names + 1] = target.name
      local right = target.name == name
      if is_role then right = target.role == name and not target.is_side end
      if right then found[#found + 1] = target end
   end
   if #found == 1 then return found[1] end
   if #found > 1 then
      return nil, ("there are several: %s; name one, as in NAME.OPTION")
         :format(candidates(found))
   end
   if is_role then return nil, ("there is no %s"):format(name) end
   names[#names + 1] = "source"
   names[#names + 1] = "sink"
   return nil, ("nothing is called `%s`%s"):format(name, nearest.hint(name, names))
end

-- An option of something in the pipeline, named without it.
local function elsewhere(targets, name)
   for _, target in ipairs(targets) do
      if target.known[name] or target.time and decode.TIME[name] then
         local is_one = (target.role == "source" or target.role == "sink")
            and find(targets, target.role) == target
         local owner = is_one and target.role or target.name
         return ("`%s` is an option of the %s `%s`: write %s.%s=…"):format(name,
            target.role, target.name, owner, name)
      end
   end
end

-- Rows depend on them, but not those of a batch that is planned already.
local OF_NO_BATCH = { checkpoint = true, delivery = true, flush = true,
   shutdown_timeout = true, start = true }

-- What changes rows is as good as text: it goes into the hash of the script.
local function note_rows(of, entry, name, setting)
   if entry.about ~= "correctness" or OF_NO_BATCH[name] then return end
   of.of_rows[#of.of_rows + 1] = setting
end

local function set_on(of, target, name, value, setting)
   note_rows(of, target.known[name], name, setting)
   local set = of.overrides[target.node] or { values = {}, texts = {} }
   of.overrides[target.node] = set
   set.values[name] = value
   set.texts[#set.texts + 1] = setting
end

--- Replace one option.
-- @tparam table of pipeline, its `values` and `overrides` are changed
-- @tparam table known options of a pipeline
-- @tparam string setting "PATH=VALUE"
-- @treturn ?string a message
function override.apply(of, known, setting)
   local path, text = setting:match "^([^=]+)=(.*)$"
   if not path then return "wanted PATH=VALUE" end
   local owner, name = path:match "^(.+)%.([^.]+)$"
   if not owner then
      local other = not known[path] and elsewhere(override.targets(of), path)
      if other then return other end
      local value, message = options.parse(known, path, text, "sluice.pipeline")
      of.values[path] = value
      if value == nil then return message end
      set_on(of, { node = "pipeline", known = known }, path, value, setting)
      return
   end
   local target, message = find(override.targets(of), owner)
   if not target then return message end
   if target.time and not target.known[name] then
      target = { node = target.time, known = options.merge(target.known, decode.TIME),
         context = target.context }
   end
   local value
   value, message = options.parse(target.known, name, text, target.context)
   if value == nil then return message end
   set_on(of, target, name, value, setting)
end

return override
