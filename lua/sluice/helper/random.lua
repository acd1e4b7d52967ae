--- Random numbers of scripts: `math.random`, and `sluice.random(row)`. They follow from
-- the pipeline's name and the record's position, so that a batch that is run again, by
-- however many workers, gives the same. While a script loads they are one sequence.
--
-- Each function begins a sequence of its own with each record: one that is called again
-- for a record, since another one threw, must give what it gave before.
-- @module sluice.helper.random

local bit = require "bit"
local ffi = require "ffi"

local binary = require "sluice.helper.binary" -- declares the structs
local driver_random = require "sluice.driver.random"

local random = {}

local bxor = bit.bxor
local ROWS = ffi.typeof "sl_row **"

-- The vector whose driver may be running; never NULL.
local vector = ffi.new "sl_vector"
local draw, reseed = driver_random.new(0)
reseed(0)

-- Where the sequence that goes on was begun.
local last = ffi.new "struct { int64_t time, offset; uint32_t partition, node, run; }"

--- Follow the rows of a vector, for a pipeline.
-- @tparam cdata v sl_vector of the Lua state
-- @tparam string name of the pipeline
function random.bind(v, name)
   vector = v
   draw, reseed = driver_random.new(binary.sl_hash_xxh3(name, #name))
   last.run = 0
end

local function begin(time, partition, offset)
   if last.offset == offset and last.partition == partition and last.time == time
      and last.node == vector.node and last.run == vector.run then
      return
   end
   last.time, last.partition, last.offset = time, partition, offset
   last.node, last.run = vector.node, vector.run
   local place = bxor(offset * 0x9e3779b97f4a7c15LL, time * 0xbf58476d1ce4e5b9LL)
   reseed(bxor(place, partition * 0x94d049bb133111ebLL,
      vector.node * 0x2545f4914f6cdd1dLL))
end

local function refuse(row)
   error(("sluice.random takes a row, got %s: write sluice.random(row)"):format(
      type(row)), 3)
end

--- Random numbers of the record that is being worked on: as Lua's own.
-- @tparam ?integer low from 1 when `high` is absent
-- @tparam ?integer high
-- @treturn number in [0, 1), or a whole number from `low` to `high`
-- @usage local side = math.random(6)
function random.random(low, high)
   if vector.run % 2 == 1 then
      local row = ffi.cast(ROWS, vector.rows)[vector.pos]
      begin(row.time_ms, row.partition, row.offset)
   end
   return (draw(low, high))
end

--- Random numbers of a row: the same in every run over the same records, whatever the
-- workers and batches. Each function has a sequence of its own for each row; behind an
-- aggregation it is one a window.
-- @tparam table row
-- @tparam ?integer low from 1 when `high` is absent
-- @tparam ?integer high
-- @treturn number in [0, 1), or a whole number from `low` to `high`
-- @usage stream:filter(function(row) return sluice.random(row) < 0.01 end)
function random.of(row, low, high)
   if type(row) ~= "cdata" then refuse(row) end
   begin(row.__time, row.__partition, row.__offset)
   return (draw(low, high))
end

return random
