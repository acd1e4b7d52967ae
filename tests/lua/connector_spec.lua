local kit = require "tests.lua.kit"
local secret = require "sluice.secret"
local sluice = require "sluice"

local refuses = kit.refuses

local function options_of(given)
   local graph = kit.graph(sluice.kafka(given):json { sluice.string "a" }:to(kit.sink()))
   return graph.sources[1].options
end

describe("sluice.kafka", function()
   it("fills in every default", function()
      local options = options_of { topics = "rides" }
      assert.same({ "rides" }, options.topics)
      assert.equal(500000, options.max_records)
      assert.equal(16777216, options.max_bytes)
      assert.equal(0.5, options.max_bad_share)
      assert.equal("quarantine", options.bad_records)
      assert.equal("fail", options.on_data_loss)
      assert.equal("read_committed", options.isolation)
      assert.equal("earliest", options.start)
      assert.equal("test", options.group)
      assert.equal(os.getenv "KAFKA_BROKERS" or "localhost:9092", options.brokers)
   end)

   it("knows from its options at which end it stands", function()
      refuses(function() sluice.kafka {} end, "`topics` or `pattern` for a source",
         "`topic` for a sink")
      refuses(function() sluice.kafka { topics = "a", topic = "b" } end,
         "make one of each")
      refuses(function() sluice.kafka { topic = "a" }:json {} end,
         "`topic` is an option of a sink")
      refuses(function() kit.rides():to(sluice.kafka { topics = "a" }) end,
         "`topics` is an option of a source", "did you mean `topic`?")
   end)

   it("names the nearest option", function()
      refuses(function() sluice.kafka { topics = "a", max_record = 5 } end,
         "unknown option `max_record`: did you mean `max_records`?")
   end)

   it("refuses limits that no batch can meet", function()
      refuses(function() sluice.kafka { topics = "a", min_records = 10,
         max_records = 5 } end,
         "min_records 10 is above max_records 5")
      refuses(function() sluice.kafka { topics = "a", max_delay = 5 } end,
         "give that too")
      refuses(function() sluice.kafka { topics = "a", max_bad_share = 2 } end,
         "from 0 to 1")
      refuses(function() sluice.kafka { topics = "a", max_bytes = "64 Mi" } end, "a size")
   end)

   it("begins where `start` says", function()
      assert.equal("latest", options_of({ topics = "a", start = "latest" }).start)
      assert.same({ timestamp = 0 },
         options_of({ topics = "a", start = { timestamp = "1970-01-01" } }).start)
      local start = options_of({ topics = "a",
         start = { a = { [0] = 5, [1] = "latest" } } }).start
      assert.same({ a = { ["0"] = 5, ["1"] = "latest" } }, start)
      refuses(function() sluice.kafka { topics = "a", start = "lastest" } end, '"latest"')
      refuses(function() sluice.kafka { topics = "a", start = { b = { [0] = 1 } } } end,
         "topic `b`, which `topics` does not")
   end)

   it("keeps raw options, but not those that would undo a promise", function()
      local options = options_of { topics = "a", config = { ["fetch.min.bytes"] = 5 } }
      assert.same({ ["fetch.min.bytes"] = "5" }, options.config)
      refuses(function()
         sluice.kafka { topics = "a", config = { ["auto.offset.reset"] = "latest" } }
      end, "without `auto.offset.reset`: write `start`")
   end)

   it("takes secrets by reference only, and does not show them", function()
      local message = refuses(function()
         sluice.kafka { topics = "a", sasl = { username = "me", password = "s3cret" } }
      end, "never the secret itself")
      assert.is_nil(message:find("s3cret", 1, true))
      local options = options_of {
         topics = "a", tls = true, sasl =
         { username = "me", password = sluice.env "PASSWORD" },
      }
      assert.same({ env = "PASSWORD" }, options.sasl.password)
      assert.is_true(secret.is(options.sasl.password))
      assert.equal(os.getenv "HOME", secret.reveal { env = "HOME" })
      local text, why = secret.reveal { env = "SLUICE_NO_SUCH_VARIABLE" }
      assert.is_nil(text)
      assert.truthy(why:find("SLUICE_NO_SUCH_VARIABLE is not set", 1, true))
      assert.equal("PLAIN", options.sasl.mechanism)
      assert.is_true(options.tls.verify_hostname)
   end)

   it("shares a cluster", function()
      local main = sluice.cluster { brokers = { "a:1", "b:2" } }
      assert.equal("a:1,b:2", options_of({ topics = "a", cluster = main }).brokers)
      refuses(function() sluice.kafka { topics = "a", cluster = main,
         brokers = "c:3" } end,
         "write it into sluice.cluster")
   end)

   it("reads topics by a pattern, but none that the pipeline writes", function()
      local options = options_of { pattern = "rides_.*" }
      assert.equal("rides_.*", options.pattern)
      assert.same({ "rides_1" }, options.topics)
      assert.same({ "out", "test-quarantine" }, options.without)
      refuses(function() sluice.kafka { topics = { pattern = "a.*" } } end,
         'write pattern = "a.*"')
      refuses(function() options_of { pattern = "a.*", topics = "a" } end,
         "write one of them")
      refuses(function() sluice.kafka { brokers = "a:1" } end,
         "`topics` or `pattern` for a source")
   end)

   it("takes headers that are columns or functions", function()
      for _, headers in ipairs { {}, { "a" }, { a = 1 }, { [""] = "a" } } do
         refuses(function() sluice.kafka { topic = "a", headers = headers } end,
            "header = column's name or function(row)")
      end
      refuses(function() sluice.kafka { topic = "a",
         headers = { ["sluice.kind"] = "a" } } end, "those are verdicts")
   end)

   it("refuses names that no topic can have", function()
      refuses(function() sluice.kafka { topics = "a b" } end, "a topic's name")
      refuses(function() sluice.kafka { topics = { "a", "a" } } end, "a topic's name")
   end)
end)

