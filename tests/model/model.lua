--- A reference interpreter of pipelines, in plain Lua: keeps everything, computes all
--- anew, knows nothing of the runtime. It reads the chain of nodes that a script makes.
---
---    local m = model.open(script_text)
---    m:batch(records, now_ms); m:finish(now_ms)   --> { out = { row, … }, … } by sink
---
--- A record is `{ topic =, partition =, row = table of values, or false: bad }`. Rows
--- look as `:output()` of the kit gives them.
local analyse = require "sluice.analyse"
local grouping = require "tests.model.grouping"
local stages = require "tests.model.stages"
local watermark = require "tests.model.watermark"

local model = {}

local Model = {}
Model.__index = Model

-- Nodes of all branches as a tree: followers in the order of the script.
local function tree_of(pipeline)
   local followers, roots, seen = {}, {}, {}
   for _, leaf in ipairs(pipeline.branches) do
      local path, node = {}, leaf
      while node do
         table.insert(path, 1, node)
         node = node.parent
      end
      for _, one in ipairs(path) do
         if not seen[one] then
            seen[one], followers[one] = true, {}
            table.insert(one.parent and followers[one.parent] or roots, one)
         end
      end
   end
   return followers, roots
end

local function sink_name(node)
   local values = node.sink.values
   return values.topic or values.path
end

-- Mode and its options: of the first sink behind an aggregation.
local function options_behind(followers, node)
   for _, follower in ipairs(followers[node]) do
      if follower.op == "to" then return follower.sink.values end
      local found = follower.op ~= "aggregate" and options_behind(followers, follower)
      if found then return found end
   end
end

local function source_of(graph, node, index)
   local source = graph.sources[index]
   return { node = node, index = index, fields = source.fields, time = source.time,
      topics = source.options.topics or { source.name }, next_offset = {},
      counters = { read = 0, passed = 0, filtered = 0, duplicate = 0, late = 0,
         quarantined = 0, skipped = 0, late_windows = 0 } }
end

--- Open a script.
function model.open(text)
   local pipeline = assert(loadstring(text, "@model.lua"))()
   local graph = analyse.graph(pipeline)
   local followers, roots = tree_of(pipeline)
   local made = setmetatable({ followers = followers, sources = {}, stages = {},
      stage_list = {}, number = 0 }, Model)
   for i, root in ipairs(roots) do
      local source = source_of(graph, root, i)
      source.watermark = watermark.new(source.time)
      source.watermark:discover(0, 0)
      made.sources[i] = source
      for _, topic in ipairs(source.topics) do source.next_offset[topic] = {} end
   end
   return made
end

function Model:start(now_ms)
   for _, source in ipairs(self.sources) do source.watermark:discover(0, now_ms) end
end

-- The stage of an aggregate node, made when its first row comes or a batch begins.
function Model:stage(node, source)
   local found = self.stages[node]
   if not found then
      local options = options_behind(self.followers, node)
      found = grouping.new(node, { mode = options.mode, final = options.final,
         only_if_changed = options.only_if_changed })
      found.source = source
      found:begin(source.watermark.now)
      self.stages[node] = found
      table.insert(self.stage_list, found)
   end
   return found
end

