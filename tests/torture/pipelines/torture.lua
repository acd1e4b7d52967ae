-- What the pipelines have in common: names, the source, columns.
local sluice = require "sluice"
local M = {}

M.name = sluice.param("name", "torture", "of the pipeline and its topics")
M.store = sluice.param("store", "none")
M.folder = sluice.param("folder", ".", "of sinks that are files")
local timeout = sluice.param("timeout", 30000, "of transactions, ms")
local config = { ["transaction.timeout.ms"] = timeout }
local input = sluice.param("input", "torture")

-- Every record's place; a batch is small, so that there are many.
function M.events(time, delay, ...)
   return sluice.kafka { topics = input, start = "earliest", max_records = 60 }
      :json {
         sluice.int64 "id" :required(),
         sluice.string "k" :required(),
         sluice.string "u",
         sluice.int64 "v",
         sluice.int64 "ts" :required(),
         sluice.int64 "w",
         sluice.int32 "p" :from_metadata "partition",
         sluice.int64 "o" :from_metadata "offset",
         ...,
      }
      :event_time(time, { unit = "ms", delay = delay, idle = "never" })
end

function M.topic(ending, mode, partition_by)
   return sluice.kafka {
      topic = M.name .. "-" .. ending, config = config,
      mode = mode, partition_by = partition_by,
   }
end

function M.copied(events, to)
   return events:select { "p", "o", "id" }:to(to or M.topic("copy", nil, "p"))
end

-- A user's own aggregate: its state is saved and read again like the built-in ones'.
function M.mix(field)
   return sluice.aggregate {
      state = { x = 0 },
      fold = function(a, row) a.x = (a.x + (row[field] or 0) * 31) % 1000003 end,
      merge = function(a, b) a.x = (a.x + b.x) % 1000003 end,
      result = function(a) return a.x end,
   }
end

local function from(partition)
   return sluice.count():where(function(row) return row.p == partition end)
end

-- By these the oracle sees which records a row has counted.
function M.counted()
   return {
      n0 = from(0), n1 = from(1), n2 = from(2),
      sum = sluice.sum "v", most = sluice.max "v",
      users = sluice.count_distinct "u", first = sluice.collect("id", 4),
   }
end

function M.whole()
   return {
      n = sluice.count(), sum = sluice.sum "v", mix = M.mix "v",
      users = sluice.count_distinct("u", { exact = true, limit = 1000 }),
      first = sluice.collect("id", 4),
   }
end

local LONG = ("k"):rep(150)

-- Keys so long and so many that they are more than the memory.
function M.long_key()
   return sluice.string(function(row) return LONG .. row.id % 1500 end)
end

return M
