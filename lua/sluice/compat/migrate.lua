--- Which stored states of another layout a `migrate` can take over, and what to write.
-- @module sluice.compat.migrate

local struct = require "sluice.aggregate.struct"

local compat_migrate = {}

-- Most members that an example shows.
local MOST_SHOWN = 4

local RENAME = "give it another name, under which it starts empty"

local function has_parts(item)
   for _, member in ipairs(item.members) do
      if not struct.member_of_c(member) then return true end
   end
   return false
end

--- Why an item's state cannot be taken over by a function.
-- @tparam table was item of the stored shape (`sluice.compat.shape`)
-- @tparam table item of the script's
-- @treturn ?string what to do instead; nil: it can
function compat_migrate.problem(was, item)
   if item.kind ~= "user" then return RENAME end
   if has_parts(item) then
      return RENAME .. " (with `order` rows are kept, and no state to be migrated)"
   end
   if has_parts(was) then
      return RENAME .. " (`migrate` is for states of plain numbers and texts, and the "
         .. "old one has other members)"
   end
end

local function names_of(item)
   local names = {}
   for i, member in ipairs(item.members) do names[i] = member.name end
   return names
end

--- What a function may say: "new.lo, new.hi = old.lo, old.hi", of what is called the
-- same; else of any two.
-- @tparam table was `{ members = { { name = }, … } }`
-- @tparam table item the like
-- @treturn string
function compat_migrate.assignment(was, item)
   local old, both = {}, {}
   for _, name in ipairs(names_of(was)) do old[name] = true end
   for _, name in ipairs(names_of(item)) do
      if old[name] and #both < MOST_SHOWN then both[#both + 1] = name end
   end
   if #both == 0 then
      return ("new.%s = old.%s"):format(item.members[1].name, was.members[1].name)
   end
   return ("new.%s = old.%s"):format(table.concat(both, ", new."),
      table.concat(both, ", old."))
end

-- How it is called in `migrate`: with its stage where several have one of that name.
local function key_of(name, stage, operators)
   local count = 0
   for _, operator in ipairs(operators) do
      for _, item in ipairs(operator.items or {}) do
         if item.name == name then count = count + 1 end
      end
   end
   local key = count > 1 and stage .. "." .. name or name
   return key:find "^[%a_][%w_]*$" and key or ("[%q]"):format(key)
end

--- What to write so that an item's state is taken over.
-- @tparam table was item of the stored shape
-- @tparam table item of the script's
-- @tparam string stage whose it is
-- @tparam table operators of the script's shape
-- @treturn string
function compat_migrate.advice(was, item, stage, operators)
   return ("declare how the old state becomes a new one: sluice.pipeline { migrate = { "
      .. "%s = function(old, new) %s end }, … }; or %s"):format(
      key_of(item.name, stage, operators), compat_migrate.assignment(was, item), RENAME)
end

--- The struct that the states of an item are in a stored state, from its first byte on.
-- @tparam table was item of the stored shape, without a `problem`
-- @treturn cdata ctype
-- @treturn {string,...} its members, by place
function compat_migrate.struct(was)
   local members = {}
   for i, member in ipairs(was.members) do members[i] = struct.member_of_c(member) end
   table.sort(members, function(a, b) return a.offset < b.offset end)
   local names = {}
   for i, member in ipairs(members) do names[i] = member.name end
   return struct.make(members), names
end

return compat_migrate
