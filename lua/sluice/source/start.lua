--- Where a source begins when no progress is recorded.
-- @module sluice.source.start

local options = require "sluice.options"
local risk = require "sluice.risk"
local tables = require "sluice.tables"
local units = require "sluice.units"

local start = {}

local WORDS = { earliest = true, latest = true }
local WANTED = '"earliest", "latest", { timestamp = ms or "2024-05-01T00:00:00Z" }, '
   .. "or { topic = { [partition] = offset } }"

local function is_whole(value)
   return type(value) == "number" and value % 1 == 0 and value >= 0 and value <= 2 ^ 53
end

local function at_time(given)
   if next(given, "timestamp") or next(given) ~= "timestamp" then return nil end
   local ms = given.timestamp
   if type(ms) == "string" then ms = units.time(ms) end
   if is_whole(ms) then return { timestamp = ms } end
   return nil, ("a time as in { timestamp = \"2024-05-01T00:00:00Z\" } or in Unix ms, "
      .. "not %s"):format(options.show(given.timestamp))
end

local function at_offsets(given)
   local topics = {}
   for _, topic in ipairs(tables.keys(given)) do
      local partitions = given[topic]
      if type(topic) ~= "string" or type(partitions) ~= "table" then
         return nil, ("a table of topics as in { rides = { [0] = 17 } }, not [%s] = %s")
            :format(options.show(topic), options.show(partitions))
      end
      local offsets = {}
      for _, partition in ipairs(tables.keys(partitions)) do
         local offset = partitions[partition]
         if not is_whole(partition) or not (is_whole(offset) or WORDS[offset]) then
            return nil, ("offsets by partition as in { [0] = 17, [1] = \"latest\" }, not "
               .. "[%s] = %s of `%s`"):format(options.show(partition),
               options.show(offset), topic)
         end
         offsets[("%d"):format(partition)] = offset
      end
      topics[topic] = offsets
   end
   if next(topics) then return topics end
end

local function check(value)
   if WORDS[value] then return value end
   if type(value) ~= "table" then return nil end
   if value.timestamp ~= nil then return at_time(value) end
   return at_offsets(value)
end

-- `--set source.start=2024-05-01` and `=1714521600000` mean a timestamp.
local function parse(text)
   if WORDS[text] then return text end
   return { timestamp = tonumber(text) or text }
end

--- The option.
start.option = {
   check = options.checker(WANTED, check, parse), default = "earliest",
   doc = "where to begin when no progress is recorded",
   about = "correctness",
   risk = risk.start,
}

--- Say which topic of a table of offsets the source does not read.
-- @tparam ?table checked the option in the plan's form
-- @tparam table topics list of names
-- @treturn ?string the topic
function start.stranger(checked, topics)
   if type(checked) ~= "table" or type(checked.timestamp) == "number" then return nil end
   local known = {}
   for _, topic in ipairs(topics) do known[topic] = true end
   for _, topic in ipairs(tables.keys(checked)) do
      if not known[topic] then return topic end
   end
end

return start
