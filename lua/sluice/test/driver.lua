--- A pipeline under test: what `test.pipeline` gives. Topics are in memory, the clock
-- stands still unless told, a batch runs when asked for.
-- @module sluice.test.driver

local cjson = require "cjson"
local feed = require "sluice.test.feed"
local host = require "sluice.test.host"
local nearest = require "sluice.nearest"
local options = require "sluice.options"
local process = require "sluice.test.process"
local rows = require "sluice.test.rows"
local settings = require "sluice.test.settings"
local tables = require "sluice.tables"
local units = require "sluice.units"

local driver = {}

local Driver = {}

-- Its methods for specs.
local PUBLIC = { "advance", "batch", "close", "crash", "feed", "finish", "late",
   "latest", "metrics", "now", "output", "partitions", "quarantined", "reload",
   "restart", "tick" }

-- What is nil until something happens.
local UNSET = { ended = true, batches = true }

function Driver.__index(_, name)
   if Driver[name] or UNSET[name] then return Driver[name] end
   error(("a pipeline under test has no `%s`%s"):format(tostring(name),
      nearest.hint(tostring(name), PUBLIC)), 2)
end

-- Pipelines that are open; many of them are garbage that only a collection finds.
local open_ones = setmetatable({}, { __mode = "k" })
local opened, collect_at = 0, 4

local function collect_if_many()
   opened = opened + 1
   if opened < collect_at then return end
   collectgarbage()
   opened = 0
   for _ in pairs(open_ones) do opened = opened + 1 end
   collect_at = math.max(4, opened * 2)
end

local descriptions = {}

local function describe(handle)
   local text = assert(host.describe(handle))
   local known = descriptions[text]
   if not known then
      known = cjson.decode(text)
      descriptions[text] = known
   end
   return known
end

--- Open a pipeline.
-- @tparam string|sluice.pipeline.Pipeline of path of a script, or a pipeline
-- @tparam table given options, see `sluice.test.pipeline`
-- @treturn Driver
-- @raise for wrong options; what is wrong with the script
function driver.open(of, given)
   local wrong, read = settings.read(of, given)
   if wrong then error(wrong, 2) end
   collect_if_many()
   local handle, problem = host.open(read)
   if not handle then error(problem, 2) end
   local made = setmetatable({ handle = handle, of = of, given = given, opened = read,
      about = describe(handle),
      unread = {}, tables = {}, begun = {} }, Driver)
   open_ones[made] = true
   return made
end

function Driver:check_open(method)
   if self.ended then
      error((":%s: the pipeline has %s"):format(method, self.ended), 3)
   end
end

