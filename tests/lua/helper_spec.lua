local ffi = require "ffi"

dofile "tests/lua/vectors.lua"

local binary = require "sluice.helper.binary"
local driver = require "sluice.driver"
local kit = require "tests.lua.kit"
local pattern = require "sluice.helper.pattern"
local random = require "sluice.helper.random"
local regex = require "sluice.helper.regex"
local sluice = require "sluice"

require("jit.opt").start(unpack(driver.JIT))

local hash, text, time = sluice.hash, sluice.text, sluice.time

local function throws(wanted, fn, ...)
   local done, message = pcall(fn, ...)
   assert.is_false(done)
   assert(tostring(message):find(wanted, 1, true), message)
end

describe("sluice.time", function()
   it("reads RFC 3339, dates, and what a format says", function()
      assert.equal(1714566600250, time.parse "2024-05-01T12:30:00.25Z")
      assert.equal(1714566600250, time.parse "2024-05-01 14:30:00.25+02:00")
      assert.equal(1714521600000, time.parse "2024-05-01")
      assert.equal(1714550400000, time.parse("2024-05-01T10:00:00", nil, "Europe/Berlin"))
      assert.equal(1714550400000,
         time.parse("01/May/2024:10:00:00 +0200", "%d/%b/%Y:%H:%M:%S %z"))
      assert.equal(-1, time.parse "1969-12-31T23:59:59.999Z")
      for _, wrong in ipairs { "", "x", "2024-02-30", "2024-05-01T25:00:00Z", "17145" } do
         assert.is_nil(time.parse(wrong))
      end
      assert.is_nil(time.parse(nil))
   end)

   it("writes times", function()
      assert.equal("1970-01-01T00:00:00.000Z", time.format(0))
      assert.equal("1969-12-31T23:59:59.999Z", time.format(-1))
      assert.equal("2024-05-01T14:30:00.000+02:00",
         time.format(1714566600000, nil, "Europe/Berlin"))
      assert.equal("01.05.2024 08", time.format(1714566600000, "%d.%m.%Y %H",
         "America/New_York"))
      assert.is_nil(time.format(nil))
      throws("wanted a time within 2^53", time.format, 0, "%Y" .. ("x"):rep(600))
   end)

   it("refuses a format that says nothing of a time, and a zone in its place", function()
      throws('sluice.time.format: the format "yyyy-MM-dd\'T\'HH:mm:ss" has no %, so '
         .. 'nothing of a time is in it: write "%Y-%m-%dT%H:%M:%S"', time.format, 0,
         "yyyy-MM-dd'T'HH:mm:ss")
      throws('has no %, so nothing of a time is in it: write "%d/%m/%y"', time.parse,
         "01/02/24", "dd/MM/yy")
      throws('has no %, so nothing of a time is in it: write as in "%Y-%m-%d"',
         time.format, 0, "x")
      throws("a zone comes behind it", time.format, 0, "Europe/Berlin")
      throws("a format is 7, wanted text", time.format, 0, 7)
   end)

   it("says the line that calls, and searches once for what a zone may be", function()
      throws("helper_spec.lua:", function() return (time.format(0, nil, "Utopia")) end)
      local began = stub(io, "open")
      for _ = 1, 100 do pcall(time.floor, 0, "day", "Europe/Pariss") end
      assert.stub(began).was.called(1)
      began:revert()
      throws('unknown zone "Europe/Brelin": did you mean "Europe/Berlin"?', time.format,
         0, nil, "Europe/Brelin")
   end)

   it("finds the beginning of a span, by the clocks of a zone", function()
      local at = time.parse "2024-05-15T10:31:12.345Z"
      local begins = {
         second = "2024-05-15T10:31:12.000Z", minute = "2024-05-15T10:31:00.000Z",
         hour = "2024-05-15T10:00:00.000Z", day = "2024-05-15T00:00:00.000Z",
         week = "2024-05-13T00:00:00.000Z", month = "2024-05-01T00:00:00.000Z",
         quarter = "2024-04-01T00:00:00.000Z", year = "2024-01-01T00:00:00.000Z",
         ["15 minutes"] = "2024-05-15T10:30:00.000Z",
      }
      for unit, begin in pairs(begins) do
         assert.equal(begin, time.format(time.floor(at, unit)))
      end
      local function floor(moment, unit, zone)
         return time.format(time.floor(time.parse(moment), unit, zone), nil, zone)
      end
      assert.equal("2024-05-15T00:00:00.000+05:30",
         floor("2024-05-15T10:31:00Z", "day", "Asia/Kolkata"))
      assert.equal("2024-05-15T16:00:00.000+05:30",
         floor("2024-05-15T10:31:00Z", "hour", "Asia/Kolkata"))
      assert.equal(-86400000, time.floor(-1, "day"))
      assert.is_nil(time.floor(nil, "day"))
   end)

   it("knows hours that clocks show twice or skip", function()
      local berlin = "Europe/Berlin"
      local function floor(moment, unit)
         return time.format(time.floor(time.parse(moment), unit, berlin))
      end
      assert.equal("2024-10-27T00:00:00.000Z", floor("2024-10-27T00:40:00Z", "hour"))
      assert.equal("2024-10-27T01:00:00.000Z", floor("2024-10-27T01:10:00Z", "hour"))
      assert.equal("2024-10-26T22:00:00.000Z", floor("2024-10-27T05:10:00Z", "day"))
      assert.equal("2024-03-31T01:00:00.000Z", floor("2024-03-31T01:10:00Z", "2 hours"))
      -- Beirut skips midnight: its day begins an hour later.
      assert.equal("2021-03-27T22:00:00.000Z",
         time.format(time.floor(time.parse "2021-03-28T10:00:00Z", "day", "Asia/Beirut")))
   end)

   it("counts days", function()
      assert.equal(1, time.days "1970-01-02")
      assert.equal(-1, time.days "1969-12-31")
      assert.is_nil(time.days "2023-02-29")
      assert.is_nil(time.days "01.01.1970")
   end)

   it("says what is wrong", function()
      throws('unknown zone "Europe/Berln": did you mean "Europe/Berlin"?', time.floor, 0,
         "day", "Europe/Berln")
      throws("a zone is 5", time.format, 0, nil, 5)
      throws('did you mean "month"?', time.floor, 0, "mnth")
      throws("got \"x\", wanted Unix ms", time.floor, "x", "day")
      throws("wanted text", time.parse, 5)
      kit.refuses(function() return time.pars("x"), 1 end, "did you mean `parse`?")
   end)
end)

