--- A reference interpreter of pipelines, in plain Lua: keeps everything, computes all
--- anew, knows nothing of the runtime. It reads the chain of nodes that a script makes.
---
---    local m = model.open(script_text)
---    m:batch(records, now_ms); m:finish(now_ms)   --> { out = { row, … }, … } by sink
---
--- A record is `{ topic =, partition =, row = table of values, or false: bad }`. Rows
--- look as `:output()` of the kit gives them.
local analyse = require "sluice.analyse"
local chain = require "tests.model.chain"
local distinct = require "tests.model.distinct"
local grouping = require "tests.model.grouping"
local stages = require "tests.model.stages"
local watermark = require "tests.model.watermark"

local model = {}

local Model = {}
Model.__index = Model

local function is_stage(node)
   return node.op == "aggregate" or node.op == "distinct"
end

local function is_aggregate(node) return node.op == "aggregate" end
local function never() return false end

local function sink_name(node)
   local values = node.sink.values
   return values.topic or values.path
end

local function source_of(graph, node, index)
   local source = graph.sources[index]
   return { node = node, index = index, fields = source.fields, time = source.time,
      topics = source.options.topics or { source.name }, next_offset = {},
      watermark = watermark.new(source.time),
      counters = { read = 0, passed = 0, filtered = 0, duplicate = 0, late = 0,
         quarantined = 0, skipped = 0, late_windows = 0 } }
end

-- Mode and its options: of the first sink behind; an aggregation that feeds another
-- gives each result once, when its window closes.
local function options_of(followers, node)
   local feeds = #chain.behind(followers, node, "aggregate", is_aggregate) > 0
      or #chain.behind(followers, node, "distinct", is_aggregate) > 0
      or #chain.behind(followers, node, "flat_map", is_aggregate) > 0
   if feeds then return { mode = "append" } end
   local sink = chain.behind(followers, node, "to", is_stage)[1]
   return sink.sink.values
end

