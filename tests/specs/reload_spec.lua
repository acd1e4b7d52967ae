-- A script that changes while its pipeline runs, in a pipeline under test.
local scripted = require "tests.specs.scripted"
local test = require "sluice.test"

local fails = scripted.fails

local SCRIPT = [[
local sluice = require "sluice"
local sloppy = sluice.aggregate { state = { n = 0 },
   fold = function(a, row) a.n = a.n + row.n end,
   merge = function(a, b) a.n = a.n + b.n end,
   result = function() error "no result" end }
local strict = sluice.aggregate { state = { n = 0 },
   fold = function(a, row) a.n = a.n + row.n end,
   merge = function(a, b) a.n = a.n + b.n end,
   result = function(a) return assert(a.n > 0 and a.n, "no rows") end }
assert(sloppy and strict)
return sluice.pipeline { name = "totals", checkpoint = "file:./kept",
   sluice.kafka { topics = "in" }
      :json { sluice.string "k", sluice.double "n" :required(), sluice.int64 "ts" }
      :event_time("ts", { delay = "5 seconds" })
      :filter(function(row) return FILTER end)
      :group_by "k"
      :window(WINDOW)
      :aggregate { total = sluice.sum "n", MORE }
      :to(sluice.kafka { topic = "TO", mode = "MODE" }) }
]]

-- The script with other words in some places.
local function script(words)
   local of = { FILTER = "true", SIZE = "10 seconds", MORE = "", TO = "out",
      MODE = "update" }
   for name, text in pairs(words or {}) do of[name] = text end
   of.WINDOW = of.WINDOW or ('sluice.tumbling { size = "%s" }'):format(of.SIZE)
   return scripted.write(SCRIPT, of)
end

local WINDOWS = {
   'sluice.hopping { size = "1 minute", every = "10 seconds" }',
   'sluice.cumulate { size = "1 minute", every = "10 seconds" }',
   'sluice.session { gap = "10 seconds" }',
   'sluice.rolling { size = "10 seconds", every = "1 second" }',
   'sluice.running { retain = "1 day" }',
}

local function one(n) return { { k = "a", n = n, ts = 1000 } } end

for _, workers in ipairs { 1, 3 } do
   describe(("a script that changes, %d workers"):format(workers), function()
      local p

      before_each(function() p = test.pipeline(script(), { workers = workers }) end)

      after_each(function()
         p:close()
         scripted.done()
      end)

      it("keeps its state and takes the new functions", function()
         p:batch(one(3)):reload(script { FILTER = "row.n > 5" })
         p:batch(one(4)):batch(one(7))
         assert.rows_match({ { total = 3 }, { total = 10 } }, p:output())
      end)

      it("has new aggregates that start empty, and drops others", function()
         p:batch(one(3)):reload(script { MORE = 'most = sluice.max "n"' }):batch(one(2))
         assert.rows_match({ { total = 3 }, { total = 5, most = 2 } }, p:output())
         p:reload(script()):batch(one(1)):restart():batch(one(1))
         assert.rows_match({ { total = 6 }, { total = 7 } }, p:output())
      end)

      it("writes to another sink from then on", function()
         p:batch(one(3))
         local before = p:output()
         p:reload(script { TO = "elsewhere" }):batch(one(2))
         assert.rows_match({ { total = 3 } }, before)
         assert.rows_match({ { total = 5 } }, p:output "elsewhere")
      end)

      it("is refused what a restart would refuse, and goes on", function()
         p:batch(one(3))
         fails(function() p:reload(script { SIZE = "20 seconds" }) end,
            "was tumbling window of 10 seconds, and is tumbling window of 20 seconds",
            "put the script back")
         fails(function() p:reload(script { SIZE = "1 parsec" }) end, "1 parsec")
         p:batch(one(2))
         assert.rows_match({ { total = 3 }, { total = 5 } }, p:output())
      end)

      it("goes back when the first batch fails, which the old one does", function()
         p:batch(one(3)):reload(script { MORE = "bad = sloppy" }):batch(one(2))
         assert.rows_match({ { total = 3 }, { total = 5 } }, p:output())
         p:reload(script { MORE = "bad = sloppy" })
         p:reload(script { FILTER = "row.n > 5" }):batch(one(2)):batch(one(6))
         assert.rows_match({ { total = 11 } }, p:output())
      end)

      it("goes back when a window that closes later would fail", function()
         p:close()
         p = test.pipeline(script { MODE = "append" }, { workers = workers })
         p:batch(one(3)):reload(script { MODE = "append", MORE = "bad = sloppy" })
         p:batch(one(2)):batch { { k = "b", n = 1, ts = 30000 } }
         assert.rows_match({ { total = 5 } }, p:output())
      end)

      for _, window in ipairs(WINDOWS) do
         it("goes back when another group would fail: " .. window, function()
            p:close()
            p = test.pipeline(script { WINDOW = window }, { workers = workers })
            p:batch { { k = "a", n = 3, ts = 1000 }, { k = "b", n = 4, ts = 1000 } }
            p:reload(script { WINDOW = window, MORE = "bad = strict" }):batch(one(2))
            local rows = p:output()
            assert.equal("a", rows[#rows].k)
            assert.equal(5, rows[#rows].total)
            assert.is_nil(rows[#rows].bad)
            -- none is without rows
            p:reload(script { WINDOW = window, MORE = "worst = strict" })
            p:batch { { k = "a", n = 1, ts = 1000 }, { k = "b", n = 1, ts = 1000 } }
            for _, row in ipairs(p:output()) do assert.equal(1, row.worst) end
         end)
      end

      it("goes back when it throws the only record of the first batch out", function()
         p:batch(one(3)):reload(script { FILTER = 'row.n < 0 or error "never"' })
         p:batch(one(2))
         assert.rows_match({ { total = 3 }, { total = 5 } }, p:output())
         assert.same({}, p:quarantined())
      end)
   end)
end
