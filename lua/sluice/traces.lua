--- Tells the host of each loop that LuaJIT compiles, so that one that never ends can be
-- broken (runtime/script/traces.h). A loop without a single check in it could not be: it
-- is dropped, and goes on in the interpreter.
-- @module sluice.traces

local util = require "jit.util"

local traces = {}

local EXITS_A_STUB = 32

-- "rides.lua:27" where a trace begins, if that is the user's code: a loop begins there,
-- while the exit by which it is left may stand behind it.
local function place_of(code, pc)
   if type(code) ~= "function" then return "" end
   local info = util.funcinfo(code, pc)
   local file = info.source and info.source:match "^@(.*)$"
   return file and info.currentline and file .. ":" .. info.currentline or ""
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
-- @tparam function tell(address, bytes, loop, exits, stubs, place) → whether it can be
--   broken; without arguments: all of it is gone
-- @tparam ?function listener gets every event first; throws nothing
-- @usage traces.watch(host.trace, watch.listen)
function traces.watch(tell, listener)
   local begun = ""
   local function on_event(what, number, code, pc)
      if what == "start" then begun = place_of(code, pc) end
      if what == "flush" then tell() end
      if what ~= "stop" then return end
      local exits = util.traceinfo(number).nexit
      local bytes, address, loop = util.tracemc(number)
      local ends = tell(address, #bytes, loop, exits, stubs_of(exits), begun)
      if not ends then jit.flush(number) end
   end
   -- What throws inside of an event of the VM is printed by it: nothing may.
   jit.attach(function(...)
      if listener then listener(...) end
      pcall(on_event, ...)
   end, "trace")
end

return traces
