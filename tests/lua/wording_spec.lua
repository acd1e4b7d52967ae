-- What is said to those who write what another system takes: what to write instead.
local decimal = require "sluice.decimal"
local kit = require "tests.lua.kit"
local functions = require "sluice.check.functions"
local inspect = require "sluice.check.inspect"
local probe = require "sluice.check.probe"
local sandbox = require "sluice.sandbox"
local schema = require "sluice.schema"
local sluice = require "sluice"
local syntax = require "sluice.syntax"

local refuses, rides = kit.refuses, kit.rides

local function source(given)
   given.topics = "a"
   return sluice.kafka(given)
end

describe("stages say what to write", function()
   it("for conditions of SQL", function()
      refuses(function() rides():filter "amount > 3" end,
         "write :filter(function(row) return row.amount and row.amount > 3 end)")
      refuses(function() rides():filter "event_type <> 'x'" end,
         "function(row) return row.event_type ~= 'x' end")
      refuses(function() rides():filter "event_type = 'x'" end,
         "row.event_type == 'x' end")
      refuses(function() rides():filter {} end, "write :filter(function(row) return")
   end)

   it("for names and what is no name", function()
      refuses(function() rides():select "amount" end, 'write :select { "amount" }')
      local message = refuses(function()
         rides():select { x = function() return 1 end }
      end, "got a function: what is computed stands in `:derive { x = ")
      assert.is_nil(message:find "0x")
      message = refuses(function() rides():select { { "amount" } } end, "got a table",
         "side by side")
      assert.is_nil(message:find "0x")
      message = refuses(function()
         kit.timed():group_by { sluice.tumbling { size = 1 } }
      end, "got a window: write `:group_by { … }:window(sluice.tumbling { … })`")
      assert.is_nil(message:find "0x")
      refuses(function() rides():group_by { print } end,
         "wanted a field's name, got a function")
   end)

   it("for a column that is computed anew", function()
      refuses(function()
         rides():derive { amount = sluice.double(function() return 1 end) }
      end, '`:select { …, amount = "other" }`')
   end)

   it("for durations that stand alone", function()
      refuses(function() sluice.tumbling "10 minutes" end,
         'write sluice.tumbling { size = "10 minutes" }')
      refuses(function() sluice.hopping "10 minutes" end,
         'write sluice.hopping { size = "10 minutes", every = "30 seconds" }')
      refuses(function() sluice.session(60000) end,
         "write sluice.session { gap = 60000 }")
      refuses(function() rides():event_time("ts", "10 minutes") end,
         'write { delay = "10 minutes" }')
   end)
end)

describe("options say which part is wrong", function()
   it("of a start", function()
      refuses(function() source { start = { timestamp = "yesterday" } } end,
         'not "yesterday"')
      refuses(function() source { start = { 17 } } end, "not [1] = 17")
      refuses(function() source { start = { a = { [0] = -5 } } } end,
         "not [0] = -5 of `a`")
   end)

   it("of a trigger and a watermark", function()
      refuses(function()
         sluice.pipeline { name = "a", trigger = { processingTime = "1 second" } }
      end, "is a table, wanted", "without braces")
      refuses(function() rides():event_time("ts", { watermark = "1 minute" }) end,
         'how far it stays behind is delay = "1 minute"')
      refuses(function() rides():event_time "event_type" end,
         'sluice.time.parse(row.event_type, "%Y-%m-%d %H:%M:%S")')
   end)

   it("of headers", function()
      refuses(function() sluice.kafka { topic = "a", headers = { v = 3 } } end,
         'not ["v"] = 3')
      refuses(function()
         rides():to(sluice.kafka { topic = "a", headers = { source = "sluice" } })
      end, 'what is the same for all rows is `source = function() return "sluice" end`')
   end)

   it("of a time's form", function()
      refuses(function() sluice.timestamp("ts", "yyyy-MM-dd HH:mm:ss") end,
         'sluice.time.parse(row.ts, "%Y-%m-%d %H:%M:%S")')
      assert.is_nil(refuses(function() sluice.timestamp("ts", "sec") end, 'write `"s"`')
         :find("time.parse", 1, true))
   end)

   it("of paths", function()
      refuses(function() sluice.file { path = "file:///data/x.jsonl" } end,
         'write "/data/x.jsonl"')
      refuses(function() sluice.file { path = "docs" }:json { sluice.string "a" } end,
         '"docs" is a folder: write its files, as in "docs/*.jsonl" or "docs/*.csv"')
      refuses(function() sluice.file { path = "none/" }:json { sluice.string "a" } end,
         'as in "none/*.jsonl"')
   end)
end)

