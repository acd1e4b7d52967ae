--- Kafka as a sink.
-- @module sluice.sink.kafka

local cluster = require "sluice.cluster"
local common = require "sluice.sink.common"
local options = require "sluice.options"
local tables = require "sluice.tables"
local topic = require "sluice.topic"

local kafka = {}

local OR_FUNCTION = "a column's name, a list of names, or a function(row)"

local KEY = options.checker(OR_FUNCTION, function(value)
   if type(value) == "function" then return value end
   local list = type(value) == "table" and value or { value }
   local names = {}
   for i, name in ipairs(list) do
      if type(name) ~= "string" or name == "" then return nil end
      names[i] = name
   end
   return #names > 0 and names or nil
end)

-- What of a record no header of ours may claim to be.
local VERDICTS = "^sluice%."

local HEADERS = options.checker("a table of header = column's name or function(row)",
   function(value)
   if type(value) ~= "table" then return nil end
   local list = {}
   for i, name in ipairs(tables.keys(value)) do
      local from = value[name]
      local right = type(from) == "function" or (type(from) == "string" and from ~= "")
      if type(name) ~= "string" or name == "" or name:find "%z" or not right then
         return nil, ("header = column's name or function(row), not [%s] = %s"):format(
            options.show(name), options.show(from))
      end
      if name:find(VERDICTS) then
         return nil, "it without headers `sluice.…`: those are verdicts on records"
      end
      list[i] = { name = name, from = from }
   end
   return #list > 0 and list or nil
end)

local CREATE = options.checker("true, false, or a number of partitions", function(value)
   local right = type(value) == "boolean" or (type(value) == "number" and value % 1 == 0
      and value >= 1 and value <= 10000)
   if right then return value end
end, function(text)
   if text == "true" or text == "false" then return text == "true" end
   return tonumber(text) or text
end)

--- The option without which it is no sink.
kafka.required = "topic"

--- Options by name.
kafka.options = options.merge(common.options, cluster.options, cluster.reference, {
   topic = { check = topic.name(), doc = "where rows go: a name, or function(row) → name",
      about = "access",
      risk = "where results go",
   },
   key = { check = KEY,
      doc = "columns of the key, or function(row) → text; else the group, or the "
         .. "record's key",
      about = "correctness",
      risk = "on a compacted topic only the newest row of each key stays",
   },
   value = { check = options.fn "a function(row) that returns the value as text",
      doc = "makes the value's bytes; nil: a tombstone; else the columns as JSON",
      about = "correctness",
      risk = "readers get what it makes: no columns, no types",
   },
   headers = { check = HEADERS,
      doc = "header = column or function(row) → text; of nil there is none",
      about = "correctness",
      risk = "rows that are taken back have none",
   },
   partition_by = { check = KEY,
      doc = "columns that choose the partition as a key of them would, or function(row) "
         .. "→ its number (nil: by the key)",
      about = "correctness",
      risk = "rows of one key on several partitions have no order among them",
   },
   create = { check = CREATE, default = false,
      doc = "make topics that are missing; a number: with so many partitions",
      about = "access",
      risk = "a topic name that is mistyped, or made by a function, becomes a topic",
   },
   compression = { check = options.word { "none", "gzip", "snappy", "lz4", "zstd" },
      default = "lz4",
      doc = "of batches on the wire",
      about = "latency",
      risk = "costs processor time, saves network and disk",
   },
   produce = { check = options.word { "auto", "librdkafka" }, default = "auto",
      doc = "who sends the rows: sluice itself where it can, or librdkafka always",
      about = "latency",
      risk = '"librdkafka" costs several times the CPU a row',
   },
})

--- How the plan calls it.
-- @tparam table values checked options
-- @treturn string
function kafka.name(values)
   return type(values.topic) == "string" and values.topic or "topic(row)"
end

--- Say what is wrong between options.
-- @tparam table values checked options
-- @treturn ?string a message
function kafka.conflict(values)
   return common.conflict(values) or cluster.conflict(values)
end

--- Options as they go into the plan.
-- @tparam table values checked options
-- @treturn table with every default
function kafka.fill(values)
   local filled = options.filled(kafka.options, values)
   if type(filled.topic) == "function" then filled.topic = nil end
   if filled.create then
      filled.partitions = type(filled.create) == "number" and filled.create or -1
      filled.create = true
   end
   filled.key, filled.value, filled.headers, filled.partition_by = nil, nil, nil, nil
   cluster.fill(filled)
   return filled
end

return kafka
