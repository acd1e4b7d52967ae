--- The shape of a pipeline's state: what stored state depends on, as canonical JSON.
-- It is written with every stored object, and a later start compares it with its own
-- (`sluice.compat`). What is not in it may change freely: functions, filters, columns,
-- sinks, delays, limits.
--
--     { version =, shards =,
--       sources = { { connector =, inputs = { topic, … }, pattern =, partitions =,
--                     time = { field =, unit = } | { fn = true } | nil }, … },
--       operators = { { kind = "aggregate"|"distinct", name =, reads = { … }, keys = {
--                       { name =, type = }, … }, window = {…} | within_ms =, …
--                     }, … } }
--
-- An aggregate's operator has besides `is_complete`, `state_size`, `part_count`,
-- `span_offset`, `items` = `{ { name =, kind =, inputs = { type, … }, meaning =,
-- members = { { name =, type =, offset =, size =, part = number from 0 | nil }, … } },
-- … }`, and `sent` = what was sent to whom is remembered: names by place.
-- @module sluice.compat.shape

local ffi = require "ffi"

local explain_json = require "sluice.explain.json"
local shape = require "sluice.shape"
local tables = require "sluice.tables"

local compat_shape = {}

--- Of the form of a shape.
compat_shape.VERSION = 1

local WINDOW = { "kind", "size_ms", "every_ms", "offset_ms", "pane_ms",
   "allowed_lateness_ms" }

local function pick(of, names)
   local picked = {}
   for _, name in ipairs(names) do picked[name] = of[name] end
   return picked
end

local function sorted(list)
   if not list then return nil end
   local copy = {}
   for i, one in ipairs(list) do copy[i] = one end
   table.sort(copy)
   return copy
end

local function inputs_of(source)
   local of = source.options
   if of.pattern then return nil end
   return sorted(of.topics or of.paths or { of.path or source.connector })
end

local function time_of(source)
   local time = source.time
   if not time then return nil end
   if time.fn then return { fn = true, unit = time.unit } end
   local unit = time.unit
   for _, field in ipairs(source.fields) do
      if field.name == time.field then unit = field.unit or unit end
   end
   return { field = time.field, unit = unit }
end

local function source_of(source)
   return { connector = source.connector, inputs = inputs_of(source),
      pattern = source.options.pattern, partitions = source.options.partitions,
      time = time_of(source) }
end

local function keys_of(columns)
   local keys = {}
   for i, column in ipairs(columns) do
      keys[i] = { name = column.name, type = shape.text(column) }
   end
   return keys
end

-- Whose rows come to a stage: sources by number, stages by name.
local function reads_of(graph, stage)
   local seen = {}
   for _, index in ipairs(stage.input) do
      local input = graph.steps[index].input
      while input.kind == "flat_map" do input = graph.steps[input.step].input end
      if input.kind == "source" then
         seen[("source %d"):format(input.index)] = true
      elseif input.kind == "aggregate" then
         seen["aggregate " .. graph.aggregates[input.index].name] = true
      else
         seen["distinct " .. graph.distincts[input.index].name] = true
      end
   end
   return tables.keys(seen)
end

-- -- the state of an aggregation

local function type_of_input(input)
   return shape.text(input) .. (input.exact and " exact" or "")
end

local function inputs_of_item(spec)
   local types = {}
   for i, input in ipairs(spec.inputs or {}) do types[i] = type_of_input(input) end
   return types
end

-- Members of a user's struct lie in it under names of their own where they are checked.
local function offset_in(ctype, name)
   return ffi.offsetof(ctype, name) or ffi.offsetof(ctype, "__" .. name)
end

local function user_members(state, k, spec)
   local members, base = {}, ffi.offsetof(state.ctype, "m" .. k)
   for i, member in ipairs(spec.user.members) do
      local text = member.kind.c .. (member.count and ("[%d]"):format(member.count) or "")
      members[i] = { name = member.name, type = text,
         offset = base + offset_in(state.users[k], member.name),
         size = ffi.sizeof(member.kind.c) * (member.count or 1) }
   end
   return members