describe("sluice.text", function()
   it("splits, and looks at parts", function()
      assert.same({ "a", "", "b" }, text.split("a,,b", ","))
      assert.same({ "" }, text.split("", ","))
      assert.same({ "a.b" }, text.split("a.b", "%."))
      assert.is_nil(text.split(nil, ","))
      assert.is_true(text.starts_with("/api/x", "/api/"))
      assert.is_false(text.starts_with("/ap", "/api/"))
      assert.is_true(text.contains("a.c", "."))
      assert.is_false(text.contains("abc", "."))
      assert.is_false(text.contains(nil, "."))
      throws("the separator is empty", text.split, "a", "")
      throws("the text is 5", text.contains, 5, "a")
   end)

   it("matches regular expressions", function()
      local plate = text.regex "^([A-Z]{2})-([0-9]+)(x)?$"
      assert.is_true(plate:test "AB-12")
      assert.is_false(plate:test "AB12")
      assert.is_false(plate:test(nil))
      assert.same({ 1, 5 }, { plate:find "AB-12" })
      assert.same({ "AB", "12", nil }, { plate:match "AB-12" })
      assert.is_nil((plate:match "?"))
      assert.equal("éé", text.regex "é+" :match "aéé")
      assert.same({ 4, 4 }, { text.regex "a" :find("a  a", 2) })
      assert.is_nil((text.regex "a" :find("a", 9)))
      assert.is_true(text.regex "^.$" :test "é")
      assert.is_false(text.regex "a" :test "\255")
      kit.refuses(function() return text.regex "(a", 1 end, "missing closing parenthesis")
      throws("given up", function()
         return text.regex "^(a|aa)+$" :test(("a"):rep(60) .. "c")
      end)
   end)
end)

