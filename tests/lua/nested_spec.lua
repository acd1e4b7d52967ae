local cjson = require "cjson"
local ffi = require "ffi"

local decimal = require "sluice.decimal"
local read = require "sluice.nested.read"
local shape = require "sluice.shape"
local sluice = require "sluice"
local value = require "sluice.value"
local vectors = require "tests.lua.vectors"
local write = require "sluice.nested.write"
local field = require "sluice.field"

local function spec(of) return assert(field.spec(of)) end

-- What a value comes to, written and read again.
local function again(of, x)
   local data, len = write.writer(spec(of), "value", vectors.calls)(x)
   local got, stop = read.reader(spec(of))(ffi.cast("const char *", data), 0)
   assert.equal(len, stop)
   return got, ffi.string(data, len)
end

local STOPS = sluice.list("stops", sluice.struct {
   sluice.string "city" :required(), sluice.double "lat", sluice.map("tags", "int32"),
})

local function refused(of, x, message)
   local put = write.writer(spec(of), "derive `x`", vectors.calls)
   local done, problem = pcall(put, x)
   assert.is_false(done)
   assert.equal("derive `x`: " .. message, problem)
end

describe("lists, maps and structs", function()
   it("come back as they were written", function()
      assert.same({ 1, 2, 3 }, (again(sluice.list("double"), { 1, 2, 3 })))
      assert.same({}, (again(sluice.list("string"), {})))
      assert.same({ "a", cjson.null, "" },
         (again(sluice.list(sluice.string), { "a", sluice.null, "" })))
      assert.same({ b = true, a = false }, (again(sluice.map("bool"), { a = false,
         b = true })))
      local stops = { { city = "Rome", lat = 41.9, tags = { x = 1 } }, { city = "Oslo" } }
      assert.same(stops, (again(STOPS, stops)))
   end)

   it("hold every type", function()
      local all = sluice.struct("all", { sluice.bool "b", sluice.int32 "i",
         sluice.int64 "n",
         sluice.int64 "x" :exact(), sluice.double "d", sluice.timestamp "t",
         sluice.string "s", sluice.bytes "y", sluice.date "a", sluice.decimal("m", 10,
            2) })
      local got = again(all, { b = true, i = -1, n = 2 ^ 53, x = 9007199254740993LL,
         d = 0.5,
         t = 1700000000000, s = "é", y = "\0\255", a = "2024-02-29", m = "1.5" })
      assert.is_true(got.b)
      assert.same({ -1, 2 ^ 53, 0.5, 1700000000000, "é", "\0\255", 19782 },
         { got.i, got.n, got.d, got.t, got.s, got.y, got.a })
      assert.is_true(got.x == 9007199254740993LL)
      assert.equal("1.50", tostring(got.m))
   end)

   it("have the same bytes when they are equal", function()
      local function bytes(of, x) return select(2, again(of, x)) end
      local map = sluice.map("int32")
      assert.equal(bytes(map, { a = 1, b = 2, aa = 3 }), bytes(map, { aa = 3, b = 2,
         a = 1 }))
      local list = sluice.list("double")
      assert.equal(bytes(list, { 0, 0 / 0 }), bytes(list, { -0, -(0 / 0) }))
      local many, other = {}, {}
      for i = 1, 100 do many["k" .. i], other["k" .. 101 - i] = 1, 1 end
      assert.equal(bytes(map, many), bytes(map, other))
   end)

   it("are as deep as they are declared", function()
      local of, x = sluice.list("string"), { "a" }
      for _ = 2, 64 do of, x = sluice.list(of), { x } end
      assert.same(x, (again(of, x)))
      assert.error_matches(function() sluice.list(of) end, "at most 64 lists")
   end)

   it("tell what does not fit with its path", function()
      refused(STOPS, { { city = "a" }, { city = "b", lat = "x" } },
         "[2].lat: got string, wanted double")
      refused(STOPS, { { lat = 1 } }, "[1].city: got nothing, wanted string")
      refused(STOPS, { { city = "a", tags = { k = 0.5 } } },
         "[1].tags.k: got 0.5, wanted int32: a whole number of 32 bits")
      refused(STOPS, { { city = "a", latt = 1 } },
         "[1]: has no field `latt`: did you mean `lat`?")
      refused(STOPS, 5, "got 5, wanted " .. shape.text(spec(STOPS)))
      refused(STOPS, { city = "a" },
         "got table, wanted " .. shape.text(spec(STOPS))
         .. ", elements from 1 on, sluice.null for null ones")
      for _, lossy in ipairs { { [1] = "a", [3] = "c" }, { "a", k = "b" },
         { [2] = "b" } } do
         refused(sluice.list("string"), lossy, "got table, wanted list<string>, "
            .. "elements from 1 on, sluice.null for null ones")
      end
      refused(sluice.map("int32"), { 1 },
         "got 1, wanted keys that are strings of valid UTF-8")
      refused(sluice.list("string"), { "a", "\255" }, "[2]: got string, wanted string of "
         .. "valid UTF-8")
      refused(sluice.list(sluice.decimal(4, 2)), { "1.001" },
         "[1]: got string, wanted decimal(4, 2)")
      refused(sluice.list(sluice.date), { "2024-13-01" },
         "[1]: got \"2024-13-01\", wanted "
         .. "date: days since 1970-01-01, or text like \"2024-05-01\"")
      refused(sluice.list(sluice.int32 "n" :range(1, 3)), { 2, 4 },
         "[2]: got 4, wanted a value from 1 to 3")
   end)

   it("leave no table behind where one field is read", function()
      if not jit.status() then return end
      local of = sluice.struct("s", { sluice.string "a", sluice.double "b" })
      local data = write.writer(spec(of), "value", vectors.calls) { a = "x", b = 1 }
      local get = read.reader(spec(of))
      local bytes, sum = ffi.cast("const char *", data), 0
      local function loop(count)
         for _ = 1, count do sum = sum + (get(bytes, 0)).b end
      end
      loop(1000)
      collectgarbage()
      collectgarbage "stop"
      local before = collectgarbage "count"
      loop(100000)
      local kilobytes = collectgarbage "count" - before
      collectgarbage "restart"
      assert.equal(101000, sum)
      assert.is_true(kilobytes < 1000, kilobytes .. " KB") -- 15,000 with tables
   end)

   it("name deep places", function()
      local of, x = sluice.list("int32"), { 0.5 }
      for _ = 2, 20 do of, x = sluice.list(of), { x } end
      refused(of, x,
         ("[1]"):rep(20) .. ": got 0.5, wanted int32: a whole number of 32 bits")
   end)

   it("give fields of structs their default", function()
      local of = sluice.struct("s", { sluice.decimal("m", 4, 2) :default(1),
         sluice.list("l", "string") :default { "x" } })
      local got = again(of, {})
      assert.equal("1.00", tostring(got.m))
      assert.same({ "x" }, got.l)
   end)
end)

