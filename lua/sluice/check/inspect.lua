--- What is known about a user's function from its bytecode, before it runs: globals,
-- members of libraries and fields that do not exist, state kept outside of aggregates,
-- a forgotten `return`. Only what is certain is reported.
--
-- What a slot holds is a table `{ kind =, … }`, one for each thing, compared by identity:
-- `outside` (from a variable outside the function, or from inside its value: `name`, and
-- `value` where it is known), `argument`, `field` of a row, `text`.
-- @module sluice.check.inspect

local bytecode = require "sluice.check.bytecode"
local nearest = require "sluice.nearest"
local sandbox = require "sluice.sandbox"
local shape = require "sluice.shape"
local util = require "jit.util"

local inspect = {}

local ASSIGNS_UPVALUE = { USETV = true, USETS = true, USETN = true, USETP = true }
local READS = { TGETS = true, TGETV = true, TGETB = true, TGETR = true }
local STORES = { TSETS = true, TSETV = true, TSETB = true, TSETR = true, TSETM = true }
local CALLS = { CALL = true, CALLM = true, CALLT = true, CALLMT = true }
local GIVES = { RET1 = true, RET = true, RETM = true, CALLT = true, CALLMT = true }
local TESTS = { IST = true, ISF = true, ISTC = true, ISFC = true }

local TEXT = { kind = "text" }
local DECIMAL = { round = true, tonumber = true }
local ANY = {} -- stands for the name of a member that is not known

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

local function has_value(names, wanted)
   for _, name in pairs(names) do
      if name == wanted then return true end
   end
   return false
end

local Walk = {}
Walk.__index = Walk

function Walk:report(code, pc, message, ...)
   local info = util.funcinfo(code, pc)
   local line = ("%s:%d"):format(info.source:gsub("^[@=]", ""), info.currentline)
   local text = ("%s: %s: %s"):format(line, self.what, message:format(...))
   if not self.seen[text] then
      self.seen[text] = true
      self.problems[#self.problems + 1] = text
   end
end

function Walk:global(code, pc, name)
   local message = sandbox.explain_global(self.globals, name)
   if message then return self:report(code, pc, "%s", message) end
   self:follow(rawget(self.globals, name))
end

--- One function, while it is looked at: what stands in its slots.
local View = {}
View.__index = View

-- Something outside the function by the name of its variable.
function View:outside(key, name, value)
   local found = self.origins[key]
   if not found then
      found = { kind = "outside", name = name, value = value, inside = {} }
      self.origins[key] = found
   end
   return found
end

--- Whether a variable of the enclosing scopes lies outside of the user's function. One
-- that belongs to the function itself (`outer` is the chain of functions around this one,
-- the outermost first) is its own business.
local function is_outside(name, outer)
   for _, names in ipairs(outer) do
      if not has_value(names, name) then return false end
   end
   return true
end

function View:upvalue(index)
   local name = util.funcuvname(self.code, index)
   if not is_outside(name, self.outer) then return nil end
   local value = self.values[name]
   if type(self.code) == "function" then
      value = select(2, debug.getupvalue(self.code, index + 1))
   end
   return self:outside(index, name, value)
end

local function as_field(name, of)
   return { kind = "field", name = name, type = of.type, shape = of.shape,
      inside = shape.BLOCKS[of.type] and {} or nil }
end

local function field_of(arg, name)
   local column = arg.schema and arg.schema.by_name[name]
   return column and as_field(name, column)
end

-- What stands inside of a list, map or struct.
local function inner_of(of, name)
   if of.shape.item then return as_field(of.name .. "[]", of.shape.item) end
   for _, one in ipairs(of.shape.fields) do
      if one.name == name then return as_field(of.name .. "." .. name, one) end
   end
end

local function part_of(outside, name)
   local value = name and type(outside.value) == "table" and rawget(outside.value, name)
   return { kind = "outside", name = outside.name, value = value or nil, inside = {} }
end

-- What stands in a table: a field of a row; of something outside, more that is outside.
local function member(of, name)
   local inside = of and of.inside
   if not inside then return nil end
   local key = name or ANY
   if not inside[key] then
      inside[key] = of.kind == "argument" and field_of(of.arg, name)
         or of.kind == "outside" and part_of(of, name)
         or of.kind == "field" and inner_of(of, name) or nil
   end
   return inside[key]
end

function View:constant(ins)
   return util.funck(self.code, -ins.c - 1)
end

function View:known(ins, state)
   if ins.op == "MOV" then return state[ins.d] end
   if ins.op == "KSTR" then return TEXT end
   if ins.op == "UGET" then return self:upvalue(ins.d) end
   if ins.op == "GGET" then
      local name = util.funck(self.code, -ins.d - 1)
      return self:outside(name, name, rawget(self.globals, name))
   end
   if READS[ins.op] then
      return member(state[ins.b], ins.op == "TGETS" and self:constant(ins) or nil)
   end
end

local function entry_of(args, params)
   local entry = {}
   for i, arg in ipairs(args or {}) do
      if i <= params and arg.names then
         entry[i - 1] = { kind = "argument", arg = arg, inside = {} }
      end
   end
   return entry
end

--- A member that is read of an argument of the user's function.
function Walk:argument(view, pc, name, arg)
   if has_value(arg.names, name) then return end
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
      local found = nearest.find(name, nearest.names(strings))
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

function Walk:call(view, pc, ins, state)
   local fn, first = state[ins.a], state[ins.a + bytecode.FIRST_ARGUMENT]
   if not fn or fn.kind ~= "outside" then return end
   if self.denied[fn.value] then
      self:report(view.code, pc, "%s", self.denied[fn.value])
   end
   if self.changes[fn.value] and first and first.kind == "outside" then
      self:report(view.code, pc, CHANGED, first.name)
   end
end

function Walk:inner(view, ins)
   local around = { unpack(view.outer) }
   around[#around + 1] = upvalue_names(view.code)
   self:code(util.funck(view.code, -ins.d - 1), nil, around, view.values)
end

local HANDLERS = { TGETS = Walk.read }
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
      if is_outside(name, view.outer) then self:report(code, pc, UPVALUE, name) end
   elseif ins.op == "FNEW" then
      self:inner(view, ins)
   elseif HANDLERS[ins.op] and state then
      HANDLERS[ins.op](self, view, pc, ins, state)
   end
end

--- Look at one function or prototype and at those inside it.
function Walk:code(code, args, outer, values)
   local list = bytecode.instructions(code)
   if #list == 0 then return end -- a C function
   local view = setmetatable({ code = code, list = list, outer = outer, values = values,
      globals = self.globals, origins = {} }, View)
   local states = bytecode.states(list, entry_of(args, util.funcinfo(code).params),
      function(ins, _, state) return view:known(ins, state) end)
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
      if not self.followed[value] and debug.getfenv(value) == self.globals then
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
   local values = {}
   for i = 1, info.upvalues do
      local name, value = debug.getupvalue(fn, i)
      values[name] = value
   end
   local view, states = self:code(fn, args, {}, values)
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
--  `must_give`: flag, it is of no use without a value
-- @treturn {string,...} "FILE:LINE: what: problem", in the order of the code
-- @usage inspect.check(fn, { globals = box.globals, what = "filter" })
function inspect.check(fn, options)
   local walk = setmetatable({ globals = options.globals, what = options.what,
      problems = {}, seen = {}, followed = { [fn] = true }, libraries = {}, denied = {},
      changes = {} }, Walk)
   walk:learn(options.globals)
   local view, states = walk:whole(fn, options.args)
   if view and options.must_give then walk:gives(view, states) end
   return walk.problems
end

return inspect
