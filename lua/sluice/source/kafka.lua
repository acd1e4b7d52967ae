--- Kafka as a source.
-- @module sluice.source.kafka

local cluster = require "sluice.cluster"
local library = require "sluice.library"
local limits = require "sluice.source.limits"
local options = require "sluice.options"
local start = require "sluice.source.start"
local topic = require "sluice.topic"

local kafka = {}

local PARTITIONS = options.checker("a list of partition numbers", function(value)
   if type(value) ~= "table" or #value == 0 then return nil end
   local numbers, seen = {}, {}
   for i, number in ipairs(value) do
      local right = type(number) == "number" and number % 1 == 0 and number >= 0
      if not right or seen[number] then return nil end
      numbers[i], seen[number] = number, true
   end
   table.sort(numbers)
   return numbers
end, function(text)
   local list = {}
   for number in text:gmatch "[^,]+" do list[#list + 1] = tonumber(number) or number end
   return list
end)

local EVENTS = options.checker('a function(i, random, now_ms), a list of rows, or '
   .. '"rides", "clicks", "nexmark"', function(value)
   local right = type(value) == "function" or (type(value) == "table" and #value > 0)
      or library.EVENTS[value]
   return right and value or nil
end)

--- The option without which it is no source, and what may stand instead of it.
kafka.required, kafka.instead = "topics", "pattern"

--- Options by name.
kafka.options = options.merge(limits.options, cluster.options, cluster.reference, {
   topics = { check = topic.names(), doc = "a name, or a list of names",
      about = "access",
      risk = "what the pipeline reads",
   },
   pattern = { check = topic.pattern(),
      doc = "instead of `topics`: all whose whole name matches, also those that come "
         .. "later, but not what the pipeline writes",
      about = "access",
      risk = "reads whatever is called so, from its earliest record when it comes later",
   },
   partitions = { check = PARTITIONS, doc = "only these partitions of each topic",
      about = "correctness",
      risk = "the records of all others are never seen",
   },
   start = start.option,
   on_data_loss = { check = options.word { "fail", "continue" }, default = "fail",
      doc = "when offsets are gone from the broker",
      about = "correctness",
      risk = '"continue" goes on with a hole where the broker has deleted records',
   },
   isolation = { check = options.word { "read_committed", "read_uncommitted" },
      default = "read_committed", doc = "whether records of open and aborted "
      .. "transactions are seen",
      about = "correctness",
      risk = '"read_uncommitted" also takes records of transactions that were given '
         .. 'up',
   },
   fetch = { check = options.word { "auto", "librdkafka" }, default = "auto",
      doc = "who brings the records: sluice itself where it can, or librdkafka always",
      about = "latency",
      risk = '"librdkafka" costs several times the CPU a record',
   },
   group = { check = options.text(), doc = "consumer group; else the pipeline's name",
      about = "access",
      risk = "two pipelines of one group would share their progress",
   },
   events = {
      check = EVENTS, doc = "what `--embedded` feeds: a function, a list, or events of "
         .. "the library by name; else made from the fields",
      about = "access",
      risk = "only for --embedded",
   },
})

--- How the plan calls it.
-- @tparam table values checked options
-- @treturn string topics with commas between
function kafka.name(values)
   return values.pattern or table.concat(values.topics, ",")
end

--- Say what is wrong between options.
-- @tparam table values checked options
-- @treturn ?string a message
function kafka.conflict(values)
   if values.pattern and values.topics then
      return "`topics` and `pattern` are given: write one of them"
   end
   local stranger = values.topics and start.stranger(values.start, values.topics)
   if stranger then
      return ("`start` names topic `%s`, which `topics` does not"):format(stranger)
   end
   return limits.conflict(values) or cluster.conflict(values)
end

--- Options as they go into the plan.
-- @tparam table values checked options
-- @tparam string pipeline its name
-- @treturn table with every default
function kafka.fill(values, pipeline)
   local filled = options.filled(kafka.options, values)
   filled.events = nil
   if values.pattern then filled.topics = { topic.example(values.pattern) } end
   filled.group = filled.group or pipeline
   cluster.fill(filled)
   limits.fill(filled)
   return filled
end

--- Say whether it ends by itself.
-- @treturn boolean
function kafka.is_bounded()
   return false
end

return kafka
