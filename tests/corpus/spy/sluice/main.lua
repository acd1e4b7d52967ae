--- Stands before the library's `sluice.main` (SLUICE_LUA) and looks at LuaJIT by other
-- means than the watch does: between two calls of `describe` a hook counts what the
-- interpreter runs. Compiled code has no hooks: of a loop that stays in it nothing is
-- counted but what stands around the loop. C functions that a trace is stitched around
-- are counted as calls.
-- @module sluice.main

local bit = require "bit"
local cjson = require "cjson"
local fallback = require "sluice.fallback"
local util = require "jit.util"
local vmdef = require "jit.vmdef"

-- Behind what is preloaded and this folder comes what is built in.
local real = package.loaders[3] "sluice.main" "sluice.main"

local spy = { attach = real.attach }

-- Places are asked for so many events only: it is slow.
local PLACES = 4000

-- How the main loop of a driver runs: "JFORL loop", "FORL", "IFORL".
local function state_of(loop)
   local found = {}
   for pc = 1, util.funcinfo(loop).bytecodes - 1 do
      local ins = util.funcbc(loop, pc)
      local op = bit.band(ins, 0xff) * 6
      local name = vmdef.bcnames:sub(op + 1, op + 6):match "%S*"
      if name:find "FORL$" then
         local trace = name == "JFORL" and util.traceinfo(bit.rshift(ins, 16))
         found[#found + 1] = trace and name .. " " .. trace.linktype or name
      end
   end
   return table.concat(found, ", ")
end

-- Count what is not compiled, in all and by place.
local function new_count()
   local count = { events = 0, calls = 0, places = {} }
   function count.hook(event)
      count.events = count.events + 1
      if event ~= "count" then count.calls = count.calls + 1 end
      if count.events > PLACES then return end
      local info = debug.getinfo(2, "Sl")
      local place = ("%s:%d"):format(info.source:gsub("^[@=]", ""), info.currentline)
      count.places[place] = (count.places[place] or 0) + 1
   end
   jit.off(count.hook)
   return count
end

local function report(loaded, drivers, count)
   debug.sethook()
   local loops = {}
   for i, driver in ipairs(drivers) do
      local states = {}
      for k, loop in ipairs(driver.loops) do states[k] = state_of(loop) end
      loops[i] = ("%s: %s"):format(driver.what, table.concat(states, "; "))
   end
   local found = cjson.decode(loaded.explain(true, false))
   return cjson.encode { events = count.events, calls = count.calls,
      places = count.places, loops = loops,
      told = loaded.fallbacks(), findings = found.findings }
end
jit.off(state_of)
jit.off(report)

function spy.load(host)
   local watched
   local watch = fallback.watch
   function fallback.watch(drivers, ...)
      watched = drivers
      return watch(drivers, ...)
   end
   local loaded = real.load(host)
   fallback.watch = watch
   if not loaded.plan then return loaded end
   local count
   function loaded.describe()
      if not count then
         count = new_count()
         debug.sethook(count.hook, "c", 1)
         return ""
      end
      local text = report(loaded, watched, count)
      count = nil
      return text
   end
   jit.off(loaded.describe)
   return loaded
end

return spy
