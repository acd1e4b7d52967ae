--- The stages that send rows away: `:to`, `:late_to`, `:quarantine_to`. A stream goes on
-- behind them.
-- @module sluice.stage.deliver

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

local function check_key(node, key)
   if node.phase == "results" then
      place.fail(nil, "`key`: rows of an aggregation go by their group and window; not "
         .. "yet: another key comes with a later release")
   end
   for _, name in ipairs(key) do
      local column, message = schema.column(node.schema, name)
      if not column then place.fail(nil, "`key`: %s", message) end
   end
end

--- `:to(sink)`: rows go there.
-- @tparam table node being made
-- @tparam sluice.stream.Stream given `sluice.kafka { topic = }` or `sluice.file { path =
--   }`
-- @raise for what is no sink
function deliver.to(node, given)
   node.sink = sink_of("to", given)
   if node.sink.values.key then check_key(node, node.sink.values.key) end
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
   if node.sink.values.key then
      place.fail(nil, "`:%s`: records keep their key: leave `key` out", method)
   end
end

--- `:late_to(sink)`: rows that came too late for the aggregation before it go there.
-- @tparam table node being made
-- @tparam sluice.stream.Stream given a sink
-- @raise for what is no sink, and options of an aggregation
function deliver.late_to(node, given)
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
