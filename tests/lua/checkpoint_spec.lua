local ffi = require "ffi"

local vectors = dofile "tests/lua/vectors.lua"

local analyse = require "sluice.analyse"
local checkpoint = require "sluice.checkpoint"
local kit = require "tests.lua.kit"
local lower = require "sluice.lower"
local sluice = require "sluice"

local C = ffi.C
local refuses, rides, sink = kit.refuses, kit.rides, kit.sink

local function graph_of(options, ...)
   local given = { name = "counts", checkpoint = "file:./checkpoints" }
   for name, value in pairs(options) do given[name] = value end
   for i, branch in ipairs { ... } do given[i] = branch end
   given[1] = given[1] or rides():to(sink())
   return analyse.graph(sluice.pipeline(given))
end

local function lowered(options, ...)
   local made = lower.plan(graph_of(options, ...), vectors.calls, true)
   return made.plan[0].checkpoint, made
end

local function text(of)
   return of.data ~= nil and ffi.string(of.data, of.len) or nil
end

local function named(value, name)
   for i = 0, value.item_count - 1 do
      if text(value.items[i].name) == name then return value.items[i] end
   end
end

describe("checkpoint", function()
   local function refused(given, ...)
      refuses(function() graph_of { checkpoint = given } end, ...)
   end

   it("is a store, or said to be none", function()
      local function url_of(given)
         local kept = graph_of { checkpoint = given }.checkpoint
         return kept and kept.url
      end
      assert.equal("file:/var/x", url_of "file:///var/x")
      assert.equal("s3://b-1/x/y", url_of "s3://b-1/x/y")
      assert.is_nil(url_of "none")
      refused("./checkpoints", '`checkpoint` is "./checkpoints"', '"file:./checkpoints"')
      refused("file:", 'file: as in "file:./checkpoints"')
      refused("s3://", "s3://bucket/path")
      refused("s3a://bucket/x", 'wanted "s3://bucket/x"')
      refused("gs://bucket/x", "gs: comes with a later release")
      refused("somewhere", '"file:DIR"')
      refused(true, '"file:DIR"')
   end)

   it("takes what the store needs in a table", function()
      local given = { url = "s3://bucket/x", region = "eu-central-1",
         endpoint = "http://localhost:9000/", path_style = true,
         access_key = sluice.env "SLUICE_SPEC_KEY",
         secret_key = sluice.env "SLUICE_SPEC_SECRET" }
      local store = graph_of { checkpoint = given }.checkpoint.store
      assert.equal("http://localhost:9000", store.endpoint)
      assert.is_true(store.path_style)
      -- false is not the same as nothing: with an endpoint the store takes that for true
      given.path_style = false
      assert.is_false(graph_of { checkpoint = given }.checkpoint.store.path_style)
      given.path_style = nil
      assert.is_nil(graph_of { checkpoint = given }.checkpoint.store.path_style)
      refused({ region = "x" }, "a table of url", "with `url`")
      refused({ url = "s3://bucket", regoin = "x" }, "`checkpoint",
         "did you mean `region`?")
      refused({ url = "file:./x", region = "x" }, "without `region`, which is for s3://")
      refused({ url = "s3://bucket", endpoint = "localhost" }, "http://localhost:9000")
      refused({ url = "s3://bucket", access_key = sluice.env "A" },
         "one goes with the other")
   end)

   it("never shows a secret", function()
      local message = kit.message(function()
         graph_of { checkpoint = { url = "s3://bucket", secret_key = "hush-hush" } }
      end)
      assert.is_nil(message:find("hush", 1, true))
      local store = graph_of { checkpoint = { url = "s3://bucket",
         access_key = sluice.env "A_KEY", secret_key = sluice.env "A_SECRET" } }
         .checkpoint.store
      assert.equal("s3://bucket, access_key by reference, secret_key by reference",
         checkpoint.checker.say(store))
   end)

   it("has its defaults", function()
      local options = graph_of({}).options
      assert.equal(0, options.commit_interval_ms)
      assert.equal("./checkpoints/.state/counts", options.state_dir)
      assert.equal(7 * 86400000, options.history_ms)
      assert.equal(1073741824, options.memory_bytes)
      options = graph_of { checkpoint = "s3://bucket" }.options
      assert.equal(1000, options.commit_interval_ms)
      assert.equal("./sluice-state/counts", options.state_dir)
      options = graph_of { checkpoint = "s3://bucket", commit_interval = 0,
         state_dir = "local" }.options
      assert.equal(0, options.commit_interval_ms)
      assert.equal("local/counts", options.state_dir)
   end)
end)

