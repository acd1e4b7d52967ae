--- The code of emission: panes merged into one state, results into the result row, then
-- the stages behind the aggregation.
-- @module sluice.driver.emit

local held = require "sluice.aggregate.held"
local driver_fold = require "sluice.driver.fold"
local driver_ordered = require "sluice.driver.ordered"
local driver_step = require "sluice.driver.step"
local row = require "sluice.row"

local driver_emit = {}

local function no_table(label, y)
   error(("result of `%s`: got %s, wanted a table of its fields"):format(label,
      type(y)), 0)
end

local function write_builtin(code, k, item, slot, state)
   local f, l = "r.__f" .. slot, "r.__l" .. slot
   code:line("do local y, data, len")
   code:line(state:code(k, item.spec.result, code))
   if held.is_text(item.spec.type) then
      code:line("if data ~= nil then %s, %s = data, len", f, l)
   else
      code:line("if y ~= nil then %s = y", f)
   end
   code:line(row.set_null(slot, "r", false))
   code:line("else %s end end", row.set_null(slot, "r", true))
end

local function write_user(code, k, item, slot, step, windowed, state, memo)
   local function setter(at, name)
      return code:use(step.layout:setter(at, ("result of `%s`"):format(name), step.calls))
   end
   local spec = item.spec
   code:line "do"
   local of = "a.m" .. k
   if memo then
      of, state.folded[k] = driver_ordered.write_rows(code, k, spec, state.users[k], memo)
   end
   local result = code:use(spec.user.result)
   code:line("local y = %s(%s%s)", result, of, windowed and ", v.bounds[i]" or "")
   if not spec.fields then
      code:line("%s(r, y, v) end", setter(slot, item.name))
      return
   end
   code:line("if y == nil then y = %s", code:use {})
   code:line("elseif type(y) ~= 'table' then")
   code:line("%s(%q, y) end", code:use(no_table), item.name)
   for j, field in ipairs(spec.fields) do
      local set = setter(slot + j - 1, item.name .. "." .. field.name)
      code:line("%s(r, y[%q], v)", set, field.name)
   end
   code:line("end")
end

-- Merge the parts of state `i` into it.
local function write_parts(code, state, first)
   local parts = code:array("parts", state.ctype)
   code:line "for j = part_first[i], part_first[i + 1] - 1 do"
   if driver_fold.has_users(state) then code:line "v.part = j" end
   code:line("local b = %s[j]", parts)
   driver_fold.write_merge(code, state, first)
   code:line "end"
end

--- Write the merge of panes alone: part `i` into state `i`, which may come several times.
-- One flat loop: in a loop for each state's parts a merge costs four times as much.
-- @tparam table code Code
-- @tparam table state from `driver_state.layout`
function driver_emit.write_merge(code, state)
   local states = code:array("states", state.ctype)
   local parts = code:array("parts", state.ctype)
   code:line("local a, b = %s[i], %s[i]", states, parts)
   driver_fold.write_merge(code, state, 0)
end

--- Write emission for row `i`. `v.node` is the number of the aggregate, from 0, while it
-- gives its result; the stages behind follow them, and behind these the merges.
-- @tparam table code Code
-- @tparam table state from `driver_state.layout`
-- @tparam table step Step behind the aggregation
-- @tparam table tree its tree
-- @tparam table result `{ first_slot = of the first aggregate, windowed = flag,
--  first_merge = `v.node` of the first aggregate's merge }`
function driver_emit.write(code, state, step, tree, result)
   local states = code:array("states", state.ctype)
   local rows = code:array("rows", step.layout.ctype)
   code:line("v.pos = i")
   code:line("local r, a = %s[i][0], %s[i]", rows, states)
   code:head "local resumes_at = v.resumes ~= 0 and v.first or -1"
   code:line "local resumes = i == resumes_at"
   if driver_fold.can_merge(state) then
      code:head "local part_first = v.part_first"
      code:head "local has_parts = part_first ~= nil"
      code:line "if has_parts and not resumes then"
      write_parts(code, state, result.first_merge)
      code:line "end"
   end
   local memos = driver_ordered.write_start(code, state.items)
   local slot = result.first_slot
   for k, item in ipairs(state.items) do
      if driver_fold.has_users(state) then code:line("v.node = %d", k - 1) end
      if item.spec.user then
         write_user(code, k, item, slot, step, result.windowed, state, memos[k])
      else
         write_builtin(code, k, item, slot, state)
      end
      slot = slot + (item.spec.fields and #item.spec.fields or 1)
   end
   driver_step.write(code, step, tree, { first_node = #state.items })
end

return driver_emit
