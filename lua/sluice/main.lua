--- What the C host calls (runtime/script/load.c): loads a script, and serves what is
-- not a driver: the explained plan, warnings, events, fallbacks.
-- @module sluice.main

local analyse = require "sluice.analyse"
local cdef = require "sluice.cdef"
local describe = require "sluice.test.describe"
local driver = require "sluice.driver"
local driver_sink = require "sluice.driver.sink"
local events = require "sluice.events"
local explain = require "sluice.explain"
local failure = require "sluice.failure"
local fallback = require "sluice.fallback"
local ffi = require "ffi"
local functions = require "sluice.check.functions"
local lower = require "sluice.lower"
local lower_compat = require "sluice.lower.compat"
local members = require "sluice.compat.members"
local migrate = require "sluice.migrate"
local param = require "sluice.param"
local pipeline = require "sluice.pipeline"
local place = require "sluice.place"
local random = require "sluice.helper.random"
local sandbox = require "sluice.sandbox"
local stream = require "sluice.stream"
local syntax = require "sluice.syntax"
local timing = require "sluice.timing"
local traces = require "sluice.traces"
local unused = require "sluice.check.unused"
local view = require "sluice.check.view"
local warnings = require "sluice.check.warnings"

local main = {}

local function address_of(pointer)
   return (tonumber(ffi.cast("uintptr_t", ffi.cast("const void *", pointer))))
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

--- Run the script: its pipeline with the overrides, or nil and what is wrong; and its
-- parameters. The nodes of its streams go into `made`.
local function run_script(host, box, made)
   host.hash(host.text, host.path)
   if host.text:sub(1, 1) == "\27" then
      return nil, host.path .. ": this is bytecode, wanted the text of a script"
   end
   local text = host.text:gsub("^#[^\n]*", "")
   local chunk, problem = box.load(text, host.path)
   if not chunk then return nil, syntax.explain(problem, text) end
   local wrong = param.begin(host.params or {})
   if wrong then return nil, wrong end
   stream.note(made)
   local value = chunk()
   stream.note(nil)
   box.freeze()
   local params, unknown = param.finish()
   if unknown then return nil, unknown end
   if not pipeline.is(value) then
      return nil, ("%s: the script %s, wanted `return sluice.pipeline { … }`"):format(
         host.path, show_returned(value))
   end
   -- A tail call hides the line, and without a branch nothing else tells it.
   value.line = value.line or place.of_word(host.path .. ":1", "sluice.pipeline")
   local replaced, message = pipeline.override(value, host.overrides)
   return replaced, message, params
end

-- Lower a graph and make its drivers: what C gets. No tail calls (`./dev lint` sees to
-- it): a loop that runs right above the frame of C's pcall, and calls what is not
-- compiled (string.find with a pattern), makes LuaJIT 2.1.0-beta3 read a frame that is
-- none once it is hot.
local function finish(host, graph, list, seen)
   local lowered = lower.plan(graph, nil, not host.shows_secrets)
   local v = ffi.cast("sl_vector *", host.vector)
   local timed = host.timed and timing.new(list, driver.binary()) or nil
   local drivers, descriptions = lowered.drivers(v, timed)
   random.bind(v, graph.name)
   local watch = fallback.watch(descriptions, list, v)
   if host.trace then traces.watch(host.trace, watch.listen) end
   local teller = failure.new(v, descriptions,
      host.texts or { [host.path] = host.text })
   local described
   local keep = { graph, lowered }
   local migrations = migrate.new(graph, lowered.states)
   local migrates = migrate.functions(graph)
   return {
      keep = keep,
      plan = address_of(lowered.plan),
      drivers = drivers,
      sinks = driver_sink.new(graph),
      names = names_of(descriptions),
      fingerprint = explain.plan_json(graph),
      settings = table.concat(graph.settings, "\n"),
      compat = function(stored)
         local into, anchors, found = lower_compat.compare(stored, lowered.shape,
            migrates, graph)
         keep.compared = { into, anchors }
         migrations:prepare(stored, found.changes)
         return ("%.0f"):format(address_of(into))
      end,
      migrate = function(section, m)
         migrations:run(section, ffi.cast("sl_migration *", m))
         return ""
      end,
      tell_migrated = function(m)
         return (migrations:tell(ffi.cast("sl_migration *", m)))
      end,
      members = function(stored, section)
         return (members.text(stored, section))
      end,
      explain = function(...) return (seen:explain(...)) end,
      verdict = function() return (seen:verdict()) end,
      describe = function()
         described = described or describe.json(graph)
         return described
      end,
      warnings = function() return (seen:warnings()) end,
      event = function(source, i, seed, now_ms)
         return (events.make(graph.sources[source], i, seed, now_ms))
      end,
      tell = function(number, message, frames)
         return (teller:tell(number, message, frames))
      end,
      fallbacks = function() return (table.concat(watch:poll(), "\n")) end,
      timings = function() return (timed:lines(watch)) end,
   }