describe("sluice.hash", function()
   it("gives what other programs give", function()
      -- xxhsum -H3: 78af5f94892f3950, its upper 53 bits
      assert.equal(tonumber(0x78af5f94892f3950ULL / 2048), hash.xxh3 "abc")
      assert.equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
         hash.sha256 "abc")
      assert.equal(64, #hash.sha256 "")
      assert.is_nil(hash.xxh3(nil))
      throws("takes text, got 5", hash.sha256, 5)
   end)
end)

describe("sluice.random", function()
   local row = ffi.new "struct { int64_t __time, __offset; uint32_t __partition; }"
   local v = ffi.new "sl_vector"

   local function numbers(offset, name, node)
      random.bind(v, name or "p")
      v.run, v.node, row.__offset = v.run + 1, node or 0, offset
      return sluice.random(row, 1e9), sluice.random(row, 1e9)
   end

   it("follows from position, function and pipeline", function()
      local a, b = numbers(1)
      assert.are_not.equal(a, b)
      assert.same({ a, b }, { numbers(1) })
      assert.are_not.equal(a, (numbers(2)))
      assert.are_not.equal(a, (numbers(1, "q")))
      assert.are_not.equal(a, (numbers(1, "p", 1)))
   end)

   it("is even", function()
      local sum, small = 0, 0
      for i = 1, 10000 do
         row.__offset = i
         local x = sluice.random(row)
         sum, small = sum + x, small + (x < 0.01 and 1 or 0)
      end
      assert(math.abs(sum / 10000 - 0.5) < 0.02 and small > 50 and small < 150)
   end)

   it("refuses what is no row", function()
      throws("takes a row, got number", sluice.random, 6)
      throws("the interval is empty", sluice.random, row, 0)
   end)
end)