end

local function part_at(state, offset)
   for i, part in ipairs(state.part_offsets) do
      if part == offset then return i - 1 end
   end
end

local function own_members(state, k, spec)
   local members, owner = {}, state.owners[k]
   for i, member in ipairs(spec.members or {}) do
      local offset = ffi.offsetof(state.ctype, ("m%d_%s"):format(owner, member.name))
      local count = member.count or 1
      members[i] = { name = member.name, offset = offset,
         type = member.type .. (member.count and ("[%d]"):format(count) or ""),
         size = ffi.sizeof(member.type) * count,
         part = member.type == "sl_part" and part_at(state, offset) or nil }
   end
   return members
end

-- What is kept where a fold wants its rows in order: all of them.
local function meaning_of(spec)
   return spec.rows and explain_json.encode(keys_of(spec.rows.columns)) or spec.meaning
end

local function items_of(aggregate, state)
   local items = {}
   for k, item in ipairs(aggregate.items) do
      local spec = item.spec
      local is_struct = spec.user and not spec.user.order
      items[k] = { name = item.name, kind = spec.kind, inputs = inputs_of_item(spec),
         meaning = meaning_of(spec),
         members = is_struct and user_members(state, k, spec)
            or own_members(state, k, spec) }
   end
   return items
end

-- By output of the step behind: the sink, numbered where one gets several.
local function sent_of(graph, aggregate)
   if not aggregate.only_if_changed and not aggregate.has_retractions then return nil end
   local names, seen = {}, {}
   for k, output in ipairs(graph.steps[aggregate.step].outputs) do
      local name = output.kind == "sink" and graph.sinks[output.target].name
         or output.kind
      seen[name] = (seen[name] or 0) + 1
      names[k] = seen[name] == 1 and name or ("%s#%d"):format(name, seen[name])
   end
   return names
end

local function aggregate_of(graph, aggregate, state)
   return { kind = "aggregate", name = aggregate.name, reads = reads_of(graph, aggregate),
      keys = keys_of(aggregate.group), window = pick(aggregate.window, WINDOW),
      is_complete = aggregate.mode == "complete", state_size = state.size,
      part_count = #state.part_offsets, span_offset = state.span_offset,
      items = items_of(aggregate, state), sent = sent_of(graph, aggregate) }
end

local function key_of_distinct(graph, index)
   for _, step in ipairs(graph.steps) do
      for _, output in ipairs(step.outputs) do
         if output.kind == "distinct" and output.target == index then
            return output.columns
         end
      end
   end
   return {}
end

local function distinct_of(graph, distinct, index)
   return { kind = "distinct", name = distinct.name, reads = reads_of(graph, distinct),
      keys = keys_of(key_of_distinct(graph, index)), within_ms = distinct.within_ms }
end

--- The shape of a graph's state.
-- @tparam table graph from `sluice.analyse`
-- @tparam table states layouts of the aggregations (`sluice.driver.state`), in order
-- @treturn table
function compat_shape.of(graph, states)
   local made = { version = compat_shape.VERSION, shards = graph.options.shards or 64,
      sources = {}, operators = {} }
   for i, source in ipairs(graph.sources) do made.sources[i] = source_of(source) end
   for i, aggregate in ipairs(graph.aggregates) do
      made.operators[i] = aggregate_of(graph, aggregate, states[i])
   end
   for i, distinct in ipairs(graph.distincts or {}) do
      table.insert(made.operators, distinct_of(graph, distinct, i))
   end
   return made
end

--- The same as it is stored.
-- @tparam table graph
-- @tparam table states
-- @treturn string JSON, names in order
function compat_shape.text(graph, states)
   return (explain_json.encode(compat_shape.of(graph, states)))
end

return compat_shape
