-- The test kit, tested by itself.
local sluice = require "sluice"
local scripted = require "tests.specs.scripted"
local test = require "sluice.test"

local fails = scripted.fails

local SUMS = "pipelines/sums.lua"

-- A pipeline of this spec: numbers by key, every change.
local function totals(fold)
   return sluice.pipeline {
      name = "totals", checkpoint = "none",
      sluice.kafka { topics = "in" }
         :json { sluice.string "k", sluice.double "n" :required(), sluice.int64 "ts" }
         :event_time("ts", { delay = "5 seconds" })
         :group_by "k"
         :window(sluice.tumbling { size = "10 seconds" })
         :aggregate { total = sluice.aggregate {
            state = { x = 0 }, fold = fold,
            merge = function(a, b) a.x = a.x + b.x end,
            result = function(a) return a.x end } }
         :to(sluice.kafka { topic = "out", mode = "append" }),
   }
end

local function adds(a, row) a.x = a.x + row.n end
local function mixes(a, row) a.x = a.x * 0.5 + row.n end

local function ones(first, last)
   local list = {}
   for i = first, last do list[#list + 1] = { k = "a", n = 1, ts = i * 1000 } end
   return list
end

describe("a process that ends", function()
   it("goes on from its checkpoint, with other workers too", function()
      local p = test.pipeline(SUMS)
      p:batch(ones(1, 5)):restart():batch(ones(6, 10)):restart { workers = 4 }
      p:feed(ones(11, 12)):restart():batch(ones(80, 80))
      assert.rows_match({ { k = "a", total = 12 } }, p:output())
      assert.are.equal(3, p:metrics().read) -- by the last process
   end)

   it("dies at any step, and nothing is lost or twice", function()
      assert.are.equal(9, #test.steps)
      for _, step in ipairs(test.steps) do
         local p = test.pipeline(SUMS)
         p:batch(ones(1, 5)):crash(step):batch(ones(6, 10))
         p:crash(step):batch(ones(80, 80))
         assert.rows_match({ { k = "a", total = 10 } }, p:output())
         p:close()
      end
   end)

   it("may be one of a pipeline that the spec makes", function()
      local p = test.pipeline(totals(adds))
      p:batch { { k = "a", n = 1, ts = 0 } }:restart():crash "saved"
      p:batch { { k = "a", n = 2, ts = 1 } }:finish()
      assert.rows_match({ { k = "a", total = 3 } }, p:output())
   end)

   it("takes nothing more once all was closed; says when no batch came to die", function()
      local p = test.pipeline(SUMS)
      p:batch(ones(1, 2)):finish()
      fails(function() p:restart() end, "the pipeline has finished")
      p = test.pipeline(SUMS):crash "saved"
      fails(function() p:tick() end, "kit_spec.lua:", "to die at `saved`")
      p = test.pipeline(SUMS):crash "saved"
      fails(function() p:restart() end, "kit_spec.lua:", ":restart: it was to die at "
         .. "`saved`, and no batch has run since")
      fails(function() p:crash "begun" end, "kit_spec.lua:", ":crash: it was to die")
      p:batch(ones(1, 2))
      p:crash("begun"):batch(ones(3, 4))
   end)
end)

describe("a driver", function()
   it("feeds rows, runs batches, gives rows", function()
      local p = test.pipeline(SUMS)
      p:batch { { k = "a", n = 1, ts = 1000 }, { k = "b", n = 5, ts = 2000 } }
      assert.are.same({}, p:output())
      p:batch { { k = "a", n = 2, ts = 80000 } }
      assert.are.same_rows_in_order({
         { k = "a", window_start = 0, window_end = 60000, rows = 1, total = 1 },
         { k = "b", window_start = 0, window_end = 60000, rows = 1, total = 5 },
      }, p:output())
      assert.are.same({}, p:output())
      p:finish()
      assert.rows_match({ { k = "a", total = 2 } }, p:output "sums")
      assert.are.equal(3, #p:latest())
      fails(function() p:batch {} end, "kit_spec.lua:", "the pipeline has finished")
   end)

   it("says how its methods are called, and how rows are given", function()
      local p = test.pipeline(SUMS)
      fails(function() p.batch { { k = "a", n = 1, ts = 1000 } } end, "kit_spec.lua:",
         "`batch` is a method: write p:batch(…) with a colon")
      fails(function() p.output() end, "write p:output(…)")
      fails(function() p:outputs() end, "kit_spec.lua:",
         "a pipeline under test has no `outputs`: did you mean `output`?")
      fails(function() p:batch { k = "a", n = 1, ts = 1000 } end, "kit_spec.lua:",
         "`k` is a field: rows stand in a list, write :batch { { k = … } }")
      fails(function() p:batch { numbrs = {} } end, "there is no source `numbrs`")
   end)

   it("gives records a key, headers, a time", function()
      local p = test.pipeline(SUMS)
      p:batch { { key = "K", headers = { from = "me" },
         value = { k = "a", n = 1, ts = 5 } } }:finish()
      local row = p:output()[1]
      assert.rows_match({ { by = "K", last = "me" } }, { row })
      assert.are.equal('{"k":"a","window_start":0}', test.message(row).key)
   end)

   it("keeps whole numbers beyond 2^53", function()
      local p = test.pipeline(SUMS)
      p:batch { { k = "a", n = 1, ts = 5, id = 9007199254740993LL } }:finish()
      assert.is_true(p:output()[1].id == 9007199254740993LL)
   end)

   it("feeds several partitions: the slowest holds the watermark", function()
      local p = test.pipeline(SUMS)
      p:batch {
         numbers = { [0] = { { n = 1, ts = 200000 } }, [1] = { { n = 1, ts = 0 } } },
      }
      assert.are.same({}, p:output())
      assert.are.equal(-10000, p:metrics().watermark)
      p:advance("1 minute"):batch { { n = 1, ts = 200001 } } -- partition 1 is idle now
      assert.are.equal(190001, p:metrics().watermark)
      assert.are.equal(1, #p:output())
   end)

   it("knows partitions that have no record yet", function()
      local p = test.pipeline(SUMS):partitions { numbers = 2 }
      p:batch { { n = 1, ts = 200000 } }
      assert.is_nil(p:metrics().watermark)
      p:advance("1 minute"):batch { { n = 1, ts = 200001 } }
      assert.are.equal(190001, p:metrics().watermark)
   end)

   it("moves the clock, and runs an empty batch when one is due", function()
      local p = test.pipeline(SUMS, { now = "2026-05-01T00:00:00Z" })
      p:batch { [0] = { { n = 1, ts = 200000 } }, [1] = { { n = 1, ts = 0 } } }
      local before = p:now()
      p:advance "30 seconds":batch { { n = 1, ts = 200001 } }
      assert.are.equal(0, p:tick().batches)
      p:advance "30 seconds"
      assert.are.equal(before + 60000, p:now())
      assert.are.equal(1, p:tick().batches)
      assert.are.equal(1, #p:output())
   end)

   it("shows what was late and what was thrown out, and counts add up", function()
      local p = test.pipeline(SUMS)
      p:batch { { n = 1, ts = 200000 } }
      p:batch { { n = 1, ts = 5 }, '{"broken', { n = "text", ts = 1 }, test.null }
      assert.rows_match({ { offset = 1, window_start = 0, watermark = 190000 } },
         p:late())
      assert.rows_match({
         { value = '{"broken', partition = 0, offset = 2, kind = "bad" },
         { offset = 3, field = "n", value = '{"n":"text","ts":1}' },
         { offset = 4, value = test.null },
      }, p:quarantined())
      local m = p:metrics()
      assert.are.equal(m.read, m.passed + m.filtered + m.duplicate + m.late
         + m.quarantined + m.skipped)
      assert.are.equal(3, m.quarantined)
      assert.are.equal(4, m.sinks.too_late.rows + m.sinks["sums-quarantine"].rows)
   end)

   it("shows retractions", function()
      local p = test.pipeline(sluice.pipeline {
         name = "few", checkpoint = "none",
         sluice.kafka { topics = "in" }:json { sluice.string "k" }
            :group_by "k":aggregate { n = sluice.count() }
            :filter(function(row) return row.n < 2 end)
            :to(sluice.kafka { topic = "out", mode = "complete" }),
      })
      p:batch { { k = "a" } }
      assert.are.same_rows({ { k = "a", n = 1 } }, p:output())
      p:batch { { k = "a" } }
      assert.are.same_rows({ { k = "a", retracted = true } }, p:output())
      assert.are.same({}, p:latest())
   end)

   it("shows the key of a retraction in its type", function()
      for _, case in ipairs { { "string", "5" }, { "int64", 5 }, { "bool", true } } do
         local p = test.pipeline(sluice.pipeline {
            name = "few", checkpoint = "none",
            sluice.kafka { topics = "in" }:json { sluice[case[1]] "k" }
               :group_by "k":aggregate { n = sluice.count() }
               :filter(function(row) return row.n < 2 end)
               :to(sluice.kafka { topic = "out", mode = "complete" }),
         })
         p:batch { { k = case[2] }, {} }:batch { { k = case[2] }, {} }
         assert.are.same_rows({ { k = case[2], n = 1 }, { n = 1 }, { retracted = true },
            { k = case[2], retracted = true } }, p:output())
      end
   end)

   it("takes options as --set does", function()
      local p = test.pipeline(SUMS, { set = { ["sink.mode"] = "update" }, workers = 2 })
      p:batch { { k = "a", n = 1, ts = 1 } }
      assert.rows_match({ { total = 1 } }, p:output())
   end)

   it("gives parameters", function()
      for _, factor in ipairs { 2, 3 } do
         local p = test.pipeline(SUMS, { params = { factor = factor } })
         p:batch { { n = 5, ts = 1 } }:finish()
         assert.rows_match({ { total = 5 * factor } }, p:output())
      end
   end)

   it("writes rows as CSV, with the header of a file", function()
      local rows = { { a = 'x,"y"', b = 3 }, { b = 4 } }
      local p = test.pipeline(sluice.pipeline { name = "copy", checkpoint = "none",
         sluice.kafka { topics = "in" }:csv { sluice.string "a", sluice.int64 "b" }
            :to(sluice.kafka { topic = "out" }) })
      p:batch(rows):batch { "z,7", "z,seven" }
      assert.are.same_rows({ rows[1], rows[2], { a = "z", b = 7 } }, p:output())
      assert.rows_match({ { field = "b", value = "z,seven" } }, p:quarantined())
      p = test.pipeline(sluice.pipeline { name = "copy", checkpoint = "none",
         sluice.file { path = "in.csv" }
            :csv { header = true, sluice.string "a", sluice.int64 "b" }
            :to(sluice.kafka { topic = "out" }) })
      p:batch(rows):batch { { a = "z", b = 7 } }
      assert.are.same_rows({ rows[1], rows[2], { a = "z", b = 7 } }, p:output())
   end)

   it("writes raw records, and feeds topics of a pattern", function()
      local p = test.pipeline(sluice.pipeline { name = "copy", checkpoint = "none",
         sluice.kafka { pattern = "^in-.*" }:raw()
            :derive { text = sluice.string(function(row)
               return (row.value or "") .. "!"
            end) }
            :select { "text" }:to(sluice.kafka { topic = "out" }) })
      p:batch { ["in-7"] = { { value = "a", key = "K" }, "b" } }
      local rows = p:output()
      assert.are.same_rows({ { text = "a!" }, { text = "b!" } }, rows)
      assert.are.equal("K", test.message(rows[1]).key)
   end)

   it("keeps scripts, but not when they change", function()
      local path = os.tmpname()
      local function write(limit)
         local file = assert(io.open(path, "w"))
         file:write(([[local sluice = require "sluice"
            return sluice.pipeline { name = "x", checkpoint = "none",
               sluice.kafka { topics = "in" }:json { sluice.int64 "n" :required() }
               :filter(function(row) return row.n > %d end)
               :to(sluice.kafka { topic = "out" }) }]]):format(limit))
         file:close()
      end
      for _, limit in ipairs { 0, 10 } do
         write(limit)
         for _ = 1, 3 do
            local p = test.pipeline(path)
            p:batch { { n = 5 } }
            assert.are.equal(limit == 0 and 1 or 0, #p:output())
            p:close()
         end
      end
      os.remove(path)
   end)

   it("says what is wrong", function()
      fails(function() test.pipeline("no.lua") end, "opening the script no.lua")
      fails(function() return test.pipelin end, "did you mean `pipeline`?")
      fails(function() test.pipeline(SUMS, { worker = 2 }) end, "did you mean `workers`?")
      fails(function() test.pipeline(totals(adds), { workers = 2 }) end, "one worker")
      local p = test.pipeline(SUMS)
      fails(function() p:batch { number = { { n = 1 } } } end, "kit_spec.lua:",
         "did you mean `numbers`?")
      fails(function() p:batch { 5 } end, "row 1 of numbers/0: a row is 5")
      fails(function() p:output "sum" end, "did you mean `sums`?")
      fails(function() p:advance "soon" end, "wanted a time")
      fails(function() p:reload() end, "takes the path of a script")
      fails(function() p:restart { worker = 2 } end, "it takes `workers`")
      fails(function() p:crash "save" end, "kit_spec.lua:", "did you mean `saved`?")
      p:close()
      fails(function() p:tick() end, "closed")
   end)

   it("raises what fails a batch", function()
      local p = test.pipeline(SUMS, { set = { ["source.bad_records"] = "fail" } })
      fails(function() p:batch { "{" } end, "numbers:0:0")
      fails(function() p:tick() end, "failed: ")
   end)
end)

describe("check_invariance", function()
   local rows = {}
   for i = 1, 30 do rows[i] = { k = "k" .. i % 3, n = i, ts = i * 900 } end

   it("passes what does not depend on order, splits and workers", function()
      test.check_invariance(SUMS, { [0] = rows, [1] = rows })
      test.check_invariance(totals(adds), rows)
   end)

   it("shows a small case of what does", function()
      fails(function() test.check_invariance(totals(mixes), rows) end,
         "kit_spec.lua:", "the smallest case found:\n  1  in/0  { k =",
         "A: 1 worker, batches: 1 2\nB: 1 worker, batches: 2 1\nsink out", "differs")
      test.check_invariance(totals(mixes), rows, { order = false })
   end)

   it("wants rows within the delay", function()
      fails(function()
         test.check_invariance(SUMS, { { n = 1, ts = 20000 }, { n = 1, ts = 1 } })
      end, "row 2 (numbers/0) lies 19999 ms behind", "`delay` is 10 seconds")
   end)
end)

describe("matchers", function()
   it("tell missing, unexpected and differing rows", function()
      fails(function()
         assert.are.same_rows({ { a = 1, b = 2 }, { a = 9, b = 9 } },
            { { a = 1, b = 3 }, { c = "x" } })
      end, "2 rows wanted, 2 got", 'differs    { a = 1, b = >3< (wanted 2) }',
         "missing    { a = 9, b = 9 }", 'unexpected { c = "x" }')
      fails(function() assert.are.same_rows_in_order({ { a = 1 }, { a = 2 } },
         { { a = 2 }, { a = 1 } }) end, "not in this order")
      fails(function() assert.has_row({ a = 3, b = 1 }, { { a = 2, b = 1 } }) end,
         "None of 1 rows", "a = >2< (wanted 3)")
   end)

   it("allow for the last digits of doubles", function()
      assert.are.same_rows({ { a = 0.3 } }, { { a = 0.1 + 0.2 } })
      assert.are_not.same_rows({ { a = 0.3 } }, { { a = 0.3001 } })
      assert.has_no_row({ a = 1 }, { { a = 2 } })
   end)
end)
