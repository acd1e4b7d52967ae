-- What is new in a script that takes over, filled with rows that were read before.
local scripted = require "tests.specs.scripted"
local test = require "sluice.test"

local SCRIPT = [[
local sluice = require "sluice"
local spread = sluice.aggregate { state = { low = math.huge, high = -math.huge },
   fold = function(a, row)
      a.low, a.high = math.min(a.low, row.n), math.max(a.high, row.n)
   end,
   merge = function(a, b)
      a.low, a.high = math.min(a.low, b.low), math.max(a.high, b.high)
   end,
   result = function(a) return a.high - a.low end }
assert(spread)
local rows = sluice.kafka { topics = "in" }
   :json { sluice.string "k", sluice.double "n" :required(), sluice.int64 "ts" }
   :event_time("ts", { delay = "5 seconds" })
   BEFORE
return sluice.pipeline { name = "totals", checkpoint = "file:./kept",
   rows:filter(function(row) return FILTER end)
      :group_by({ "k" }, { name = "first" })
      :window(WINDOW)
      :aggregate({ total = sluice.sum "n", MORE }, { BACKFILL })
      :to(sluice.kafka { topic = "out", mode = "MODE" }),
   BRANCH }
]]

local BRANCH = [[rows:group_by({ "k" }, { name = "second" })
   :window(sluice.tumbling { size = "10 seconds" })
   :aggregate({ rows = sluice.count() }, { backfill = "1 hour" })
   :to(sluice.kafka { topic = "second", mode = "MODE" })]]

-- The script with other words in some places.
local function script(words)
   local of = { FILTER = "true", WINDOW = 'sluice.tumbling { size = "10 seconds" }',
      MORE = "", MODE = "update", BACKFILL = 'backfill = "1 hour"', BEFORE = "",
      BRANCH = "" }
   for name, text in pairs(words or {}) do of[name] = text end
   of.BRANCH = of.BRANCH:gsub("MODE", of.MODE)
   return scripted.write(SCRIPT, of)
end

local function one(n, ts, k) return { { k = k or "a", n = n, ts = ts or 1000 } } end

local MORE = [[most = sluice.max "n", mean = sluice.avg "n", all = sluice.collect("n", 9),
   spread = spread, half = sluice.quantile("n", 0.5)]]

describe("backfill in a script that is loaded", function()
   local function fails(words, text)
      local done, message = pcall(test.pipeline, script(words))
      assert(not done, "nothing was raised")
      assert(tostring(message):find(text, 1, true),
         ("%q is not in %q"):format(text, tostring(message)))
   end

   after_each(function()
      scripted.done()
   end)

   it("is a duration of rows that can be read again", function()
      fails({ BACKFILL = "backfill = true" }, "a duration")
      fails({ BEFORE = [[:window(sluice.tumbling { name = "before", size = "1 second" })
         :aggregate { n = sluice.sum "n", k = sluice.first "k" }]] },
         "rows come from another aggregation")
   end)
end)

