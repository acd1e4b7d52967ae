--- What the user's functions cost, for `sluice try`: each is called through a wrapper
-- that reads the clock before and behind it. A function is timed where a driver's code
-- brings it in (`sluice.driver.code`), so that no stage need know of it.
--
-- Times are kept in blocks of calls, and a block's median counts: what the compiler, the
-- collector or another process took out of one is left out. What the clock itself takes
-- is found by timing a function that does nothing.
-- @module sluice.timing

local bit = require "bit"
local ffi = require "ffi"

local timing = {}

local BLOCK_CALLS, BLOCKS = 256, 4096
local CALIBRATING = 20000

-- A chunk of its own for each function: one prototype for all would be one trace that
-- must look which function it is.
local WRAPPER = [[
local fn, spent, calls, clock, band, rshift = ...
return function(a, b, c)
   local began = clock.sl_steady_ns()
   local x = fn(a, b, c)
   local ns = clock.sl_steady_ns() - began
   local n = calls[0]
   local i = band(rshift(n, 8), 4095)
   spent[i] = spent[i] + ns
   calls[0] = n + 1
   return x
end]]

local function new_cell(fn, clock)
   local cell = { spent = ffi.new("double[?]", BLOCKS), calls = ffi.new "int32_t[1]" }
   local wrap = assert(load(WRAPPER, "=sluice:timing", "t", {}))
   cell.call = wrap(fn, cell.spent, cell.calls, clock, bit.band, bit.rshift)
   return cell
end

-- ns a call: of the median block; of all calls where there is no whole one.
local function median(cell)
   local calls = cell.calls[0]
   local whole = math.floor(calls / BLOCK_CALLS)
   if whole == 0 then return calls > 0 and cell.spent[0] / calls or 0 end
   local list, rounds = {}, math.floor(whole / BLOCKS)
   for i = 0, math.min(whole, BLOCKS) - 1 do
      local times = rounds + (i < whole % BLOCKS and 1 or 0)
      list[i + 1] = cell.spent[i] / times
   end
   table.sort(list)
   return list[math.ceil(#list / 2)] / BLOCK_CALLS
end

-- What the wrapper of a function that does nothing measures: one look at the clock.
local function calibrate(clock)
   local cell = new_cell(function() end, clock)
   local call = cell.call
   for _ = 1, CALIBRATING do call() end
   return median(cell)
end

local Timing = {}
Timing.__index = Timing

--- Give what is called in a function's place; any other value as it is.
-- @param value any
-- @return any
function Timing:wrap(value)
   if type(value) ~= "function" or not self.known[value] then return value end
   self.cells[value] = self.cells[value] or new_cell(value, self.clock)
   return self.cells[value].call
end

local function by_cost(a, b)
   local x, y = a.ns * a.calls, b.ns * b.calls
   if x ~= y then return x > y end
   return a.order < b.order
end

--- What each function took.
-- @tparam table watch of `sluice.fallback`, polled
-- @treturn {table,...} `{ what =, line =, calls =, ns = a call, interpreted = why }`,
--  the dearest in all first; those that were not called stand last
-- @treturn number ns that the clock itself took, in all
function Timing:list(watch)
   local look = calibrate(self.clock)
   local list, clock_ns, seen = {}, 0, {}
   for k, entry in ipairs(self.functions) do
      local cell = self.cells[entry.fn]
      local calls = cell and cell.calls[0] or 0
      if not seen[entry.fn] then
         seen[entry.fn] = true
         list[#list + 1] = { what = entry.what, line = entry.line, calls = calls,
            order = k, ns = cell and math.max(0, median(cell) - look) or 0,
            interpreted = watch.told[entry.fn] }
         clock_ns = clock_ns + calls * 2 * look
      end
   end
   table.sort(list, by_cost)
   return list, clock_ns
end

--- The same as lines, fields apart by tabs: what, line, calls, ns a call, why it is
-- interpreted or nothing. In front of them a line of what the clock took, in ns.
-- @tparam table watch
-- @treturn string
function Timing:lines(watch)
   watch:poll()
   local list, clock_ns = self:list(watch)
   local lines = { ("%.0f"):format(clock_ns) }
   for _, one in ipairs(list) do
      local why = (one.interpreted or ""):gsub("%c", " ")
      lines[#lines + 1] = ("%s\t%s\t%d\t%.1f\t%s"):format(one.what, one.line, one.calls,
         one.ns, why)
   end
   return table.concat(lines, "\n")
end

--- Time functions from now on.
-- @tparam table list from `functions.of`
-- @param clock where `sl_steady_ns` is: the binary, or a table in tests
-- @treturn table with `wrap(value)`, `list(watch)`, `lines(watch)`
function timing.new(list, clock)
   local known = {}
   for _, entry in ipairs(list) do known[entry.fn] = true end
   return setmetatable({ functions = list, known = known, cells = {}, clock = clock },
      Timing)
end

return timing
