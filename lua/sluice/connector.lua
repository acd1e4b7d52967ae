--- What stands at the ends of a chain. The same constructor serves both: where it stands
-- decides which options it takes.
-- @module sluice.connector

local foreign = require "sluice.foreign"
local nearest = require "sluice.nearest"
local options = require "sluice.options"
local place = require "sluice.place"
local tables = require "sluice.tables"

local connector = {}

-- In the order in which a reader of the reference meets them.
local ENDS = {
   { kind = "kafka", source = require "sluice.source.kafka",
      sink = require "sluice.sink.kafka" },
   { kind = "file", source = require "sluice.source.file",
      sink = require "sluice.sink.file" },
   { kind = "sink", sink = require "sluice.sink.script" },
   { kind = "generator", source = require "sluice.source.generator" },
}

local BY_KIND = {}
for _, of in ipairs(ENDS) do BY_KIND[of.kind] = of end

local ROLES = { "source", "sink" }
local OTHER = { source = "sink", sink = "source" }

--- How `sluice.foreign` calls one end.
-- @tparam string kind
-- @tparam string role source or sink
-- @treturn string
function connector.context(kind, role)
   return ("sluice.%s %s"):format(kind, role)
end

local function known_of(kind, role)
   local one = BY_KIND[kind][role]
   return one and one.options or {}
end

-- Whether the options say where to read or write: `required`, or what may stand instead.
local function has_required(one, values)
   return values[one.required] ~= nil
      or (one.instead ~= nil and values[one.instead] ~= nil)
end

local function show_required(one)
   if not one.instead then return ("`%s`"):format(one.required) end
   return ("`%s` or `%s`"):format(one.required, one.instead)
end

-- What an option of the other end may mean where other systems have its name.
local function as_meant(kind, role, name)
   local row = foreign.find(connector.context(kind, role), name)
   if row then
      return ("; for %s `%s` of a %s write %s"):format(foreign.whose(row), name, role,
         row[4])
   end
   local near = nearest.find(name, tables.keys(known_of(kind, role)))
   return near and ("; a %s has `%s`"):format(role, near) or ""
end

-- Options that only one of the two ends takes decide which one it is.
local function role_of(kind, values)
   local role, because
   for _, name in ipairs(tables.keys(values)) do
      for _, candidate in ipairs(ROLES) do
         if known_of(kind, candidate)[name]
            and not known_of(kind, OTHER[candidate])[name] then
            if role and role ~= candidate then
               return nil, ("`%s` is a %s's option and `%s` a %s's: make one of each%s%s")
                  :format(because, role, name, candidate, as_meant(kind, role, name),
                  as_meant(kind, candidate, because))
            end
            role, because = candidate, name
         end
      end
   end
   return role
end

-- Names that only one of the two ends has say which one is meant; the list of what there
-- is holds the options of that one only.
local function hint_of(kind, given)
   local role
   for _, candidate in ipairs(ROLES) do
      local known, other = known_of(kind, candidate), known_of(kind, OTHER[candidate])
      if not next(other) then role = candidate end
      for _, name in ipairs(tables.keys(given)) do
         if known[name] and not other[name] then role = role or candidate end
      end
   end
   return function(name)
      local both = options.merge(known_of(kind, "sink"), known_of(kind, "source"))
      local known = role and known_of(kind, role) or both
      local context = connector.context(kind, role or "source")
      if not role and not foreign.find(context, name) then
         context = connector.context(kind, "sink")
      end
      return nearest.hint(name, tables.keys(known), context)
   end
end

local function missing(kind, values)
   local wanted = {}
   for _, role in ipairs(ROLES) do
      local one = BY_KIND[kind][role]
      if one and has_required(one, values) then return nil end
      if one then
         wanted[#wanted + 1] = ("%s for a %s"):format(show_required(one), role)
      end
   end
   return "give " .. table.concat(wanted, ", or ")
end

--- Check the options of a constructor.
-- @tparam string kind kafka, file, generator
-- @tparam table given as written
-- @treturn table checked options, without defaults
-- @raise for what neither end takes, and when nothing says where to read or write
function connector.read(kind, given)
   local what = "sluice." .. kind
   local known = options.merge(known_of(kind, "sink"), known_of(kind, "source"))
   local values = options.read(what, known, given, nil,
      type(given) == "table" and hint_of(kind, given))
   local role, message = role_of(kind, values)
   message = message or missing(kind, values)
   if message then place.fail(nil, "%s: %s", what, message) end
   if role then
      message = connector.conflict(kind, role, values)
      if message then place.fail(nil, "%s: %s", what, message) end
   end
   return values
end

--- Say why options cannot stand at one end.
-- @tparam string kind
-- @tparam string role source or sink
-- @tparam table values checked options
-- @treturn ?string a message
function connector.conflict(kind, role, values)
   local one = BY_KIND[kind][role]
   if not one then return ("a %s is no %s"):format(kind, role) end
   for _, name in ipairs(tables.keys(values)) do
      if not one.options[name] then
         return ("`%s` is an option of a %s, here stands a %s%s")
            :format(name, OTHER[role], role,
            nearest.hint(name, tables.keys(one.options),
            connector.context(kind, role)))
      end
   end
   if not has_required(one, values) then
      return ("a %s needs %s"):format(role, show_required(one))
   end
   return one.conflict(values)
end

--- Names of the constructors.
-- @treturn {string,...} in the reference's order
function connector.kinds()
   local kinds = {}
   for i, of in ipairs(ENDS) do kinds[i] = of.kind end
   return kinds
end

--- The module of one end.
-- @tparam string kind
-- @tparam string role source or sink
-- @treturn ?table `options`, `name`, `conflict`, `fill` and, of a source, `is_bounded`,
--  of a sink `kind` (what it can promise, why)
function connector.of(kind, role)
   return BY_KIND[kind][role]
end

return connector
