--- The stages that send rows away: `:to`, `:late_to`, `:quarantine_to`. A stream goes on
-- behind them.
-- @module sluice.stage.deliver

local chain = require "sluice.chain"
local common = require "sluice.sink.common"
local connector = require "sluice.connector"
local options = require "sluice.options"
local place = require "sluice.place"
local schema = require "sluice.schema"

local deliver = {}

-- `sluice.stream` needs this module: what a stream is, is told by its node.
local function node_of(it)
   local node = type(it) == "table" and rawget(it, "node")
   return type(node) == "table" and node or nil
end

local function sink_of(method, given)
   local node = node_of(given)
   if not node or node.op ~= "source" then
      place.fail(nil, "`:%s` takes a sink, got %s: write sluice.kafka { topic = … } or "
         .. "sluice.file { path = … }",
         method, node and "a stream" or options.show(given))
   end
   local message = connector.conflict(node.connector, "sink", node.values)
   if message then
      place.fail(nil, "sluice.%s as the sink of `:%s`: %s", node.connector, method,
         message)
   end
   return node
end

local function check_columns(node, option, names)
   for _, name in ipairs(names) do
      local column, message = schema.column(node.schema, name)
      if not column then place.fail(nil, "`%s`: %s", option, message) end
   end
end

-- A text names a column; who means the text itself hears how to write that.
local function check_header(node, header)
   local column, message = schema.column(node.schema, header.from)
   if column then return end
   place.fail(nil, "`headers`: %s; what is the same for all rows is `%s = function() "
      .. "return %q end`", message, header.name, header.from)
end

-- What the options name must be a column here: `--set` cannot change them later.
local function check_names(node, values)
   for _, option in ipairs { "key", "partition_by" } do
      if type(values[option]) == "table" then
         check_columns(node, option, values[option])
      end
   end
   for _, header in ipairs(values.headers or {}) do
      if type(header.from) == "string" then
         check_header(node, header)
      end
   end
end

--- `:to(sink)`: rows go there.
-- @tparam table node being made
-- @tparam sluice.stream.Stream given `sluice.kafka { topic = }` or `sluice.file { path =
--   }`
-- @raise for what is no sink
function deliver.to(node, given)
   node.sink = sink_of("to", given)
   if #node.schema.columns == 0 and not node.sink.values.value then
      place.fail(nil, "`:to`: the rows have no columns, each would be written as {}: "
         .. "declare fields, as in `:json { sluice.string \"id\" }`")
   end
   check_names(node, node.sink.values)
end

local function side(node, method, given)
   node.sink = sink_of(method, given)
   for _, name in ipairs(common.OF_AGGREGATION) do
      if node.sink.values[name] ~= nil then
         place.fail(nil, "`:%s`: `%s` is for rows of an aggregation, here come records: "
            .. "leave it out", method,
            name)
      end
   end
   for _, name in ipairs { "key", "value", "headers", "partition_by" } do
      if node.sink.values[name] then
         place.fail(nil, "`:%s`: records keep their key, value and headers: leave `%s` "
            .. "out", method, name)
      end
   end
   if type(node.sink.values.topic) == "function" then
      place.fail(nil, "`:%s`: records have no columns that a function could see: name "
         .. "one topic", method)
   end
end

local CAN_BE_LATE = { aggregate = true, distinct = true }

--- `:late_to(sink)`: rows that came too late for the aggregations and distincts before it
-- go there.
-- @tparam table node being made
-- @tparam sluice.stream.Stream given a sink
-- @raise for what is no sink, and options of an aggregation
function deliver.late_to(node, given)
   if not chain.find(node.parent, CAN_BE_LATE) then
      place.fail(nil, "nothing before it can be late: write `:late_to` behind "
         .. "`:aggregate` or `:distinct`")
   end
   side(node, "late_to", given)
end

--- `:quarantine_to(sink)`: records of the source that are bad go there.
-- @tparam table node being made
-- @tparam sluice.stream.Stream given a sink
-- @raise for what is no sink, and options of an aggregation
function deliver.quarantine_to(node, given)
   side(node, "quarantine_to", given)
end

return deliver
