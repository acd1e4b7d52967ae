local ffi = require "ffi"

local aggregate = require "sluice.aggregate"
local driver_state = require "sluice.driver.state"
local field = require "sluice.field"
local reads = require "sluice.aggregate.reads"
local vectors = dofile "tests/lua/vectors.lua"

local make = aggregate.constructors

local function over(kind, specs, ...)
   local of = vectors.schema { { "x", kind, kind == "exact" and "exact" or nil } }
   local panes = { ... }
   for p, values in ipairs(panes) do
      local rows = {}
      for i = 1, values.n or #values do rows[i] = { x = values[i] } end
      panes[p] = rows
   end
   return vectors.results(of, specs, unpack(panes))
end

local function exact_of(values, ...)
   local of = vectors.schema { { "x", "int64", "exact" } }
   local panes = { values, ... }
   for p, pane in ipairs(panes) do
      local rows = {}
      for i, x in ipairs(pane) do rows[i] = { x = x } end
      panes[p] = rows
   end
   return vectors.results(of, { sum = make.sum "x" }, unpack(panes)).sum
end

local ALL = {
   rows = make.count(), count = make.count "x", sum = make.sum "x", min = make.min "x",
   max = make.max "x", avg = make.avg "x", first = make.first "x", last = make.last "x",
}