describe("sluice.file", function()
   it("is bounded unless it is followed", function()
      local function bounded(follow)
         local rides = sluice.file { path = "a.jsonl", follow = follow }
            :json { sluice.string "a" }:to(sluice.file { path = "-" })
         return kit.graph(rides).sources[1].bounded
      end
      assert.is_true(bounded())
      assert.is_false(bounded(true))
   end)

   it("stands at both ends", function()
      refuses(function() sluice.file {} end, "`path`")
      refuses(function() sluice.file { path = "a", follow = true, append = true } end,
         "one of each")
      local wrong = { ["*.jsonl"] = "got the pattern", ["a.gz"] = "plain files" }
      for path, why in pairs(wrong) do
         local given = sluice.file { path = path }
         refuses(function() kit.rides():to(given) end, why)
      end
      refuses(function() kit.rides():to(sluice.file { path = { "a", "b" } }) end,
         "got a list of paths")
   end)

   it("reads patterns and lists of paths", function()
      local function source_of(path)
         local read = sluice.file { path = path }:json { sluice.string "a" }
         return kit.graph(read:to(sluice.file { path = "-" })).sources[1]
      end
      assert.equal("logs/*.jsonl.gz", source_of "logs/*.jsonl.gz".name)
      local two = source_of { "a", "b*" }
      assert.equal("a,b*", two.name)
      assert.same({ "a", "b*" }, two.options.paths)
      for _, path in ipairs { {}, { "a", "a" }, { "a", "-" }, { 1 }, "" } do
         refuses(function() sluice.file { path = path } end, "a path, a pattern")
      end
   end)

   it("is not read and written in one pipeline", function()
      refuses(function()
         kit.graph(sluice.file { path = "a" }:json { sluice.string "a" }
            :to(sluice.file { path = "a" }))
      end, "read and written")
   end)
end)

describe("sluice.generator", function()
   local function row(i) return { n = i } end

   it("gives rows of its fields", function()
      local numbers = sluice.generator { row = row, count = 5 }:rows { sluice.int64 "n" }
      local source = kit.graph(numbers:to(kit.sink())).sources[1]
      assert.equal(row, source.rows)
      assert.is_true(source.bounded)
      assert.equal(1, source.options.seed)
      assert.is_nil(source.options.row)
      assert.is_nil(source.format)
   end)

   it("gives no JSON, is no sink, and takes fields from nowhere else", function()
      refuses(function() sluice.generator { row = row }:json {} end,
         "write `:rows { fields }`")
      refuses(function() kit.rides():rows {} end, "said already")
      refuses(function() sluice.kafka { topics = "a" }:rows {} end,
         "write `:json { fields }`")
      refuses(function() kit.rides():to(sluice.generator { row = row }) end, "is no sink")
      refuses(function()
         sluice.generator { row = row }:rows { sluice.string "k" :from_key() }
      end, "no bytes")
   end)

   it("has an end where the trigger runs to one", function()
      local numbers = sluice.generator { row = row }:rows { sluice.int64 "n" }
         :to(kit.sink())
      refuses(function() kit.set({ "trigger=available-now" }, numbers) end, "write count")
   end)
end)
