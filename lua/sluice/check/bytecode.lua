--- The bytecode of a function: its instructions, and what is known of each slot before
-- each of them.
--
-- One instruction is `op a b c` or `op a d`; jit.util gives it with its operand modes,
-- constants by negative index. Source: LuaJIT, lj_bc.h and jit/bc.lua.
-- @module sluice.check.bytecode

local bit = require "bit"
local util = require "jit.util"
local vmdef = require "jit.vmdef"
local tables = require "sluice.tables"

local bytecode = {}

local MODE_DESTINATION = 1 -- BCMdst: the instruction writes slot A
local JUMP_BIAS = 0x8000

--- Names of instructions by number.
bytecode.NAMES = {}
for at = 0, #vmdef.bcnames / 6 - 1 do
   bytecode.NAMES[at] = vmdef.bcnames:sub(at * 6 + 1, at * 6 + 6):match("%S*")
end

-- Where an instruction may go on: at the next one unless it is said here.
local ENDS, JUMPS, BRANCHES, SKIPS = {}, {}, {}, {}
for op in ("RET0 RET1 RET RETM CALLT CALLMT"):gmatch "%S+" do ENDS[op] = true end
for op in ("JMP ISNEXT UCLO"):gmatch "%S+" do JUMPS[op] = true end
for op in ("FORI FORL IFORL ITERL IITERL"):gmatch "%S+" do BRANCHES[op] = true end
-- Comparisons: a jump follows, which is taken or skipped.
for op in ([[ISLT ISGE ISLE ISGT ISEQV ISNEV ISEQS ISNES ISEQN ISNEN ISEQP ISNEP ISTC ISFC
   IST ISF]]):gmatch "%S+" do SKIPS[op] = true end

-- What writes slot A and may use all above it: calls, loops, `...`.
local CLEARS = {}
for op in ([[CALL CALLM ITERC ITERN VARG FORI FORL IFORL ITERL IITERL]]):gmatch "%S+" do
   CLEARS[op] = true
end

local function decode(code, pc)
   local ins, mode = util.funcbc(code, pc)
   return { op = bytecode.NAMES[bit.band(ins, 0xff)],
      a = bit.band(bit.rshift(ins, 8), 0xff), b = bit.rshift(ins, 24),
      c = bit.band(bit.rshift(ins, 16), 0xff), d = bit.rshift(ins, 16),
      writes = bit.band(mode, 7) == MODE_DESTINATION,
      mode = mode }
end

--- Take a function or prototype apart.
-- @tparam function|proto code
-- @treturn table list of `{ op =, a =, b =, c =, d =, writes = flag, mode = of the
--   operands }`, from 1; empty for a C function
function bytecode.instructions(code)
   local list = {}
   for pc = 1, (util.funcinfo(code).bytecodes or 0) - 1 do list[pc] = decode(code, pc) end
   return list
end

local function successors(ins, pc)
   if ENDS[ins.op] then return nil, nil end
   local target = pc + 1 + ins.d - JUMP_BIAS
   if JUMPS[ins.op] then return target, nil end
   if BRANCHES[ins.op] then return pc + 1, target end
   return pc + 1, SKIPS[ins.op] and pc + 2 or nil
end

local function after(ins, pc, before, known)
   local state = {}
   for slot, what in pairs(before) do state[slot] = what end
   if CLEARS[ins.op] or ins.op == "KNIL" then
      for slot in pairs(before) do
         if slot >= ins.a and (ins.op ~= "KNIL" or slot <= ins.d) then
            state[slot] = nil
         end
      end
   elseif ins.writes then
      state[ins.a] = known(ins, pc, before)
   end
   return state
end

-- Keep of what is known at `pc` what is also true on another way there. True when that
-- changed something.
local function meet(states, pc, state)
   local there = states[pc]
   if not there then
      states[pc] = state
      return true
   end
   local changed = false
   for slot, what in pairs(there) do
      if state[slot] ~= what then
         there[slot] = nil
         changed = true
      end
   end
   return changed
end

--- Follow all ways through a function. Only what holds on every way to an instruction is
-- known there. An assignment to a captured local from a closure is not seen.
-- @tparam table list from `bytecode.instructions`
-- @tparam table entry slot → what is known of it at the start
-- @tparam function known (instruction, pc, state before it) → what is known of slot A
--   behind it, or nil; equal knowledge is the same value
-- @treturn table pc → slot → what is known before it; nil for what is never reached
function bytecode.states(list, entry, known)
   local states, queue = { tables.copy(entry) }, { 1 }
   while #queue > 0 do
      local pc = table.remove(queue)
      local state = after(list[pc], pc, states[pc], known)
      local one, other = successors(list[pc], pc)
      if one and list[one] and meet(states, one, tables.copy(state)) then
         queue[#queue + 1] = one
      end
      if other and list[other] and meet(states, other, tables.copy(state)) then
         queue[#queue + 1] = other
      end
   end
   return states
end

-- The first argument of a call stands two slots above the function, or one: that differs
-- between builds of LuaJIT (LJ_FR2).
local function first_argument()
   local list = bytecode.instructions(function() print(1) end)
   return list[2].a - list[1].a
end

--- From a call's slot A to that of its first argument.
bytecode.FIRST_ARGUMENT = first_argument()

return bytecode