describe("builtin aggregates", function()
   for _, kind in ipairs { "double", "int32", "int64" } do
      it("work on " .. kind .. ", within a pane and over panes", function()
         local wanted = {
            rows = 4, count = 3, sum = 6, min = -1, max = 4, avg = 2, first = 3,
            last = -1,
         }
         assert.same(wanted, over(kind, ALL, { 3, 4, nil, -1, n = 4 }))
         local positions = { { { 1, x = 3 }, { 2, x = 4 } }, { { 3 } },
            { { 4, x = -1 } } }
         local of = vectors.schema { { "x", kind } }
         assert.same(wanted, vectors.results(of, ALL, unpack(positions)))
      end)

      it("give null over nulls, counts 0: " .. kind, function()
         assert.same({ rows = 2, count = 0 }, over(kind, ALL, { n = 2 }))
         assert.same({ rows = 2, count = 0 }, over(kind, ALL, { n = 1 }, { n = 1 }))
         assert.same({ rows = 0, count = 0 }, over(kind, ALL, {}))
      end)
   end

   it("min, max, first and last work on text, bytewise", function()
      local specs = {
         min = make.min "x", max = make.max "x", first = make.first "x",
         last = make.last "x",
         count = make.count "x",
      }
      local wanted = { min = "", max = "é", first = "b", last = "a", count = 5 }
      assert.same(wanted, over("string", specs, { "b", "é", "zz", "", "a" }))
      local of = vectors.schema { { "x", "string" } }
      assert.same(wanted, vectors.results(of, specs, { { 1, x = "b" }, { 2, x = "é" } },
         { { 3, x = nil } }, { { 4, x = "zz" }, { 5, x = "" }, { 6, x = "a" } }))
      assert.same({ count = 0 }, over("string", specs, { n = 3 }, { n = 1 }))
   end)

   it("min, max, first and last work on timestamps and bools", function()
      local specs = {
         min = make.min "x", max = make.max "x", first = make.first "x",
         last = make.last "x",
      }
      assert.same({ min = -5, max = 1700000000000, first = 7, last = -5 },
         over("timestamp", specs, { 7, 1700000000000, -5 }))
      assert.same({ min = false, max = true, first = true, last = false },
         over("bool", specs, { true, false }))
   end)

   it("min and max pass over NaN, sum and avg become NaN", function()
      local nan = 0 / 0
      local specs = { min = make.min "x", max = make.max "x" }
      assert.same({ min = 1, max = 2 }, over("double", specs, { nan, 2, 1, nan },
         { nan }))
      assert.same({}, over("double", specs, { nan }))
      local sums = over("double", { sum = make.sum "x", avg = make.avg "x" }, { 1, nan })
      assert.is_true(sums.sum ~= sums.sum and sums.avg ~= sums.avg)
   end)

   it("sums of doubles are compensated", function()
      local specs = { sum = make.sum "x", avg = make.avg "x" }
      assert.same({ sum = 2, avg = 0.5 }, over("double", specs, { 1, 1e100, 1, -1e100 }))
      assert.same({ sum = 2, avg = 0.5 },
         over("double", specs, { 1, 1e100 }, { 1, -1e100 }))
      local tenths = {}
      for i = 1, 1000 do tenths[i] = 0.1 end
      assert.equal(100, over("double", specs, tenths).sum)
   end)

   it("sums of doubles keep infinity", function()
      local specs = { sum = make.sum "x" }
      assert.equal(math.huge, over("double", specs, { 1, math.huge, 2 }).sum)
      assert.equal(-math.huge, over("double", specs, { 1 }, { -math.huge, 5 }).sum)
   end)

   it("sums of exact int64 pass through what does not fit", function()
      local most = 9223372036854775807LL
      assert.equal(most, exact_of({ most, most, -most }))
      assert.equal(most, exact_of({ most, most }, { -most }))
      assert.equal(-most - 1, exact_of({ -most, -most }, { most, -1LL }))
      assert.equal(-3LL, exact_of({ 1LL, -2LL }, { -2LL }))
   end)

   it("a sum that does not fit in the end fails and names itself", function()
      local most = 9223372036854775807LL
      assert.error_matches(function() exact_of({ most, 1LL }) end, 'sum "x": .*int64')
      assert.error_matches(function() exact_of({ -most, -1LL }, { -1LL }) end, 'sum "x"')
   end)

   it("avg of integers is exact before it divides", function()
      local of = vectors.schema { { "x", "int64", "exact" } }
      local most, rows = 9223372036854775807LL, {}
      for i = 1, 4 do rows[i] = { x = most } end
      local got = vectors.results(of, { avg = make.avg "x" }, rows)
      assert.equal(tonumber(most), got.avg)
      for i = 1, 4 do rows[i] = { x = -most } end
      assert.equal(-tonumber(most), vectors.results(of, { avg = make.avg "x" }, rows).avg)
   end)

   it("first and last go by time, partition, offset, not by arrival", function()
      local of = vectors.schema { { "x", "double" }, { "s", "string" } }
      local specs = {
         first = make.first "x", last = make.last "x", begin = make.first "s",
         stop = make.last "s",
      }
      local rows = {
         { 20, 0, 9, x = 1, s = "1" }, { 10, 1, 5, x = 2, s = "2" },
         { 10, 0, 7, x = 3, s = "3" },
         { 10, 0, 6, x = 4, s = "4" }, { 20, 1, 1, x = 5, s = "5" },
         { 20, 1, 2, x = 6, s = "6" },
         { 5, 0, 1 }, { 30, 0, 99 },
      }
      local wanted = { first = 4, last = 6, begin = "4", stop = "6" }
      for turn = 1, #rows do
         table.insert(rows, table.remove(rows, 1))
         assert.same(wanted, vectors.results(of, specs, rows))
         local left, right = { unpack(rows, 1, turn) }, { unpack(rows, turn + 1) }
         assert.same(wanted, vectors.results(of, specs, left, right))
      end
   end)

   it("first and last without event time go by position", function()
      local of = vectors.schema { { "x", "double" } }
      local none = -9223372036854775807LL - 1
      local rows = { { none, 0, 2, x = 2 }, { none, 0, 1, x = 1 }, { none, 1, 0, x = 3 } }
      assert.same({ first = 1, last = 3 },
         vectors.results(of, { first = make.first "x", last = make.last "x" }, rows))
   end)

   it("variance and stddev are of a sample", function()
      local specs = { v = make.variance "x", s = make.stddev "x" }
      assert.same({ v = 4, s = 2 }, over("double", specs, { 1, 3, 5, nil, n = 4 }))
      assert.same({ v = 4, s = 2 }, over("int64", specs, { 1 }, { n = 1 }, { 3, 5 }))
      assert.same({}, over("double", specs, { 7 }, {}))
      assert.equal(30, over("double", specs, { 1e9 + 4, 1e9 + 7 },
         { 1e9 + 13, 1e9 + 16 }).v)
   end)

   it("arg_min and arg_max give the field of the best row, of equal ones the first",
      function()
         local of = vectors.schema { { "x", "double" }, { "s", "string" } }
         local specs = {
            lo = make.arg_min("s", "x"), hi = make.arg_max("s", "x"),
            text = make.arg_max("x", "s"),
         }
         local rows = {
            { 3, x = 1, s = "late" }, { 2, x = 1, s = "b" }, { 2, 1, x = 1, s = "c" },
            { 9, x = 4, s = "top" }, { 1, x = 0 }, { 1, s = "z" },
            { 1, x = 0 / 0, s = "n" },
         }
         for turn = 1, #rows do
            table.insert(rows, table.remove(rows, 1))
            local wanted = { lo = "b", hi = "top", text = 4 }
            local got = vectors.results(of, specs, rows)
            assert.same(wanted, got)
            assert.same(wanted, vectors.results(of, specs, { unpack(rows, 1, turn) },
               { unpack(rows, turn + 1) }))
         end
      end)

   it("take a typed function, checked as a derived column is", function()
      local of = vectors.schema { { "x", "double" } }
      local text = field.constructor "string"
      local specs = {
         max = make.max(text(function(row) return row.x and "n" .. row.x end)),
         first = make.first(field.constructor "bool"(function(row)
            return row.x == 2
         end)),
         at = make.arg_min(text(function(row) return row.x and "a" .. row.x end),
            field.constructor "int64"(function(row) return row.x end)),
      }
      local rows = { { x = 2 }, { x = 10 }, {} }
      assert.same({ max = "n2", first = true, at = "a2" },
         vectors.results(of, specs, rows))
      specs = { max = make.max(text(function() return 3 end)) }
      assert.error_matches(function() vectors.results(of, specs, rows) end,
         "max%(sluice.string%(function%)%): got 3, wanted string")
   end)

   it("take a function of the row", function()
      local of = vectors.schema { { "x", "double" } }
      local function double(row) return row.x and row.x * 2 end
      local specs = {
         sum = make.sum(double), min = make.min(double), last = make.last(double),
         count = make.count(function(row) return row.x == 1 or nil end),
      }
      assert.same({ sum = 6, min = 2, last = 4, count = 1 },
         vectors.results(of, specs, { { x = 1 }, { x = 2 }, {} }))
      specs = { sum = make.sum(function() return "a" end) }
      assert.error_matches(function() vectors.results(of, specs, { {} }) end,
         "sum%(function%): the function gave string, wanted a number")
   end)

   it("count only rows where :where is true", function()
      local of = vectors.schema { { "x", "double" }, { "s", "string" } }
      local function large(row) return row.x and row.x > 1 end
      local specs = {
         n = make.count():where(large), sum = make.sum "x":where(large),
         text = make.max "s":where(large), all = make.count(),
      }
      local rows = { { x = 1, s = "z" }, { x = 2, s = "b" }, { s = "y" },
         { x = 3, s = "a" } }
      assert.same({ n = 2, sum = 5, text = "b", all = 4 },
         vectors.results(of, specs, rows))
   end)

   it("share a state whatever their number", function()
      local of, specs, wanted = vectors.schema { { "x", "double" } }, {}, {}
      for i = 1, 100 do
         specs["n" .. i] = make.sum "x"
         wanted["n" .. i] = 3
      end
      for i = 1, 60 do
         specs["f" .. i] = make.count():where(function(row) return row.x == 1 end)
         wanted["f" .. i] = 1
      end
      assert.same(wanted, vectors.results(of, specs, { { x = 1 }, { x = 2 } }))
   end)
end)

