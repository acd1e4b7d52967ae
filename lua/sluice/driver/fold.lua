--- The code of folding rows into states, of merging states and of their results.
-- @module sluice.driver.fold

local ffi = require "ffi"

local driver_input = require "sluice.driver.input"
local driver_ordered = require "sluice.driver.ordered"

local driver_fold = {}

-- Where-functions and functions of a row keep what they gave in locals until all user
-- code of the row has run; Lua has 200 of them.
local MOST_FUNCTIONS = 80

-- What may throw before anything is touched.
local function write_check(code, k, spec, at)
   if not spec.check then return end
   code:line(spec.where and ("if w%d then"):format(k) or "do")
   local ends = driver_input.write_begin(code, k, spec, at.schema, at.step.layout)
   code:line(at.state:code(k, spec.check, code))
   code:line(ends .. " end")
end

-- The user's functions of item k for row `r`: they run before any builtin touches the
-- state.
local function write_user(code, k, spec, at)
   if not driver_fold.has_functions(spec) then return end
   local condition = ""
   code:line("v.node = %d", k - 1)
   if spec.where then
      code:line("local w%d = %s(r)", k, code:use(spec.where))
      condition = ("if w%d then "):format(k)
   end
   if driver_fold.folds_rows(spec) then
      local ending = condition ~= "" and " end" or ""
      code:line("%s%s(a.m%d, r)%s", condition, code:use(spec.user.fold), k, ending)
   else
      driver_input.write_calls(code, k, spec, condition, at.step.calls)
      write_check(code, k, spec, at)
   end
end

local function write_builtin(code, k, spec, at)
   code:line(spec.where and ("if w%d then"):format(k) or "do")
   local ends = driver_input.write_begin(code, k, spec, at.schema, at.step.layout)
   code:line(at.state:code(k, spec.fold, code))
   code:line(ends .. " end")
end

--- Tell whether a user's fold is called for each row as it comes.
-- @tparam table spec resolved
-- @treturn boolean
function driver_fold.folds_rows(spec)
   return spec.user ~= nil and spec.user.fold ~= nil and not spec.user.order
end

--- Tell whether a row-wise fold of an aggregate calls functions of the user, or may throw
-- of itself.
-- @tparam table spec resolved
-- @treturn boolean
function driver_fold.has_functions(spec)
   if spec.where or spec.check or driver_fold.folds_rows(spec) then return true end
   for _, input in ipairs(spec.inputs or {}) do
      if input.fn then return true end
   end
   return false
end

-- Pointers for a fold_batch: made once, larger when a vector is.
local function grow(array, count)
   if count > array.room then
      array.room = math.max(count, array.room * 2)
      array.items = ffi.new(array.ctype, array.room)
   end
   return array.items
end

-- One call over the whole vector, of the rows that its where lets through.
local function write_batch(code, k, spec, arrays, view, struct)
   local function buffer(ctype)
      return code:use { ctype = ffi.typeof("$ *[?]", ctype), room = 0 }
   end
   local where = spec.where and code:use(spec.where)
   code:head("do local states, rows = %s(%s, v.count), %s(%s, v.count)", code:use(grow),
      buffer(struct), code:use(grow), buffer(view))
   code:head("local count = 0")
   code:head("v.node = %d", k - 1)
   code:head "for i = v.first, v.count - 1 do"
   code:head("v.pos = i")
   if where then code:head("if %s(%s[i][0]) then", where, arrays.rows) end
   code:head("states[count] = %s[i].m%d", arrays.states, k)
   code:head("rows[count] = %s[i]", arrays.rows)
   code:head("count = count + 1")
   if where then code:head "end" end
   code:head "end"
   code:head("v.pos = v.first")
   local fold_batch = code:use(spec.user.fold_batch)
   code:head("if count > 0 then %s(states, rows, count) end end", fold_batch)
end

local function is_batch(spec)
   return spec.user ~= nil and spec.user.fold_batch ~= nil
end

local function count_of(spec)
   local count = (spec.where and 1 or 0) + (driver_fold.folds_rows(spec) and 1 or 0)
   for _, input in ipairs(spec.inputs or {}) do
      if input.fn then count = count + 1 end
   end
   return count
end

local function count_functions(state)
   local row_wise, functions, checks = 0, 0, 0
   for k, item in ipairs(state.items) do
      if not is_batch(item.spec) and not state:is_shared(k) then
         row_wise = row_wise + 1
         functions = functions + count_of(item.spec)
         checks = checks + (item.spec.check and 1 or 0)
      end
   end
   if functions > MOST_FUNCTIONS then
      error(("an aggregation holds %d functions, at most %d"):format(functions,
         MOST_FUNCTIONS), 0)
   end
   return row_wise, functions, checks
end

-- What runs when all user code of the row has.
local function write_last(code, k, spec, at)
   if spec.user and spec.user.order then
      driver_ordered.write_fold(code, k, spec, at.schema, at.step.layout)
   elseif not spec.user and not at.state:is_shared(k) then
      write_builtin(code, k, spec, at)
   end
end

--- Write the fold of all aggregates: fold_batch functions over the vector, then one loop
-- in which the user's functions of a row come first, builtins behind them.
-- @tparam table code Code
-- @tparam table state from `driver_state.layout`
-- @tparam table step Step whose rows are folded
-- @tparam table schema of the rows
function driver_fold.write(code, state, step, schema)
   local view = step:view(schema)
   local arrays = { states = code:array("states", state.ctype) }
   arrays.rows = code:array("rows", view)
   for k, item in ipairs(state.items) do
      if is_batch(item.spec) then
         write_batch(code, k, item.spec, arrays, view, state.users[k])
      end
   end
   local row_wise, functions, checks = count_functions(state)
   if row_wise == 0 then return end
   code:line("v.pos = i")
   code:line("local r, a = %s[i][0], %s[i]", arrays.rows, arrays.states)
   if functions + checks > 0 then
      code:head "local scratch = v.scratch"
      code:line("copy(scratch, a, %d)", state.size)
   end
   local at = { state = state, step = step, schema = schema }
   for k, item in ipairs(state.items) do
      if not is_batch(item.spec) and not state:is_shared(k) then
         write_user(code, k, item.spec, at)
      end
   end
   for k, item in ipairs(state.items) do write_last(code, k, item.spec, at) end
end

--- Tell whether states of an aggregation can be merged.
-- @tparam table state
-- @treturn boolean
function driver_fold.can_merge(state)
   for _, item in ipairs(state.items) do
      local of = item.spec.user
      if of and not of.merge and not of.order then return false end
   end
   return true
end

--- Tell whether merging or results of an aggregation call functions of the user. Then
-- `v.node` says of which aggregate, for builtins, too: it is told whose state it was.
-- @tparam table state
-- @treturn boolean
function driver_fold.has_users(state)
   return next(state.users) ~= nil
end

--- Write the merge of state `b` into state `a`.
-- @tparam table code Code
-- @tparam table state
-- @tparam integer first `v.node` of the first aggregate's merge
function driver_fold.write_merge(code, state, first)
   for k, item in ipairs(state.items) do
      local of = item.spec.user
      if driver_fold.has_users(state) then code:line("v.node = %d", first + k - 1) end
      if of and of.order then
         code:line("calls.sl_rows_merge(v.text, a.m%d_rows, b.m%d_rows)", k, k)
      elseif of then
         code:line("%s(a.m%d, b.m%d)", code:use(of.merge), k, k)
      elseif not state:is_shared(k) then
         code:line("do")
         code:line(state:code(k, item.spec.merge, code))
         code:line("end")
      end
   end
end

return driver_fold
