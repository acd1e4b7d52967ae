--- What C calls of sinks that a script writes itself: once when they open and close, and
-- with the rows of a batch. Runs on worker 0, outside of the sandbox's limits.
-- @module sluice.driver.sink

local cjson = require "cjson"

local place = require "sluice.place"

local driver_sink = {}

local json = cjson.new()
json.decode_max_depth(64)

-- JSON's null is nil in Lua, at every depth.
local function without_nulls(value)
   if type(value) ~= "table" then return value end
   for key, item in pairs(value) do
      if item == cjson.null then
         value[key] = nil
      elseif type(item) == "table" then
         without_nulls(item)
      end
   end
   return value
end

local function decoded(text)
   return text and without_nulls(json.decode(text))
end

-- An open that fails as `io.open` does, or a write that says so.
local function check(what, fn, done, message)
   if not done and message ~= nil then
      error(("%s of the sink at %s: %s"):format(what, place.of_function(fn),
         tostring(message)), 0)
   end
   return done
end

-- What the system's modules see as globals: their `require` is this one, too.
local globals = setmetatable({}, { __index = _G })

-- `require` of the system's modules: scripts have their own folder only.
local function system_require(name)
   local loaded = package.loaded[name]
   if loaded ~= nil then return loaded end
   local path = package.searchpath(name, rawget(package, "system_path") or package.path)
   local library = not path
      and package.searchpath(name, rawget(package, "system_cpath") or package.cpath)
   if not path and not library then return require(name) end
   local open = path and assert(loadfile(path, "bt", globals))
      or assert(package.loadlib(library, "luaopen_" .. name:gsub("%.", "_")))
   local value = open(name)
   if value ~= nil then package.loaded[name] = value end
   if package.loaded[name] == nil then package.loaded[name] = true end
   return package.loaded[name]
end

globals.require, globals._G = system_require, globals

local SYSTEM = { io = io, os = os, require = system_require }

--- Make the functions that C calls. The first argument of each is the sink's number in
-- the plan, from 0.
-- @tparam table graph
-- @treturn table `open(sink)`; `write(sink, rows, batch, time_ms, is_last, may_repeat)`,
--   rows as `{ key = text, value = text, headers = table }`; `close(sink)`
function driver_sink.new(graph)
   local handles = {}
   local calls = {}

   function calls.open(number)
      local own = graph.sinks[number + 1].script
      if own.open then
         handles[number] = check("open", own.open, own.open(SYSTEM))
      end
   end

   function calls.write(number, rows, batch, time_ms, is_last, may_repeat)
      local sink = graph.sinks[number + 1]
      for _, row in ipairs(rows) do
         if not sink.is_side then row.value = decoded(row.value) end
         if sink.decodes_key then row.key = decoded(row.key) end
      end
      local info = { id = batch, time = time_ms, is_last = is_last,
         may_repeat = may_repeat }
      check("write", sink.script.write, sink.script.write(rows, info, handles[number]))
   end

   function calls.close(number)
      local own = graph.sinks[number + 1].script
      if own.close then own.close(handles[number]) end
      handles[number] = nil
   end

   return calls
end

return driver_sink