describe("delivery", function()
   local function kinds(graph)
      local list = {}
      for i, one in ipairs(graph.sinks) do list[i] = one.kind end
      return table.concat(list, " ")
   end

   it("is exactly-once when every sink can", function()
      local graph = graph_of({}, rides():to(sink()))
      assert.equal("exactly-once", graph.options.delivery)
      assert.equal("transactional transactional", kinds(graph))
      assert.is_false(graph.checkpoint.plans_ahead)
   end)

   it("plans ahead for sinks by batch", function()
      local graph = graph_of({}, rides():to(sluice.file { path = "out" }))
      assert.equal("by_batch transactional", kinds(graph))
      assert.equal("exactly-once", graph.options.delivery)
      assert.is_true(graph.checkpoint.plans_ahead)
      graph = graph_of({ delivery = "at-least-once" },
         rides():to(sluice.file { path = "out" }))
      assert.is_false(graph.checkpoint.plans_ahead)
   end)

   it("is at-least-once where one cannot, and says why where that is refused", function()
      local cannot = {
         [function() return sluice.file { path = "-" } end] = { "sink -", "stdout" },
         [function() return sluice.sink { write = function() end } end] =
            { "sink sink", "`by_batch = true`" },
         [function() return sluice.kafka { topic = "far", brokers = "b:1" } end] =
            { "sink far", "written to b:1", "committed at localhost:9092" },
      }
      for make, why in pairs(cannot) do
         local out = make()
         assert.equal("at-least-once", graph_of({}, rides():to(out)).options.delivery)
         refuses(function()
            graph_of({ delivery = "exactly-once" }, rides():to(out))
         end, "delivery cannot be exactly-once", unpack(why))
      end
   end)

   it("trusts own sinks that say so", function()
      local own = sluice.sink { by_batch = true, write = function() end }
      local graph = graph_of({ delivery = "exactly-once" }, rides():to(own))
      assert.equal("by_batch transactional", kinds(graph))
   end)

   it("needs a checkpoint", function()
      refuses(function()
         graph_of { checkpoint = "none", delivery = "exactly-once" }
      end, "exactly-once needs a checkpoint")
      assert.equal("repeats repeats", kinds(graph_of { checkpoint = "none" }))
   end)
end)

describe("the ledger", function()
   local function file(path)
      return sluice.file { path = path or "in.jsonl" }:json { sluice.int64 "x" }
   end

   it("is the sources' Kafka, with what its sinks say of the client", function()
      local kept = graph_of({}, sluice.kafka { topics = "a", brokers = "k:1", group = "g",
         config = { ["fetch.min.bytes"] = 1 } }:json { sluice.int64 "x" }
         :to(sluice.kafka { topic = "b", brokers = "k:1",
            config = { ["linger.ms"] = 5 } })).checkpoint
      assert.equal("kafka", kept.ledger)
      assert.equal("g", kept.group)
      assert.is_nil(kept.topic)
      assert.same({ brokers = "k:1", config = { ["linger.ms"] = "5" } }, kept.options)
   end)

   it("is the sinks' Kafka where none is read, by the topic of the first", function()
      local kept = graph_of({}, file():to(sluice.kafka { topic = "b" })).checkpoint
      assert.equal("kafka", kept.ledger)
      assert.equal("counts", kept.group)
      assert.equal("b", kept.topic)
   end)

   it("is the store where there is no Kafka, or no topic is known", function()
      assert.equal("store", graph_of({}, file():to(sluice.file { path = "out" }))
         .checkpoint.ledger)
      local graph = graph_of({}, file():to(sluice.kafka {
         topic = function() return "b" end }))
      assert.equal("store", graph.checkpoint.ledger)
      assert.equal("repeats", graph.sinks[1].kind)
   end)

   it("is one", function()
      local function from(options)
         return sluice.kafka(options):json { sluice.int64 "x" }:to(sink())
      end
      refuses(function()
         graph_of({}, from { topics = "a", brokers = "k:1" },
            from { topics = "b", brokers = "k:2" })
      end, "source b reads from k:2, a (", "offsets of two clusters")
      refuses(function()
         graph_of({}, from { topics = "a", group = "g" },
            from { topics = "b", group = "h" })
      end, "one group")
      refuses(function() graph_of({}, file("-"):to(sink())) end,
         "standard input cannot be read again")
      local all = rides()
      refuses(function()
         graph_of({}, all:to(sluice.kafka { topic = "b", config = { a = 1 } }),
            all:to(sluice.kafka { topic = "c", config = { a = 2 } }))
      end, 'config["a"] is "2" here and "1" for b')
   end)
end)

describe("a lowered checkpoint", function()
   it("is filled in", function()
      local of, made = lowered({ commit_interval = "2 seconds", memory = "64 MiB",
         on_state_limit = "fail", history = "1 hour",
         checkpoint = { url = "s3://bucket/x", region = "r", path_style = true } },
         rides():to(sluice.file { path = "out" }))
      assert.equal("s3://bucket/x", text(of.url))
      assert.equal("kafka", text(of.ledger))
      assert.equal("counts", text(of.group))
      assert.is_nil(text(of.topic))
      assert.equal("localhost:9092", text(named(of.options[0], "brokers").text))
      assert.equal("r", text(named(of.store[0], "region").text))
      assert.equal(1, named(of.store[0], "path_style").number)
      assert.is_nil(named(of.store[0], "url"))
      assert.equal("./sluice-state/counts", text(of.state_dir))
      assert.same({ C.SL_EXACTLY_ONCE, C.SL_LIMIT_FAIL, 1 }, { of.delivery,
         of.on_state_limit, of.plans_ahead })
      assert.same({ 2000, 3600000, 67108864 }, { tonumber(of.commit_interval_ms),
         tonumber(of.history_ms), tonumber(of.memory_bytes) })
      assert.equal(tonumber(C.SL_SINK_BY_BATCH), made.plan[0].sinks[0].kind)
      assert.equal(tonumber(C.SL_SINK_TRANSACTIONAL), made.plan[0].sinks[1].kind)
      assert.matches("^{", text(of.shape))
   end)

   it("has no url where nothing is kept", function()
      local of = lowered { checkpoint = "none" }
      assert.is_nil(text(of.url))
      assert.equal(tonumber(C.SL_AT_LEAST_ONCE), of.delivery)
      assert.is_true(of.options == nil)
   end)
end)