describe("sketches", function()
   local ffi_of = vectors.schema { { "x", "double" }, { "s", "string" } }

   local function states_of(specs)
      return driver_state.layout(vectors.items(ffi_of, specs))
   end

   it("that are equal are kept once", function()
      local one = states_of { a = make.quantile("x", 0.5) }
      local several = states_of { a = make.quantile("x", 0.5),
         b = make.quantile("x", 0.9) }
      assert.equal(one.size, several.size)
      assert.same({ 1, 1 }, several.owners)
      local function large(row) return row.x > 1 end
      assert.same({ 1, 2, 3, 4, 5, 2, 5 }, states_of {
         a = make.quantile("x", 0.5),
         b = make.quantile("x", 0.5):where(large),
         c = make.quantile(function(row) return row.x end, 0.5),
         d = make.count_distinct "x", e = make.count_distinct "s",
         f = make.quantile("x", 0.9):where(large), g = make.count_distinct "s",
      }.owners)
   end)

   it("that are equal take in each value once", function()
      local seen = 0
      local original = vectors.calls.sl_quantile_add
      vectors.calls.sl_quantile_add = function(_, _, x) seen = seen + x end
      local specs = { a = make.quantile("x", 0.5), b = make.quantile("x", 0.9) }
      vectors.fold(vectors.items(ffi_of, specs), ffi_of, { { x = 1 }, {}, { x = 5 } })
      vectors.calls.sl_quantile_add = original
      assert.equal(6, seen)
   end)
end)