for _, workers in ipairs { 1, 3 } do
   describe(("what is new and filled, %d workers"):format(workers), function()
      local p

      local function open(words)
         p = test.pipeline(script(words), { workers = workers })
         return p
      end

      after_each(function()
         p:close()
         scripted.done()
      end)

      it("is as if it had been there from the start of the window", function()
         open():batch(one(3)):batch(one(9)):batch(one(5, 2000, "b"))
         p:output()
         p:reload(script { MORE = MORE })
         assert.rows_match({}, p:output())
         p:batch(one(2)):batch(one(7, 2000, "b"))
         assert.rows_match({
            { k = "a", total = 14, most = 9, mean = 14 / 3, all = { 3, 9, 2 }, spread = 7,
               half = 3 },
            { k = "b", total = 12, most = 7, mean = 6, all = { 5, 7 }, spread = 2 },
         }, p:output())
      end)

      it("is kept by the checkpoint, whichever step the next batch dies at", function()
         for i, step in ipairs(test.steps) do
            if i % 2 ~= (workers == 3 and 1 or 0) then goto next end
            open():batch(one(3)):batch(one(9))
            p:reload(script { MORE = MORE }):crash(step):batch(one(2))
            p:restart():batch(one(4))
            local rows = p:output()
            assert.rows_match({ { total = 18, most = 9, mean = 4.5,
               all = { 3, 9, 2, 4 } } }, { rows[#rows] })
            p:close()
            ::next::
         end
         open()
      end)

      it("is filled when it came while the pipeline stood still", function()
         local path = script()
         p = test.pipeline(path, { workers = workers })
         p:batch(one(3)):batch(one(9))
         os.rename(script { MORE = MORE }, path)
         p:restart():batch(one(2)):restart():batch(one(4))
         local rows = p:output()
         assert.rows_match({ { total = 14, most = 9, mean = 14 / 3 },
            { total = 18, most = 9, mean = 4.5, all = { 3, 9, 2, 4 } } },
            { rows[3], rows[4] })
      end)

      it("counts rows of open windows and of the time that is wanted", function()
         open { BACKFILL = "" }
         p:batch(one(1, 1000)):batch(one(2, 9000)):batch(one(4, 12000))
         p:batch(one(8, 26000)):output()
         -- the watermark is 21 s: [20, 30) is open, what was before is closed
         p:reload(script { MORE = 'most = sluice.max "n", rows = sluice.count()' })
         p:batch(one(1, 27000)):batch(one(16, 3000))
         assert.rows_match({ { total = 9, most = 8, rows = 2 } }, p:output())
         p:reload(script { MORE = 'rows = sluice.count(), s = sluice.sum "n"',
            BACKFILL = 'backfill = "500 ms"' })
         p:batch(one(1, 27100))
         assert.rows_match({ { total = 10, rows = 3, s = 2 } }, p:output())
      end)

      it("is filtered by the new text, and repeats do not count twice", function()
         local before = ':distinct { "n", within = "1 hour" }'
         open { BEFORE = before }
         p:batch(one(3)):batch(one(3)):batch(one(4)):batch(one(9))
         p:output()
         p:reload(script { BEFORE = before, FILTER = "row.n < 5",
            MORE = "rows = sluice.count()" })
         p:batch(one(3)):batch(one(2))
         assert.rows_match({ { total = 18, rows = 3 } }, p:output())
      end)

      it("is a stage of its own, whose groups come with the next batch that closes them",
         function()
         open():batch(one(3)):batch(one(4, 2000, "b")):batch(one(5, 11000))
         p:batch(one(6, 17000))
         p:reload(script { BRANCH = BRANCH })
         assert.rows_match({}, p:output "second")
         p:batch(one(1, 18000))
         assert.rows_match({ { k = "a", rows = 3, window_start = 10000 } },
            p:output "second")
      end)

      it("is a stage in mode append: what is open comes out whole, no more", function()
         open { MODE = "append" }
         p:batch(one(3)):batch(one(5, 11000)):batch(one(6, 17000))
         p:batch(one(7, 12000, "b"))
         p:reload(script { MODE = "append", BRANCH = BRANCH })
         p:batch(one(1, 26000))
         assert.rows_match({ { k = "a", rows = 2, window_start = 10000 },
            { k = "b", rows = 1, window_start = 10000 } }, p:output "second")
      end)

      it("is in windows of several panes, and in sessions", function()
         for window, most in pairs {
            ['sluice.hopping { size = "10 seconds", every = "2 seconds" }'] = 9,
            ['sluice.session { gap = "5 seconds" }'] = 9,
            ['sluice.rolling { size = "10 seconds", every = "2 seconds" }'] = 9,
            ['sluice.running { retain = "1 minute" }'] = 9,
         } do
            open { WINDOW = window }
            p:batch(one(3, 1000)):batch(one(9, 4000)):batch(one(2, 6000))
            p:output()
            p:reload(script { WINDOW = window,
               MORE = 'most = sluice.max "n", rows = sluice.count()' })
            p:batch(one(1, 7000))
            local rows = p:output()
            local found = 0
            for _, row in ipairs(rows) do
               if row.most == most and row.rows == 4 then found = found + 1 end
            end
            assert(found > 0, window .. ": " .. #rows)
            p:close()
         end
         open()
      end)

      it("goes with the text that fails, and is filled again for the next", function()
         open():batch(one(3)):batch(one(9))
         p:output()
         p:reload(script { MORE = 'most = sluice.max "n"', FILTER = 'error "no"' })
         p:batch { one(2)[1], one(1)[1] }
         assert.rows_match({ { total = 15 } }, p:output())
         p:reload(script { MORE = 'most = sluice.max "n"' }):batch(one(2))
         assert.rows_match({ { total = 17, most = 9 } }, p:output())
      end)

      it("starts empty where it is not wanted", function()
         open { BACKFILL = "" }
         p:batch(one(3)):reload(script { MORE = 'most = sluice.max "n"', BACKFILL = "" })
         p:batch(one(2))
         assert.rows_match({ { total = 3 }, { total = 5, most = 2 } }, p:output())
      end)
   end)
end