function Model:emit(sink, row)
   local list = self.out[sink] or {}
   self.out[sink] = list
   list[#list + 1] = row
end

local HANDLERS = {}

-- What became of a row behind a node: a list of "passed", "filtered", "late", in the
-- order of the script.
function Model:walk(node, row, outcomes, source)
   for _, follower in ipairs(self.followers[node]) do
      HANDLERS[follower.op](self, follower, row, outcomes, source)
   end
end

local function with(row, values)
   return { values = values, time = row.time, place = row.place, number = row.number,
      record = row.record }
end

function HANDLERS.filter(self, node, row, outcomes, source)
   if node.fn(row.values) then return self:walk(node, row, outcomes, source) end
   outcomes[#outcomes + 1] = "filtered"
end

function HANDLERS.derive(self, node, row, outcomes, source)
   self:walk(node, with(row, stages.derive(row.values, node.columns)), outcomes, source)
end
HANDLERS.group_by = HANDLERS.derive

function HANDLERS.select(self, node, row, outcomes, source)
   self:walk(node, with(row, stages.select(row.values, node.entries)), outcomes, source)
end

function HANDLERS.event_time(self, node, row, outcomes, source)
   self:walk(node, row, outcomes, source)
end
HANDLERS.window, HANDLERS.late_to = HANDLERS.event_time, HANDLERS.event_time
HANDLERS.quarantine_to, HANDLERS.decode = HANDLERS.event_time, HANDLERS.event_time

HANDLERS["to"] = function(self, node, row, outcomes, source)
   self:emit(sink_name(node), stages.copy(row.values))
   outcomes[#outcomes + 1] = "passed"
   self:walk(node, row, outcomes, source)
end

function HANDLERS.aggregate(self, node, row, outcomes, source)
   outcomes[#outcomes + 1] = self:stage(node, source):add(row) and "passed" or "late"
end

-- The verdict of a record: passed if any row of it was, else the first reason.
local function verdict(outcomes)
   for _, one in ipairs(outcomes) do
      if one == "passed" then return one end
   end
   return outcomes[1] or "filtered"
end

local function time_of(source, values)
   local time = source.time
   if not time then return 0 end
   if time.fn then return time.fn(values) end
   return values[time.field]
end

function Model:take(source, record, now_ms)
   local offsets = source.next_offset[record.topic]
   local offset = offsets[record.partition] or 0
   offsets[record.partition] = offset + 1
   source.counters.read = source.counters.read + 1
   local values = record.row and stages.decode(source.fields, record.row)
   local time = values and time_of(source, values)
   if not time then
      source.counters.quarantined = source.counters.quarantined + 1
      return
   end
   source.watermark:see(record.partition, time, now_ms)
   self.number = self.number + 1
   local outcomes = {}
   self:walk(source.node, { values = values, time = time, number = self.number,
      place = { source.index, record.partition, offset }, record = record }, outcomes,
      source)
   local found = verdict(outcomes)
   source.counters[found] = source.counters[found] + 1
end

-- Records in batch order: source, topic, partition, as they came.
function Model:in_order(records)
   local list = {}
   for s, source in ipairs(self.sources) do
      for t, topic in ipairs(source.topics) do
         for i, record in ipairs(records) do
            if record.topic == topic then
               list[#list + 1] = { source = source, record = record,
                  order = { s, t, record.partition, i } }
            end
         end
      end
   end
   table.sort(list, function(a, b)
      for i = 1, 4 do
         if a.order[i] ~= b.order[i] then return a.order[i] < b.order[i] end
      end
      return false
   end)
   return list
end

function Model:discover(records, now_ms)
   for _, source in ipairs(self.sources) do
      for _, record in ipairs(records) do
         for _, topic in ipairs(source.topics) do
            if topic == record.topic then
               for p = 0, record.partition do source.watermark:discover(p, now_ms) end
            end
         end
      end
   end
end

-- A batch without records is run only if it does something.
function Model:is_due(now_ms)
   for _, stage in ipairs(self.stage_list) do
      if stage:is_due(stage.source.watermark:preview(now_ms)) then return true end
   end
   return false
end

--- Run a batch; what each sink gets, by name, rows in order of their windows.
function Model:batch(records, now_ms, flush)
   self.out = {}
   self:discover(records, now_ms)
   if #records == 0 and not flush and not self:is_due(now_ms) then return self.out end
   for _, stage in ipairs(self.stage_list) do stage:begin(stage.source.watermark.now) end
   for _, one in ipairs(self:in_order(records)) do
      self:take(one.source, one.record, now_ms)
   end
   for _, source in ipairs(self.sources) do
      source.watermark:settle(now_ms)
      if flush then source.watermark:finish() end
   end
   for _, stage in ipairs(self.stage_list) do self:finish_stage(stage) end
   return self.out
end

function Model:finish_stage(stage)
   local retracted = {}
   local function emit(values, key, final)
      local sent = false
      stages.results(self, stage.node, values, final, function(sink, row)
         self:emit(sink, row)
         sent = true
      end, key)
      return sent
   end
   local function retract(key)
      local row = stages.copy(key)
      row.retracted = true
      retracted[#retracted + 1] = row
   end
   stage:finish(stage.source.watermark.now, emit, retract)
   local counters = stage.source.counters
   counters.late_windows = counters.late_windows + #stage.late
   for _, sink in ipairs(stages.sinks_behind(self.followers, stage.node, sink_name)) do
      local list = self.out[sink] or {}
      for i, row in ipairs(retracted) do table.insert(list, i, row) end
      if #list > 0 then self.out[sink] = list end
   end
   for _, sink in ipairs(stages.late_sinks(self.followers, stage.node, sink_name)) do
      for _, late in ipairs(stage.late) do self:emit(sink, late) end
   end
end

--- The end: all windows close.
function Model:finish(now_ms)
   return self:batch({}, now_ms, true)
end

--- Counters of source `i`.
function Model:counters(i)
   return self.sources[i or 1].counters
end

return model
