--- Tells when the JIT gave up on a loop or a function, and which line made it. The
-- compiler marks what it blacklists in the bytecode (`IFORL`); the reasons come as trace
-- events. Source: LuaJIT, jit/v.lua.
-- @module sluice.fallback

local bit = require "bit"
local util = require "jit.util"
local vmdef = require "jit.vmdef"

local bytecode = require "sluice.check.bytecode"

local fallback = {}

local BLACKLISTED = { IFORL = "loop", IITERL = "loop", ILOOP = "loop",
   IFUNCF = "function", IFUNCV = "function" }

local REASONS = {
   FNEW = "a function is made for each row (make it once, outside)",
   UCLO = "a function is made for each turn of a loop (make it once, outside)",
   VARG = "varargs are taken apart per row",
   TSETM = "a list is filled from several results",
   CAT = "strings are joined",
}

local function reason_of(code, extra)
   local text = vmdef.traceerr[code] or tostring(code)
   if text:find("bytecode", 1, true) and type(extra) == "number" then
      local name = bytecode.NAMES[extra]
      return REASONS[name] or name .. " cannot be compiled"
   end
   if type(extra) == "function" then
      local info = util.funcinfo(extra)
      extra = info.ffid and vmdef.ffnames[info.ffid] or info.loc or "a C function"
   end
   return (text:gsub("%%[sd]", tostring(extra)))
end

--- Where an instruction stands. One that makes a closure carries the line of its `end`:
-- the line where the closure begins says more.
local function location(code, pc)
   local info = util.funcinfo(code, pc)
   if not info.source then return nil end
   -- where a trace ends between functions its place is outside of the code: no line
   local line, ins = info.currentline, util.funcbc(code, pc)
   if ins and bytecode.NAMES[bit.band(ins, 0xff)] == "FNEW" then
      line = util.funcinfo(util.funck(code, -bit.rshift(ins, 16) - 1)).linedefined
   end
   local file = info.source:gsub("^[@=]", "")
   if not line then return { source = info.source, text = file } end
   return { source = info.source, line = line, text = file .. ":" .. line }
end

local Watch = {}
Watch.__index = Watch

function Watch:event(what, code, pc, reason, extra)
   if what == "start" then
      self.started = code
   elseif what == "abort" and self.started then
      local text = reason_of(reason, extra)
      self.aborts[self.started] = { reason = text, at = location(code, pc) }
      self.changed = true
   end
end

--- The user's function whose lines hold a place.
function Watch:function_at(at)
   if not at.line then return nil end
   for _, entry in ipairs(self.functions) do
      local info = util.funcinfo(entry.fn)
      if info.source == at.source and info.linedefined <= at.line
         and at.line <= info.lastlinedefined then
         return entry
      end
   end
end

local function is_blacklisted(fn)
   local info = util.funcinfo(fn)
   for pc = 0, (info.bytecodes or 0) - 1 do
      local ins = util.funcbc(fn, pc)
      local kind = ins and BLACKLISTED[bytecode.NAMES[bit.band(ins, 0xff)]]
      if kind then return kind end
   end
end

--- Describe what fell back; nil when it was told before.
function Watch:describe(fn, kind, entry)
   local abort = self.aborts[fn]
   local at = abort and abort.at
   entry = at and self:function_at(at) or entry
   if self.told[entry.fn] then return nil end
   local text = ("%s%s (%s) fell back to the interpreter"):format(
      kind == "loop" and "the loop over " or "", entry.what, entry.line)
   self.told[entry.fn] = abort and abort.reason or "it is not known why"
   if not abort then return text end
   local where = at and ", at " .. at.text or ""
   return ("%s: %s%s"):format(text, abort.reason, where)
end

--- What fell back since the last call.
-- @treturn {string,...} one text a function, told once
function Watch:poll()
   local texts = {}
   if not self.changed then return texts end
   self.changed = false
   local function look(fn, entry)
      local kind = is_blacklisted(fn)
      if kind then texts[#texts + 1] = self:describe(fn, kind, entry) end
   end
   for _, driver in ipairs(self.drivers) do
      for _, loop in ipairs(driver.loops) do
         look(loop, { fn = loop, what = driver.what, line = driver.name })
      end
   end
   for _, entry in ipairs(self.functions) do look(entry.fn, entry) end
   return texts
end

--- Watch drivers and the user's functions in them, from now on.
-- @tparam table drivers list of `{ what =, name =, loops = { function, … } }`
-- @tparam table list from `functions.of`
-- @treturn table with `poll()`, and `told`: function → why, of those that were told
-- @usage local watch = fallback.watch(drivers, functions.of(graph))
function fallback.watch(drivers, list)
   local watch = setmetatable({ drivers = drivers, functions = list, aborts = {},
      told = {}, changed = false }, Watch)
   -- What throws inside of an event of the VM is printed by it: nothing may.
   function watch.listen(what, _, code, pc, reason, extra)
      pcall(watch.event, watch, what, code, pc, reason, extra)
   end
   jit.attach(watch.listen, "trace")
   return watch
end

return fallback
