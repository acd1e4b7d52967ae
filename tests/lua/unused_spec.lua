local kit = require "tests.lua.kit"
local sluice = require "sluice"
local stream = require "sluice.stream"
local syntax = require "sluice.syntax"
local unused = require "sluice.check.unused"

local NEVER = "%.lua:%d+: this stream is never used: put it into sluice%.pipeline"

-- What is found in the streams that a function makes; it gives the branches.
local function find(make)
   local made = {}
   stream.note(made)
   local branches = { make() }
   stream.note(nil)
   for i, branch in ipairs(branches) do branches[i] = stream.node(branch) end
   return unused.find(made, branches)
end

describe("unused streams", function()
   it("passes what is on the way of a branch", function()
      local refused, warnings = find(function()
         local rides = kit.rides():quarantine_to(kit.sink(nil, "bad"))
         local one = rides:filter(function() return true end):to(kit.sink())
         local copy = rides:to(kit.sink(nil, "copy"))
         return one, copy
      end)
      assert.is_nil(refused)
      assert.same({}, warnings)
   end)

   it("refuses those that deliver, and names the last line of the chain", function()
      for _, method in ipairs { "to", "quarantine_to" } do
         assert.matches(NEVER, (find(function()
            local rides = kit.rides()
            rides[method](rides, kit.sink(nil, "bad"))
            local copy = rides:to(kit.sink())
            return copy
         end)))
      end
      local refused = find(function()
         local rides = kit.rides()
         rides:to(kit.sink(nil, "a"))
            :to(kit.sink(nil, "b"))
         local copy = rides:to(kit.sink())
         return copy
      end)
      local line = debug.getinfo(1, "l").currentline - 4
      assert.matches("unused_spec.lua:" .. line .. ": ", refused, 1, true)
   end)

   it("warns once of a chain that ends nowhere, and of a sink", function()
      local refused, warnings = find(function()
         local rides = kit.rides()
         rides:filter(function() return true end):select { "amount" }
         kit.sink(nil, "nothing")
         local copy = rides:to(kit.sink())
         return copy
      end)
      assert.is_nil(refused)
      assert.equal(2, #warnings)
      assert.matches("this source or sink is never used", warnings[2].text, 1, true)
   end)
end)

describe("a script that Lua cannot read", function()
   it("is told what other languages' words are in Lua", function()
      for text, meant in pairs { ["if a != b then end"] = "~=", ["x += 1"] = "x = x + 1",
            ["if a && b then end"] = "and", ["if a || b then end"] = "or",
            ["if !a then end"] = "not", ["// so"] = "-- a comment" } do
         local made, problem = load("local y\n" .. text, "@p.lua")
         assert.is_nil(made)
         problem = syntax.explain(problem, "local y\n" .. text)
         assert.matches(("(in Lua: `%s`)"):format(meant), problem, 1, true)
      end
      for _, text in ipairs { "x = ", "if a then", "x = = 1", "print('!=' 2" } do
         local _, problem = load(text, "@p.lua")
         assert.equal(problem, syntax.explain(problem, text))
      end
   end)

   it("is told of a password in the open, and one file as a sink", function()
      local secret = { username = "me", password = "hush" }
      local message = kit.refuses(function()
         sluice.kafka { topics = "a", sasl = secret }
      end, "`sasl.password` is a string, wanted sluice.env")
      assert.is_nil(message:find("hush", 1, true))
      kit.refuses(function() sluice.kafka { topics = "a", sasl = { usrname = "me" } } end,
         "`sasl`: unknown option `usrname`: did you mean `username`?")
      kit.refuses(function()
         kit.rides():to(sluice.file { path = "out/x.jsonl" })
      end, "write append = true", 'path = "out/x"')
      kit.graph(kit.rides():to(sluice.file { path = "x.jsonl", append = true }))
   end)

   it("has a file for each sink", function()
      kit.refuses(function()
         kit.graph(kit.rides():to(sluice.file { path = "x" })
            :to(sluice.file { path = "x" }))
      end, "writes `x` already")
      local one = sluice.file { path = "x" }
      kit.graph(kit.rides():to(one):to(one):to(sluice.file { path = "-" })
         :to(sluice.file { path = "-" }))
   end)
end)
