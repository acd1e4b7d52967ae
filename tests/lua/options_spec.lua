local nearest = require "sluice.nearest"
local options = require "sluice.options"
local units = require "sluice.units"
local value = require "sluice.value"

describe("nearest", function()
   it("finds the name that was meant", function()
      assert.equal("max_records", nearest.find("max_record",
         { "max_bytes", "max_records" }))
      assert.equal("filter", nearest.find("fliter", { "derive", "filter", "select" }))
      assert.is_nil(nearest.find("zebra", { "derive", "filter" }))
   end)

   it("lists what there is when nothing is near", function()
      assert.equal(": there are `a`, `b`", nearest.hint("zebra", { "b", "a" }))
      assert.equal(": there are none", nearest.hint("zebra", {}))
   end)
end)

describe("units", function()
   it("reads durations", function()
      assert.equal(30000, units.duration "30 seconds")
      assert.equal(600000, units.duration "10 minutes")
      assert.equal(500, units.duration "500 ms")
      assert.equal(3600000, units.duration "1 hour")
      assert.equal(604800000, units.duration "7 days")
      assert.equal(1500, units.duration "1.5 seconds")
      assert.equal(250, units.duration(250))
   end)

   it("refuses what is no duration", function()
      assert.is_nil(units.duration "10 minuts")
      assert.is_nil(units.duration "ten")
      assert.is_nil(units.duration "0.5 ms")
      assert.is_nil(units.duration(0 / 0))
      assert.is_nil(units.duration(1e300))
      assert.is_nil(units.duration {})
   end)

   it("reads sizes", function()
      assert.equal(67108864, units.size "64 MiB")
      assert.equal(10000, units.size "10 kB")
      assert.equal(17, units.size(17))
      assert.is_nil(units.size "64 MoB")
   end)

   it("says durations in the largest unit that divides", function()
      assert.equal("90 seconds", units.say(90000))
      assert.equal("1 minute", units.say(60000))
      assert.equal("1 ms", units.say(1))
      assert.equal("0 ms", units.say(0))
   end)

   it("reads RFC 3339", function()
      assert.equal(0, units.time "1970-01-01T00:00:00Z")
      assert.equal(951782400000, units.time "2000-02-29")
      assert.equal(1714521600250, units.time "2024-05-01T02:00:00.250+02:00")
      assert.equal(-1000, units.time "1969-12-31T23:59:59Z")
      assert.is_nil(units.time "2024-13-01")
      assert.is_nil(units.time "2024-05-01T25:00:00Z")
      assert.is_nil(units.time "2024-05-01T02:00:00")
   end)
end)

describe("options", function()
   local known = {
      size = { check = options.duration(1), default = "1 minute", as = "size_ms" },
      word = { check = options.word { "fail", "skip" } },
      flag = { check = options.flag(), default = true },
      soon = { later = true },
   }

   local function message(given)
      local _, text = pcall(options.read, "it", known, given, "f.lua:1")
      return text
   end

   it("reads what a table says", function()
      assert.same({ size = 2000, flag = false }, options.read("it", known,
         { size = "2 seconds", flag = false }))
   end)

   it("fills in defaults under the plan's names", function()
      assert.same({ size_ms = 60000, flag = false },
         options.filled(known, { flag = false }))
   end)

   it("names the nearest option", function()
      assert.equal("f.lua:1: it: unknown option `sise`: did you mean `size`?",
         message { sise = 1 })
   end)

   it("says what was seen and what is wanted", function()
      assert.equal('f.lua:1: it: `word` is "fial", wanted "fail", "skip"; did you mean '
         .. '"fail"?',
         message { word = "fial" })
      assert.truthy(message { size = 0 }:find("`size` is 0, wanted a duration", 1, true))
   end)

   it("refuses entries without a name, other values than tables, later words", function()
      assert.truthy(message { 1 }:find("named options", 1, true))
      assert.truthy(message(7):find("takes a table of options, got 7", 1, true))
      assert.truthy(message { soon = 1 }:find("not yet: `soon`", 1, true))
   end)

   it("turns the text of --set into what a script would have written", function()
      assert.equal(false, options.parse(known, "flag", "false"))
      assert.equal(5000, options.parse(known, "size", "5 seconds"))
      assert.is_nil(options.parse(known, "flag", "yes"))
   end)

   it("wants a unit in texts, which `--set` need not have", function()
      local durations = { size = { check = options.duration(1) },
         bytes = { check = options.size(1) },
         idle = { check = options.duration_or({ never = -1 }, 1) } }
      for _, name in ipairs { "size", "idle" } do
         local given, problem = options.value(name, durations[name], "600")
         assert.is_nil(given)
         assert.equal(("`%s` is \"600\", wanted a unit in the text, as in \"600 seconds"
            .. "\" (a number without quotes is ms)"):format(name), problem)
         assert.equal(600, options.value(name, durations[name], 600))
         assert.equal(600, options.parse(durations, name, "600"))
      end
      assert.matches('"64 MiB" (a number without quotes is bytes)',
         select(2, options.value("bytes", durations.bytes, "64")), 1, true)
      assert.equal(-1, options.parse(durations, "idle", "never"))
   end)

   it("takes tables apart: positional entries in order, then names", function()
      local positional, named = options.split { "b", z = 1, "a", c = 2 }
      assert.same({ "b", "a" }, positional)
      assert.same({ { "c", 2 }, { "z", 1 } }, named)
   end)
end)

describe("values", function()
   it("hold to their type", function()
      assert.equal(7, value.of({ type = "int32" }, 7))
      assert.is_nil((value.of({ type = "int32" }, 2 ^ 31)))
      assert.is_nil((value.of({ type = "int64" }, "12")))
      assert.is_nil((value.of({ type = "double" }, 0 / 0)))
      assert.equal(0, value.of({ type = "timestamp" }, "1970-01-01T00:00:00Z"))
   end)

   it("of an exact int64 beyond 2^53 are digits", function()
      local exact = { type = "int64", exact = true }
      assert.equal("9223372036854775807", value.of(exact, "9223372036854775807"))
      assert.equal("-9223372036854775808", value.of(exact, "-9223372036854775808"))
      assert.is_nil((value.of(exact, "9223372036854775808")))
   end)
end)
