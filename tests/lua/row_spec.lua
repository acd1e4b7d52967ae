local cjson = require "cjson"
local ffi = require "ffi"

local vectors = dofile "tests/lua/vectors.lua"

local row = require "sluice.row"

local OF = vectors.schema {
   { "flag", "bool" }, { "small", "int32" }, { "whole", "int64" },
   { "serial", "int64", "exact" }, { "amount", "double" }, { "at", "timestamp" },
   { "name", "string" }, { "end", "string" },
}

local function new(values)
   local step = vectors.step(OF.columns)
   local v = vectors.of(step, OF, { values or {} })
   return ffi.cast(ffi.typeof("$ *", step:view(OF)), v.rows[0])[0], step, v
end

local function set(name, value)
   local r, step, v = new()
   local column = OF.by_name[name]
   step.layout:setter(column.slot, "derive `" .. name .. "`", vectors.calls)(r, value, v)
   return r[name]
end

describe("layout", function()
   it("is the one of row.h", function()
      local layout = row.layout(OF.columns)
      assert.equal(tonumber(ffi.C.SL_ROW_HEADER), ffi.offsetof(layout.ctype, "__n0"))
      for _, name in ipairs { "time_ms", "record", "partition", "offset" } do
         local hidden = name == "time_ms" and "__time" or "__" .. name
         assert.equal(ffi.offsetof("sl_row", name), ffi.offsetof(layout.ctype, hidden))
      end
      assert.equal(1, layout.null_words)
      assert.equal(0, layout.size % 8)
      assert.equal(32, layout:offset(1))
      assert.equal(36, layout:offset(2))
      assert.equal(40, layout:offset(3))
   end)

   it("holds text as an sl_string", function()
      local layout = row.layout { { type = "bool" }, { type = "string" } }
      assert.equal(40, layout:offset(2))
      assert.equal(ffi.offsetof("sl_string", "len"),
         ffi.offsetof(layout.ctype, "__l2") - layout:offset(2))
      assert.equal(40 + ffi.sizeof "sl_string", layout.size)
   end)

   it("has a null word for each 64 columns", function()
      local columns = {}
      for i = 1, 65 do columns[i] = { type = "bool", name = "c" .. i, slot = i } end
      local layout = row.layout(columns)
      assert.equal(2, layout.null_words)
      assert.equal(24 + 16, layout:offset(1))
      assert.equal("band(r.__n8, 1) ~= 0", row.is_null(65, "r"))
      assert.equal(0, row.layout({}).size % 8)
   end)
end)

describe("a view", function()
   it("gives what Lua has for each type, nil for null", function()
      local r = new {
         flag = false, small = -7, whole = 2 ^ 53, serial = 9007199254740993LL,
         amount = 1.5,
         at = -1, name = "zürich", ["end"] = "",
      }
      assert.is_false(r.flag)
      assert.equal(-7, r.small)
      assert.equal(2 ^ 53, r.whole)
      assert.equal("number", type(r.whole))
      assert.equal(9007199254740993LL, r.serial)
      assert.equal(1.5, r.amount)
      assert.equal(-1, r.at)
      assert.equal("zürich", r.name)
      assert.equal("", r["end"])
      r = new()
      for _, column in ipairs(OF.columns) do assert.is_nil(r[column.name]) end
   end)

   it("refuses other names and assignments, with the user's line", function()
      local r = new()
      assert.has_error(function() return r.amuont end)
      local _, message = pcall(function() return r.amuont end)
      assert.matches("^tests/lua/row_spec.lua:%d+: unknown field `amuont`: did you mean "
         .. "`amount`?", message)
      assert.error_matches(function() r.amount = 1 end, "cannot be changed.*`amount`")
      assert.error_matches(function() return r[1] end, "by name")
   end)

   it("shows only the names of its schema", function()
      local step = vectors.step(OF.columns)
      local other = { columns = { { name = "renamed", type = "double", slot = 5 } } }
      local v = vectors.of(step, OF, { { amount = 3 } })
      local r = ffi.cast(ffi.typeof("$ *", step:view(other)), v.rows[0])
      assert.equal(3, r.renamed)
      assert.error_matches(function() return r.amount end, "there are `renamed`")
   end)
end)

describe("a setter", function()
   it("takes what fits", function()
      assert.equal(true, set("flag", true))
      assert.equal(-2147483648, set("small", -2147483648))
      assert.equal(-2 ^ 53, set("whole", -2 ^ 53))
      assert.equal(12, set("whole", 12LL))
      assert.equal(9223372036854775807LL, set("serial", 9223372036854775807LL))
      assert.equal(5LL, set("serial", 5))
      assert.equal(12, set("amount", 12LL))
      assert.equal(1e300, set("amount", 1e300))
      assert.equal(0, set("at", 0))
      assert.equal("a\0b", set("name", "a\0b"))
      assert.is_nil(set("name", nil))
   end)

   it("refuses what does not, by name", function()
      local function refused(name, value, message)
         local right, why = pcall(set, name, value)
         assert.is_false(right)
         assert.equal(message, why)
      end
      refused("amount", "x", "derive `amount`: got string, wanted double")
      refused("amount", true, "derive `amount`: got true, wanted double")
      refused("amount", cjson.null, "derive `amount`: got sluice.null (null is nil "
         .. "here), wanted double")
      refused("small", 2 ^ 31, "derive `small`: got 2147483648, wanted int32: "
         .. "a whole number of 32 bits")
      refused("small", 0 / 0, "derive `small`: got " .. ("%.17g"):format(0 / 0)
         .. ", wanted int32: a whole number of 32 bits")
      refused("whole", 1.5,
         "derive `whole`: got 1.5, wanted int64: a whole number within 2^53")
      refused("whole", 9007199254740994LL,
         "derive `whole`: got 9007199254740994, wanted int64: "
         .. "a whole number within 2^53")
      refused("serial", 2 ^ 54, "derive `serial`: got 18014398509481984, wanted int64: "
         .. "a whole number within 2^53, or int64 cdata")
      refused("at", 1 / 0, "derive `at`: got inf, wanted timestamp: whole ms within 2^53")
      refused("flag", 1, "derive `flag`: got 1, wanted bool")
      refused("name", 1, "derive `name`: got 1, wanted string")
      refused("name", "\255", "derive `name`: got string, wanted string of valid UTF-8")
   end)

   it("makes null and back", function()
      local r, step, v = new { amount = 1, name = "a" }
      local put = step.layout:setter(5, "x", vectors.calls)
      put(r, nil, v)
      assert.is_nil(r.amount)
      assert.equal("a", r.name)
      put(r, 2, v)
      assert.equal(2, r.amount)
   end)
end)
