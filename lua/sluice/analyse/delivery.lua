--- What a pipeline promises: where progress is committed, what each sink can, and what
-- comes of both.
-- @module sluice.analyse.delivery

local checkpoint = require "sluice.checkpoint"
local connector = require "sluice.connector"
local explain_json = require "sluice.explain.json"
local path = require "sluice.path"
local place = require "sluice.place"
local tables = require "sluice.tables"

local delivery = {}

local EXACTLY, AT_LEAST = "exactly-once", "at-least-once"

-- What says which Kafka, and who logs in.
local ACCESS = { "brokers", "tls", "sasl" }

local function brokers_of(options)
   local list = {}
   for one in options.brokers:gmatch "[^,]+" do list[#list + 1] = one end
   table.sort(list)
   return table.concat(list, ",")
end

local function login_of(options)
   return explain_json.encode { brokers_of(options), options.tls or {},
      options.sasl or {} }
end

-- -- sources

local function kafka_sources(graph)
   local list = {}
   for _, source in ipairs(graph.sources) do
      if source.connector == "kafka" then list[#list + 1] = source end
   end
   return list
end

-- Offsets of all sources are committed in one place, under one group.
local function check_sources(sources)
   local first = sources[1]
   for _, source in ipairs(sources) do
      if brokers_of(source.options) ~= brokers_of(first.options) then
         place.fail(source.line, "source %s reads from %s, %s (%s) from %s: offsets of "
            .. "two clusters cannot be committed in one act: write two pipelines, or "
            .. 'checkpoint = "none"', source.name, source.options.brokers, first.name,
            first.line, first.options.brokers)
      end
      if source.options.group ~= first.options.group then
         place.fail(source.line, "source %s has the group %q, %s (%s) %q: progress is "
            .. "committed under one group: write the same", source.name,
            source.options.group, first.name, first.line, first.options.group)
      end
   end
end

local function check_stdin(graph)
   for _, source in ipairs(graph.sources) do
      if source.connector == "file" and source.options.path == path.STREAM then
         place.fail(source.line, "standard input cannot be read again after a restart: "
            .. 'write checkpoint = "none", or the path of a file')
      end
   end
end

-- -- the ledger

-- The topic whose partition 0 holds the progress where no Kafka is read.
local function pointer_sink(graph)
   for _, side in ipairs { false, true } do
      for _, sink in ipairs(graph.sinks) do
         if sink.connector == "kafka" and sink.is_side == side and sink.options.topic then
            return sink
         end
      end
   end
end

-- The producer is shared by the sinks, and has the options of all.
local function merge_config(graph, access, config)
   local merged, from, has_sink = {}, {}, false
   for _, sink in ipairs(graph.sinks) do
      if sink.connector == "kafka" and login_of(sink.options) == login_of(access) then
         has_sink = true
         for _, name in ipairs(tables.keys(sink.options.config or {})) do
            local value = sink.options.config[name]
            if merged[name] and merged[name] ~= value then
               place.fail(sink.line, "config[%q] is %q here and %q for %s: sinks of one "
                  .. "cluster write in one transaction, by one client: write the same",
                  name, value, merged[name], from[name])
            end
            merged[name], from[name] = value, sink.name
         end
      end
   end
   return has_sink and merged or config or {}
end

-- One client writes for all sinks of the transaction.
local function merge_produce(graph, access)
   for _, sink in ipairs(graph.sinks) do
      if sink.connector == "kafka" and login_of(sink.options) == login_of(access)
         and sink.options.produce == "librdkafka" then return "librdkafka" end
   end
end

local function ledger_of(graph)
   local sources = kafka_sources(graph)
   check_sources(sources)
   check_stdin(graph)
   local sink = not sources[1] and pointer_sink(graph)
   local of = sources[1] or sink
   if not of then return { ledger = "store", group = graph.name } end
   local access = {}
   for _, name in ipairs(ACCESS) do access[name] = of.options[name] end
   access.config = merge_config(graph, access, of.options.config)
   access.produce = merge_produce(graph, access)
   return { ledger = "kafka", group = sources[1] and of.options.group or graph.name,
      topic = sink and sink.options.topic or nil, options = access }
end

-- -- sinks

local function kafka_kind(kept, sink)
   if kept.ledger ~= "kafka" then
      return "repeats", "functions name all topics, so that none can hold the progress: "
         .. "name one with `topic`"
   end
   if login_of(sink.options) ~= login_of(kept.options) then
      return "repeats", ("it is written to %s, and progress is committed at %s: one "
         .. "transaction does not reach both"):format(sink.options.brokers,
         kept.options.brokers)
   end
   return "transactional", "in the transaction that commits the progress"
end

local function kind_of(kept, sink)
   if sink.connector == "kafka" then return kafka_kind(kept, sink) end
   local one = connector.of(sink.connector, "sink")
   if not one.kind then return "repeats", "its kind of sink promises nothing" end
   return one.kind(sink.options)
end

-- The sinks that may write a row twice.
local function repeating(graph)
   local list = {}
   for _, sink in ipairs(graph.sinks) do
      if sink.kind == "repeats" then list[#list + 1] = sink end
   end
   return list
end

local function promise_of(graph, wanted, line)
   local list = repeating(graph)
   if wanted == EXACTLY and list[1] then
      place.fail(list[1].line or line, "delivery cannot be exactly-once: sink %s: %s; "
         .. "take it out, or write delivery = \"at-least-once\"", list[1].name,
         list[1].why)
   end
   return wanted or (list[1] and AT_LEAST or EXACTLY)
end

-- At least once no transaction holds rows and progress together.
local function say_ahead(graph)
   for _, sink in ipairs(graph.sinks) do
      if sink.kind == "transactional" then
         sink.why = "ahead of the progress, which follows"
      end
   end
end

local function has_by_batch(graph)
   for _, sink in ipairs(graph.sinks) do
      if sink.kind == "by_batch" then return true end
   end
   return false
end

local function keep_nothing(graph, wanted, line)
   if wanted == EXACTLY then
      place.fail(line, "sluice.pipeline: exactly-once needs a checkpoint, and there is "
         .. 'none: write checkpoint = "file:./checkpoints", or leave `delivery` out')
   end
   for _, sink in ipairs(graph.sinks) do
      sink.kind, sink.why = "repeats", "nothing is kept"
   end
   graph.options.delivery = AT_LEAST
end

--- Decide where progress is committed, and what is promised. Fills in `kind` ("repeats",
-- "transactional", "by_batch") and `why` of each sink, `options.delivery`, and
-- `checkpoint` of the graph, which a pipeline that keeps nothing has not.
-- @tparam table graph with all its sinks
-- @tparam table store in the plan's form (`sluice.checkpoint`)
-- @tparam ?string line of the pipeline, "FILE:LINE"
-- @raise for sources whose progress cannot be kept, and "exactly-once" that cannot be
function delivery.finish(graph, store, line)
   local options = graph.options
   local wanted = options.delivery
   options.state_dir = checkpoint.state_dir(store.url, options.state_dir, graph.name)
   if store.url == checkpoint.NONE then return keep_nothing(graph, wanted, line) end
   local kept = ledger_of(graph)
   for _, sink in ipairs(graph.sinks) do sink.kind, sink.why = kind_of(kept, sink) end
   options.delivery = promise_of(graph, wanted, line)
   if options.delivery == AT_LEAST then say_ahead(graph) end
   graph.is_paced = options.commit_interval_ms ~= nil
   options.commit_interval_ms = options.commit_interval_ms
      or checkpoint.commit_interval_ms(store.url)
   kept.is_chosen = wanted ~= nil
   kept.url, kept.store = store.url, store
   kept.plans_ahead = options.delivery == EXACTLY and has_by_batch(graph)
   graph.checkpoint = kept
end

return delivery
