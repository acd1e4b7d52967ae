--- What a sink's options say of its messages: key, topic, value, headers, partition. Each
-- is a column of the row, a function's is a hidden one: so messages are made without Lua.
-- @module sluice.analyse.message

local place = require "sluice.place"
local retract = require "sluice.analyse.retract"
local schema = require "sluice.schema"

local analyse_message = {}

-- Options that may be a function, the type of what it gives, and how messages call it.
local FUNCTIONS = {
   { "key", "bytes" }, { "topic", "string" }, { "value", "bytes" },
   { "partition_by", "int32" },
}

local HIDDEN = "__"

local function column_of(name, kind, fn, what)
   return { name = HIDDEN .. name, type = kind, exact = false, nullable = true, fn = fn,
      what = what }
end

--- The hidden columns that a sink's functions fill.
-- @tparam table values checked options of the sink
-- @treturn table list of columns, without slots
function analyse_message.columns(values)
   local columns = {}
   for _, entry in ipairs(FUNCTIONS) do
      local option, kind = unpack(entry)
      if type(values[option]) == "function" then
         columns[#columns + 1] = column_of(option, kind, values[option],
            ("`%s` of the sink"):format(option))
      end
   end
   for _, header in ipairs(values.headers or {}) do
      if type(header.from) == "function" then
         columns[#columns + 1] = column_of("header_" .. header.name, "bytes",
            header.from, ("header `%s` of the sink"):format(header.name))
      end
   end
   return columns
end

local function named(output, option, of, names)
   local columns = {}
   for i, name in ipairs(names) do
      local column, message = schema.column(of, name)
      if not column then place.fail(output.line, "`%s`: %s", option, message) end
      columns[i] = column
   end
   return columns
end

local function headers_of(output, values, of, hidden)
   local headers = {}
   for i, header in ipairs(values.headers or {}) do
      local column = hidden[HIDDEN .. "header_" .. header.name]
         or named(output, "headers", of, { header.from })[1]
      headers[i] = { name = header.name, column = column }
   end
   return headers
end

local function fill_key(output, values, of, hidden)
   if not values.key then return end
   output.key_given, output.key_step = true, nil -- of the rows that are sent
   if hidden.__key then
      output.key, output.key_kind = { hidden.__key }, "raw"
      return
   end
   output.key = named(output, "key", of, values.key)
   output.key_kind = #output.key == 1 and "plain" or "object"
end

-- A script's own sink gets keys as tables, and says so to driver/sink.lua.
local function mark_own(sink, output)
   if output.key_kind == "plain" then output.key_kind = "object" end
   sink.decodes_key = sink.decodes_key ~= false and output.key_kind == "object"
end

--- Say how a script's own sink gets the keys of an output: as a table of columns, unless
-- one of its outputs has the records' keys.
-- @tparam table sink of the graph
-- @tparam table output that goes there
function analyse_message.into(sink, output)
   if sink.connector == "sink" then mark_own(sink, output) end
end

--- Fill in key and extras of an output.
-- @tparam table output of the graph, with the key that rows have by themselves
-- @tparam table values checked options of its sink
-- @tparam table of schema of the rows
-- @tparam table placed the columns that `columns` gave, with slots
-- @raise for names that are no columns
function analyse_message.fill(output, values, of, placed)
   local hidden = {}
   for _, column in ipairs(placed) do hidden[column.name] = column end
   fill_key(output, values, of, hidden)
   local by = values.partition_by
   local extras = {
      topic = hidden.__topic, value = hidden.__value, partition = hidden.__partition_by,
      place = type(by) == "table" and named(output, "partition_by", of, by) or nil,
      headers = headers_of(output, values, of, hidden),
   }
   if extras.topic or extras.value or extras.partition or extras.place
      or #extras.headers > 0 then
      output.extras = extras
   end
end

-- Columns that are the same in every row of a group: its fields and the window's bounds.
local function count_fixed(aggregate)
   return #aggregate.group + (aggregate.window.kind ~= "none" and 2 or 0)
end

local function first_loose(columns, fixed)
   for _, column in ipairs(columns or {}) do
      if column.slot > fixed then return column.name end
   end
end

local TAKEN_BACK = "`%s`: rows of this aggregation can be taken back (there is a filter "
   .. "behind it, or sessions merge), and what takes a row back must go where the row "
   .. "went: %s"

-- A row is taken back by a null value under its key, on its partition. A function gave
-- these for the row that was sent, and that one is gone.
local function check_taken_back(output, fixed)
   local extras = output.extras or {}
   local function refuse(option, instead)
      place.fail(output.line, TAKEN_BACK, option, instead)
   end
   if output.key_given and output.key_kind == "raw" then
      refuse("key", "name fields of the group, not a function")
   end
   local loose = output.key_given and first_loose(output.key, fixed)
   if loose then
      refuse("key", ("`%s` changes with each row, name fields of the group")
         :format(loose))
   end
   if extras.topic then refuse("topic", "name one topic") end
   if extras.partition then
      refuse("partition_by", "name fields of the group, not a function")
   end
   loose = first_loose(extras.place, fixed)
   if loose then
      refuse("partition_by", ("`%s` changes with each row, name fields of the group")
         :format(loose))
   end
end

--- Check what is only known when modes are settled.
-- @tparam table graph
-- @raise where a row could not be taken back
function analyse_message.finish(graph)
   for _, step in ipairs(graph.steps) do
      for k, output in ipairs(step.outputs) do
         local from = output.kind == "sink" and retract.from(graph, step, k)
         if from then check_taken_back(output, count_fixed(from)) end
      end
   end
end

--- Say what is doubtful: in update and complete mode a group is sent again and again, and
-- readers keep what came last under a key.
-- @tparam table graph
-- @treturn table list of messages, "FILE:LINE: …"
function analyse_message.warnings(graph)
   local list = {}
   for _, step in ipairs(graph.steps) do
      local from = step.input.kind == "aggregate" and graph.aggregates[step.input.index]
      for _, output in ipairs(step.outputs) do
         local may_repeat = from and from.mode ~= "append" and output.key_given
         if may_repeat and output.kind == "sink" and (output.key_kind == "raw"
            or first_loose(output.key, count_fixed(from))) then
            list[#list + 1] = ("%s: `key` changes with the results: a group is sent "
               .. "again under another key, and a compacted topic keeps the old row "
               .. "too"):format(output.line)
         end
      end
   end
   return list
end

return analyse_message