describe("aggregates say what to write", function()
   it("without a field", function()
      refuses(function() sluice.sum() end, 'got nil: write sluice.sum "amount"')
      refuses(function() sluice.arg_max "a" end, 'write sluice.arg_max("a", "b")')
   end)

   it("for conditions of SQL", function()
      refuses(function() sluice.count():where "ms > 3" end,
         "write :where(function(row) return row.ms and row.ms > 3 end)")
   end)

   it("for several fields", function()
      refuses(function() sluice.count_distinct("a", "b") end,
         "write a function that joins them")
   end)
end)

describe("scripts hear", function()
   it("which line is missing", function()
      assert.equal('unknown global `sluice` (in Lua: `local sluice = require "sluice"`)',
         sandbox.explain_global({}, "sluice"))
      assert.matches("`system.io` of `open`", sandbox.explain_global({}, "io"), 1, true)
   end)

   it("how a method is called", function()
      local _, problem = loadstring("return { x \"a\" :required }", "=p.lua")
      assert.equal(problem .. " (a method is called: `:required()`)",
         syntax.explain(problem, "return { x \"a\" :required }"))
   end)

   it("that a comma is missing", function()
      local text = "return {\n a = 1\n b = 2 }"
      local _, problem = loadstring(text, "=p.lua")
      assert.equal(problem .. " (is a comma missing before it?)",
         syntax.explain(problem, text))
   end)

   local function derived(columns)
      local of = rides():derive(columns):to(kit.sink())
      local list = {}
      for _, entry in ipairs(functions.of(kit.graph(of))) do
         local box = sandbox.new { folder = "", print = print, add_text = print }
         local problems = inspect.check(entry.fn, { globals = box.globals,
            what = entry.what, args = entry.args })
         for _, problem in ipairs(problems) do list[#list + 1] = problem end
      end
      return table.concat(list, "\n")
   end

   it("that columns of one derive do not see each other", function()
      local of_strings = debug.getmetatable ""
      local index = of_strings.__index
      local text = derived {
         net = sluice.double(function(row) return row.amount end),
         tax = sluice.double(function(row) return row.net * 0.2 end),
      }
      of_strings.__index, of_strings.__metatable = index, nil
      assert.matches("columns of one `:derive` do not see each other: write a second "
         .. "`:derive` behind it for what reads `net`", text, 1, true)
   end)

   it("what gives a decimal or sluice.null", function()
      local columns = schema.new { { name = "id", type = "string", slot = 1 } }
      local row = { kind = "row", schema = columns, names = { "id" }, fields = {} }
      local refused = probe.check { what = "value of `x`", line = "p.lua:1",
         args = { row },
         fn = function() return decimal.of "1.50" end, gives = { type = "double" } }
      assert.matches("gives a decimal, wanted double or nil: write sluice.decimal("
         .. "function(row) … end, 10, 2)", refused, 1, true)
      refused = probe.check { what = "value of `x`", line = "p.lua:1", args = { row },
         fn = function() return sluice.null end, gives = { type = "double" } }
      assert.matches("gives sluice.null, wanted double or nil: nil is null", refused, 1,
         true)
   end)
end)
