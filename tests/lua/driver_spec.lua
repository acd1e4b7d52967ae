local ffi = require "ffi"
local util = require "jit.util"

local vectors = dofile "tests/lua/vectors.lua"

local aggregate = require "sluice.aggregate"
local driver = require "sluice.driver"
local driver_state = require "sluice.driver.state"
local schema = require "sluice.schema"

require("jit.opt").start(unpack(driver.JIT))

local make = aggregate.constructors
local OF = vectors.schema { { "x", "double" }, { "name", "string" } }

local function run(definition, v)
   local start, about = definition(v, vectors.calls)
   return start, about
end

local function outputs(v)
   local list = {}
   for i = 0, v.count - 1 do list[i + 1] = v.outputs[i] end
   return list
end

local function add(list, name, kind)
   local slot = #list + 1
   list[slot] = { name = name, type = kind, slot = slot, nullable = true }
   return list[slot]
end

-- Opcodes of a function's loops.
local function loops_of(fn)
   local vmdef, found = require "jit.vmdef", {}
   for pc = 1, util.funcinfo(fn).bytecodes - 1 do
      local op = util.funcbc(fn, pc) % 256
      local name = vmdef.bcnames:sub(op * 6 + 1, op * 6 + 6):gsub("%s", "")
      if name:find "FORL$" then found[#found + 1] = name end
   end
   return found
end

describe("prepare", function()
   -- filter (1) → derive twice, label (2, 3) → output 1; filter (4) → output 2; output 3
   local function tree_of(columns, functions)
      local derived = {
         { name = "twice", type = "double", fn = functions[2], node = 2, slot = 3 },
         { name = "label", type = "string", fn = functions[3], node = 3, slot = 4 },
      }
      for _, column in ipairs(derived) do columns[column.slot] = column end
      return {
         { op = "filter", fn = functions[1], node = 1, schema = OF, next = {
            { op = "derive", columns = derived, schema = OF, next = {
               { op = "output", output = 1 },
            } },
         } },
         { op = "filter", fn = functions[4], node = 4, schema = OF, next = {
            { op = "output", output = 2 },
         } },
         { op = "output", output = 3 },
      }
   end

   local function prepare(rows, changes)
      local functions = {
         function(r) return r.x end,
         function(r) return r.x and r.x * 2 end,
         function(r) return (r.name or "-") .. "!" end,
         function(r) return r.name ~= nil and r.name ~= "drop" end,
      }
      for node, fn in pairs(changes or {}) do functions[node] = fn end
      local columns = { unpack(OF.columns) }
      local tree = tree_of(columns, functions)
      local step = vectors.step(columns)
      local v = vectors.of(step, OF, rows)
      return run(driver.prepare(step, "rides", tree), v), v, step
   end

   local function view(step, v, i)
      local all = vectors.schema { { "x", "double" }, { "name", "string" },
         { "twice", "double" },
         { "label", "string" } }
      return ffi.cast(ffi.typeof("$ *", step:view(all)), v.rows[i])
   end

   local ROWS = { { x = 1, name = "a" }, { name = "b" }, { x = 3, name = "drop" }, {} }

   it("masks the outputs that a row passed to, and writes derived columns", function()
      local start, v, step = prepare(ROWS)
      start()
      assert.same({ 7, 6, 5, 4 }, outputs(v))
      assert.equal(2, view(step, v, 0).twice)
      assert.equal("a!", view(step, v, 0).label)
      assert.equal("drop!", view(step, v, 2).label)
   end)

   it("tells row and node when a function throws, then goes on guarded", function()
      local start, v = prepare(ROWS, {
         [3] = function(r) if r.x == 1 then error "no" end return "k" end,
         [4] = function(r) if r.x == 3 then error "no" end return true end,
      })
      local failures = {}
      for _ = 1, 5 do
         local right, message = pcall(start)
         if right then break end
         assert.matches("driver_spec.lua:%d+: no", message)
         failures[#failures + 1] = { v.pos, v.node }
         v.dead[v.pos] = v.dead[v.pos] + 2 ^ v.node
         v.guarded, v.first = 1, v.pos
      end
      assert.same({ { 0, 2 }, { 2, 3 } }, failures)
      assert.same({ 6, 6, 5, 6 }, outputs(v))
   end)

   it("names the column whose value has the wrong type", function()
      local start, v = prepare(ROWS, { [2] = function() return "x" end })
      assert.error_matches(start, "derive `twice`: got string, wanted double")
      assert.equal(1, v.node)
   end)

   it("takes false and nil as no", function()
      local start, v = prepare(ROWS,
         { function() return false end, nil, nil, function() end })
      start()
      assert.same({ 4, 4, 4, 4 }, outputs(v))
      start, v = prepare(ROWS, { [4] = function() return 0 end })
      start()
      assert.same({ 7, 6, 7, 6 }, outputs(v))
   end)

   it("works on no rows", function()
      local start = prepare {}
      assert.has_no_error(start)
   end)

   it("is one compiled loop, with many functions too", function()
      local columns, tree = { unpack(OF.columns) }, {}
      local at = tree
      for node = 1, 31 do
         local column = add(columns, "d" .. node, "double")
         column.fn, column.node = function(r) return math.floor(r.x + node) end, node
         at[1] = { op = "derive", columns = { column }, schema = OF, next = {} }
         at = at[1].next
      end
      at[1] = { op = "output", output = 31 }
      local step, rows = vectors.step(columns), {}
      for i = 1, 300 do rows[i] = { x = i } end
      local v = vectors.of(step, OF, rows)
      local start, about = run(driver.prepare(step, "rides", tree), v)
      for _ = 1, 20 do start() end
      assert.equal(2 ^ 30, v.outputs[299])
      assert.same({ "JFORL" }, loops_of(about.loops[1]))
      local all = assert(schema.new(columns))
      local r = ffi.cast(ffi.typeof("$ *", step:view(all)), v.rows[299])
      assert.equal(331, r.d31)
   end)
end)

describe("fold", function()
   local function spread()
      return aggregate.aggregate {
         state = { hi = 0 },
         fold = function(a, r)
            a.hi = a.hi + 1
            if r.x == 13 then error "unlucky" end
         end,
         merge = function(a, b) a.hi = a.hi + b.hi end,
         result = function(a) return a.hi end,
      }
   end

   local function fold(specs, rows, groups)
      local items = vectors.items(OF, specs)
      local state, step = driver_state.layout(items), vectors.step(OF.columns)
      local v, states = vectors.of(step, OF, rows), {}
      for g = 1, groups or 1 do states[g] = state:initial() end
      local list = {}
      for i = 1, #rows do list[i] = states[(i - 1) % #states + 1] end
      vectors.states(v, state, list)
      local start, about = run(driver.fold(step, "counts", state, OF), v)
      return start, v, states, state, about
   end

   it("leaves the state before the row in scratch when a function throws", function()
      local specs = { n = make.count(), s = spread(), name = make.max "name" }
      local start, v, states, state = fold(specs,
         { { x = 1, name = "a" }, { x = 13, name = "b" }, { x = 2 } })
      assert.error_matches(start, "unlucky")
      assert.equal(1, v.pos)
      assert.equal(2, v.node)
      assert.equal(2, states[1].m3.hi)
      ffi.copy(states[1], v.scratch, state.size)
      v.first = v.pos + 1
      start()
      assert.equal(2, states[1].m3.hi)
      assert.equal(2, states[1].m1_n)
      assert.equal("a", ffi.string(states[1].m2_best.data, states[1].m2_best.len))
   end)

   it("names the aggregate whose where or value throws", function()
      local start, v = fold({ a = make.count(), b = make.sum(function() error "b" end) },
         { {} })
      assert.error_matches(start, "b")
      assert.equal(1, v.node)
      start, v = fold({ a = make.count():where(function() error "a" end) }, { {} })
      assert.error_matches(start, "a")
      assert.equal(0, v.node)
   end)

   it("runs a part of the vector", function()
      local start, v, states = fold({ n = make.count() }, { {}, {}, {}, {} })
      v.first, v.count = 1, 3
      start()
      assert.equal(2, states[1].m1_n)
   end)

   it("gives a fold_batch only its rows, from 0", function()
      local seen = {}
      local spec = aggregate.aggregate {
         state = { n = 0 }, result = function(a) return a.n end,
         fold_batch = function(states, rows, count)
            for i = 0, count - 1 do
               seen[#seen + 1] = rows[i].x
               states[i].n = states[i].n + 1
            end
         end,
      }
      local start, v, states = fold({ s = spec },
         { { x = 1 }, { x = 2 }, { x = 3 }, { x = 4 } }, 2)
      v.first, v.count = 1, 3
      start()
      assert.same({ 2, 3 }, seen)
      assert.equal(1, states[1].m1.n)
      assert.equal(1, states[2].m1.n)
   end)

   it("is compiled, and then gives what the interpreter gives", function()
      local rows, total = {}, 0
      for i = 1, 3000 do
         local x = (i % 7 - 3) * 10 ^ (i % 30)
         rows[i] = { i, 0, i, x = i % 11 ~= 0 and x or nil, name = "n" .. i % 50 }
         if rows[i].x then total = total + 1 end
      end
      local function specs()
         return {
            rows = make.count(), n = make.count "x", sum = make.sum "x",
            min = make.min "x", max = make.max "x", avg = make.avg "x",
            first = make.first "x", last = make.last "x",
            some = make.count():where(function(r) return r.name == "n7" end),
            s = spread(),
         }
      end
      local function results()
         local items = vectors.items(OF, specs())
         local start, v, states, state, about = fold(specs(), rows)
         v.count = 1000
         start()
         v.first, v.count = 1000, 2000
         start()
         v.first, v.count = 2000, 3000
         start()
         return vectors.emit(items, state, { states[1] }), about
      end
      local compiled, about = results()
      assert.same({ "JFORL" }, loops_of(about.loops[1]))
      jit.off()
      jit.flush()
      local interpreted = results()
      jit.on()
      assert.same(interpreted, compiled)
      assert.equal(total, compiled.n)
      assert.equal(60, compiled.some)
   end)

   it("sums int64 exactly when compiled", function()
      local of = vectors.schema { { "x", "int64", "exact" } }
      local rows, wanted = {}, 0LL
      for i = 1, 4000 do
         local x = 4611686018427387904LL * (i % 2 == 0 and 1 or -1) + i
         rows[i] = { x = x }
         wanted = wanted + x
      end
      assert.equal(wanted, vectors.results(of, { sum = make.sum "x" }, rows).sum)
   end)
end)

describe("emit", function()
   it("filters and derives behind the results; nodes follow the aggregates", function()
      local items = vectors.items(OF, { n = make.count(), sum = make.sum "x" })
      local columns = {}
      local name, n, sum = add(columns, "name", "string"), add(columns, "n", "int64"),
         add(columns, "sum", "double")
      local of = assert(schema.new { name, n, sum })
      local mean = add(columns, "mean", "double")
      mean.node, mean.fn = 2, function(r) return r.sum / r.n end
      local tree = {
         { op = "filter", node = 1, schema = of, fn = function(r) return r.n > 1 end,
            next = {
            { op = "derive", columns = { mean }, schema = of, next = {
               { op = "output", output = 1 } } } } },
         { op = "output", output = 2 },
      }
      local state, step = driver_state.layout(items), vectors.step(columns)
      local v = vectors.of(step, of, { { name = "a" }, { name = "b" }, { name = "c" } })
      local states = {}
      for i = 1, 3 do states[i] = state:initial() end
      states[1].m1_n, states[1].m2_n, states[1].m2_sum = 2, 2, 8
      states[2].m1_n = 1
      states[3].m1_n = 3
      vectors.states(v, state, states)
      local start = run(driver.emit(step, "counts", state, tree,
         { first_slot = 2, windowed = false }), v)
      assert.error_matches(start, "perform arithmetic")
      assert.equal(2, v.pos)
      assert.equal(3, v.node)
      v.count = 2
      start()
      assert.same({ 3, 2 }, outputs(v))
      local all = assert(schema.new(columns))
      local r = ffi.cast(ffi.typeof("$ *", step:view(all)), v.rows[0])
      assert.same({ "a", 2, 8, 4 }, { r.name, r.n, r.sum, r.mean })
   end)
end)

describe("time", function()
   local function times(rows, fn, unit)
      local step = vectors.step(OF.columns)
      local v = vectors.of(step, OF, rows)
      local source = { name = "s", time = { fn = fn, unit = unit or "ms" } }
      local start = run(driver.time(step, source, OF), v)
      start()
      local list = {}
      for i = 1, #rows do
         list[i] = tonumber(ffi.cast(ffi.typeof("$ *", step.layout.ctype),
            v.rows[i - 1]).__time)
      end
      return list
   end

   local function x(r) return r.x end

   it("converts units, downwards", function()
      local rows = { { x = 1500 }, { x = -1 }, {} }
      assert.same({ 1500, -1, -2 ^ 63 }, times(rows, x))
      assert.same({ 1500000, -1000, -2 ^ 63 }, times(rows, x, "s"))
      assert.same({ 1, -1, -2 ^ 63 }, times(rows, x, "us"))
      assert.same({ 0, -1, -2 ^ 63 }, times(rows, x, "ns"))
      local exact = function(r) return r.x and 1700000000123000001LL * r.x or nil end
      assert.same({ 1700000000123, -1700000000124 },
         times({ { x = 1 }, { x = -1 } }, exact, "ns"))
   end)

   it("refuses what is no time", function()
      for _, bad in ipairs { 0 / 0, math.huge, 1e300, "now", true } do
         assert.error_matches(function() times({ {} }, function() return bad end) end,
            "event time: got")
      end
   end)
end)

describe("rows", function()
   local FIELDS = {
      { name = "x", type = "double", required = true, range = { 0, 100 } },
      { name = "name", type = "string", default = "none", one_of = { "a", "none" } },
   }

   local function rows(fn, first, count, fields)
      local step = vectors.step(OF.columns)
      local blank = {}
      for i = 1, count or 3 do blank[i] = {} end
      local v = vectors.of(step, OF, blank)
      local offsets = ffi.new("int64_t[?]", #blank)
      for i = 0, #blank - 1 do offsets[i] = (first or 0) + i end
      v.offsets = offsets
      v.now_ms = 1700000000123
      local source = { name = "g", rows = fn, fields = fields or FIELDS,
         options = { seed = 7 } }
      local start = run(driver.rows(step, source), v)
      start()
      local list = {}
      for i = 1, #blank do
         local r = ffi.cast(ffi.typeof("$ *", step:view(OF)), v.rows[i - 1])
         list[i] = { r.x, r.name }
      end
      return list
   end

   it("come from offsets, with defaults", function()
      assert.same({ { 5, "a" }, { 6, "none" }, { 7, "none" } },
         rows(function(i) return { x = i, name = i == 5 and "a" or nil } end, 5))
   end)

   it("know what the runtime knows of them", function()
      local function known(what)
         return rows(function() return { x = 1 } end, 5, 1, {
            { name = "x", type = "double",
               from = { kind = "metadata", metadata = what } },
            { name = "name", type = "string",
               from = { kind = "metadata", metadata = "topic" } },
         })[1]
      end
      assert.same({ 1700000000123, "g" }, known "processing_time")
      assert.same({ 5, "g" }, known "offset")
      assert.same({ 0, "g" }, known "partition")
      assert.same({ nil, "g" }, known "kafka_time")
   end)

   it("draw the same numbers for the same offset, in any vector", function()
      local function draw(_, random) return { x = random(1, 6) + random() } end
      local all = rows(draw, 0, 50)
      assert.same(all, rows(draw, 0, 50))
      local behind = rows(draw, 20, 30)
      for i = 1, 30 do assert.same(all[20 + i], behind[i]) end
      local seen = {}
      for _, row in ipairs(all) do
         assert.is_true(row[1] >= 1 and row[1] < 7)
         seen[math.floor(row[1])] = true
      end
      assert.equal(6, #seen)
   end)

   it("are held to the schema", function()
      local function refused(row, pattern)
         assert.error_matches(function() rows(function() return row end) end, pattern)
      end
      refused({}, "field `x` is required")
      refused({ x = 101 }, "field `x`: got 101, wanted a value from 0 to 100")
      refused({ x = 1, name = "b" }, "field `name`: got b, wanted one of the values")
      refused({ x = "1" }, "field `x`")
      refused({ x = 1, nmae = "a" }, "`nmae` that is not in :rows: did you mean `name`?")
      refused(nil, "the generator gave nil, wanted a table")
   end)
end)
