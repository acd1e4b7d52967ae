--- Tells when the JIT gave up on a loop or a function, or when compiled code is left in
-- the midst of it, and which line does that. The compiler marks what it blacklists in the
-- bytecode (`IFORL`); the reasons come as trace events. A trace that calls what cannot be
-- compiled is stitched: it ends there, and another one begins behind the call. An exit
-- that could not be compiled ends in the interpreter. Source: LuaJIT, jit/v.lua.
-- @module sluice.fallback

local bit = require "bit"
local util = require "jit.util"
local vmdef = require "jit.vmdef"

local bytecode = require "sluice.check.bytecode"
local compiled = require "sluice.check.compiled"

local fallback = {}

local BLACKLISTED = { IFORL = "loop", IITERL = "loop", ILOOP = "loop",
   IFUNCF = "function", IFUNCV = "function" }

-- Reasons that only say that something else came in between: they do not take the place
-- of one that says more.
local WEAK = {}
for _, text in ipairs { "error thrown or hook called during recording", "blacklisted",
   "retry recording", "leaving loop in root trace", "inner loop in root trace",
   "loop unroll limit reached", "NYI: return to lower frame",
   "down-recursion, restarting" } do
   WEAK[text] = true
end

-- Compiled, but for the way back out of the calls.
local RECURSION = { ["up-recursion"] = true, ["down-recursion"] = true }

local REASONS = {
   VARG = "varargs are taken apart per row",
   TSETM = "a list is filled from several results",
   FNEW = compiled.CLOSURE,
   UCLO = compiled.CLOSURE,
}

-- What a C function is called. Those of scripts that are not LuaJIT's own are cjson's.
local function name_of(fn, called)
   local info = util.funcinfo(fn)
   if info.ffid and info.ffid > 1 then
      return (vmdef.ffnames[info.ffid]:gsub("_aux$", ""))
   end
   return info.loc or called and "cjson." .. called or "a C function"
end

local function reason_of(code, extra)
   local text = vmdef.traceerr[code] or tostring(code)
   if text:find("bytecode", 1, true) and type(extra) == "number" then
      local name = bytecode.NAMES[extra]
      return REASONS[name] or name .. " cannot be compiled"
   end
   if type(extra) == "function" then return compiled.say(name_of(extra)) end
   return (text:gsub("%%[sd]", tostring(extra)))
end

local function as_place(source, line)
   local file = source:gsub("^[@=]", "")
   if not line then return { source = source, text = file } end
   return { source = source, line = line, text = file .. ":" .. line }
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
   return as_place(info.source, line)
end

local function is_users(source) return source:sub(1, 1) == "@" end

local Watch = {}
Watch.__index = Watch

-- The line of the only tail call of a function; else where it begins.
local function tail_call_of(fn)
   local line
   for pc, ins in ipairs(bytecode.instructions(fn)) do
      if ins.op == "CALLT" or ins.op == "CALLMT" then
         if line then return util.funcinfo(fn).linedefined end
         line = util.funcinfo(fn, pc).currentline
      end
   end
   return line or util.funcinfo(fn).linedefined
end

-- The user's function that a driver has come to, by its number (`v.node`): one that ended
-- in a tail call has left the stack.
function Watch:from_node(seen)
   local name, node = seen.driver.names, 0
   for line in name:gmatch "\n([^\n]*)" do
      if node == self.v.node then seen.entry = self.by_title[line] end
      node = node + 1
   end
   local fn = seen.entry and seen.entry.fn
   if fn then seen.at = as_place(util.funcinfo(fn).source, tail_call_of(fn)) end
end

local function note_frame(seen, info)
   if info.what == "C" then
      seen.name = info.name
   elseif is_users(info.source) then
      seen.at = as_place(info.source, info.currentline)
   end
end

-- What runs, from the stack of the code that is recorded: the user's function and line,
-- if it has come to one, and the driver; the name of a C function. `place`: where that
-- code stands, if it is known.
function Watch:look(place)
   local seen, level = { at = place and is_users(place.source) and place or nil }, 2
   while not seen.driver do
      local info = debug.getinfo(level, "Slfn")
      if not info then break end
      if not seen.at then note_frame(seen, info) end
      seen.entry = seen.entry or self.by_fn[info.func]
      seen.driver = self.by_loop[info.func]
      level = level + 1
   end
   if seen.driver and not seen.entry and not seen.at then self:from_node(seen) end
   seen.at = seen.at or place
   return seen
end

-- What is told of an exit, or of the call that ends a trace.
function Watch:leaves(reason, seen)
   local of = seen.entry or seen.driver
   if not of then return end -- the library's own doings between batches
   local at = seen.at and seen.at.text or of.line
   local text = ("%s (%s) leaves compiled code: %s, at %s"):format(of.what, of.line,
      reason, at)
   self.left[#self.left + 1] = { fn = of.fn, text = text, reason = reason, at = at,
      seen = seen }
   self.changed = true
end

