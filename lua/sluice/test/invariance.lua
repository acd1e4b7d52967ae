--- `test.check_invariance`: the same rows, split, ordered and worked on in other ways, by
-- a process that dies now and then, give the same result; else a small case that shows
-- where they do not.
-- @module sluice.test.invariance

local compare = require "sluice.test.compare"
local driver = require "sluice.test.driver"
local feed = require "sluice.test.feed"
local host = require "sluice.test.host"
local shrink = require "sluice.test.shrink"
local times = require "sluice.test.times"
local units = require "sluice.units"

local invariance = {}

local OWN = { runs = true, seed = true, order = true, sink = true, crashes = true }

-- What depends on the order of arrival, by what semantics say.
local BY_ORDER = { collect = true, top = true }

-- Random numbers of a seed, so that a failure comes again. Source: Park and Miller 1988.
local function random_of(seed)
   local state = seed % 2147483646 + 1
   return function(low, high)
      state = state * 48271 % 2147483647
      return low + state % (high - low + 1)
   end
end

-- What may vary: all, `splits` and workers, or workers alone.
local function limits_of(about)
   local may = { order = true, splits = true }
   if about.has_distinct then may.order, may.splits = false, false end
   for _, aggregate in ipairs(about.aggregates) do
      if aggregate.forgets then may.order, may.splits = false, false end
      for _, item in ipairs(aggregate.items) do
         if BY_ORDER[item.kind] then may.order = false end
      end
   end
   for _, source in ipairs(about.sources) do
      for _, field in ipairs(source.fields) do
         local from = field.from
         if from and from.kind == "metadata" and from.metadata == "offset" then
            may.order = false
         end
      end
   end
   return may
end

-- All records of a case, numbered: `{ record =, topic =, partition =, row =, time = }`.
local function records_of(about, given)
   local records = {}
   feed.each(about, given, {}, function(record, source, topic, partition, row)
      records[#records + 1] = { record = record, topic = topic, partition = partition,
         row = row, source = source, place = topic .. "/" .. partition,
         time = times.of(record, source) }
   end)
   return records
end

-- Topics have all their partitions from the start: one that appears later would not hold
-- the watermark back before.
local function partitions_of(records)
   local counts = {}
   for _, one in ipairs(records) do
      counts[one.topic] = math.max(counts[one.topic] or 1, one.partition + 1)
   end
   return counts
end

local TOO_LATE = "check_invariance: row %d (%s) lies %s behind a row before it in its "
   .. "partition, and `delay` is %s: what is late depends on the batches; give rows "
   .. "whose disorder stays within the delay"

-- What comes later than the delay allows may be late or not, by how batches are cut.
local function check_disorder(records)
   local high = {}
   for i, one in ipairs(records) do
      local time = one.source.time
      local place = one.place
      if one.time and time and time.delay_ms then
         local behind = (high[place] or one.time) - one.time
         if behind > time.delay_ms then
            error(TOO_LATE:format(i, one.place, units.say(behind),
               units.say(time.delay_ms)), 4)
         end
         high[place] = math.max(high[place] or one.time, one.time)
      end
   end
end

-- An order of arrival in which no row lies further behind than the delay: by time plus a
-- random part of it. Rows of one time keep their order, rows without one their place.
local function shuffle(records, random)
   local keys, last, extra = {}, {}, {}
   for i, one in ipairs(records) do
      local time = one.source.time
      local at = one.time or last[one.place] or -math.huge
      last[one.place] = at
      local id = one.place .. ":" .. at
      extra[id] = extra[id] or (time and time.delay_ms and random(0, time.delay_ms)) or 0
      keys[i] = at + extra[id]
   end
   return keys
end

