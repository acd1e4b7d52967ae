--- Which fields of a row a function reads, as far as its bytecode tells: a row that is
-- kept for it need not have the others.
-- @module sluice.aggregate.reads

local bit = require "bit"
local bytecode = require "sluice.check.bytecode"
local util = require "jit.util"

local reads = {}

-- Modes of operands that are slots: destination, base, variable, base for reading.
-- Source: LuaJIT, lj_bc.h.
local FIRST_SLOT_MODE, LAST_SLOT_MODE = 1, 4

local function is_slot(mode)
   return mode >= FIRST_SLOT_MODE and mode <= LAST_SLOT_MODE
end

local function touches(ins, slot)
   local a, b = bit.band(ins.mode, 7), bit.band(bit.rshift(ins.mode, 3), 15)
   local last = bit.band(bit.rshift(ins.mode, 7), 15)
   return is_slot(a) and ins.a == slot or is_slot(b) and ins.b == slot
      or is_slot(last) and (b == 0 and ins.d or ins.c) == slot
end

--- Say which fields of one argument a function reads by name, when it does nothing
-- else with it: passed on, in a variable or an inner function, all may be read.
-- @tparam function fn
-- @tparam integer argument its number, from 1
-- @treturn ?table set of names; nil: not known
-- @usage reads.of(function(a, row) a.n = a.n + row.x end, 2) --> { x = true }
function reads.of(fn, argument)
   local info, names = util.funcinfo(fn), {}
   if info.isvararg or not info.bytecodes or info.children then return nil end
   if info.params < argument then return names end
   local slot = argument - 1
   for _, ins in ipairs(bytecode.instructions(fn)) do
      if ins.op == "TGETS" and ins.b == slot and ins.a ~= slot then
         names[util.funck(fn, -ins.c - 1)] = true
      elseif touches(ins, slot) then
         return nil
      end
   end
   return names
end

return reads
