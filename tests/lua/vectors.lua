--- Rows, states and vectors by hand, for specs of drivers: what C does in the binary.

local ffi = require "ffi"

-- busted keeps what ffi.typeof and ffi.metatype gave by their first argument
-- (busted/luajit.lua): types with parameters, and two of one text, would be one.
for _, name in ipairs { "typeof", "metatype" } do
   for i = 1, 4 do
      local upvalue, original = debug.getupvalue(ffi[name], i)
      if upvalue == "original" then
         ffi[name] = original
         break
      end
   end
end

require("sluice.cdef").load()
local driver_code = require "sluice.driver.code"
local driver_emit = require "sluice.driver.emit"
local driver_fold = require "sluice.driver.fold"
local driver_state = require "sluice.driver.state"
local driver_step = require "sluice.driver.step"
local schema = require "sluice.schema"

local vectors = {}

local kept = {}

local function keep(memory)
   kept[#kept + 1] = memory
   return memory
end

--- Stand-ins for the functions of the binary.
vectors.calls = {
   sl_text_copy = function(_, data, len)
      local text = ffi.string(data, len)
      if text:find "\255" then return nil end
      return keep(ffi.new("char[?]", len + 1, text))
   end,
   sl_bytes_copy = function(_, data, len)
      return keep(ffi.new("char[?]", len + 1, ffi.string(data, len)))
   end,
   sl_text_is_valid = function(data, len)
      return ffi.string(data, len):find "\255" and 0 or 1
   end,
   sl_part_set = function(_, part, data, len)
      part.data, part.len = keep(ffi.new("char[?]", len + 1, ffi.string(data, len))), len
   end,
}

--- A schema of `{ name, type }` pairs; `exact` as the third.
function vectors.schema(list)
   local columns = {}
   for slot, entry in ipairs(list) do
      columns[slot] = {
         name = entry[1], type = entry[2], exact = entry[3] == "exact", slot = slot,
         nullable = true,
      }
   end
   return assert(schema.new(columns))
end

--- A step over columns.
function vectors.step(columns)
   return driver_step.new(columns, vectors.calls)
end

--- A vector of rows: tables of values by name, and of `time`, `partition`, `offset` at
-- [1], [2], [3].
function vectors.of(step, of, rows)
   local v = keep(ffi.new "sl_vector")
   local pointers = keep(ffi.new("void *[?]", #rows + 1))
   for i, values in ipairs(rows) do
      local row = keep(ffi.new(step.layout.ctype))
      row.__time, row.__partition = values[1] or 0, values[2] or 0
      row.__offset = values[3] or i
      for _, column in ipairs(of.columns) do
         local set = step.layout:setter(column.slot, column.name, vectors.calls)
         set(row, values[column.name], v)
      end
      pointers[i - 1] = row
   end
   v.rows, v.count = pointers, #rows
   v.places = keep(ffi.new("double[8]", 0, 1, 2, 3, 4, 5, 6, 7))
   v.outputs = keep(ffi.new("uint32_t[?]", #rows + 1))
   v.dead = keep(ffi.new("uint32_t[?]", #rows + 1))
   return v
end

--- Pointers to states, each new or one of those given.
function vectors.states(v, state, list)
   local pointers = keep(ffi.new("void *[?]", #list + 1))
   for i, one in ipairs(list) do pointers[i - 1] = one end
   v.states, v.scratch = pointers, keep(ffi.new(state.ctype))
end

--- Run what a function writes.
function vectors.run(v, write)
   local code = driver_code.new "spec"
   write(code)
   local run = code:compile(v, vectors.calls)
   run()
   return run
end

--- Aggregates `{ name = spec, … }` by name, resolved over a schema.
function vectors.items(of, specs, window)
   local names, items = {}, {}
   for name in pairs(specs) do names[#names + 1] = name end
   table.sort(names)
   for i, name in ipairs(names) do
      items[i] = { name = name, spec = assert(specs[name]:resolve(of, window or "none")) }
   end
   return items
end

--- Fold rows into one new state.
function vectors.fold(items, of, rows, state)
   state = state or driver_state.layout(items)
   local step = vectors.step(of.columns)
   local v = vectors.of(step, of, rows)
   local one, list = keep(state:initial()), {}
   for i = 1, #rows do list[i] = one end
   vectors.states(v, state, list)
   vectors.run(v, function(code) driver_fold.write(code, state, step, of) end)
   return one, state, v
end

local function result_schema(items)
   local columns = {}
   for _, item in ipairs(items) do
      for _, field in ipairs(item.spec.fields or { { type = item.spec.type } }) do
         local name = field.name and item.name .. "_" .. field.name or item.name
         columns[#columns + 1] = { name, field.type, item.spec.exact and "exact" or nil }
      end
   end
   return vectors.schema(columns)
end

--- Merge states, oldest first, and give the results by name.
function vectors.emit(items, state, list)
   local of = result_schema(items)
   local step = vectors.step(of.columns)
   local v = vectors.of(step, of, { {} })
   local merged = keep(ffi.new(state.ctype))
   ffi.copy(merged, list[1], state.size)
   vectors.states(v, state, { merged })
   local parts = keep(ffi.new("void *[?]", #list))
   for i = 2, #list do parts[i - 2] = list[i] end
   v.parts = parts
   v.part_first = keep(ffi.new("uint32_t[2]", { 0, #list - 1 }))
   v.bounds = keep(ffi.new("sl_bounds[1]", { { 60000, 120000 } }))
   vectors.run(v, function(code)
      driver_emit.write(code, state, step, { { op = "output", output = 1 } },
         { first_slot = 1, windowed = true, first_merge = #items + 1 })
   end)
   assert(v.outputs[0] == 1)
   local view = step:view(of)
   local row = ffi.cast(ffi.typeof("$ *", view), v.rows[0])
   local results = {}
   for _, column in ipairs(of.columns) do results[column.name] = row[column.name] end
   return results
end

--- The results of aggregates over rows: each list of rows is a pane, merged in order.
function vectors.results(of, specs, ...)
   local items = vectors.items(of, specs)
   local panes, state = {}, nil
   for i, rows in ipairs { ... } do
      panes[i], state = vectors.fold(items, of, rows, state)
   end
   return vectors.emit(items, state, panes)
end

return vectors
