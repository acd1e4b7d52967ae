local field = require "sluice.field"
local kit = require "tests.lua.kit"
local sluice = require "sluice"

local refuses = kit.refuses

describe("arguments that nothing takes", function()
   it("are refused by fields and types", function()
      refuses(function() sluice.string "a" :required(false) end,
         "`:required` takes no argument, got false beyond: leave it out")
      refuses(function() sluice.string "a" :default("x", "y") end,
         '`:default` takes one argument, got "y"')
      refuses(function() sluice.map("x", "string", "int32") end,
         'takes the type of its values (keys are text), got "int32" beyond')
      refuses(function() sluice.timestamp("x", "ms", 3) end, "takes its unit, got 3")
      sluice.string "a" :from_key(nil)
      sluice.timestamp("x", nil)
   end)

   it("are refused by streams", function()
      refuses(function() kit.rides():filter(print, 3) end,
         "`:filter` takes one argument, got 3 beyond: leave it out")
      refuses(function() kit.rides():select({ "ts" }, "amount") end, "`:select` takes")
      refuses(function() kit.timed():group_by("ts", nil, "amount") end, "`:group_by`")
      kit.rides():filter(print, nil)
      kit.rides():union(kit.rides(), kit.rides())
   end)
end)

describe("a field", function()
   it("is a name with a type", function()
      local spec = field.spec(sluice.double "amount")
      assert.equal("amount", spec.name)
      assert.equal("double", spec.type)
   end)

   it("takes its methods in one expression and is never changed", function()
      local plain = sluice.string "event_id"
      local required = plain :required()
      assert.is_nil(field.spec(plain).required)
      assert.is_true(field.spec(required).required)
   end)

   it("may be called like a keyword of Lua", function()
      assert.equal("end", field.spec(sluice.int64 "end").name)
   end)

   it("comes in a unit when it is a timestamp", function()
      assert.equal("ms", field.spec(sluice.timestamp "at").unit)
      assert.equal("iso", field.spec(sluice.timestamp("at", "iso")).unit)
      refuses(function() sluice.timestamp("at", "iso8601") end, "`unit`", '"iso"')
      refuses(function() sluice.string("at", "ms") end, "takes a name only")
   end)

   it("is taken from the value, the key, a header or what Kafka knows", function()
      assert.same({ "a", "b" }, field.spec(sluice.int32 "x" :from "a.b").from.path)
      assert.equal("key", field.spec(sluice.string "x" :from_key()).from.kind)
      assert.equal("key_path", field.spec(sluice.int64 "x" :from_key "id").from.kind)
      assert.same({ "trace" },
         field.spec(sluice.string "x" :from_header "trace").from.path)
      assert.equal("offset",
         field.spec(sluice.int64 "x" :from_metadata "offset").from.metadata)
   end)

   it("refuses places that its type cannot hold", function()
      refuses(function() return sluice.string "x" :from_metadata "offset", 1 end,
         "sluice.int64")
      refuses(function() return sluice.int64 "x" :from_metadata "ofset", 1 end,
         "did you mean `offset`?")
      refuses(function() return sluice.int64 "x" :from "a..b", 1 end, "a path of keys")
      refuses(function() return sluice.int64 "x" :from "a" :from "b", 1 end, "already")
   end)

   it("checks defaults, ranges and lists against its type", function()
      assert.equal(0, field.spec(sluice.double "tip" :default(0)).default)
      assert.equal(false, field.spec(sluice.bool "on" :default(false)).default)
      refuses(function() return sluice.int32 "n" :default(1.5), 1 end,
         "the default is 1.5",
         "32 bits")
      refuses(function() return sluice.string "n" :range(0, 1), 1 end, "is for numbers")
      refuses(function() return sluice.double "n" :range(2, 1), 1 end,
         "least and the most")
      refuses(function() return sluice.string "n" :one_of { 1 }, 1 end,
         "holds 1, wanted text")
      refuses(function() return sluice.string "n" :exact(), 1 end, "for int64")
   end)

   it("is required or has a default, not both", function()
      refuses(function() return sluice.double "n" :required() :default(1), 1 end,
         "never used")
      refuses(function() return sluice.double "n" :default(1) :required(), 1 end, "leave")
   end)

   it("holds its default to its other constraints", function()
      refuses(function()
         sluice.kafka { topics = "t" }:json { sluice.double "n" :range(1, 2) :default(3) }
      end, "outside `:range(1, 2)`")
      refuses(function()
         sluice.kafka { topics = "t" }
            :json { sluice.string "n" :one_of { "a" } :default "b" }
      end, "not in `:one_of`")
   end)

   it("checks patterns and functions", function()
      local plate = field.spec(sluice.string "p" :matches "^a" :check(tostring))
      assert.equal("does not match `^a`", plate.checks[1].refusal)
      assert.equal(tostring, plate.checks[2].fn)
      refuses(function() return sluice.int64 "n" :matches "a", 1 end, "is for strings")
      refuses(function() return sluice.string "s" :matches(5), 1 end, "a pattern of Lua")
      refuses(function() return sluice.string "s" :matches "a[", 1 end, "no `]`")
      refuses(function() return sluice.string "s" :check "x", 1 end, "a function(value)")
   end)

   it("names the nearest method", function()
      refuses(function() return sluice.string "n" :requierd() end,
         "did you mean `required`?")
   end)

   it("refuses names that no column can have", function()
      refuses(function() sluice.string "" end, "not empty")
      refuses(function() sluice.string "__f1" end, "the runtime's own")
      refuses(function() sluice.string(7) end, "got 7")
      refuses(function() sluice.string "a\nb" end, "control characters")
   end)
end)

describe("require \"sluice\"", function()
   it("names the nearest constructor, and those that come later", function()
      refuses(function() return sluice.kafak end, "did you mean `kafka`?")
      refuses(function() return sluice.postgres end, "not yet: `sluice.postgres`")
   end)
end)