end

--- Load a script.
-- @tparam table host from C: `path`, `text`, `root` (where what it requires is read; nil:
--   beside it), `overrides`, `params`, `shows_secrets`,
--   `worker`, `timed`, `vector` (address), `print(text)`, `hash(text, path)`,
--   `trying(what)` (as in `sluice.check.view`),
--   `trace` (as in `sluice.traces`; nil: nobody watches)
-- @treturn table `problem`: what is wrong; or `plan` (address), `drivers`, `names` of
--   these, `fingerprint`, `settings` (those of `--set` that rows depend on),
--   and the functions C calls: `compat(stored)` (→ address of an sl_compat, as text),
--   `migrate(section, address)`, `tell_migrated(address)` (→ text) of an sl_migration,
--   `members(stored, section)` (→ as `sluice.compat.members`),
--   `explain(json, color, said, put_ms, is_charged)`, `verdict()`, `describe()`,
--   `warnings()`, `event(source, i, seed, now_ms)`, `fallbacks()`, `timings()`,
--   `tell(driver, message, frames)`
-- @raise "FILE:LINE: message" for what the script's code threw
function main.load(host)
   cdef.load()
   local silent = host.worker > 0
   host.texts = { [host.path] = host.text }
   local box = sandbox.new {
      folder = host.path:match("^(.*/)") or "",
      print = function(text) if not silent then host.print(text) end end,
      root = host.root,
      add_text = function(text, path)
         host.texts[path] = text
         host.hash(text, path)
      end,
   }
   local made = {}
   local value, problem, params = run_script(host, box, made)
   if not value then return { problem = problem } end
   local graph = analyse.graph(value)
   graph.params, graph.settings = params, value.of_rows
   local in_vain, vain_warnings = unused.find(made, value.branches)
   if in_vain then return { problem = in_vain } end
   local list = functions.of(graph)
   local was_silent = silent
   silent = true -- what functions print belongs to records, not to the check
   local found = warnings.new()
   local refused = view.check_functions(list, box.globals, found, host.trying)
   silent = was_silent
   if #refused > 0 then return { problem = table.concat(refused, "\n") } end
   for _, warning in ipairs(vain_warnings) do
      found.add("never-used", warning.at, "%s", warning.text)
   end
   return (finish(host, graph, list, view.new(graph, value, found)))
end

--- The same for a pipeline that somebody made in this Lua state (specs of `sluice test`).
-- @tparam table host as for `load`
-- @tparam sluice.pipeline.Pipeline value
-- @treturn table as `load`
-- @raise "FILE:LINE: message" for what is refused
function main.attach(host, value)
   cdef.load(require "sluice.headers")
   local made, problem = pipeline.override(value, host.overrides)
   if not made then return { problem = problem } end
   local graph = analyse.graph(made)
   graph.settings = made.of_rows
   local list, found = functions.of(graph), warnings.new()
   local refused = view.check_functions(list, _G, found, host.trying)
   if #refused > 0 then return { problem = table.concat(refused, "\n") } end
   return (finish(host, graph, list, view.new(graph, made, found)))
end

return main