describe("types", function()
   it("are written as a script would", function()
      assert.equal("list<struct{city string, lat double, tags map<int32>}>",
         shape.text(spec(STOPS)))
      assert.equal("decimal(10, 2)", shape.text(spec(sluice.decimal(10, 2))))
   end)

   it("are refused with what to write", function()
      local function wrong(fn, message) assert.error_matches(fn, message, 1, true) end
      wrong(function() sluice.list "tags" end, "the type of its elements is missing")
      wrong(function() sluice.map "m" end, "the type of its values is missing")
      wrong(function() sluice.list("tags", "strnig") end,
         'unknown type "strnig": did you mean')
      wrong(function() sluice.list("tags", "decimal") end, "decimal says too little")
      wrong(function() sluice.list("tags", sluice.struct) end, "struct says too little")
      wrong(function() sluice.list("tags", 5) end, "is no type")
      wrong(function() sluice.struct("s", {}) end, "takes a table of 1 to 1024 fields")
      wrong(function() sluice.struct("s", { "a" }) end, "wanted fields")
      wrong(function() sluice.struct("s", { sluice.list("string") }) end,
         "without a name")
      wrong(function() sluice.struct("s", { sluice.bool "a", sluice.int32 "a" }) end,
         "`a` stands twice")
      wrong(function() sluice.struct("s", { sluice.bool "a" :from "b" }) end,
         "not inside")
      wrong(function() sluice.struct("s", { sluice.string "a" :matches "x" }) end,
         "are for fields of the record")
      wrong(function() sluice.decimal("m", 39, 2) end, "takes its digits in all")
      wrong(function() sluice.decimal("m", 4, 5) end, "takes its digits in all")
      wrong(function() sluice.decimal "m" end, "takes its digits in all")
      wrong(function() sluice.bytes("b", 3) end, "takes a name only")
   end)

   it("give values of the plan and of Lua", function()
      assert.equal(19844, value.of(spec(sluice.date "d"), "2024-05-01"))
      assert.is_nil(value.of(spec(sluice.date "d"), "2024-02-30"))
      assert.equal("1.50", value.of(spec(sluice.decimal("m", 4, 2)), 1.5))
      assert.is_nil(value.of(spec(sluice.decimal("m", 4, 2)), 1.555))
      local list = spec(sluice.list("l", "int32"))
      assert.same({ 1, 2 }, value.in_lua(list, value.of(list, { 1, 2 })))
      local _, problem = value.of(list, { "x" })
      assert.equal("[1]: got string, wanted int32: a whole number of 32 bits", problem)
      assert.is_true(decimal.is(value.in_lua(spec(sluice.decimal("m", 4, 2)), "1.50")))
      assert.is_nil(value.of(spec(sluice.list("l", "string")), { "\237\160\128" }))
   end)

   it("have ranges and lists of values", function()
      local function wrong(fn, message) assert.error_matches(fn, message, 1, true) end
      assert.same({ 0, 19844 },
         spec(sluice.date "d" :range("1970-01-01", "2024-05-01")).range)
      assert.same({ "0.00", "5.00" }, spec(sluice.decimal("m", 4, 2) :range(0, 5)).range)
      wrong(function() return sluice.date "d" :range("2024-05-01", "1970-01-01") end,
         "in this order")
      wrong(function() return sluice.list("l", "int32") :one_of { { 1 } } end,
         "no bools, lists")
      wrong(function() return sluice.string "s" :range(1, 2) end,
         "for numbers, dates and times")
      assert.same({ 19844 }, spec(sluice.date "d" :one_of { "2024-05-01" }).one_of)
   end)
end)
