--- What LuaJIT does not compile, as far as it can be told before a run: functions that
-- are made in a function, and calls of C functions that the trace compiler does not know.
-- A loop with the former is left to the interpreter; compiled code stops at the latter
-- and goes on behind it.
-- @module sluice.check.compiled

local calls = require "sluice.check.calls"
local bytecode = require "sluice.check.bytecode"

local compiled = {}

--- What is said of a function that is made for each row.
compiled.CLOSURE = "a function is made for each row (make it once, outside)"

-- By name: what to write instead, or true.
local NOT_COMPILED = {
   ["string.find"] = "sluice.text.regex, or a plain find, is",
   ["string.match"] = "sluice.text.regex is",
   ["string.gmatch"] = "sluice.text.split is",
   ["string.gsub"] = true,
   ["table.sort"] = true, ["table.maxn"] = true,
   ["table.insert"] = "at the end it is",
   ["math.fmod"] = "`%` is", ["math.modf"] = "math.floor is", ["math.frexp"] = true,
   ["cjson.decode"] = "a field of the schema is", ["cjson.encode"] = true,
   ["coroutine.wrap"] = true, ["coroutine.create"] = true,
   ["coroutine.resume"] = true, ["coroutine.yield"] = true,
   unpack = "a name for each element is",
}

--- Say that a C function is not compiled.
-- @tparam string name "string.gsub"
-- @treturn string
function compiled.say(name)
   local instead = NOT_COMPILED[name]
   return ("%s is not compiled%s"):format(name,
      type(instead) == "string" and (" (%s)"):format(instead) or "")
end

-- Names of these functions in the environment of scripts, by value.
local function names_in(globals)
   local names = {}
   for name in pairs(NOT_COMPILED) do
      local library, member = name:match "^(%w+)%.(%w+)$"
      local of = library and rawget(globals, library) or globals
      local value = type(of) == "table" and rawget(of, member or name)
      if value then names[value] = name end
   end
   return names
end

-- A find for text in which nothing is magic, or with `plain`, is compiled.
local function is_plain_find(ins, state)
   local pattern = state[ins.a + bytecode.FIRST_ARGUMENT + 1]
   local text = pattern and pattern.kind == "text" and pattern.value
   return (calls.count(ins) or 4) >= 4
      or text and not text:find "[%^%$%*%+%?%.%(%)%[%]%%%-]"
end

-- Calls that are compiled for all that.
local COMPILED = {
   ["string.find"] = is_plain_find,
   ["table.insert"] = function(ins) return calls.count(ins) ~= 3 end,
}

local Look = {}
Look.__index = Look

--- Begin to look at functions of a script.
-- @tparam table globals of the script
-- @treturn table Look
function compiled.new(globals)
   return setmetatable({ names = names_in(globals) }, Look)
end

--- Say what is not compiled of a call.
-- @tparam table ins instruction
-- @tparam table state slot → what is known of it before the call
-- @treturn ?string
function Look:call(ins, state)
   local fn = state[ins.a]
   local name = fn and fn.kind == "outside" and self.names[fn.value]
   if not name or COMPILED[name] and COMPILED[name](ins, state) then return nil end
   return compiled.say(name)
end

return compiled
