--- What is known about a user's function from its bytecode, before it runs: globals,
-- members of libraries and fields that do not exist, state kept outside of aggregates,
-- a forgotten `return`. Only what is certain is reported.
--
-- What stands in the slots of a function follows `sluice.check.slots`.
-- @module sluice.check.inspect

local bytecode = require "sluice.check.bytecode"
local calls = require "sluice.check.calls"
local compare = require "sluice.check.compare"
local compiled = require "sluice.check.compiled"
local nearest = require "sluice.nearest"
local sandbox = require "sluice.sandbox"
local slots = require "sluice.check.slots"
local tables = require "sluice.tables"
local util = require "jit.util"

local inspect = {}

local ASSIGNS_UPVALUE = { USETV = true, USETS = true, USETN = true, USETP = true }
local STORES = { TSETS = true, TSETV = true, TSETB = true, TSETR = true, TSETM = true }
local CALLS = { CALL = true, CALLM = true, CALLT = true, CALLMT = true }
local GIVES = { RET1 = true, RET = true, RETM = true, CALLT = true, CALLMT = true }
local TESTS = { IST = true, ISF = true, ISTC = true, ISFC = true }

local DECIMAL = { round = true, tonumber = true }

-- Functions that change the table they are given.
local CHANGES = { table = { "insert", "remove", "sort" }, _G = { "rawset",
   "setmetatable" } }

local NO_STATE = "which lies outside the function: functions must not keep state "
   .. "(workers and restarts would see different values); keep it in an aggregate's "
   .. "`state`"
local UPVALUE = "`%s` is assigned, " .. NO_STATE
local CHANGED = "`%s` is changed, " .. NO_STATE
local GLOBAL = "the global `%s` is assigned: functions must not keep state; write `local`"
local GIVES_NOTHING = "gives nothing: forgotten `return`?"

local function upvalue_names(code)
   local names = {}
   for i = 0, util.funcinfo(code).upvalues - 1 do names[i] = util.funcuvname(code, i) end
   return names
end

local has_value = slots.has_value

local Walk = {}
Walk.__index = Walk

local function place_of(code, pc)
   local info = util.funcinfo(code, pc)
   return ("%s:%d"):format(info.source:gsub("^[@=]", ""), info.currentline)
end