describe("a pattern of Lua as a regular expression", function()
   local ATOMS = { "a", "b", ".", "%a", "%d", "%W", "[ab]", "[^a]", "[%d_]", "[a-c]",
      "[]x]", "[^]]", "%%", "-", "(", ")", "()", "%bab", "%b()", "%f[a]", "%f[%W]", "%1",
      "%2", "^", "$", "%z", "%.", "é", "[%]]", "[a-]" }
   local QUANTIFIERS = { "", "", "", "*", "+", "-", "?" }
   local CHARS = { "a", "b", "c", "1", "_", "(", ")", "]", "x", "\0", "%", "-", "é", "." }

   local function made(list, others, most)
      local parts = {}
      for i = 1, math.random(1, most) do
         parts[i] = list[math.random(#list)] .. others[math.random(#others)]
      end
      return table.concat(parts)
   end

   it("finds what string.find finds, where it finds it", function()
      math.randomseed(17)
      local tried, found = 0, 0
      for _ = 1, 6000 do
         local lua, subject = made(ATOMS, QUANTIFIERS, 6), made(CHARS, { "" }, 8)
         local source = pattern.regex(lua)
         local works, start = pcall(string.find, subject, lua)
         if source and works then
            local code = assert(regex.compile(source, true))
            local got = binary.sl_regex_match(code, subject, #subject, 0)
            local at = got == 1 and code.spans[0] + 1 or nil
            assert(at == start,
               ("%q in %q: %s, wanted %s"):format(lua, subject, tostring(at),
               tostring(start)))
            tried, found = tried + 1, found + (start and 1 or 0)
         end
      end
      assert(tried > 2000 and found > 400)
   end)

   it("refuses what is none", function()
      for wrong, why in pairs { ["a["] = "no `]`", ["("] = "without its `)`",
         [")"] = "without its `(`", ["%"] = "ends with `%`", ["%b"] = "two characters",
         ["%fa"] = "needs a set", ["%1"] = "no capture", ["a\0"] = "NUL" } do
         local source, problem = pattern.regex(wrong)
         assert.is_nil(source)
         assert(problem:find(why, 1, true), problem)
      end
   end)
end)

describe("helpers in a loop", function()
   local util, vmdef = require "jit.util", require "jit.vmdef"

   -- Opcodes that the compiler left in a function for what it gave up: IFORL, IFUNCF.
   local function marks(fn)
      local found = {}
      for pc = 0, util.funcinfo(fn).bytecodes - 1 do
         local op = util.funcbc(fn, pc) % 256
         local name = vmdef.bcnames:sub(op * 6 + 1, op * 6 + 6):match "%S*"
         if name:find "^IF" then found[#found + 1] = name end
      end
      return table.concat(found, " ")
   end

   -- How the traces that there are end: "loop", "root"; "stitch" at what only the
   -- interpreter can do.
   local function ends()
      local found = {}
      for number = 1, 1000 do
         local trace = util.traceinfo(number)
         if trace then found[trace.linktype] = true end
      end
      return found
   end
   jit.off(ends) -- or it sees itself
   jit.off(marks)

   local LOOP = [[
      local call = ...
      return function()
         local sum = 0
         for i = 1, 3000 do sum = sum + call(i) end
         return sum
      end]]

   local plate = text.regex "^([A-Z]{2})-([0-9]+)$"
   local row = ffi.new "struct { int64_t __time, __offset; uint32_t __partition; }"
   local record, rows = ffi.new "sl_row", ffi.new "void *[1]"
   local v = ffi.new "sl_vector"
   v.rows, v.run = rows, 1
   local CALLS = {
      random = function(i)
         row.__offset, record.offset, rows[0] = i, i, record
         return sluice.random(row, 6) + random.random(6)
      end,
      floor = function(i) return time.floor(i * 1000, "15 minutes") end,
      floor_zone = function(i) return time.floor(i * 1e8, "day", "Europe/Berlin") end,
      parse = function() return time.parse("2024-05-01T12:30:00Z") end,
      format = function(i) return #time.format(i * 1000, "%Y-%m-%d") end,
      days = function() return time.days "2024-05-01" end,
      contains = function() return text.contains("abc", "c") and 1 or 0 end,
      starts_with = function() return text.starts_with("abc", "ab") and 1 or 0 end,
      split = function() return #text.split("a,b,c", ",") end,
      test = function() return plate:test "AB-12" and 1 or 0 end,
      find = function() return (plate:find "AB-12") end,
      match = function() return #(plate:match "AB-12") end,
      xxh3 = function() return hash.xxh3 "abc" end,
      sha256 = function() return #hash.sha256 "abc" end,
   }

   -- Nothing else runs in between: luassert's own code gets hot over many specs, and ends
   -- in stitches.
   local function run(loop)
      jit.flush()
      local sum = loop()
      return sum, ends()
   end
   jit.off(run)

   it("are told from what leaves compiled code", function()
      local _, found = run(load(LOOP, "=loop")(function() return (("a1"):find "%d") end))
      assert.is_true(found.stitch)
   end)

   for name, call in pairs(CALLS) do
      it("stay compiled: " .. name, function()
         random.bind(v, "p")
         local loop = load(LOOP, "=loop")(call)
         call(1) -- zones and durations are looked up once
         local sum, found = run(loop)
         assert(sum > 0)
         assert.is_not_nil(next(found))
         assert.is_nil(found.stitch)
         assert.equal("", marks(loop) .. marks(call))
      end)
   end
end)
