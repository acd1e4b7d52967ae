--- Options of `test.pipeline`.
-- @module sluice.test.settings

local nearest = require "sluice.nearest"
local options = require "sluice.options"
local pipeline = require "sluice.pipeline"
local tables = require "sluice.tables"
local units = require "sluice.units"

local settings = {}

-- 2026-01-01T00:00:00Z
local DEFAULT_NOW = 1767225600000

local function is_worker_count(workers)
   return type(workers) == "number" and workers >= 1 and workers <= 64
      and workers % 1 == 0
end

local function is_table(value) return type(value) == "table" end

local function now_of(given)
   if type(given) == "number" then return given end
   return type(given) == "string" and units.time(given) or nil
end

-- Name → what is wanted, whether a value is that.
local KNOWN = {
   now = { "\"2026-05-01T10:00:00Z\" or Unix ms", now_of },
   workers = { "a whole number from 1 to 64", is_worker_count },
   set = { "a table of values by name", is_table },
   params = { "a table of values by name", is_table },
   jit = { "true or false", function(value) return type(value) == "boolean" end },
}

local NAMES = tables.keys(KNOWN)

local function wrong_option(given)
   for _, name in ipairs(tables.keys(given)) do
      local known = KNOWN[name]
      if not known then
         return ("test.pipeline: there is no option `%s`%s"):format(tostring(name),
            nearest.hint(tostring(name), NAMES))
      end
      if known[2](given[name]) == nil or known[2](given[name]) == false then
         return ("test.pipeline: `%s` is %s, wanted %s"):format(name,
            options.show(given[name]), known[1])
      end
   end
end

local function wrong_pipeline(of, is_plan, given)
   if not is_plan then
      if type(of) == "string" then return nil end
      return ("test.pipeline takes the path of a script or a sluice.pipeline, got %s")
         :format(options.show(of))
   end
   if (given.workers or 1) > 1 then
      return "test.pipeline: a pipeline made in the spec runs with one worker, its "
         .. "functions live in one Lua state: give the path of a script to use more"
   end
   if given.jit == false or given.params then
      return ("test.pipeline: `%s` is for the path of a script: a pipeline made in the "
         .. "spec %s"):format(given.params and "params" or "jit",
         given.params and "has read its parameters already" or "is never compiled")
   end
end

-- `{ trigger = "once", ["source.start"] = "earliest" }` or "PATH=VALUE" each.
local function list_of(given)
   local list = {}
   for _, key in ipairs(tables.keys(given or {})) do
      local value = given[key]
      list[#list + 1] = type(key) == "number" and value
         or ("%s=%s"):format(key, tostring(value))
   end
   return list
end

--- Check and read the options.
-- @param of path or pipeline
-- @tparam table given
-- @treturn ?string what is wrong
-- @treturn ?table what `sluice.test.host` opens
function settings.read(of, given)
   local is_plan = pipeline.is(of)
   local wrong = wrong_option(given) or wrong_pipeline(of, is_plan, given)
   if wrong then return wrong end
   return nil, {
      path = is_plan and "spec" or of, plan = is_plan and of or nil,
      sets = list_of(given.set), params = list_of(given.params),
      workers = given.workers or 1, now = given.now and now_of(given.now) or DEFAULT_NOW,
      jit_off = given.jit == false,
   }
end

return settings
