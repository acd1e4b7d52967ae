local aggregate = require "sluice.aggregate"
local class = require "sluice.field.class"
local connector = require "sluice.connector"
local decode = require "sluice.stage.decode"
local distinct = require "sluice.stage.distinct"
local foreign = require "sluice.foreign"
local format = require "sluice.format"
local kit = require "tests.lua.kit"
local nearest = require "sluice.nearest"
local names_page = require "tests.docs.names"
local options = require "sluice.options"
local pipeline = require "sluice.pipeline"
local sluice = require "sluice"
local user = require "sluice.aggregate.user"
local window = require "sluice.window"

local refuses = kit.refuses

local SOURCES = { "kafka", "file", "generator" }
local SINKS = { "kafka", "file", "sink" }

local function merged(kinds, role)
   local all = {}
   for _, kind in ipairs(kinds) do
      all = options.merge(all, connector.of(kind, role).options)
   end
   return all
end

-- Owner → the options that it has.
local OWNERS = { pipeline = pipeline.OPTIONS, event_time = decode.TIME,
   distinct = distinct.OPTIONS, csv = format.FORMATS.csv.OPTIONS,
   source = merged(SOURCES, "source"), sink = merged(SINKS, "sink"),
   generator = connector.of("generator", "source").options }
for kind, known in pairs(window.OPTIONS) do OWNERS[kind] = known end

local CONTEXTS = { ["sluice.pipeline"] = pipeline.OPTIONS, [":event_time"] = decode.TIME,
   [":distinct"] = distinct.OPTIONS, [":csv"] = OWNERS.csv,
   ["sluice.aggregate"] = user.OPTIONS, stream = {}, field = {}, aggregate = {},
   sluice = {}, type = {}, value = {}, [":json"] = {} }
for kind, known in pairs(window.OPTIONS) do CONTEXTS["sluice." .. kind] = known end
for _, kind in ipairs(connector.kinds()) do
   for _, role in ipairs { "source", "sink" } do
      local one = connector.of(kind, role)
      if one then CONTEXTS[connector.context(kind, role)] = one.options end
   end
end

local function has(of, name)
   return (pcall(function() assert(of[name] ~= nil) end))
end

local METHODS_OF = { rows = kit.timed(), source = sluice.kafka { topics = "a" },
   field = setmetatable({ spec = {} }, class.Field), aggregate = sluice.count() }

local function is_method(name)
   for _, of in pairs(METHODS_OF) do
      if has(of, name) then return true end
   end
   return false
end

local function exists(context, target)
   if target:find "^:" then return is_method(target:sub(2)) end
   local library, member = target:match "^sluice%.(%w+)%.(%w+)$"
   if library then return has(sluice[library], member) end
   if target:find "^sluice%." then return has(sluice, target:sub(8)) end
   local owner, option = target:match "^([%w_]+)%.([%w_]+)$"
   if owner then return OWNERS[owner] ~= nil and OWNERS[owner][option] ~= nil end
   local entry = CONTEXTS[context][target]
   return entry ~= nil and not entry.later
end