function Watch:abort(code, pc, reason, extra)
   local began = self.began
   local text, seen = reason_of(reason, extra), self:look(location(code, pc))
   if text == "blacklisted" and self.aborts[code] then
      text, seen = self.aborts[code].reason, self.aborts[code].seen
   end
   local known = self.aborts[began.code]
   if not known or not WEAK[text] or WEAK[known.reason] then
      self.aborts[began.code] = { reason = text, seen = seen }
   end
   if began.exit then self.exits[began.exit] = { reason = text, seen = seen } end
   self.changed = true
end

-- What a trace that is complete ends with: another one or itself, or else what is told.
function Watch:stop(trace, code)
   local kind, began = util.traceinfo(trace).linktype, self.began
   self.roots[trace] = began.root
   if kind == "stitch" or kind == "return" and not util.funcinfo(code).source then
      local seen = self:look()
      self:leaves(compiled.say(name_of(code, seen.name)), seen)
   elseif RECURSION[kind] then
      self:leaves("it calls itself", self:look(location(code, 1)))
   elseif kind == "interpreter" then
      local known = self.exits[began.exit]
      -- what an exit of another root comes to may end once the driver's loop is compiled
      if known and (self.by_loop[began.root] or not WEAK[known.reason]) then
         self:leaves(known.reason, known.seen)
      end
   end
end

function Watch:event(what, trace, code, pc, a, b)
   if what == "start" then
      self.began = { code = code, exit = a and a .. "/" .. b,
         root = a and self.roots[a] or code }
   elseif what == "abort" and self.began then
      self:abort(code, pc, a, b)
   elseif what == "stop" and self.began then
      self:stop(trace, code)
   elseif what == "flush" then
      self.exits, self.roots = {}, {}
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

-- Why a loop or function was given up: what ends compiled code in it says more than what
-- came of that.
function Watch:cause(fn)
   local abort = self.aborts[fn]
   local entry = abort and WEAK[abort.reason] and abort.seen.entry
   for _, one in ipairs(entry and self.left or {}) do
      if not WEAK[one.reason] and one.fn == entry.fn then return one end
   end
   return abort
end

--- Describe what fell back; nil when it was told before.
function Watch:describe(fn, kind, entry)
   local cause = self:cause(fn) or { reason = "it is not known why", seen = {} }
   local at = cause.seen.at
   entry = cause.seen.entry or at and self:function_at(at) or entry
   if self.told[entry.fn] then return nil end
   self.told[entry.fn] = cause.reason
   local text = ("%s%s (%s) fell back to the interpreter: %s"):format(
      kind == "loop" and "the loop over " or "", entry.what, entry.line, cause.reason)
   if not at then return text end
   self.said[at.text] = true
   return ("%s, at %s"):format(text, at.text)
end

--- What fell back, or leaves compiled code, since the last call.
-- @treturn {string,...} one text a function that fell back, and one a line that leaves
--   compiled code, told once
function Watch:poll()
   local texts = {}
   if not self.changed then return texts end
   self.changed = false
   local function look(fn, entry)
      local kind = is_blacklisted(fn)
      if kind then texts[#texts + 1] = self:describe(fn, kind, entry) end
   end
   for _, driver in ipairs(self.drivers) do
      for _, loop in ipairs(driver.loops) do look(loop, self.by_loop[loop]) end
   end
   for _, entry in ipairs(self.functions) do look(entry.fn, entry) end
   for _, one in ipairs(self.left) do
      if not self.said[one.at] then texts[#texts + 1] = one.text end
      self.said[one.at] = true
      self.told[one.fn] = self.told[one.fn] or one.reason
   end
   self.left = {}
   return texts
end

--- Watch drivers and the user's functions in them, from now on.
-- @tparam table drivers list of `{ what =, name =, title =, loops = { function, … } }`
-- @tparam table list from `functions.of`
-- @tparam cdata v vector of the drivers
-- @treturn table with `poll()`, and `told`: function → why, of those that were told
-- @usage local watch = fallback.watch(drivers, functions.of(graph), v)
function fallback.watch(drivers, list, v)
   local watch = setmetatable({ drivers = drivers, functions = list, v = v, aborts = {},
      exits = {}, roots = {}, left = {}, said = {}, told = {}, changed = false,
      by_fn = {}, by_loop = {}, by_title = {} }, Watch)
   for _, entry in ipairs(list) do
      watch.by_fn[entry.fn] = entry
      watch.by_title[("%s %s"):format(entry.what, entry.line)] = entry
   end
   for _, driver in ipairs(drivers) do
      for _, loop in ipairs(driver.loops) do
         watch.by_loop[loop] = { fn = loop, what = driver.what, line = driver.name,
            names = driver.title }
      end
   end
   -- What throws inside of an event of the VM is printed by it: nothing may.
   function watch.listen(...) pcall(watch.event, watch, ...) end
   jit.attach(watch.listen, "trace")
   return watch
end

return fallback
