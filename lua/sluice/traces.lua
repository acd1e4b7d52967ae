--- Tells the host of each loop that LuaJIT compiles, so that one that never ends can be
-- broken (runtime/script/traces.h), and what it is called, for perf. A loop without a
-- single check in it could not be broken: it is dropped, and goes on in the interpreter.
-- @module sluice.traces

local util = require "jit.util"

local traces = {}

local EXITS_A_STUB = 32

-- "rides.lua:27" where a trace begins, if that is the user's code: a loop begins there,
-- while the exit by which it is left may stand behind it. And the same of any code:
-- "sluice:fold of rides:40" of a loop that the library has made.
local function place_of(code, pc)
   if type(code) ~= "function" then return "", "?" end
   local info = util.funcinfo(code, pc)
   if not info.source then return "", "?" end
   local file = info.source:match "^@(.*)$"
   local line = info.currentline and ":" .. info.currentline or ""
   local any = info.source:gsub("^[@=]", "") .. line
   return file and info.currentline and any or "", any
end

local function stubs_of(exits)
   local stubs = {}
   for exit = 0, exits - 1, EXITS_A_STUB do
      stubs[#stubs + 1] = util.traceexitstub(exit)
   end
   return stubs
end

--- Tell of compiled code from now on. LuaJIT has one listener of traces: whoever listened
-- before is to be called from here.
-- @tparam function tell(address, bytes, loop, exits, stubs, place, name) → whether it
--   can be broken; without arguments: all of it is gone. `name`: as LuaJIT itself has it
--   for perf, "TRACE_12::rides.lua:27"
-- @tparam ?function listener gets every event first; throws nothing
-- @usage traces.watch(host.trace, watch.listen)
function traces.watch(tell, listener)
   local begun, any = "", ""
   local function on_event(what, number, code, pc)
      if what == "start" then begun, any = place_of(code, pc) end
      if what == "flush" then tell() end
      if what ~= "stop" then return end
      local exits = util.traceinfo(number).nexit
      local bytes, address, loop = util.tracemc(number)
      local name = ("TRACE_%d::%s"):format(number, (any:gsub("%c", "?")))
      local ends = tell(address, #bytes, loop, exits, stubs_of(exits), begun, name)
      if not ends then jit.flush(number) end
   end
   -- What throws inside of an event of the VM is printed by it: nothing may.
   jit.attach(function(...)
      if listener then listener(...) end
      pcall(on_event, ...)
   end, "trace")
end

return traces