describe("fields that a fold reads", function()
   local function of(code)
      local made = assert(load("local helper, kept = ... return " .. code))
      local names = reads.of(made(), 2)
      if not names then return nil end
      local list = {}
      for name in pairs(names) do list[#list + 1] = name end
      table.sort(list)
      return table.concat(list, " ")
   end

   it("are known when it only reads them by name", function()
      assert.equal("s x", of [[function(a, r)
         if r.x and r.x > 1 then a.n = a.n + 1 elseif r.s == "x" then a.n = r.x end
      end]])
      assert.equal("", of "function(a) a.n = a.n + 1 end")
      assert.equal("x",
         of "function(a, r) for i = 1, 3 do a.n = a.n + (r.x or i) end end")
   end)

   it("are not known when the row goes elsewhere", function()
      assert.is_nil(of "function(a, r) helper(a, r) end")
      assert.is_nil(of "function(a, r) local s = r; a.n = s.x end")
      assert.is_nil(of "function(a, r) a.n = r[kept] end")
      assert.is_nil(of "function(a, r) a.f = function() return r.x end end")
      assert.is_nil(of "function(a, ...) a.n = (...).x end")
      assert.is_nil(of "function(a, r) r = r.x end")
      assert.is_nil(of "function(a, r) return r end")
   end)
end)

describe("the example of docs/extending.md", function()
   it("works as it stands there", function()
      local file = assert(io.open("docs/extending.md"))
      local text = file:read "*a"
      file:close()
      local code = text:match "\n( +%-%-%- `geometric_mean.-    return geometric_mean\n)"
      local module = assert(load(code))()
      local of = vectors.schema { { "x", "double" } }
      local function items()
         local made = module.resolve { type = "double" }
         made.label, made.inputs = "geometric_mean", { { type = "double", field = "x" } }
         return { { name = "g", spec = made } }
      end
      local one, state = vectors.fold(items(), of, { { x = 2 }, { x = -1 }, {} })
      local other = vectors.fold(items(), of, { { x = 8 } }, state)
      assert.equal("number", module.accepts)
      local mean = vectors.emit(items(), state, { one, other }).g
      assert.is_true(math.abs(mean - 4) < 1e-12)
      local none = vectors.fold(items(), of, { { x = 0 } }, state)
      assert.same({}, vectors.emit(items(), state, { none }))
   end)
end)

describe("what is refused", function()
   local of = vectors.schema { { "amount", "double" }, { "name", "string" },
      { "at", "timestamp" } }

   local function message(spec, window)
      local resolved, why = spec:resolve(of, window or "none")
      assert.is_nil(resolved)
      return why
   end

   it("unknown fields, with the nearest", function()
      assert.equal('sum "amuont": unknown field `amuont`: did you mean `amount`?',
         message(make.sum "amuont"))
   end)

   it("sums of text and times", function()
      assert.equal('sum "name": `name` is string, wanted int32, int64, double or decimal',
         message(make.sum "name"))
      assert.matches('avg "at": `at` is timestamp', message(make.avg "at"), 1, true)
   end)

   it("values that cannot be compared, and typed functions of a wrong type", function()
      local text = field.constructor "string" (function() return "a" end)
      assert.equal("variance(sluice.string(function)): the function is string, wanted "
         .. "int32, int64 or double", message(make.variance(text)))
      assert.matches('quantile("name", 0.5): `name` is string',
         message(make.quantile("name", 0.5)), 1, true)
      assert.matches('arg_min("name", "amuont"): unknown field `amuont`',
         message(make.arg_min("name", "amuont")), 1, true)
   end)

   it("wrong arguments behind the field", function()
      assert.error_matches(function() make.arg_min "amount" end,
         "a function behind the first, got nil")
      assert.error_matches(function() make.arg_min("amount", "name", 1) end,
         "got 1 behind")
      assert.error_matches(function() make.sum("amount", 1) end,
         "takes one field or function, got 1 behind it")
      assert.error_matches(function() make.quantile "amount" end, "from 0 to 1")
      for _, n in ipairs { 0, 251, 1.5, "3" } do
         assert.error_matches(function() make.top("amount", n) end, "from 1 to 250")
      end
      assert.error_matches(function() make.collect "amount" end, "from 1 to 10000")
      for _, bounds in ipairs { 3, {}, { 1, 1 }, { 2, 1 }, { 0 / 0 }, { "1" } } do
         assert.error_matches(function() make.histogram("amount", bounds) end,
            "list of 1 to 1000 ascending numbers")
      end
      assert.error_matches(function() make.quantile("amount", 1.5) end, "got 1.5")
      assert.error_matches(function() make.count_distinct("amount", { exakt = true }) end,
         "did you mean `exact`")
      assert.error_matches(function() make.count_distinct("amount", { limit = 3 }) end,
         "goes with `exact = true`")
   end)

   it("missing and wrong arguments", function()
      assert.error_matches(function() make.sum() end, "sluice.sum takes a field's name")
      assert.error_matches(function() make.count(3) end, "got 3")
      assert.error_matches(function() make.count():where "x" end,
         ":where takes a function")
      assert.error_matches(function() make.count():wher() end, "did you mean `where`")
      local once = make.count():where(print)
      assert.error_matches(function() once:where(print) end, "one :where")
   end)

   it("a user's aggregate without merge under a hopping window", function()
      local spec = aggregate.aggregate { state = { n = 0 }, fold = print, result = print }
      assert.matches("give `merge", message(spec, "hopping"), 1, true)
      assert.is_table(spec:resolve(of, "tumbling"))
   end)

   it("wrong options of a user's aggregate", function()
      local function refused(changes, pattern)
         local options = { state = { n = 0 }, fold = print, result = print }
         for key, value in pairs(changes) do options[key] = value or nil end
         assert.error_matches(function() aggregate.aggregate(options) end, pattern)
      end
      refused({ result = false }, "`result` is missing")
      refused({ fold = false }, "there is none")
      refused({ fold_batch = print }, "not both")
      refused({ folds = print }, "did you mean `fold`")
      refused({ state = { n = "doubel" } }, "`n` is \"doubel\"")
      refused({ state = { ["int"] = 1 } }, "word of C")
      refused({ state = { 1 } }, "named by letters")
      refused({ state = {} }, "a table of members")
      refused({ returns = "number" }, "`returns`")
      refused({ returns = "list" }, "`returns`")
      refused({ returns = { "lo" } }, "wanted fields")
      refused({ order = "arrival" }, "wanted \"event time\"")
      refused({ order = "event time", fold = false, fold_batch = print }, "not with")
   end)
end)

describe("a user's aggregate", function()
   local of = vectors.schema { { "x", "double" } }
   local ROWS = { { x = 1 }, { x = 5 }, {}, { x = 3 } }

   local function spread(changes)
      local options = {
         state = { lo = math.huge, hi = -math.huge, seen = 0 },
         fold = function(a, row)
            local x = row.x
            if x then
               a.lo, a.hi, a.seen = math.min(a.lo, x), math.max(a.hi, x), a.seen + 1
            end
         end,
         merge = function(a, b)
            a.lo, a.hi = math.min(a.lo, b.lo), math.max(a.hi, b.hi)
            a.seen = a.seen + b.seen
         end,
         result = function(a)
            if a.seen > 0 then return a.hi - a.lo end
         end,
      }
      for key, value in pairs(changes or {}) do options[key] = value end
      return aggregate.aggregate(options)
   end

   it("folds, merges and gives its result beside others", function()
      local specs = { spread = spread(), n = make.count(), again = spread() }
      assert.same({ spread = 4, n = 4, again = 4 }, vectors.results(of, specs, ROWS))
      assert.same({ spread = 4, n = 4, again = 4 },
         vectors.results(of, specs, { ROWS[1] }, { ROWS[2] }, { ROWS[3], ROWS[4] }))
      assert.same({ n = 1, }, vectors.results(of, specs, { {} }))
   end)

   it("obeys :where", function()
      local spec = spread():where(function(row) return row.x ~= 5 end)
      assert.same({ s = 2 }, vectors.results(of, { s = spec }, ROWS))
   end)

   it("names the nearest member", function()
      local wrong = spread { fold = function(a) a.seem = 1 end }
      assert.error_matches(function() vectors.results(of, { s = wrong }, ROWS) end,
         "no member `seem`: did you mean `seen`")
      wrong = spread { result = function(a) return a.low end }
      assert.error_matches(function() vectors.results(of, { s = wrong }, ROWS) end,
         "no member `low`")
   end)

   it("starts as state and init say, with types and arrays", function()
      local spec = aggregate.aggregate {
         state = { n = "int64", small = "int32", on = "bool", bins = "double[4]",
            from = 7 },
         init = function(a) a.bins[3] = 2 end,
         fold = function(a, row)
            a.n, a.small, a.on = a.n + 1, a.small + 1, true
            a.bins[0] = a.bins[0] + (row.x or 0)
         end,
         result = function(a)
            local on = a.on and 1 or 0
            return tonumber(a.n) + a.small + on + a.bins[0] + a.bins[3] + a.from + #a.bins
         end,
      }
      assert.same({ s = 4 + 4 + 1 + 9 + 2 + 7 + 4 },
         vectors.results(of, { s = spec }, ROWS))
   end)

   -- What one assignment in a fold raises; nil: it is done.
   local function raised(state, fold)
      local spec = aggregate.aggregate { state = state, fold = fold,
         result = function() return 0 end }
      local right, message = pcall(vectors.results, of, { s = spec }, { {} })
      return not right and message or nil
   end

   it("is refused when a table cannot keep it", function()
      local wide = aggregate.aggregate { state = { a = "double[65536]" }, fold = print,
         result = print }
      local items = vectors.items(of, { w = wide })
      assert.has_error(function() driver_state.layout(items) end,
         "the states of one group take 524288 bytes, at most 524256 can be kept")
   end)

   it("is held to the bounds of its arrays", function()
      local state = { bins = "int32[4]" }
      for _, place in ipairs { 4, -1, 1.5, 0 / 0, math.huge, -0.5 } do
         local function write(a) a.bins[place] = 1 end
         assert.matches("spec.lua:%d+: `bins`: an array of 4 has the places 0 to 3, got ",
            raised(state, write))
         local function read(a) return a.bins[place] + 1 end
         assert.matches("places 0 to 3", raised(state, read))
      end
      assert.matches("got nil", raised(state, function(a) a.bins[nil] = 1 end))
      assert.matches("spec.lua:%d+: `bins`: got nil, wanted a whole number",
         raised(state, function(a) a.bins[0] = nil end))
      assert.matches("spec.lua:%d+: `x`: got text of 1 bytes, wanted a number",
         raised({ x = "double[1]" }, function(a) a.x[0] = "1" end))
      assert.matches("got first", raised(state, function(a) return a.bins.first end))
      assert.is_nil(raised(state, function(a) a.bins[3] = 1 end))
   end)

   it("keeps text of a fixed size", function()
      local spec = aggregate.aggregate {
         state = { name = "string(5)", names = "string(3)[2]" },
         fold = function(a, row)
            a.names[1] = a.name:sub(1, 3)
            a.name = "n" .. (row.x or "-")
         end,
         result = function(a) return a.name .. "/" .. a.names[0] .. "/" .. a.names[1] end,
         returns = "string",
      }
      assert.same({ s = "n3//n-" }, vectors.results(of, { s = spec }, ROWS))
      local state = { name = "string(5)", names = "string(3)[2]" }
      assert.is_nil(raised(state, function(a) a.name = "12345" end))
      assert.matches("spec.lua:%d+: `name`: got text of 6 bytes, wanted text of at most",
         raised(state, function(a) a.name = "123456" end))
      assert.matches("`name`: got nil", raised(state, function(a) a.name = nil end))
      assert.matches("`name`: got 7", raised(state, function(a) a.name = 7 end))
      assert.matches("`names`: got text of 4 bytes",
         raised(state, function(a) a.names[1] = "1234" end))
   end)

   it("keeps numbers of few bits, which do not wrap around", function()
      local state = { small = "uint8", day = "date", bins = "uint16[2]", n = "int32" }
      assert.is_nil(raised(state, function(a)
         a.small, a.day, a.bins[1], a.n = 255, -19000, 65535, -2147483648
         assert(a.small == 255 and a.day == -19000 and a.bins[1] == 65535)
         a.bins[1] = a.bins[1] - 1
         assert(a.bins[1] == 65534 and a.n == -2147483648)
      end))
      local wrong = { 256, -1, 1.5, 0 / 0, "1" }
      for _, x in pairs(wrong) do
         assert.matches("`small`: got .*, wanted a whole number from 0 to 255",
            raised(state, function(a) a.small = x end))
      end
      assert.matches("`bins`: got 65536",
         raised(state, function(a) a.bins[0] = 65536 end))
      assert.matches("`n`: got 2147483648", raised(state, function(a) a.n = 2 ^ 31 end))
   end)

   it("refuses types that there are not", function()
      for _, kind in ipairs { "string", "string(0)", "string(70000)", "bool[4]",
         "double[0]", "double[x]", "uint64", "decimal" } do
         assert.error_matches(function()
            aggregate.aggregate { state = { n = kind }, fold = print, result = print }
         end, "`n` is .*, wanted a number to start with or a type")
      end
      assert.error_matches(function()
         aggregate.aggregate { state = { __n = 1 }, fold = print, result = print }
      end, "named by letters")
   end)

   it("returns a type or fields, and sees its window", function()
      local options = {
         returns = { field.constructor "double" "lo", field.constructor "string" "text" },
         result = function(a, window)
            return { lo = a.lo, text = "to " .. window.stop }
         end,
      }
      assert.same({ s_lo = 1, s_text = "to 120000" },
         vectors.results(of, { s = spread(options) }, ROWS))
      options.result = function() return nil end
      assert.same({}, vectors.results(of, { s = spread(options) }, ROWS))
      options.result = function() return 3 end
      assert.error_matches(function()
         vectors.results(of, { s = spread(options) }, ROWS)
      end,
         "result of `s`: got number, wanted a table")
      local text = spread { returns = "string", result = function() return 3 end }
      assert.error_matches(function() vectors.results(of, { s = text }, ROWS) end,
         "result of `s`: got 3, wanted string")
      local whole = spread { returns = "int64", result = function() return 2 ^ 53 end }
      assert.same({ s = 2 ^ 53 }, vectors.results(of, { s = whole }, ROWS))
   end)

   it("folds batches, without rows that :where drops", function()
      local function batched()
         return aggregate.aggregate {
            state = { n = 0, sum = 0 },
            fold_batch = function(states, rows, count)
               for i = 0, count - 1 do
                  states[i].n = states[i].n + 1
                  states[i].sum = states[i].sum + (rows[i].x or 0)
               end
            end,
            result = function(a) return a.n * 100 + a.sum end,
         }
      end
      assert.same({ s = 409 }, vectors.results(of, { s = batched() }, ROWS))
      local kept = batched():where(function(row) return row.x end)
      assert.same({ n = 4, s = 409, t = 309 },
         vectors.results(of, { n = make.count(), s = batched(), t = kept }, ROWS))
   end)

   it("tells its functions", function()
      local spec = spread { init = print }:where(print)
      local what = {}
      for i, entry in ipairs(aggregate.functions(assert(spec:resolve(of, "none")))) do
         what[i] = entry.what
      end
      assert.same({ "init", "where", "fold", "merge", "result" }, what)
   end)

   it("is a struct of doubles for arithmetic", function()
      local items = vectors.items(of, { s = spread() })
      local one = vectors.fold(items, of, ROWS)
      assert.equal(5, one.m1.hi)
      assert.is_true(ffi.istype("double", ffi.new("double", one.m1.hi)))
   end)
end)
