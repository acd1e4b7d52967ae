local csv = require "sluice.format.csv"
local events = require "sluice.events"
local kit = require "tests.lua.kit"
local sluice = require "sluice"

local refuses = kit.refuses

local function source_of(stream)
   return kit.graph(stream:to(sluice.kafka { topic = "out" })).sources[1]
end

local function names_of(source)
   local names = {}
   for i, field in ipairs(source.fields) do
      names[i] = field.name .. "<" .. field.from.kind .. ":"
         .. table.concat(field.from.path or {}, ".")
   end
   return table.concat(names, " ")
end

describe(":csv", function()
   local topic = sluice.kafka { topics = "in" }

   it("takes columns in the order of the fields", function()
      local source = source_of(topic:csv { sluice.string "a", sluice.int64 "b",
         sluice.string "k" :from_key() })
      assert.same({ "a", "b" }, source.format_options.columns)
      assert.is_false(source.has_header)
      assert.equal("a<value:a b<value:b k<key:", names_of(source))
   end)

   it("finds columns by name", function()
      local source = source_of(topic:csv { columns = { "x.y", "", "a" },
         sluice.string "a", sluice.string "b" :from "x.y" })
      assert.equal("a<value:a b<value:x.y", names_of(source))
      source = source_of(sluice.file { path = "in.csv" }
         :csv { header = true, sluice.string "a", null = "-", delimiter = ";" })
      assert.is_true(source.has_header)
      assert.same({ null = "-", delimiter = ";", quote = '"' },
         source.format_options)
   end)

   it("leaves a field that stands in another schema as it is", function()
      local field = sluice.string "s" :from "a.b"
      source_of(topic:csv { columns = { "a.b" }, field })
      local source = source_of(topic:json { field })
      assert.same({ "a", "b" }, source.fields[1].from.path)
   end)

   it("refuses what it cannot read", function()
      local file = sluice.file { path = "in.csv" }
      local a = sluice.string "a"
      refuses(function() topic:csv { sluice.list("l", "int64") } end, "holds no list",
         "field `l`")
      refuses(function() topic:csv { sluice.bytes "b" } end, "write sluice.string")
      refuses(function() topic:csv { a:from "b" } end, "header = true or columns")
      refuses(function() topic:csv { a, columns = { "b" } } end, '`columns` has no "a"')
      refuses(function() topic:csv { a, columns = { "a", "a" } } end, "stands twice")
      refuses(function() topic:csv { a, header = true } end, "sluice.kafka has none")
      refuses(function() file:csv { a, header = true, columns = { "a" } } end,
         "leave one out")
      refuses(function() topic:csv { a, delimiter = '"' } end, "are the same")
      refuses(function() topic:csv { a, delimiter = ",," } end, "one ASCII character")
      refuses(function() topic:csv { a, quotes = "'" } end, "did you mean `quote`?")
      refuses(function() topic:csv { a:from_key "id" } end, "beside `:json` only")
      refuses(function() topic:csv { a }:json { a } end, "said already")
   end)

   it("writes lines that it reads", function()
      local source = source_of(topic:csv { sluice.string "a", sluice.string "b" })
      assert.equal('1,"x,""y"""', csv.encode(source, { a = "1", b = 'x,"y"' }))
      assert.equal(',""', csv.encode(source, { b = "" }))
      local event = events.make(source, 3, 1, 0)
      assert.equal(event, events.make(source, 3, 1, 0))
      assert(event:find "^a%-%d+,b%-%d+$" or event:find "^[^{]*,[^}]*$")
   end)
end)

describe(":json", function()
   local topic = sluice.kafka { topics = "in" }

   local function refused(field, ...)
      refuses(function() topic:json { field } end, ...)
   end

   it("refuses paths in another language than its own", function()
      refused(sluice.string "sku" :from "items[1].sku", '`:from` "items[1].sku"',
         "declare the list", ':from { "items[1].sku" }')
      refused(sluice.string "city" :from "$.customer.city", 'write "customer.city"')
      refused(sluice.string "city" :from "/customer/city", 'write "customer.city"')
      refused(sluice.string "city" :from_key "$.city", 'write "city"')
   end)

   it("refuses a dot in a name, which would be part of one key", function()
      refused(sluice.string "customer.name",
         'write sluice.string("name") :from "customer.name"')
   end)

   it("takes keys as they are from a list", function()
      local source = source_of(topic:json {
         sluice.string "log.level" :from { "log.level" },
         sluice.string "path" :from { "$labels", "a/b[0]" },
         sluice.string "ref" :from_key "user.id" })
      assert.same({ "log.level" }, source.fields[1].from.path)
      assert.same({ "$labels", "a/b[0]" }, source.fields[2].from.path)
      assert.same({ "user", "id" }, source.fields[3].from.path)
      refuses(function() sluice.string "a" :from { "b", 3 } end, "takes a path of keys")
   end)
end)

describe(":raw", function()
   local topic = sluice.kafka { topics = "in" }

   it("gives key and value, and what is asked for beside", function()
      local source = source_of(topic:raw())
      assert.equal("key<key: value<value:value", names_of(source))
      assert.equal("bytes", source.fields[1].type)
      source = source_of(topic:raw { sluice.string "value" :required(),
         sluice.int64 "at" :from_metadata "offset" })
      assert.equal("key<key: value<value:value at<metadata:", names_of(source))
      assert.equal("string", source.fields[2].type)
   end)

   it("refuses what a record has not", function()
      refuses(function() topic:raw { sluice.string "x" } end, "add `:from_header(…)`")
      refuses(function() topic:raw { sluice.string "key" } end, "add `:from_key()`")
      refuses(function() topic:raw { sluice.list("value", "int64") } end, "is no list")
      refuses(function() sluice.generator { row = print }:raw() end, ":rows")
   end)
end)