-- What sinks got goes into the driver's lists.
function Driver:collect()
   for i, sink in ipairs(self.about.sinks) do
      local list = self.unread[i] or {}
      self.unread[i] = list
      local latest = self.tables[i] or rows.table()
      self.tables[i] = latest
      for _, message in ipairs(host.take(self.handle, i)) do
         local row = rows.of(message, sink)
         list[#list + 1] = row
         rows.keep(latest, row)
      end
   end
end

-- Another script runs: what its sinks have got stays, by their names.
function Driver:follow()
   local about, unread, latest = describe(self.handle), {}, {}
   local by_name = {}
   for i, sink in ipairs(self.about.sinks) do by_name[sink.name] = i end
   for i, sink in ipairs(about.sinks) do
      local was = by_name[sink.name]
      unread[i], latest[i] = self.unread[was], self.tables[was]
   end
   self.about, self.unread, self.tables = about, unread, latest
end

function Driver:run(method, fn)
   process.begins(self)
   local result, problem, died = fn(self.handle)
   if died then
      process.reopen(self, 4)
      result, problem = fn(self.handle)
   end
   if not result then
      self.ended = "failed: " .. problem
      error(problem, 3)
   end
   self:collect()
   self.batches = type(result) == "number" and result or 1
   return self, method
end

--- Feed records and run a batch over them (several, if `max_records` cuts it). Rows are
-- tables, encoded as the source's format says; a text is the record's bytes as they are.
-- @tparam table given rows in order: of the only source's partition 0; or `{ NAME = rows
--   }` by source or topic; rows may be `{ [PARTITION] = rows }`
-- @treturn Driver itself
-- @raise what fails the batch
-- @usage p:batch { { user_id = "u-1", ts = 1000 }, '{"broken' }
function Driver:batch(given)
   self:check_open "batch"
   feed.all(self.handle, self.about, given or {}, self.begun)
   self:run("batch", host.run)
   return self
end

--- Say how many partitions topics have; else one appears with its first record. A
-- partition without records holds the watermark back until it is idle.
-- @tparam table counts `{ TOPIC = count }`
-- @treturn Driver itself
-- @usage p:partitions { ride_events = 3 }
function Driver:partitions(counts)
   self:check_open "partitions"
   for _, topic in ipairs(tables.keys(counts)) do
      host.partitions(self.handle, topic, counts[topic])
   end
   return self
end

-- Feed one record made by `sluice.test.feed`.
function Driver:append(topic, partition, record)
   host.feed(self.handle, topic, partition, record)
end

--- Feed records as `batch` does, without running a batch.
-- @tparam table given as for `batch`
-- @treturn Driver itself
function Driver:feed(given)
   self:check_open "feed"
   feed.all(self.handle, self.about, given, self.begun)
   return self
end

--- Run a batch without new records, if one is due: a watermark moves by the clock, a
-- window closes, a source that waited has records.
-- @treturn Driver itself
function Driver:tick()
   self:check_open "tick"
   self:run("tick", host.run)
   return self
end

--- Move the clock on; nothing runs.
-- @tparam string|number span "1 minute", or ms
-- @treturn Driver itself
function Driver:advance(span)
   local ms = units.duration(span)
   if not ms or ms < 0 then
      error((":advance: %s, wanted a time such as \"1 minute\"")
         :format(options.show(span)), 2)
   end
   host.advance(self.handle, ms)
   return self
end

--- The end: what was fed is taken, then all windows close. Nothing comes after it.
-- @treturn Driver itself
function Driver:finish()
   self:check_open "finish"
   self:run("finish", host.finish)
   self.ended = "finished"
   return self
end

--- Close it and free what it holds; what nobody closes is collected.
function Driver:close()
   host.close(self.handle)
   self.ended = "closed"
   open_ones[self] = nil
end

local function names_of(list, is_side)
   local names = {}
   for _, one in ipairs(list) do
      if (one.is_side or false) == is_side then names[#names + 1] = one.name end
   end
   return names
end

-- Number of a sink by name; without one the only one.
function Driver:sink(method, name, is_side)
   local found
   for i, sink in ipairs(self.about.sinks) do
      if name and sink.name == name then return i end
      if not name and (sink.is_side or false) == is_side then
         if found then
            error((":%s: there are several sinks, name one of: %s"):format(method,
               table.concat(names_of(self.about.sinks, is_side), ", ")), 3)
         end
         found = i
      end
   end
   if found then return found end
   if not name then return nil end
   error((":%s: there is no sink `%s`%s"):format(method, tostring(name),
      nearest.hint(tostring(name), names_of(self.about.sinks, is_side))), 3)
end

local function take(self, i)
   local list = self.unread[i] or {}
   self.unread[i] = {}
   return list
end

--- What a sink got since the last call of this for it, in order: a table of columns a
-- row. A retraction shows the columns of its key, and `retracted = true`. Key and value
-- as bytes: `test.message(row)`.
-- @tparam ?string sink topic or path; nil: the only one
-- @treturn {table,...} rows
-- @usage assert.are.same_rows({ { page = "/cart", views = 2 } }, p:output())
function Driver:output(sink)
   local i = self:sink("output", sink, false)
   return i and take(self, i) or {}
end

--- What a compacted topic would hold now: the last row of each key, retracted ones left
-- out, in the order in which the keys came first.
-- @tparam ?string sink topic or path; nil: the only one
-- @treturn {table,...} rows
function Driver:latest(sink)
   local i = self:sink("latest", sink, false)
   return rows.latest(self.tables[i] or rows.table())
end

-- Rows of side sinks: those of the list of names, each once.
function Driver:side(method, wanted, sink)
   local found, seen = {}, {}
   if sink then return take(self, self:sink(method, sink, true)) end
   for i, one in ipairs(self.about.sinks) do
      if one.is_side and wanted[one.name] and not seen[i] then
         seen[i] = true
         for _, row in ipairs(take(self, i)) do found[#found + 1] = row end
      end
   end
   return found
end

local function side_names(list, member)
   local names = {}
   for _, one in ipairs(list) do
      if one[member] then names[one[member]] = true end
   end
   return names
end

--- Late records since the last call: `{ value =, key =, topic =, partition =,
-- offset =, stage =, window_start =, window_end =, watermark =, slowest = }`; empty
-- without `:late_to`.
-- @tparam ?string sink
-- @treturn {table,...}
function Driver:late(sink)
   local names = side_names(self.about.aggregates, "late")
   return rows.verdicts(self:side("late", names, sink))
end

--- Quarantined records since the last call: `{ value =, key =, topic =, partition =,
-- offset =, kind =, reason =, field = }`, `value` being the record's bytes.
-- @tparam ?string sink
-- @treturn {table,...}
function Driver:quarantined(sink)
   local names = side_names(self.about.sources, "quarantine")
   return rows.verdicts(self:side("quarantined", names, sink))
end

--- Counters since the start: `{ sources = { NAME = { read =, passed =, filtered =,
-- duplicate =, late =, quarantined =, skipped =, late_windows =, watermark =, ended = }
-- }, sinks = { NAME = { rows =, retracted =, refused = } }, aggregates = { NAME = {
-- watermark = } }, run = { batches =, empty =, nulled = } }`. The six verdicts of a
-- source add up to `read`. With one source its counters stand at the top, too.
-- @treturn table
function Driver:metrics()
   local made = cjson.decode(host.metrics(self.handle))
   if #self.about.sources == 1 then
      for name, value in pairs(made.sources[self.about.sources[1].name]) do
         made[name] = value
      end
   end
   return made
end

--- The manual clock, Unix ms.
-- @treturn integer
function Driver:now()
   return host.now(self.handle)
end

for name, method in pairs(process.methods) do Driver[name] = method end

-- Called with a dot, the first argument is no pipeline. (Tail calls keep the levels of
-- errors.)
for _, name in ipairs(PUBLIC) do
   local method = Driver[name]
   Driver[name] = function(self, ...)
      if getmetatable(self) ~= Driver then
         error(("`%s` is a method: write p:%s(…) with a colon"):format(name, name), 2)
      end
      return method(self, ...)
   end
end

return driver
