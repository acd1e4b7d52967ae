-- What the pipelines have in common: names, the source, columns.
local sluice = require "sluice"
local change = require "change"
local M = {}

M.name = sluice.param("name", "torture", "of the pipeline and its topics")
M.store = sluice.param("store", "none")
M.folder = sluice.param("folder", ".", "of sinks that are files")
local timeout = sluice.param("timeout", 30000, "of transactions, ms")
local config = { ["transaction.timeout.ms"] = timeout }
local input = sluice.param("input", "torture")

-- Every record's place; a batch is small, so that there are many.
function M.events(time, delay, ...)
   local least = change.min_records
   local events = sluice.kafka {
      topics = input, start = "earliest", max_records = 60, min_records = least,
   }
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
   return change.keep and events:filter(change.keep) or events
end

function M.topic(ending, mode, partition_by)
   return sluice.kafka {
      topic = M.name .. "-" .. ending, config = config,
      mode = mode, partition_by = partition_by,
      compression = change.compression, on_error = change.on_error,
   }
end

-- With the text that made the row.
function M.copied(events, to, ...)
   local columns = { "p", "o", "id", "text", ... }
   local marked = events:derive {
      text = sluice.int64(function() return change.text end),
   }
   if change.wide then
      marked = marked:derive { wide = sluice.string(change.wide) }
      columns[#columns + 1] = "wide"
   end
   return marked:select(columns):to(to or M.topic("copy", nil, "p"))
end

local function of_one(field)
   return {
      state = { x = 0 },
      fold = function(a, row) a.x = (a.x + (row[field] or 0) * 31) % 1000003 end,
      merge = function(a, b) a.x = (a.x + b.x) % 1000003 end,
      result = function(a) return a.x end,
      migrate = function(old, new) new.x = old.y end,
   }
end

local function of_two(field)
   return {
      state = { rows = 0, y = 0 },
      fold = function(a, row)
         a.rows, a.y = a.rows + 1, (a.y + (row[field] or 0) * 31) % 1000003
      end,
      merge = function(a, b) a.rows, a.y = a.rows + b.rows, (a.y + b.y) % 1000003 end,
      result = function(a) return a.y end,
      migrate = function(old, new) new.y = old.x end,
   }
end

-- A user's own aggregate: its state is saved and read again like the built-in ones'.
-- Changes give it another layout, and take that back; one forgets to say how.
function M.mix(field)
   local made = (change.has_two and of_two or of_one)(field)
   if change.forgets then made.migrate = nil end
   return sluice.aggregate(made)
end

local function mark()
   return sluice.aggregate {
      state = { rows = 0 },
      fold = function(a) a.rows = a.rows + 1 end,
      merge = function(a, b) a.rows = a.rows + b.rows end,
      result = function() return change.text end,
   }
end

-- What a stage computes: these columns, those that a change has brought, and which text
-- made the row.
function M.columns(own)
   own.text = mark()
   for name, aggregate in pairs(change.more and change.more(sluice) or {}) do
      own[name] = aggregate
   end
   return own
end

-- How what is new begins.
function M.filling() return { backfill = change.backfill } end

local function from(partition)
   return sluice.count():where(function(row) return row.p == partition end)
end

-- By these the oracle sees which records a row has counted.
function M.counted()
   return M.columns {
      n0 = from(0), n1 = from(1), n2 = from(2),
      sum = sluice.sum "v", most = sluice.max "v", mix = M.mix "v",
      users = sluice.count_distinct "u", first = sluice.collect("id", 4),
   }
end

function M.whole()
   return M.columns {
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