-- Records that keep an order among each other: those of a partition; under the rule
-- `max`, where one partition's rows make another's late, those of a source.
local function lanes_of(records)
   local lanes, by_name = {}, {}
   for i, one in ipairs(records) do
      local time = one.source.time
      local name = time and time.rule == "max" and one.source.name or one.place
      if not by_name[name] then
         by_name[name] = {}
         by_name[name].by_time = name ~= one.place
         lanes[#lanes + 1] = by_name[name]
      end
      table.insert(by_name[name], i)
   end
   return lanes
end

local function sort_by(list, keys)
   table.sort(list, function(a, b)
      if keys[a] ~= keys[b] then return keys[a] < keys[b] end
      return a < b
   end)
end

-- Cut a list at random places and add the pieces to the batches.
local function deal(list, batches, random)
   local cuts = {}
   for b = 1, #batches - 1 do cuts[b] = random(0, #list) end
   table.sort(cuts)
   cuts[#batches] = #list
   local at = 1
   for b, batch in ipairs(batches) do
      for k = at, cuts[b] do batch[#batch + 1] = list[k] end
      at = cuts[b] + 1
   end
end

-- What may befall a batch, in turn over all ways that are tried, so that each comes.
local function fates()
   local list, at = { false, "restart", "reload" }, 0
   for _, step in ipairs(host.steps) do list[#list + 1] = step end
   return function()
      at = at % #list + 1
      return list[at] or nil
   end
end

-- One way to play the records: `{ workers =, batches = { { number, …, dies_at = step of
-- a batch, "restart" or "reload" }, … } }`.
local function vary(records, may, workers, random, fate)
   local batches = {}
   for b = 1, may.splits and random(1, math.min(#records, 8)) or 1 do batches[b] = {} end
   local keys = shuffle(records, may.order and random or function() return 0 end)
   for _, list in ipairs(lanes_of(records)) do
      if may.order or list.by_time then sort_by(list, keys) end
      deal(list, batches, random)
   end
   for _, batch in ipairs(batches) do
      if fate and #batch > 0 then batch.dies_at = fate() end
   end
   return { workers = workers[random(1, #workers)], batches = batches }
end

local function befall(p, case, batch)
   if batch.dies_at == "restart" then
      p:restart()
   elseif batch.dies_at == "reload" then
      p:reload(case.of)
   elseif batch.dies_at and #batch > 0 then
      p:crash(batch.dies_at)
   end
end

-- What each sink has in the end: all rows, or the last of each key.
local function play(case, way)
   local options = { workers = way.workers, set = case.options.set,
      params = case.options.params, now = case.options.now, jit = case.options.jit }
   local p = driver.open(case.of, options)
   p:partitions(case.partitions)
   for _, batch in ipairs(way.batches) do
      for _, i in ipairs(batch) do
         local one = case.records[i]
         p:append(one.topic, one.partition, one.record)
      end
      befall(p, case, batch)
      p:tick()
   end
   p:finish()
   local results = {}
   for _, sink in ipairs(p.about.sinks) do
      if not sink.is_side and (not case.sink or case.sink == sink.name) then
         results[#results + 1] = { name = sink.name,
            rows = sink.is_updated and p:latest(sink.name) or p:output(sink.name) }
      end
   end
   p:close()
   return results
end

--- How the results of two ways differ; nil: they do not.
local function difference(case, way, other)
   local done, wanted = pcall(play, case, way)
   local done_too, got = pcall(play, case, other)
   if not done or not done_too then
      if not done and not done_too then return nil end
      return "one of them fails: " .. tostring(done and got or wanted)
   end
   for i, sink in ipairs(wanted) do
      local report = compare.sets(sink.rows, got[i].rows)
      if report then
         return ("sink %s, wanted is A, got is B:\n%s"):format(sink.name,
            report:gsub("^[^\n]*\n", ""))
      end
   end
end

local function check_options(options)
   local passed = {}
   for name, value in pairs(options) do
      if not OWN[name] and name ~= "workers" then passed[name] = value end
   end
   return passed
end

-- What everything is compared with; raises what is wrong with the case itself.
local function all_at_once(case)
   local way = { workers = 1, batches = { {} } }
   for i = 1, #case.records do way.batches[1][i] = i end
   play(case, way)
   return way
end

--- Check that a result does not depend on splits, order, workers and crashes.
-- @param of as `test.pipeline` takes it
-- @tparam table given as `:batch` takes it
-- @tparam table options as `test.check_invariance` takes them
-- @raise when it does, with a small case
function invariance.check(of, given, options)
   local case = { of = of, options = check_options(options), sink = options.sink }
   local first = driver.open(of, case.options)
   local may = limits_of(first.about)
   case.records = records_of(first.about, given)
   first:close()
   case.partitions = partitions_of(case.records)
   if #case.records == 0 then error("check_invariance: there are no rows", 3) end
   if may.splits then check_disorder(case.records) end
   if options.order == false then may.order = false end
   local workers = options.workers or { 1, 2, 3, 4 }
   if type(of) ~= "string" then workers = { 1 } end
   local random = random_of(options.seed or 1)
   local fate = options.crashes ~= false and fates() or nil
   local base = all_at_once(case)
   for _ = 1, options.runs or 30 do
      local way = vary(case.records, may, workers, random, fate)
      if difference(case, base, way) then
         error(shrink.report(case, base, way, difference), 3)
      end
   end
end

return invariance
