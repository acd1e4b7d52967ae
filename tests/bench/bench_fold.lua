--- ns a row of the fold and prepare loops of the article's query, on rows made in memory,
-- beside what is called for each record by itself.
--
-- LUA_PATH="lua/?.lua;lua/?/init.lua" luajit tests/bench/bench_fold.lua [ROWS] [GROUPS]

local ffi = require "ffi"

require("sluice.cdef").load()
local driver = require "sluice.driver"
require("jit.opt").start(unpack(driver.JIT))

local analyse = require "sluice.analyse"
local lower = require "sluice.lower"
local sluice = require "sluice"

local ROWS = tonumber(arg[1]) or 2048
local GROUPS = tonumber(arg[2]) or 8
local RUNS, VECTORS = 15, 2000

local function spread(field)
   return sluice.aggregate {
      state = { lo = math.huge, hi = -math.huge, seen = 0 },
      fold = function(a, row)
         local x = row[field]
         if x then
            a.lo, a.hi, a.seen = math.min(a.lo, x), math.max(a.hi, x), a.seen + 1
         end
      end,
      merge = function(a, b)
         a.lo, a.hi, a.seen = math.min(a.lo, b.lo), math.max(a.hi, b.hi), a.seen + b.seen
      end,
      result = function(a)
         if a.seen > 0 then return a.hi - a.lo end
      end,
   }
end

local function pipeline(aggregates)
   return sluice.pipeline { name = "bench", checkpoint = "none",
      sluice.kafka { topics = "t" }
      :json {
         sluice.string "event_id" :required(), sluice.string "user_id" :required(),
         sluice.string "event_type", sluice.double "amount",
         sluice.int64 "ts" :required(),
      }
      :event_time("ts", { delay = "10 minutes" })
      :filter(function(ride) return ride.event_type ~= "heartbeat" end)
      :group_by "event_type"
      :window(sluice.hopping { size = "1 minute", every = "30 seconds" })
      :aggregate(aggregates)
      :to(sluice.kafka { topic = "out", mode = "update" }) }
end

local kept = {}
local calls = {
   sl_text_copy = function(_, data, len)
      local copy = ffi.new("char[?]", len + 1, ffi.string(data, len))
      kept[#kept + 1] = copy
      return copy
   end,
}

local function fill_rows(step, v)
   local layout, pointer = step.layout, ffi.typeof("$ *", step.layout.ctype)
   local bytes = ffi.new("uint8_t[?]", layout.size * ROWS)
   local rows = ffi.new("void *[?]", ROWS)
   kept[#kept + 1], kept[#kept + 2] = bytes, rows
   local set = {}
   for slot = 1, 5 do set[slot] = layout:setter(slot, "row", calls) end
   for i = 0, ROWS - 1 do
      local r = ffi.cast(pointer, bytes + i * layout.size)
      set[1](r, "event-" .. i, v)
      set[2](r, "user-" .. i % 100, v)
      set[3](r, "type-" .. i % 8, v)
      set[4](r, i * 37 % 1000 / 10, v)
      set[5](r, 1700000000000 + i, v)
      rows[i] = r
   end
   v.rows, v.count = rows, ROWS
end

local function fill_states(state, v)
   local size = state.size
   local bytes = ffi.new("uint8_t[?]", size * GROUPS)
   local states, initial = ffi.new("void *[?]", ROWS), state:initial()
   for g = 0, GROUPS - 1 do ffi.copy(bytes + g * size, initial, size) end
   for i = 0, ROWS - 1 do states[i] = bytes + (i * 7919 % GROUPS) * size end
   local outputs, scratch = ffi.new("uint32_t[?]", ROWS), ffi.new("uint8_t[?]", size)
   for _, memory in ipairs { bytes, states, outputs, scratch } do
      kept[#kept + 1] = memory
   end
   v.states, v.outputs, v.scratch = states, outputs, scratch
end

-- Two panes a group, results into rows of their own.
local function fill_results(lowered, v)
   local size, state = lowered.steps[2].layout.size, lowered.states[1]
   local bytes, rows = ffi.new("uint8_t[?]", size * ROWS), ffi.new("void *[?]", ROWS)
   local parts, first = ffi.new("void *[?]", ROWS), ffi.new("uint32_t[?]", ROWS + 1)
   local bounds, other = ffi.new("sl_bounds[?]", ROWS), state:initial()
   for i = 0, ROWS - 1 do
      rows[i], parts[i], first[i + 1] = bytes + i * size, other, i + 1
   end
   for _, memory in ipairs { bytes, rows, parts, first, bounds, other } do
      kept[#kept + 1] = memory
   end
   v.rows, v.parts, v.part_first, v.bounds = rows, parts, first, bounds
end

local function prepare(aggregates)
   local lowered = lower.plan(analyse.graph(pipeline(aggregates)), calls)
   local v = ffi.new "sl_vector"
   fill_rows(lowered.steps[1], v)
   fill_states(lowered.states[1], v)
   kept[#kept + 1], kept[#kept + 2] = lowered, v
   local drivers, descriptions = lowered.drivers(v)
   local by_name = {}
   for i, description in ipairs(descriptions) do
      by_name[description.what] = drivers[i]
   end
   return by_name, v, lowered
end

-- One protected call for each record, as a host that calls Lua by record would make it.
local function by_record(run, v)
   return function()
      local count = v.count
      for i = 0, count - 1 do
         v.first, v.count = i, i + 1
         assert(pcall(run))
      end
      v.first, v.count = 0, count
   end
end

local function measure(run)
   local times = {}
   for _ = 1, 50 do run() end
   for n = 1, RUNS do
      local start = os.clock()
      for _ = 1, VECTORS do run() end
      times[n] = (os.clock() - start) * 1e9 / VECTORS / ROWS
   end
   table.sort(times)
   return times[1], times[math.ceil(RUNS / 2)]
end

local function report(what, run)
   print(("%-44s %7.2f min %7.2f median ns/row"):format(what, measure(run)))
end

local amounts = { event_count = sluice.count(), revenue = sluice.sum "amount" }
local builtins = prepare(amounts)
report("fold: count, sum", builtins.fold)
amounts.spread = spread "amount"
local article, v = prepare(amounts)
report("fold: count, sum, user's spread", article.fold)
report("prepare: filter on a string", article.prepare)
local emitting, of_emit, lowered = prepare(amounts)
fill_results(lowered, of_emit)
report("emit: merge 2 panes, 3 results", emitting.emit)
VECTORS = 20
report("fold, pcall a record (JIT)", by_record(article.fold, v))
jit.off()
jit.flush()
report("fold, interpreter", article.fold)
report("fold, pcall a record (interpreter)", by_record(article.fold, v))
