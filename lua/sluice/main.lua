--- What the C host calls (runtime/script/load.c): loads a script, and serves what is
-- not a driver: the explained plan, warnings, events, fallbacks.
-- @module sluice.main

local analyse = require "sluice.analyse"
local cdef = require "sluice.cdef"
local events = require "sluice.events"
local explain = require "sluice.explain"
local fallback = require "sluice.fallback"
local ffi = require "ffi"
local functions = require "sluice.check.functions"
local inspect = require "sluice.check.inspect"
local lower = require "sluice.lower"
local pipeline = require "sluice.pipeline"
local place = require "sluice.place"
local probe = require "sluice.check.probe"
local sandbox = require "sluice.sandbox"
local stream = require "sluice.stream"
local syntax = require "sluice.syntax"
local unused = require "sluice.check.unused"

local main = {}

local function address_of(pointer)
   return tonumber(ffi.cast("uintptr_t", ffi.cast("const void *", pointer)))
end

local function one_line(text)
   return (text:gsub("%s*\n%s*", " "))
end

--- Look at every user function: what is refused and what is doubtful, in their order.
local function check_functions(list, globals)
   local refused, warnings = {}, {}
   for _, entry in ipairs(list) do
      local problems = inspect.check(entry.fn, { globals = globals, what = entry.what,
         args = entry.args, must_give = entry.gives ~= nil })
      for _, problem in ipairs(problems) do refused[#refused + 1] = problem end
      if #problems == 0 then
         local problem, warning = probe.check(entry)
         refused[#refused + 1] = problem
         warnings[#warnings + 1] = warning and one_line(warning)
      end
   end
   return refused, warnings
end

--- How messages call the drivers: "prepare of ride_events".
local function names_of(descriptions)
   local names = {}
   for i, of in ipairs(descriptions) do
      names[i] = of.title
   end
   return names
end

local function show_returned(value)
   if value == nil then return "returns nothing" end
   return "returns a " .. type(value)
end

--- Run the script: its pipeline with the overrides, or nil and what is wrong. The nodes
-- of its streams go into `made`.
local function run_script(host, box, made)
   host.hash(host.text)
   if host.text:sub(1, 1) == "\27" then
      return nil, host.path .. ": this is bytecode, wanted the text of a script"
   end
   local text = host.text:gsub("^#[^\n]*", "")
   local chunk, problem = box.load(text, host.path)
   if not chunk then return nil, syntax.explain(problem, text) end
   stream.note(made)
   local value = chunk()
   stream.note(nil)
   box.freeze()
   if not pipeline.is(value) then
      return nil, ("%s: the script %s, wanted `return sluice.pipeline { … }`"):format(
         host.path, show_returned(value))
   end
   -- A tail call hides the line, and without a branch nothing else tells it.
   value.line = value.line or place.of_word(host.path .. ":1", "sluice.pipeline")
   return pipeline.override(value, host.overrides)
end

--- Load a script.
-- @tparam table host from C: `path`, `text`, `overrides`, `worker`, `vector` (address),
--   `print(text)`, `hash(text)`
-- @treturn table `problem`: what is wrong; or `plan` (address), `drivers`, `names` of
--   these, `fingerprint`,
--   and the functions C calls: `explain(json)`, `warnings()`, `event(source, i, seed,
--   now_ms)`, `fallbacks()`
-- @raise "FILE:LINE: message" for what the script's code threw
function main.load(host)
   cdef.load(require "sluice.headers")
   local silent = host.worker > 0
   local box = sandbox.new {
      folder = host.path:match("^(.*/)") or "",
      print = function(text) if not silent then host.print(text) end end,
      add_text = host.hash,
   }
   local made = {}
   local value, problem = run_script(host, box, made)
   if not value then return { problem = problem } end
   local graph = analyse.graph(value)
   local in_vain, vain_warnings = unused.find(made, value.branches)
   if in_vain then return { problem = in_vain } end
   local list = functions.of(graph)
   local was_silent = silent
   silent = true -- what functions print belongs to records, not to the check
   local refused, warnings = check_functions(list, box.globals)
   silent = was_silent
   if #refused > 0 then return { problem = table.concat(refused, "\n") } end
   for _, warning in ipairs(vain_warnings) do warnings[#warnings + 1] = warning end

   local lowered = lower.plan(graph)
   local drivers, descriptions = lowered.drivers(ffi.cast("sl_vector *", host.vector))
   local watch = fallback.watch(descriptions, list)
   return {
      keep = { graph, lowered },
      plan = address_of(lowered.plan),
      drivers = drivers,
      names = names_of(descriptions),
      fingerprint = explain.json(graph),
      explain = function(json)
         if json then return explain.json(graph) end
         return explain.text(graph)
      end,
      warnings = function() return table.concat(warnings, "\n") end,
      event = function(source, i, seed, now_ms)
         return events.make(graph.sources[source], i, seed, now_ms)
      end,
      fallbacks = function() return table.concat(watch:poll(), "\n") end,
   }
end

return main
