local timing = require "sluice.timing"

describe("timing", function()
   local function keep(row) return row.x > 1 end
   local function slow(row) return row.x end

   -- A clock that a test moves; each look takes one ns.
   local function clock()
      local made = { now = 0 }
      function made.sl_steady_ns()
         made.now = made.now + 1
         return made.now
      end
      return made
   end

   local function functions()
      return { { fn = keep, what = "filter", line = "a.lua:1" },
         { fn = slow, what = "derive `x`", line = "a.lua:2" },
         { fn = function() end, what = "derive `y`", line = "a.lua:3" } }
   end

   it("leaves values that are no functions of the user", function()
      local timed = timing.new(functions(), clock())
      local setter = function() end
      assert.equal(setter, timed:wrap(setter))
      assert.equal(7, timed:wrap(7))
   end)

   it("gives what the function gives, and its throws", function()
      local timed = timing.new(functions(), clock())
      assert.is_true(timed:wrap(keep) { x = 2 })
      assert.is_false(timed:wrap(keep) { x = 0 })
      assert.has.errors(function() timed:wrap(keep) {} end)
   end)

   it("takes the median block, without what the clock takes", function()
      local ticks = clock()
      local took = 10
      local list = functions()
      list[1].fn = function() ticks.now = ticks.now + took end
      local timed = timing.new(list, ticks)
      for i = 1, 256 * 5 do
         took = i == 300 and 1e9 or 10 -- the compiler, the collector
         timed:wrap(list[1].fn)()
      end
      timed:wrap(slow) { x = 1 }
      local found, clock_ns = timed:list { told = { [slow] = "strings are joined" } }
      assert.same({ "filter", "derive `x`", "derive `y`" },
         { found[1].what, found[2].what, found[3].what })
      assert.equal(1280, found[1].calls)
      assert.near(10, found[1].ns, 1e-9)
      assert.equal("strings are joined", found[2].interpreted)
      assert.equal(0, found[3].calls)
      assert.near(2 * 1281, clock_ns, 1e-9)
   end)

   it("writes a line a function, the dearest first", function()
      local list = functions()
      local timed = timing.new(list, clock())
      timed:wrap(keep) { x = 2 }
      local lines = timed:lines { poll = function() end, told = { [keep] = "a\nb" } }
      assert.match("^2\n", lines)
      assert.match("\nfilter\ta.lua:1\t1\t[%d.]+\ta b\n", lines)
   end)
end)