function Model:add_stage(node)
   local made
   if node.op == "distinct" then
      made = distinct.new(node)
   else
      local of = options_of(self.followers, node)
      made = grouping.new(node, { mode = of.mode, final = of.final,
         only_if_changed = of.only_if_changed })
   end
   made.inputs = chain.before(node, is_stage)
   self.stages[node] = made
   self.stage_list[#self.stage_list + 1] = made
end

--- Open a script.
function model.open(text)
   local pipeline = assert(loadstring(text, "@model.lua"))()
   local graph = analyse.graph(pipeline)
   local of = chain.of(pipeline)
   local made = setmetatable({ followers = of.followers, sources = {}, by_node = {},
      stages = {}, stage_list = {}, number = 0 }, Model)
   for i, node in ipairs(of.sources) do
      local source = source_of(graph, node, i)
      made.sources[i], made.by_node[node] = source, source
      for _, topic in ipairs(source.topics) do source.next_offset[topic] = {} end
   end
   for _, node in ipairs(of.order) do
      if is_stage(node) then made:add_stage(node) end
   end
   return made
end

--- The run begins: each source knows its first partition.
function Model:start(now_ms)
   for _, source in ipairs(self.sources) do source.watermark:discover(0, now_ms) end
end

function Model:emit(sink, row)
   local list = self.out[sink] or {}
   self.out[sink] = list
   list[#list + 1] = row
end

local HANDLERS = {}

-- What became of a row behind a node: a list of "passed", "filtered", "late",
-- "duplicate", in the order of the script.
function Model:walk(node, row, outcomes)
   for _, follower in ipairs(self.followers[node]) do
      HANDLERS[follower.op](self, follower, row, outcomes)
   end
end

local function with(row, values)
   return setmetatable({ values = values }, { __index = row })
end

function HANDLERS.filter(self, node, row, outcomes)
   if node.fn(row.values) then return self:walk(node, row, outcomes) end
   outcomes[#outcomes + 1] = "filtered"
end

function HANDLERS.derive(self, node, row, outcomes)
   self:walk(node, with(row, stages.derive(row.values, node.columns)), outcomes)
end
HANDLERS.group_by = HANDLERS.derive

function HANDLERS.select(self, node, row, outcomes)
   self:walk(node, with(row, stages.select(row.values, node.entries)), outcomes)
end

function HANDLERS.flat_map(self, node, row, outcomes)
   local made = {}
   node.fn(row.values, function(values)
      made[#made + 1] = stages.decode(node.fields, values)
   end)
   for i, values in ipairs(made) do
      self.number = self.number + 1
      local one = with(row, values)
      one.number, one.place = self.number, { row.place[1], row.place[2], row.place[3], i }
      self:walk(node, one, outcomes)
   end
   if #made == 0 then outcomes[#outcomes + 1] = "filtered" end
end

function HANDLERS.distinct(self, node, row, outcomes)
   local why = self.stages[node]:judge(row, grouping.text_of)
   if not why then return self:walk(node, row, outcomes) end
   outcomes[#outcomes + 1] = why
end

function HANDLERS.decode(self, node, row, outcomes)
   self:walk(node, row, outcomes)
end
for _, op in ipairs { "event_time", "window", "late_to", "quarantine_to", "union" } do
   HANDLERS[op] = HANDLERS.decode
end

HANDLERS["to"] = function(self, node, row, outcomes)
   local values = stages.copy(row.values)
   if row.final ~= nil then values.final = row.final end
   self:emit(sink_name(node), values)
   outcomes[#outcomes + 1] = "passed"
   self:walk(node, row, outcomes)
end

function HANDLERS.aggregate(self, node, row, outcomes)
   outcomes[#outcomes + 1] = self.stages[node]:add(row) and "passed" or "late"
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
      place = { source.index, record.partition, offset, 0 }, record = record,
      source = source }, outcomes)
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

-- Where the inputs of all stages meet when a source's watermark is `time_of(source)`.
function Model:meet(time_of_source, now_ms)
   local found = {}
   for _, stage in ipairs(self.stage_list) do
      local inputs = {}
      for i, node in ipairs(stage.inputs) do
         local source, before = self.by_node[node], self.stages[node]
         if source then
            inputs[i] = { time = time_of_source(source),
               is_left_out = source.watermark:all_idle(now_ms) }
         else
            local at = found[before]
            inputs[i] = { time = at.time and at.time - (before.window
               and before.window.lateness or 0), is_left_out = at.is_left_out }
         end
      end
      found[stage] = watermark.combine(inputs, stage.at)
   end
   return found
end

--- Another process goes on.
function Model:restart(now_ms)
   for _, source in ipairs(self.sources) do source.watermark:restart(now_ms) end
end

-- A batch without records is run only if it does something.
function Model:is_due(now_ms)
   local met = self:meet(function(source) return source.watermark:preview(now_ms) end,
      now_ms)
   for _, stage in ipairs(self.stage_list) do
      if stage:is_due(met[stage].time) then return true end
   end
   return false
end

--- Run a batch; what each sink gets, by name, rows in order of their windows.
function Model:batch(records, now_ms, flush)
   self.out = {}
   self:discover(records, now_ms)
   if #records == 0 and not flush and not self:is_due(now_ms) then return self.out end
   for _, stage in ipairs(self.stage_list) do stage:begin(stage.at) end
   for _, one in ipairs(self:in_order(records)) do
      self:take(one.source, one.record, now_ms)
   end
   for _, source in ipairs(self.sources) do
      source.watermark:settle(now_ms)
      if flush then source.watermark:finish() end
   end
   local met = self:meet(function(source) return source.watermark.now end, now_ms)
   for _, stage in ipairs(self.stage_list) do
      stage.at = met[stage].time
      if stage.finish then self:finish_stage(stage) end
      self:tell_late(stage)
   end
   return self.out
end

-- A result goes on: into sinks, or as a row into the next stage.
function Model:send(stage, values, final)
   local outcomes = {}
   self.number = self.number + 1
   self:walk(stage.node, { values = values, final = final, number = self.number,
      time = values.window_end and values.window_end - 1 or 0,
      place = { 0, 0, self.number, 0 } }, outcomes)
   return verdict(outcomes) == "passed"
end

function Model:finish_stage(stage)
   local retracted = {}
   stage:finish(stage.at, function(values, _, final)
      return self:send(stage, values, final)
   end, function(key)
      local row = stages.copy(key)
      row.retracted = true
      retracted[#retracted + 1] = row
   end)
   for _, node in ipairs(chain.behind(self.followers, stage.node, "to", is_stage)) do
      local list = self.out[sink_name(node)] or {}
      for i, row in ipairs(retracted) do table.insert(list, i, row) end
      if #list > 0 then self.out[sink_name(node)] = list end
   end
end

-- Pairs of row and window are counted; a record of several rows is told of once.
function Model:tell_late(stage)
   local sinks = chain.behind(self.followers, stage.node, "late_to", never)
   local told = {}
   for _, late in ipairs(stage.late) do
      local source, record = late.row.source, late.row.record
      if stage.window then
         source.counters.late_windows = source.counters.late_windows + 1
      end
      local window = ("%s %s"):format(late.window_start or "", late.window_end or "")
      told[record] = told[record] or {}
      if sinks[1] and not told[record][window] then
         self:emit(sink_name(sinks[1]), late)
      end
      told[record][window] = true
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
