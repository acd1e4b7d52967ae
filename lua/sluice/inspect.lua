--- What is known about a user's function from its bytecode, before it runs: globals
-- that do not exist, fields that the rows do not have, and state kept outside of
-- aggregates. Only what is certain is reported: a field is looked at where the row is
-- the argument itself, never assigned.
--
-- Bytecode: one instruction `op a b c` or `op a d`; jit.util gives it with its operand
-- modes, constants by negative index. Source: LuaJIT, lj_bc.h and jit/bc.lua.
-- @module sluice.inspect

local bit = require "bit"
local nearest = require "sluice.nearest"
local sandbox = require "sluice.sandbox"
local util = require "jit.util"
local vmdef = require "jit.vmdef"

local inspect = {}

local MODE_DESTINATION = 1 -- BCMdst: the instruction writes slot A

local NAMES = {}
for at = 0, #vmdef.bcnames / 6 - 1 do
   NAMES[at] = vmdef.bcnames:sub(at * 6 + 1, at * 6 + 6):match("%S*")
end

local ASSIGNS_UPVALUE = { USETV = true, USETS = true, USETN = true, USETP = true }

--- Take an instruction apart.
local function decode(code, pc)
   local ins, mode = util.funcbc(code, pc)
   if not ins then return nil end
   return { op = NAMES[bit.band(ins, 0xff)], a = bit.band(bit.rshift(ins, 8), 0xff),
      b = bit.rshift(ins, 24), c = bit.band(bit.rshift(ins, 16), 0xff),
      d = bit.rshift(ins, 16), writes = bit.band(mode, 7) == MODE_DESTINATION }
end

local function instructions(code)
   local list = {}
   for pc = 1, util.funcinfo(code).bytecodes - 1 do list[pc] = decode(code, pc) end
   return list
end

--- Slots that some instruction writes.
local function written_slots(list)
   local written = {}
   for _, ins in ipairs(list) do
      if ins.writes then written[ins.a] = true end
      if ins.op == "KNIL" then
         for slot = ins.a, ins.d do written[slot] = true end
      end
   end
   return written
end

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

local UPVALUE = "`%s` is assigned, which lies outside the function: functions must not "
   .. "keep state (workers and restarts would see different values); use an aggregate's "
   .. "`state`"
local GLOBAL = "the global `%s` is assigned: functions must not keep state; write `local`"

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

--- A field read or assigned on an argument of the outermost function.
function Walk:field(code, pc, ins, arg)
   local name = util.funck(code, -ins.c - 1)
   if ins.op == "TSETS" and arg.kind == "row" then
      local message = "a row cannot be changed: `%s` is assigned; use :derive"
      return self:report(code, pc, message, name)
   end
   if has_value(arg.names, name) then return end
   self:report(code, pc, "unknown %s `%s`%s", arg.kind == "row" and "field" or
      ("member of the " .. arg.kind), name, nearest.hint(name, arg.names))
end

--- An assignment to a variable of the enclosing scopes. One that belongs to the user's
-- function itself (`outer` is the chain of functions around this one, the outermost
-- first) is its own business.
function Walk:upvalue_assigned(code, pc, index, outer)
   local name = util.funcuvname(code, index)
   for _, names in ipairs(outer) do
      if not has_value(names, name) then return end
   end
   self:report(code, pc, UPVALUE, name)
end

--- Arguments that are never assigned, by slot.
local function certain_arguments(list, args, params)
   local written, certain = written_slots(list), {}
   for i, arg in ipairs(args or {}) do
      if i <= params and arg.names and not written[i - 1] then certain[i - 1] = arg end
   end
   return certain
end

--- Look at one function or prototype and at those inside it.
function Walk:code(code, args, outer)
   local info = util.funcinfo(code)
   if not info.bytecodes then return end -- a C function
   local list = instructions(code)
   local certain = certain_arguments(list, args, info.params)
   for pc, ins in ipairs(list) do
      if ins.op == "GGET" then
         self:global(code, pc, util.funck(code, -ins.d - 1))
      elseif ins.op == "GSET" then
         self:report(code, pc, GLOBAL, util.funck(code, -ins.d - 1))
      elseif ASSIGNS_UPVALUE[ins.op] then
         self:upvalue_assigned(code, pc, ins.a, outer)
      elseif (ins.op == "TGETS" or ins.op == "TSETS") and certain[ins.b] then
         self:field(code, pc, ins, certain[ins.b])
      elseif ins.op == "FNEW" then
         local around = { unpack(outer) }
         around[#around + 1] = upvalue_names(code)
         self:code(util.funck(code, -ins.d - 1), nil, around)
      end
   end
end

--- Names of fields that a function reads: which functions of a module it may call.
local function field_names(fn)
   local names = {}
   for _, ins in ipairs(instructions(fn)) do
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
   self:code(fn, args, {})
   if info.upvalues == 0 then return end
   local names = field_names(fn)
   for i = 1, info.upvalues do
      local _, value = debug.getupvalue(fn, i)
      self:follow(value, names)
   end
end

--- Look through a function, what is inside it, and the user's functions it calls by name.
-- @tparam function fn
-- @tparam table options `globals`: the environment of scripts; `what`: how messages call
--  it ("filter"); `args`: per argument `{ kind =, names = }` or nil
-- @treturn {string,...} "FILE:LINE: what: problem", in the order of the code
-- @usage inspect.check(fn, { globals = box.globals, what = "filter" })
function inspect.check(fn, options)
   local walk = setmetatable({ globals = options.globals, what = options.what,
      problems = {}, seen = {}, followed = { [fn] = true } }, Walk)
   walk:whole(fn, options.args)
   return walk.problems
end

return inspect
