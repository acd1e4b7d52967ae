--- The plan drawn as a tree: sources, the stages behind them with their lines, types and
-- keys, sinks. A kind of stage or output that is not known here is drawn by its name, its
-- columns and whatever stands behind it.
-- @module sluice.explain.tree

local analyse_spill = require "sluice.analyse.spill"
local cost = require "sluice.explain.cost"
local delivery = require "sluice.explain.delivery"
local shape = require "sluice.shape"
local tables = require "sluice.tables"
local units = require "sluice.units"
local window = require "sluice.window"

local tree = {}

-- Lines between a branch and the text that belongs to it.
local function indents(indent, is_last)
   return indent .. (is_last and "└─ " or "├─ "), indent .. (is_last and "   " or "│  ")
end

local function say_columns(columns)
   local parts = {}
   for i, column in ipairs(columns) do
      parts[i] = ("%s %s%s"):format(column.name, shape.text(column),
         column.nullable and "?" or "")
   end
   return #parts > 0 and table.concat(parts, ", ") or "nothing"
end

local function names_of(columns)
   return table.concat(tables.names(columns or {}), ", ")
end

local KEYS = {
   record = function() return "the source record's key" end,
   plain = function(output) return names_of(output.key) .. ", as plain text" end,
   object = function(output) return "{ " .. names_of(output.key) .. " }" end,
}

local function say_key(output)
   local say = KEYS[output.key_kind]
   return say and say(output) or names_of(output.key) .. " (" .. tostring(output.key_kind)
      .. ")"
end

local function say_sink(sink)
   if not sink then return "counted only" end
   local where = sink.connector == "kafka" and sink.options.brokers
      and " at " .. sink.options.brokers or ""
   local what = sink.name == sink.connector and "" or sink.connector .. " "
   return what .. sink.name .. where
end
tree.say_sink = say_sink

local function say_mode(aggregate)
   local text = "mode " .. aggregate.mode
   if aggregate.final then text = text .. ", final rows marked" end
   if aggregate.only_if_changed then text = text .. ", only if changed" end
   if aggregate.has_retractions then text = text .. ", retractions" end
   if aggregate.mode == "complete" then
      text = text .. (", at most %d rows"):format(aggregate.max_rows)
   end
   return text
end

local Drawing = {}
Drawing.__index = Drawing

-- "name: text" lines beneath a stage.
function Drawing:detail(rest, name, text)
   self.page:add(rest, rest, name .. ": ", text, "dim")
end

-- Where state goes past `memory`, when it is kept anywhere.
function Drawing:spills(rest, stage)
   if not self.graph.checkpoint or not stage.spills then return end
   self:detail(rest, "past memory", analyse_spill.say(stage.spills,
      self.graph.options))
end

function Drawing:aggregate(index, first, rest)
   local aggregate = self.graph.aggregates[index]
   if self.drawn[aggregate] then
      self.page:add(first, rest, "aggregate " .. aggregate.name, " (drawn above)")
      return
   end
   self.drawn[aggregate] = true
   local results = {}
   for i, item in ipairs(aggregate.items) do
      results[i] = { name = item.name, type = item.spec.type or "several columns",
         shape = item.spec.shape,
         nullable = item.spec.nullable ~= false and item.spec.kind ~= "count" }
   end
   self.page:add(first, rest, "aggregate " .. aggregate.name, ": "
      .. window.say(aggregate.window) .. (aggregate.line and " (" .. aggregate.line .. ")"
      or ""))
   self:detail(rest, "group by", #aggregate.group > 0 and say_columns(aggregate.group)
      or "one global group")
   self:detail(rest, "computes", say_columns(results))
   self:detail(rest, "sends", say_mode(aggregate) .. "; late rows: "
      .. say_sink(self.graph.sinks[aggregate.late]))
   self:detail(rest, "state", table.concat(cost.say(self.graph, aggregate), "; "))
   self:spills(rest, aggregate)
   self:step(aggregate.step, rest)
end

local OUTPUTS = {}

function OUTPUTS.aggregate(self, output, first, rest)
   self:aggregate(output.target, first, rest)
end

function OUTPUTS.sink(self, output, first, rest)
   self.page:add(first, rest, "to ", say_sink(self.graph.sinks[output.target]))
   self:detail(rest, "key", say_key(output))
   self:detail(rest, "value", say_columns(output.columns))
end

function OUTPUTS.distinct(self, output, first, rest)
   local distinct = self.graph.distincts[output.target]
   local within = distinct.within_ms and "within " .. units.say(distinct.within_ms)
      or "for ever"
   self.page:add(first, rest, "distinct " .. tostring(distinct.name), ": the first of "
      .. "each key " .. within .. (distinct.line and " (" .. distinct.line .. ")" or ""))
   self:detail(rest, "key", say_columns(output.columns))
   self:detail(rest, "late rows", say_sink(self.graph.sinks[distinct.late]))
   local kept = cost.say_distinct(self.graph, distinct, output)
   self:detail(rest, "state", table.concat(kept, "; "))
   self:spills(rest, distinct)
   self:step(output.next, rest)