function Walk:report(code, pc, message, ...)
   local text = ("%s: %s: %s"):format(place_of(code, pc), self.what, message:format(...))
   if not self.seen[text] then
      self.seen[text] = true
      self.problems[#self.problems + 1] = text
   end
end

-- What gives names in an order that is not the same in all processes.
local UNORDERED = { pairs = true, next = true }

function Walk:global(code, pc, name)
   local message = sandbox.explain_global(self.globals, name)
   if message then return self:report(code, pc, "%s", message) end
   if UNORDERED[name] and self.add then
      self.add("order-of-pairs", place_of(code, pc), "%s: the order of `%s` can differ "
         .. "from process to process: a result must not depend on it", self.what, name)
   end
   self:follow(rawget(self.globals, name))
end

--- A member that is read of an argument of the user's function.
function Walk:argument(view, pc, name, arg)
   if has_value(arg.names, name) then return end
   if arg.siblings and arg.siblings[name] then
      return self:report(view.code, pc, "columns of one `:derive` do not see each other: "
         .. "write a second `:derive` behind it for what reads `%s`", name)
   end
   self:report(view.code, pc, "unknown %s `%s`%s", arg.kind == "row" and "field" or
      ("member of the " .. arg.kind), name, nearest.hint(name, arg.names))
end

--- A field that is read of a struct.
function Walk:nested(view, pc, name, of)
   local names = {}
   for i, one in ipairs(of.shape.fields) do names[i] = one.name end
   if has_value(names, name) then return end
   self:report(view.code, pc, "`%s` has no field `%s`%s", of.name, name,
      nearest.hint(name, names))
end

local function has_members(kind, name)
   return kind == "map" or kind == "decimal" and DECIMAL[name]
end

--- A method or member that is read of text or a number.
function Walk:plain(view, pc, name, of)
   local kind = of.type or "string"
   local strings = rawget(self.globals, "string")
   if kind == "struct" then
      self:nested(view, pc, name, of)
   elseif has_members(kind, name) then
      return
   elseif kind ~= "string" and kind ~= "bytes" then
      self:report(view.code, pc, "`%s` is a %s: it has no `%s`", of.name, kind, name)
   elseif type(strings) == "table" and rawget(strings, name) == nil then
      local found = nearest.find(name, tables.keys(strings))
      self:report(view.code, pc, "%s is text, which has no method `%s`%s",
         of.name and "`" .. of.name .. "`" or "this", name,
         found and (": did you mean `%s`?"):format(found) or "")
   end
end

function Walk:read(view, pc, ins, state)
   local of, name = state[ins.b], view:constant(ins)
   if not of then return end
   if of.kind == "argument" then return self:argument(view, pc, name, of.arg) end
   if of.kind ~= "outside" then return self:plain(view, pc, name, of) end
   local library = self.libraries[of.value]
   if not library then return end
   local follower = view.list[pc + 1] -- `math.pow and …` asks whether it is there
   if follower and TESTS[follower.op] and follower.d == ins.a then return end
   local message = sandbox.explain_member(of.value, library, name)
   if message then self:report(view.code, pc, "%s", message) end
end

function Walk:store(view, pc, ins, state)
   local of = state[ins.op == "TSETM" and ins.a - 1 or ins.b]
   if not of then return end
   if of.kind == "outside" then
      self:report(view.code, pc, CHANGED, of.name)
   elseif of.kind == "argument" and ins.op == "TSETS" then
      local name = view:constant(ins)
      if of.arg.kind ~= "row" then return self:argument(view, pc, name, of.arg) end
      self:report(view.code, pc, "a row cannot be changed: `%s` is assigned; use :derive",
         name)
   end
end

-- What keeps a loop from being compiled, or ends compiled code. A function inside of
-- another is told of itself.
function Walk:leaves(view, pc, reason, line)
   if not reason or not self.add or self.once or view.outer[1] then return end
   local at = line and place_of(view.code, pc):gsub("%d+$", line)
   self.add(line and "not-compiled!" or "not-compiled", at or place_of(view.code, pc),
      "%s: %s", self.what, reason)
end

function Walk:call(view, pc, ins, state)
   local fn, first = state[ins.a], state[ins.a + bytecode.FIRST_ARGUMENT]
   for _, problem in ipairs(calls.problems(view, ins, state, self.takers)) do
      self:report(view.code, pc, "%s", problem)
   end
   if not fn or fn.kind ~= "outside" then return end
   self:leaves(view, pc, self.compiled:call(ins, state))
   if self.denied[fn.value] then
      self:report(view.code, pc, "%s", self.denied[fn.value])
   end
   if self.changes[fn.value] and first and first.kind == "outside" then
      self:report(view.code, pc, CHANGED, first.name)
   end
   local count = calls.count(ins)
   if count and self:is_user(fn.value) then
      self:handed(fn, state, ins.a + bytecode.FIRST_ARGUMENT, count)
   end
end

local function upvalues_of(fn)
   local values = {}
   for i = 1, util.funcinfo(fn).upvalues do
      local name, value = debug.getupvalue(fn, i)
      values[name] = value
   end
   return values
end

-- Tables from outside that are handed to a helper are outside of it, too.
function Walk:handed(fn, state, first, count)
   local value, entry, key = fn.value, {}, tostring(fn.value)
   for i = 0, math.min(count, util.funcinfo(value).params) - 1 do
      local given = state[first + i]
      if given and given.kind == "outside" and type(given.value) == "table"
         and not self.libraries[given.value] then
         entry[i] = given
         key = ("%s %d %s"):format(key, i, given.name)
      end
   end
   if next(entry) and not self.followed[key] then
      self.followed[key] = true
      self:code(value, entry, {}, upvalues_of(value))
   end
end

function Walk:is_user(fn)
   return type(fn) == "function" and util.funcinfo(fn).bytecodes ~= nil
      and debug.getfenv(fn) == self.globals
end

function Walk:inner(view, pc, ins)
   local around, made = { unpack(view.outer) }, util.funck(view.code, -ins.d - 1)
   around[#around + 1] = upvalue_names(view.code)
   self:leaves(view, pc, compiled.CLOSURE, util.funcinfo(made).linedefined)
   self:code(made, {}, around, view.values)
end

function Walk:compare(view, pc, ins, state)
   local throws = compare.throws(ins, state)
   if throws then return self:report(view.code, pc, "%s", throws) end
   local doubtful = self.add and compare.problem(view, ins, state)
   if doubtful then
      self.add("never-equal", place_of(view.code, pc), "%s: %s", self.what, doubtful)
   end
end

-- `list[0]`, where places count from 1.
function Walk:place(view, pc, ins, state)
   local of = state[ins.b]
   if of and of.kind == "field" and of.type == "list" and ins.c == 0 then
      self:report(view.code, pc, "`%s[0]` is always nil: the first element is [1]",
         of.name)
   end
end

local HANDLERS = { TGETS = Walk.read, TGETB = Walk.place }
for op in pairs(compare.OPS) do HANDLERS[op] = Walk.compare end
for op in pairs(STORES) do HANDLERS[op] = Walk.store end
for op in pairs(CALLS) do HANDLERS[op] = Walk.call end

function Walk:instruction(view, pc, ins, state)
   local code = view.code
   if ins.op == "GGET" then
      self:global(code, pc, util.funck(code, -ins.d - 1))
   elseif ins.op == "GSET" then
      self:report(code, pc, GLOBAL, util.funck(code, -ins.d - 1))
   elseif ASSIGNS_UPVALUE[ins.op] then
      local name = util.funcuvname(code, ins.a)
      if slots.is_outside(name, view.outer) then self:report(code, pc, UPVALUE, name) end
   elseif ins.op == "FNEW" then
      self:inner(view, pc, ins)
   elseif HANDLERS[ins.op] and state then
      HANDLERS[ins.op](self, view, pc, ins, state)
   end
end

--- Look at one function or prototype and at those inside it; `entry`: what its
-- parameters hold.
function Walk:code(code, entry, outer, values)
   local list = bytecode.instructions(code)
   if #list == 0 then return end -- a C function
   local view = slots.new { code = code, list = list, outer = outer, values = values,
      globals = self.globals }
   local states = bytecode.states(list, entry, function(ins, _, state)
      return view:known(ins, state)
   end)
   for pc, ins in ipairs(list) do self:instruction(view, pc, ins, states[pc]) end
   return view, states
end

--- A function that must give a value and never does; one that calls `error` may mean to.
function Walk:gives(view, states)
   local code = view.code
   for pc, ins in ipairs(view.list) do
      local gives = states[pc] and GIVES[ins.op]
      local throws = ins.op == "GGET" and util.funck(code, -ins.d - 1) == "error"
      if gives or throws then return end
   end
   self:report(code, 0, GIVES_NOTHING)
end

--- Names of fields that a function reads: which functions of a module it may call.
local function field_names(fn)
   local names = {}
   for _, ins in ipairs(bytecode.instructions(fn)) do
      if ins.op == "TGETS" then names[util.funck(fn, -ins.c - 1)] = true end
   end
   return names
end

--- Look at a value that a function closes over: a user's function, or a table of them.
function Walk:follow(value, names)
   if type(value) == "function" then
      if not self.followed[value] and self:is_user(value) then
         self.followed[value] = true
         self:whole(value, nil)
      end
   elseif type(value) == "table" and names then
      for name in pairs(names) do self:follow(rawget(value, name)) end
   end
end

function Walk:whole(fn, args)
   local info = util.funcinfo(fn)
   if not info.bytecodes then return end
   local view, states = self:code(fn, slots.entry_of(args, info.params), {},
      upvalues_of(fn))
   local names = field_names(fn)
   for i = 1, info.upvalues do
      local _, value = debug.getupvalue(fn, i)
      self:follow(value, names)
   end
   return view, states
end

-- By value: libraries of the script, functions that change tables, and those that refuse.
function Walk:learn(globals)
   for _, name in ipairs(sandbox.LIBRARIES) do
      local library = rawget(globals, name)
      if type(library) == "table" then
         self.libraries[library] = name
         for part, value in pairs(library) do
            self.denied[value] = sandbox.explain_member(library, name, part)
         end
      end
   end
   for library, members in pairs(CHANGES) do
      local of = rawget(globals, library)
      for _, name in ipairs(type(of) == "table" and members or {}) do
         local value = rawget(of, name)
         if value ~= nil then self.changes[value] = true end
      end
   end
end

--- Look through a function, what is inside it, and the user's functions it calls by name.
-- @tparam function fn
-- @tparam table options `globals`: the environment of scripts; `what`: how messages call
--  it ("filter"); `args`: per argument `{ kind =, names =, schema = }` or nil;
--  `must_give`: flag, it is of no use without a value; `once`: flag, it is not called
--  for each row or result; `add`: of `warnings.new`, for what is worth a note
-- @treturn {string,...} "FILE:LINE: what: problem", in the order of the code
-- @usage inspect.check(fn, { globals = box.globals, what = "filter" })
function inspect.check(fn, options)
   local walk = setmetatable({ globals = options.globals, what = options.what,
      problems = {}, seen = {}, followed = { [fn] = true }, libraries = {}, denied = {},
      changes = {}, takers = calls.takers(options.globals), add = options.add,
      once = options.once, compiled = compiled.new(options.globals) }, Walk)
   walk:learn(options.globals)
   local view, states = walk:whole(fn, options.args)
   if view and options.must_give then walk:gives(view, states) end
   return walk.problems
end

return inspect
