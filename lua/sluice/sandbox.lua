--- The environment of users' scripts: what Lua offers, less what reaches outside the
-- process, reads clocks, or undoes the environment itself. It guards against mistakes,
-- not against hostile scripts: those need a process of their own (LuaJIT's FAQ).
-- @module sluice.sandbox

local bit = require "bit"
local cjson = require "cjson"
local decimal = require "sluice.decimal"
local ffi = require "ffi"
local nearest = require "sluice.nearest"
local random = require "sluice.helper.random"
local syntax = require "sluice.syntax"
local tables = require "sluice.tables"

local sandbox = {}

local BASE = { "_VERSION", "assert", "error", "getmetatable", "ipairs", "next", "pairs",
   "pcall", "rawequal", "rawget", "rawset", "select", "setmetatable", "tonumber",
   "tostring", "type", "unpack", "xpcall" }

local NOT_AVAILABLE = "%s is not available in scripts: %s"
local UNDOES = "it undoes the environment of scripts"
local MEMORY = "the runtime manages memory"
local OWN_FILES = "`require \"name\"` loads name.lua from the script's own folder"

--- Globals of plain Lua that scripts do not get, and what to do instead.
local DENIED = {
   os = "results must not depend on when they are computed (in a sluice.sink: "
      .. "`system.os` of `open`)",
   io = "records come from sources and go to sinks (in a sluice.sink: `system.io` of "
      .. "`open`)",
   ffi = "foreign code could corrupt the process",
   debug = UNDOES,
   package = OWN_FILES,
   jit = "the runtime sets the compiler up",
   newproxy = UNDOES,
   getfenv = UNDOES,
   setfenv = UNDOES,
   collectgarbage = MEMORY,
   dofile = OWN_FILES,
   loadfile = OWN_FILES,
   module = "return a table from the file instead",
   gcinfo = MEMORY,
}

local POSITION = "random numbers follow from the record's position"

--- Words of other languages.
local FOREIGN = { sluice = 'local sluice = require "sluice"',
   null = "nil", None = "nil", undefined = "nil", True = "true",
   False = "false", NULL = "nil" }

--- Members of libraries that scripts do not get, and why.
local DENIED_MEMBERS = {
   math = { randomseed = POSITION },
   string = { dump = "bytecode cannot be loaded" },
}

--- Globals that are libraries.
sandbox.LIBRARIES = { "bit", "cjson", "coroutine", "math", "string", "table" }

--- Library modules that a script may require, beside its own files.
local PUBLIC = { ["sluice"] = true }

local function refuse(name, why)
   return function() error(NOT_AVAILABLE:format(name, why), 2) end
end

--- What is wrong with reading a global.
-- @tparam table globals of the script
-- @tparam string name
-- @treturn ?string message without a place; nil when the global exists
function sandbox.explain_global(globals, name)
   if rawget(globals, name) ~= nil then return nil end
   if DENIED[name] then return NOT_AVAILABLE:format(name, DENIED[name]) end
   if FOREIGN[name] then
      return ("unknown global `%s` (in Lua: `%s`)"):format(name, FOREIGN[name])
   end
   local found = nearest.find(name, tables.keys(globals))
   return ("unknown global `%s`"):format(name)
      .. (found and (": did you mean `%s`?"):format(found) or "")
end

--- What is wrong with reading a member of a library.
-- @tparam table library the script's copy of it
-- @tparam string library_name one of `sandbox.LIBRARIES`
-- @tparam string name of the member
-- @treturn ?string message without a place; nil when scripts may use it
function sandbox.explain_member(library, library_name, name)
   local denied = DENIED_MEMBERS[library_name]
   local shown = library_name .. "." .. name
   if denied and denied[name] then return NOT_AVAILABLE:format(shown, denied[name]) end
   if rawget(library, name) ~= nil then return nil end
   local found = nearest.find(name, tables.keys(library))
   return ("there is no `%s`"):format(shown)
      .. (found and (": did you mean `%s.%s`?"):format(library_name, found) or "")
end

local function library_copies()
   local copies = { cjson = cjson.new() }
   local given = { bit = bit, coroutine = coroutine, math = math, string = string,
      table = table }
   for name, library in pairs(given) do copies[name] = tables.copy(library) end
   copies.math.random = random.random
   for name, members in pairs(DENIED_MEMBERS) do
      for member, why in pairs(members) do
         copies[name][member] = refuse(name .. "." .. member, why)
      end
   end
   return copies
end

--- `load` that takes text only, in the script's environment, under a name that shows as
-- the user's code.
local function text_loader(globals)
   return function(chunk, name, _, env)
      if type(chunk) == "function" then
         local parts = {}
         for part in chunk do
            if part == "" then break end
            parts[#parts + 1] = part
         end
         chunk = table.concat(parts)
      end
      local shown = tostring(name or "load"):gsub("^[@=]", "")
      local made, problem = load(chunk, "@" .. shown, "t", env or globals)
      if not made then return nil, problem end
      return made
   end
end

local function read_file(path)
   local file = io.open(path, "rb")
   if not file then return nil end
   local text = file:read("*a")
   file:close()
   return text
end

--- Why a script may not require a module of this name; nil when it may.
local function refuse_name(name)
   if type(name) ~= "string" then return "require: a name is wanted" end
   if DENIED[name] then return NOT_AVAILABLE:format(name, DENIED[name]) end
   if name:find("^[%w_-]") and name:find("[%w_-]$") and not name:find("[^%w_.-]")
      and not name:find("..", 1, true) then
      return nil
   end
   return ("require %q: names are letters, digits, `_`, `-`, and dots between folders")
      :format(name)
end

--- `require`: files of the script's folder, and the public modules of the library.
local function own_require(globals, options)
   local loaded, loading = { bit = globals.bit, cjson = globals.cjson }, {}
   return function(name)
      local refused = refuse_name(name)
      if refused then error(refused, 2) end
      if loaded[name] ~= nil then return loaded[name] end
      if PUBLIC[name] then return require(name) end
      local file = name:gsub("%.", "/") .. ".lua"
      local path = options.folder .. file
      local text = read_file((options.root or options.folder) .. file)
      if not text then error(("require %q: there is no %s"):format(name, path), 2) end
      if loading[name] then error(("require %q: it requires itself"):format(name), 2) end
      options.add_text(text, path)
      local chunk, problem = load(text, "@" .. path, "t", globals)
      if not chunk then error(syntax.explain(problem, text), 0) end
      loading[name] = true
      local value = chunk(name)
      loading[name] = nil
      loaded[name] = value == nil and true or value
      return loaded[name]
   end
end

local function printer(write)
   return function(...)
      local words = {}
      for i = 1, select("#", ...) do words[i] = tostring((select(i, ...))) end
      write(table.concat(words, "\t"))
   end
end

-- Lua's knows no decimals, and would give nil for them.
local function number_of(x, base)
   if decimal.is(x) then return (x:tonumber()) end
   return (tonumber(x, base))
end

-- Lua's is not compiled for decimals and int64.
local function text_of(x)
   if type(x) ~= "cdata" then return (tostring(x)) end
   if decimal.is(x) then return (decimal.text(x)) end
   if ffi.istype("int64_t", x) then return ("%dLL"):format(x) end
   return (tostring(x))
end

--- Make the environment of one script. Changes the metatable of strings, for the whole
-- Lua state: methods of strings are looked up in a copy that scripts cannot reach.
-- @tparam table options `folder`: where `require` looks, "" or ending in "/"; `root`:
--   where the files of that folder are read, if elsewhere; `print`:
--   function(text); `add_text`: function(text, path), called with every file that is
--   required
-- @treturn table `globals`: the environment; `load(text, name)`: function or nil,
--   problem; `freeze()`: from now on new globals are an error
-- @usage local box = sandbox.new { folder = "", print = print, add_text = print }
function sandbox.new(options)
   local globals, frozen = {}, false
   for _, name in ipairs(BASE) do globals[name] = _G[name] end
   for name, library in pairs(library_copies()) do globals[name] = library end
   globals._G = globals
   globals.tonumber, globals.tostring = number_of, text_of
   globals.print = printer(options.print)
   globals.load = text_loader(globals)
   globals.loadstring = globals.load
   globals.require = own_require(globals, options)

   setmetatable(globals, {
      __metatable = false,
      __index = function(_, name)
         error(sandbox.explain_global(globals, name), 2)
      end,
      __newindex = function(_, name, value)
         if frozen then
            error(("the global `%s` is assigned: functions must not keep state")
               :format(tostring(name)), 2)
         end
         rawset(globals, name, value)
      end,
   })

   local methods = tables.copy(string)
   methods.dump = globals.string.dump
   local of_strings = debug.getmetatable("")
   of_strings.__index = methods
   of_strings.__metatable = false

   return {
      globals = globals,
      load = function(text, name) return load(text, "@" .. name, "t", globals) end,
      freeze = function() frozen = true end,
   }
end

return sandbox
