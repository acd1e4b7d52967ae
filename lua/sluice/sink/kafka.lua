--- Kafka as a sink.
-- @module sluice.sink.kafka

local cluster = require "sluice.cluster"
local common = require "sluice.sink.common"
local options = require "sluice.options"
local topic = require "sluice.topic"

local kafka = {}

local KEY = options.checker("a column's name or a list of names", function(value)
   if type(value) == "function" then
      return nil, "a column's name or a list of names; not yet: a key function comes "
         .. "with a later release"
   end
   local list = type(value) == "table" and value or { value }
   local names = {}
   for i, name in ipairs(list) do
      if type(name) ~= "string" or name == "" then return nil end
      names[i] = name
   end
   return #names > 0 and names or nil
end)

--- The option without which it is no sink.
kafka.required = "topic"

--- Options by name.
kafka.options = options.merge(common.options, cluster.options, cluster.reference, {
   topic = { check = topic.name(), doc = "where rows go",
      about = "access",
      risk = "where results go",
   },
   key = { check = KEY, doc = "columns of the key; else the group, or the record's key",
      about = "correctness",
      risk = "on a compacted topic only the newest row of each key stays",
   },
   value = { later = true, doc = "what the value holds" },
   headers = { later = true, doc = "headers of each record" },
   partition_by = { later = true, doc = "what chooses the partition" },
   compression = { check = options.word { "none", "gzip", "snappy", "lz4", "zstd" },
      default = "lz4",
      doc = "of batches on the wire",
      about = "latency",
      risk = "costs processor time, saves network and disk",
   },
})

--- How the plan calls it.
-- @tparam table values checked options
-- @treturn string
function kafka.name(values)
   return values.topic
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
   filled.key = nil
   cluster.fill(filled)
   return filled
end

return kafka
