--- `sluice.param(name, default, help)`: values that `--param NAME=VALUE` sets, typed by
-- their defaults.
-- @module sluice.param

local nearest = require "sluice.nearest"
local options = require "sluice.options"
local place = require "sluice.place"
local tables = require "sluice.tables"
local units = require "sluice.units"

local param = {}

-- What the command line said, and what the script has asked for: while one loads.
local loading
-- A script was loaded in this Lua state; else it is a spec's, where defaults hold.
local has_loaded = false

local BOOLEANS = { ["true"] = true, ["false"] = false }

-- What a default is: its name, what text may stand for it, and how to read that.
local KINDS = {
   { name = "bool", wanted = "true or false",
      is = function(value) return type(value) == "boolean" end,
      read = function(text) return BOOLEANS[text] end },
   { name = "number", wanted = "a number",
      is = function(value) return type(value) == "number" end,
      read = function(text) return tonumber(text) end },
   { name = "duration", wanted = "a duration (\"30 seconds\")",
      is = function(value) return type(value) == "string" and units.duration(value) end,
      read = function(text) return units.duration(text) and text end },
   { name = "size", wanted = "a size (\"64 MiB\")",
      is = function(value) return type(value) == "string" and units.size(value) end,
      read = function(text) return units.size(text) and text end },
   { name = "string", wanted = "text",
      is = function(value) return type(value) == "string" end,
      read = function(text) return text end },
}

local function kind_of(default)
   for _, kind in ipairs(KINDS) do
      if kind.is(default) then return kind end
   end
end

local NAME = "^[%a_][%w_%-]*$"

local function check(name, default, help)
   if type(name) ~= "string" or not name:find(NAME) then
      place.fail(nil, "sluice.param takes a name (letters, digits, `_`, `-`), got %s",
         options.show(name))
   end
   if not kind_of(default) then
      place.fail(nil, "sluice.param: the default of `%s` says its type: text, a number, "
         .. "true or false, got %s", name, options.show(default))
   end
   if help ~= nil and type(help) ~= "string" then
      place.fail(nil, "sluice.param: what `%s` is for is text, got %s", name,
         options.show(help))
   end
end

local function read(kind, name, text, default)
   local value = kind.read(text)
   if value == nil then
      place.fail(nil, "--param %s=%s: wanted %s, as its default %s is", name, text,
         kind.wanted, options.show(default))
   end
   return value
end

--- A parameter of the script: its default, or what `--param NAME=VALUE` says instead,
-- checked to be of the same type (a duration stays text that every option takes).
-- @tparam string name as on the command line
-- @tparam string|number|boolean default says the type
-- @tparam ?string help what it is for, shown by `sluice check`
-- @treturn string|number|boolean the value
-- @raise for a name that stands twice, and a value of another type
-- @usage local delay = sluice.param("delay", "10 minutes", "how late records may be")
function param.param(name, default, help)
   check(name, default, help)
   if not loading and not has_loaded then return default end
   if not loading then
      place.fail(nil, "sluice.param stands outside of functions: read `%s` into a local",
         name)
   end
   local earlier = loading.by_name[name]
   if earlier then
      place.fail(nil, "sluice.param: `%s` stands at %s already: keep its value in a "
         .. "local", name, earlier.line or "another line")
   end
   local kind, value = kind_of(default), default
   local text = loading.given[name]
   if text then value = read(kind, name, text, default) end
   local made = { name = name, type = kind.name, default = default, value = value,
      help = help, line = place.here(), is_set = text ~= nil }
   loading.by_name[name] = made
   loading.list[#loading.list + 1] = made
   return value
end

--- Begin to load a script.
-- @tparam {string,...} settings "NAME=VALUE" of the command line; later ones win
-- @treturn ?string a message
function param.begin(settings)
   loading = { given = {}, order = {}, by_name = {}, list = {} }
   for _, setting in ipairs(settings) do
      local name, text = setting:match "^([^=]+)=(.*)$"
      if not name then return ("--param %s: wanted NAME=VALUE"):format(setting) end
      if not loading.given[name] then loading.order[#loading.order + 1] = name end
      loading.given[name] = text
   end
end

--- End loading: from now on there are no parameters.
-- @treturn table list of `{ name =, type =, default =, value =, help =, line =,
--   is_set = }` in the script's order
-- @treturn ?string a message: the command line names one that the script does not have
function param.finish()
   local done = loading
   loading, has_loaded = nil, true
   for _, name in ipairs(done.order) do
      if not done.by_name[name] then
         local names = tables.names(done.list)
         local has = #names > 0 and "it has `" .. table.concat(names, "`, `") .. "`"
            or "it has none"
         return done.list, ("--param %s=%s: the script has no parameter `%s`%s (%s)")
            :format(name, done.given[name], name, nearest.hint(name, names), has)
      end
   end
   return done.list
end

return param
