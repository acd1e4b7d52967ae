--- What happens in Lua on the way of a record: one driver a step, called once per vector.
--
--   time ─▶ prepare ─▶ (C: group) ─▶ fold ─▶ (C: windows, modes) ─▶ emit
--
-- A driver's source is generated for the query: one loop in which the user's functions
-- are called directly, so that the trace compiler makes one trace of all of it. What may
-- not stand in these loops: closures, `pairs`, varargs (they end the trace).
-- @module sluice.driver

local ffi = require "ffi"

local driver_code = require "sluice.driver.code"
local driver_emit = require "sluice.driver.emit"
local driver_flat_map = require "sluice.driver.flat_map"
local driver_fold = require "sluice.driver.fold"
local driver_names = require "sluice.driver.names"
local driver_source = require "sluice.driver.source"
local driver_step = require "sluice.driver.step"

local driver = {}

--- What the drivers need from the JIT: with its own limits a function of 300 statements
-- costs fifty times as much, and sixteen tail calls in one loop
-- (`return f(x)`, counted as unrolled loops) leave it to the interpreter.
driver.JIT = {
   "maxtrace=8000", "maxrecord=40000", "maxirconst=8000", "maxside=1000", "maxsnap=8000",
   "sizemcode=2048", "maxmcode=32768", "loopunroll=60",
}

--- Where `sl_text_copy` and `sl_part_set` are; tests put a table here.
-- @treturn cdata namespace of the binary
function driver.binary() return ffi.C end

local function define(what, name, title, sees, write)
   return function(v, calls, timing)
      local code = driver_code.new(what)
      write(code)
      local run = code:compile(v, calls, timing)
      return run, { what = what, name = name, title = title, loops = { run },
         sees = sees }
   end
end

--- Event time by a function: `row.__time` of each row. When it throws, C drops the row
-- and goes on behind it.
-- @tparam table step Step of the source
-- @tparam table source of the graph
-- @tparam table schema what the function sees
-- @treturn function (v, calls, timing) → driver, `{ what =, name =, title =,
--  loops = { function, … }, sees = of `driver_names.sees` }`
function driver.time(step, source, schema)
   local title = driver_names.of_source("time", source.name, "event_time", source.time.fn)
   return define("time", source.name, title, driver_names.sees(step, nil, schema),
      function(code)
      driver_source.write_time(code, step, source.time, schema)
   end)
end

--- Constraints that Lua tests; what a row does not keep goes to `v.outputs` (vector.h).
-- When a function throws, C drops the row and goes on behind it.
-- @tparam table step Step of the source
-- @tparam table source of the graph
-- @tparam table schema its fields
-- @treturn function as above
function driver.checks(step, source, schema)
   local title = driver_names.of_checks(source.name, source.fields)
   return define("checks", source.name, title, driver_names.sees(step, nil, schema),
      function(code)
      driver_source.write_checks(code, step, source)
   end)
end

--- Filters and derived columns behind a source; outputs of each row in `v.outputs`. There
-- are two loops: the guarded one runs once a row of the vector has thrown.
-- @tparam table step Step of the source
-- @tparam string name for messages
-- @tparam table tree of the graph
-- @treturn function as above
function driver.prepare(step, name, tree)
   return function(v, calls, timing)
      local loops = {}
      for i, guarded in ipairs { false, true } do
         local code = driver_code.new "prepare"
         code:line("v.pos = i")
         driver_step.write(code, step, tree, { guarded = guarded, first_node = 0 })
         loops[i] = code:compile(v, calls, timing)
      end
      local plain, guarded = loops[1], loops[2]
      local function run()
         if v.guarded ~= 0 then guarded() else plain() end
      end
      return run, { what = "prepare", name = name, loops = loops,
         sees = driver_names.sees(step, tree),
         title = driver_names.of("prepare", name, nil, tree) }
   end
end

--- Rows into the states that C found for them.
-- @tparam table step Step whose rows are folded
-- @tparam string name of the aggregation
-- @tparam table state from `driver_state.layout`
-- @tparam table schema of the rows
-- @treturn function as above
function driver.fold(step, name, state, schema)
   local title = driver_names.of("fold", name, state.items)
   return define("fold", name, title, driver_names.sees(step, nil, schema),
      function(code)
      driver_fold.write(code, state, step, schema)
   end)
end

--- Rows through a flat_map: its `emit` adds rows of the step behind. When it throws, C
-- takes the rows back that it made of this row.
-- @tparam table step Step whose rows it gets
-- @tparam table next_step Step behind
-- @tparam string name for messages
-- @tparam table output of the graph
-- @treturn function as above
function driver.expand(step, next_step, name, output)
   local title = driver_names.of_source("flat_map", name, "flat_map", output.fn)
   return function(v, calls, timing)
      local emit = driver_flat_map.emit(next_step, output.fields, v, calls)
      local code = driver_code.new "flat_map"
      driver_flat_map.write(code, step, output, emit)
      local run = code:compile(v, calls, timing)
      return run, { what = "flat_map", name = name, title = title, loops = { run },
         sees = driver_names.sees(step, nil, output.schema) }
   end
end

--- States into result rows, and these through the stages behind.
-- @tparam table step Step behind the aggregation
-- @tparam string name of the aggregation
-- @tparam table state from `driver_state.layout`
-- @tparam table tree of the graph
-- @tparam table result `{ first_slot = of the first aggregate, windowed = flag }`
-- @treturn function as above
function driver.emit(step, name, state, tree, result)
   local title = driver_names.of("emit", name, state.items, tree)
   local sees = driver_names.sees(step, tree, nil, #state.items)
   local first_merge = #state.items + driver_names.count(tree)
   sees.state, sees.first_merge = state, first_merge
   return define("emit", name, title, sees, function(code)
      driver_emit.write(code, state, step, tree, { first_slot = result.first_slot,
         windowed = result.windowed, first_merge = first_merge })
   end)
end

--- States of neighbouring panes into one, no results.
-- @tparam string name of the aggregation
-- @tparam table state from `driver_state.layout`
-- @treturn function as above
function driver.merge(name, state)
   local title = driver_names.of("merge", name)
   return define("merge", name, title, nil, function(code)
      driver_emit.write_merge(code, state)
   end)
end

--- Rows of a generator.
-- @tparam table step Step of the source
-- @tparam table source of the graph
-- @treturn function as above
function driver.rows(step, source)
   local title = driver_names.of_source("rows", source.name, "row", source.rows)
   return define("rows", source.name, title, nil, function(code)
      driver_source.write_rows(code, step, source)
   end)
end

return driver