end

-- A kind of output without a drawing of its own: its name, its rows, what stands behind.
function Drawing:other(output, first, rest)
   self.page:add(first, rest, output.kind, output.line and " "
      .. "(" .. output.line .. ")" or "")
   local behind = self.graph.steps[output.next]
   local fields = behind and behind.fields
   if fields then self:detail(rest, "rows", say_columns(fields)) end
   if behind then self:step(output.next, rest) end
end

function Drawing:output(output, first, rest)
   local draw = OUTPUTS[output.kind]
   if draw then draw(self, output, first, rest) else self:other(output, first, rest) end
end

function Drawing:stages(step, stages, indent)
   for i, stage in ipairs(stages) do
      local first, rest = indents(indent, i == #stages)
      if stage.op == "output" then
         self:output(step.outputs[stage.output], first, rest)
      else
         local node = step.nodes[stage.node or stage.columns and stage.columns[1].node]
         local what = stage.columns and " " .. say_columns(stage.columns) or ""
         self.page:add(first, rest, node and node.what or stage.op, what
            .. (node and (" (%s)"):format(node.line) or ""))
         self:stages(step, stage.next or {}, rest)
      end
   end
end

function Drawing:step(index, indent)
   local step = self.graph.steps[index]
   if not step or self.drawn[step] then return end
   self.drawn[step] = true
   self:stages(step, step.tree, indent)
end

local function say_time(time)
   if not time then return "none" end
   local text = time.field or "a function"
   if not time.delay_ms then return text .. ", no watermark" end
   local idle = time.idle_ms < 0 and "never idle" or "idle after "
      .. units.say(time.idle_ms)
   return ("%s; watermark %s behind the %s partition, %s"):format(text,
      units.say(time.delay_ms), time.rule == "min" and "slowest" or "fastest", idle)
end

local function say_start(source)
   local start = source.options.start
   if not start then return source.bounded and "bounded" or "without end" end
   if type(start) == "string" then return "from " .. start end
   if start.timestamp then return ("from time %d"):format(start.timestamp) end
   return "from given offsets"
end

local function say_limits(limits)
   local parts = {}
   if limits.max_records then
      parts[#parts + 1] = ("at most %d records"):format(limits.max_records)
   end
   if limits.max_bytes then parts[#parts + 1] = units.say_size(limits.max_bytes) end
   if limits.max_time_ms then
      parts[#parts + 1] = units.say(limits.max_time_ms) .. " of fetching"
   end
   if limits.max_rate then
      parts[#parts + 1] = ("%g records a second"):format(limits.max_rate)
   end
   return table.concat(parts, ", ")
end

-- How columns are found is what a format has to say of itself.
local function say_format(source)
   local given = source.format_options
   if source.has_header then return source.format .. ", columns by the header line" end
   if given and given.columns then
      return source.format .. ", columns " .. table.concat(given.columns, ", ")
   end
   return source.format
end

function Drawing:source(source)
   local rest = "   "
   local place = source.line and (" (%s)"):format(source.line) or ""
   self.page:add("", rest, "source ", say_sink(source) .. ", " .. say_start(source)
      .. place)
   local inner = "│  "
   self:detail(inner, "a batch", say_limits(source.options))
   if source.format and source.format ~= "json" then
      self:detail(inner, "format", say_format(source))
   end
   self:detail(inner, "fields", say_columns(source.schema.columns))
   self:detail(inner, "event time", say_time(source.time))
   local bad = source.options.bad_records
   if bad == "quarantine" then
      local sink = self.graph.sinks[source.quarantine]
      bad = bad .. " to " .. (sink and say_sink(sink) or self.graph.name .. "-quarantine")
   end
   self:detail(inner, "bad records", bad or "none")
   self:step(source.step, "")
end

local function say_trigger(trigger)
   if trigger.kind == "interval" then
      return "every " .. units.say(trigger.interval_ms)
   end
   return trigger.kind .. (trigger.flush and ", flushed" or "")
end

--- Draw a plan.
-- @tparam table page from `page.new`
-- @tparam table graph from `sluice.analyse`
-- @tparam ?table store of `sluice.explain.delivery`
function tree.draw(page, graph, store)
   local of = graph.options
   page:add("", "   ", "pipeline " .. graph.name,
      (": %s, checkpoint %s, %s, %d worker%s, %d shards"):format(say_trigger(of.trigger),
      of.checkpoint, of.delivery, of.workers, of.workers == 1 and "" or "s", of.shards))
   delivery.draw(page, graph, store)
   local drawing = setmetatable({ page = page, graph = graph, drawn = {} }, Drawing)
   for _, source in ipairs(graph.sources) do drawing:source(source) end
end

return tree