describe("names of other systems", function()
   it("lead to names that exist", function()
      local count = 0
      for context, rows in pairs(foreign.CONTEXTS) do
         assert(CONTEXTS[context], "no such context: " .. context)
         for _, row in ipairs(rows) do
            assert.equal(4, #row, context .. ": " .. row[1])
            for target in row[3]:gmatch "%S+" do
               assert(exists(context, target), ("%s: %s leads to %s"):format(context,
                  row[1], target))
               count = count + 1
            end
            for who in row[2]:gmatch "%S+" do
               assert.matches("'", foreign.whose { "", who }, 1, true)
            end
         end
      end
      assert.truthy(count > 150)
   end)

   it("are names that are not taken here, each once a context", function()
      for context, rows in pairs(foreign.CONTEXTS) do
         local seen = {}
         for _, row in ipairs(rows) do
            for name in row[1]:gmatch "%S+" do
               local plain = foreign.plain(name)
               assert(not seen[plain] or seen[plain] == row, context .. ": " .. name)
               seen[plain] = row
               assert(not CONTEXTS[context][name], ("%s has %s"):format(context, name))
            end
            if context == "sluice" or context == "type" then
               for name in row[1]:gmatch "%S+" do
                  assert(not has(sluice, name), "sluice has " .. name)
               end
            end
         end
      end
   end)

   it("write options that their context takes", function()
      for context, rows in pairs(foreign.CONTEXTS) do
         for _, row in ipairs(rows) do
            local name = row[4]:match "^`([%w_]+) = "
            if name and next(CONTEXTS[context]) and not row[3]:find "%." then
               assert(CONTEXTS[context][name], ("%s: %s"):format(context, row[4]))
            end
         end
      end
   end)

   it("are what docs/names.md says", function()
      local file = assert(io.open("docs/names.md", "rb"))
      local text = file:read "*a"
      file:close()
      assert.equal(names_page.text(), text, "print it anew: tests/docs/names.lua")
   end)

   it("are told for options of sources, whatever their case", function()
      for _, name in ipairs { "kafka.bootstrap.servers", "bootstrap_servers" } do
         refuses(function() sluice.kafka { topics = "a", [name] = "h:1" } end,
            ("unknown option `%s`: that is Kafka's name, write `brokers = \"host:9092\"`")
            :format(name))
      end
      refuses(function() sluice.kafka { subscribe = "a" } end,
         "that is Spark's and Flink's name, write `topics = \"rides\"`")
      refuses(function() sluice.kafka { topics = "a", startingOffsets = "latest" } end,
         "write `start = ")
      refuses(function() sluice.file { path = "a.csv", header = true } end,
         "write `:csv { fields, header = true }`")
   end)

   it("are told by the end that the other options make it", function()
      refuses(function() sluice.kafka { topic = "a", partition = 3 } end,
         'write `partition_by = "user_id"`')
      local message = refuses(function() sluice.kafka { topics = "a", zebra = 3 } end,
         "there are `bad_records`")
      assert.is_nil(message:find("compression", 1, true))
      assert.is_nil(message:find("only_if_changed", 1, true))
      refuses(function()
         sluice.kafka { topics = "a", mode = "append" }:json { sluice.string "a" }
      end, "`mode` is a sink's option and `topics` a source's",
         "for Spark's `mode` of a source write `bad_records = \"skip\"`",
         "a sink has `topic`")
   end)

   it("are told for methods, constructors, types and values", function()
      refuses(function() return kit.timed().withColumn end, "write `:derive {")
      refuses(function() return sluice.rate end, "write `sluice.generator {")
      refuses(function() return sluice.percentile_approx end, "sluice.quantile")
      refuses(function() sluice.list("tags", "integer") end, "sluice.int32")
      refuses(function() return sluice.string("x").not_null end, "write `:required()`")
      refuses(function() return sluice.count().alias end,
         "here: the name in front: `:aggregate { rides = sluice.count() }`")
      refuses(function() return sluice.count().aggregated end, "there are `where`")
      refuses(function() sluice.hopping { size = 2, slide = 1 } end, "write `every = ")
      refuses(function() sluice.session { size = 2 } end, "write `gap = ")
      refuses(function()
         sluice.pipeline { name = "a", checkpoint = "none", queryName = "b" }
      end, "write `name = ")
      refuses(function()
         sluice.pipeline { name = "a", checkpoint = "none", trigger = "availableNow" }
      end, 'did you mean "available-now"?')
      refuses(function() sluice.kafka { topics = "a", mode = "DROPMALFORMED" } end,
         'write `bad_records = "skip"` of the source')
      refuses(function()
         sluice.kafka { topics = "a" }:csv { sluice.string "x", sep = ";" }
      end, 'write `delimiter = ";"`')
      refuses(function() sluice.kafka { topics = "a" }:json { schema = 1 } end,
         "write `:json {")
      refuses(function() sluice.aggregate { zero = 1 } end, "write `state = ")
   end)

   it("are nearest when they differ in case and separators only", function()
      assert.equal("max_records", nearest.find("max-Records", { "max_record",
         "max_records" }))
      assert.is_nil(foreign.find("sluice.pipeline", "name"))
      assert.is_nil(foreign.find(nil, "where"))
      assert.truthy(aggregate.is(sluice.count()))
   end)
end)

describe("--set", function()
   it("says of what an option without an owner is one", function()
      local _, message = kit.set({ "start=latest" }, kit.timed():to(kit.sink()))
      assert.equal("--set start=latest: `start` is an option of the source "
         .. "`ride_events`: write source.start=…", message)
      _, message = kit.set({ "delay=1" }, kit.timed():to(kit.sink()))
      assert.matches("write source.delay=…", message, 1, true)
      _, message = kit.set({ "queryName=a" }, kit.timed():to(kit.sink()))
      assert.matches("write `name = ", message, 1, true)
   end)
end)
