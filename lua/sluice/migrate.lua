--- States of another layout become those of the script: runs the `migrate` of users'
-- aggregates over entries that C has read, many in one call.
-- @module sluice.migrate

local ffi = require "ffi"

local compat_migrate = require "sluice.compat.migrate"
local failure = require "sluice.failure"
local place = require "sluice.place"

local migrate = {}

local Migrations = {}
Migrations.__index = Migrations

--- The functions of a graph, by what they are for.
-- @tparam table graph from `sluice.analyse`
-- @treturn table stage → aggregate → function
function migrate.functions(graph)
   local found = {}
   for _, aggregate in ipairs(graph.aggregates) do
      found[aggregate.name] = {}
      for _, item in ipairs(aggregate.items) do
         found[aggregate.name][item.name] = item.migrate
      end
   end
   return found
end

--- Begin, for a script.
-- @tparam table graph from `sluice.analyse`
-- @tparam table states layouts of the aggregations (`sluice.driver.state`), in order
-- @treturn table
function migrate.new(graph, states)
   return setmetatable({ graph = graph, states = states, sections = {} }, Migrations)
end

-- One loop an aggregate, so that each gets a trace of its own.
local LOOP = [[
local run, from, to, base, cast, refuse = ...
return function(m)
   for i = 0, m.count - 1 do
      m.at = i
      local given = run(cast(from, m.old[i])[0],
         cast(to, cast("char *", m.states[i]) + base)[0])
      if given ~= nil then refuse(given) end
   end
end]]

-- One that gives the new state back instead of filling it would drop the old one.
local function refusal(item, was)
   return function(given)
      place.fail(place.of_function(item.migrate), "migrate of `%s` returns %s: a new "
         .. "state that is returned would be lost. Fill `new`, and return nothing: "
         .. "function(old, new) %s end", item.name,
         type(given) == "cdata" and "a state" or failure.show(given),
         compat_migrate.assignment(was, item.spec.user))
   end
end

local function loop_of(item, state, k, was)
   local old, names = compat_migrate.struct(was)
   local from = ffi.typeof("const $ *", old)
   local to = ffi.typeof("$ *", state.users[k])
   local base = ffi.offsetof(state.ctype, "m" .. k)
   local chunk = assert(load(LOOP, "=sluice:migrate", "t", {}))
   return { item = item, from = from, names = names,
      run = chunk(item.migrate, from, to, base, ffi.cast, refusal(item, was)) }
end

local function loops_of(aggregate, state, migrates)
   local loops = {}
   for k, item in ipairs(aggregate.items) do
      local was = migrates[item.name]
      if was then loops[#loops + 1] = loop_of(item, state, k, was) end
   end
   return loops
end

--- Get ready for what a comparison found.
-- @tparam string stored the shape that was compared
-- @tparam table changes of `sluice.compat`
function Migrations:prepare(stored, changes)
   -- each ffi.typeof makes a type anew, and there are only so many
   if self.stored == stored then return end
   self.stored, self.sections = stored, {}
   for i, aggregate in ipairs(self.graph.aggregates) do
      local section = "aggregate " .. aggregate.name
      for _, change in ipairs(changes) do
         if change.section == section and change.migrates then
            self.sections[section] = loops_of(aggregate, self.states[i], change.migrates)
         end
      end
   end
end

--- Make states of old ones.
-- @tparam string section "aggregate NAME"
-- @tparam cdata m sl_migration
-- @raise what a function threw; `m.at` is the entry
function Migrations:run(section, m)
   for _, loop in ipairs(self.sections[section]) do
      self.loop = loop
      loop.run(m)
   end
end

local MOST_PLACES = 4

-- Integers of 64 bits are cdata, arrays too.
local function show(value)
   if type(value) ~= "cdata" then return failure.show(value) end
   if ffi.istype("int64_t", value) or ffi.istype("uint64_t", value) then
      return (tostring(value):gsub("U?LL$", ""))
   end
   local places = {}
   for i = 0, math.min(#value, MOST_PLACES) - 1 do places[i + 1] = show(value[i]) end
   if #value > MOST_PLACES then places[#places + 1] = "…" end
   return "{ " .. table.concat(places, ", ") .. " }"
end

--- Tell of the entry at which a function threw.
-- @tparam cdata m sl_migration as `run` left it
-- @treturn string "migrating `spread`, whose old state is lo = 1, hi = 3"
function Migrations:tell(m)
   local loop, members = self.loop, {}
   local old = ffi.cast(loop.from, m.old[m.at])[0]
   for i, name in ipairs(loop.names) do
      members[i] = ("%s = %s"):format(name, show(old[name]))
   end
   return ("while migrating `%s`, whose old state is %s"):format(loop.item.name,
      table.concat(members, ", "))
end

return migrate
