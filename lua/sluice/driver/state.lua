--- The state of a group: the members of all aggregates in one struct.
--
-- A builtin's members are flat, `mK_NAME` for item K; a user's are a struct of their own,
-- `mK`, which is what the user's functions get.
-- @module sluice.driver.state

local ffi = require "ffi"

local user = require "sluice.aggregate.user"

local driver_state = {}

local State = {}
State.__index = State

-- Large members first, so that small ones leave no holes.
local function sorted_members(items)
   local members = {}
   for k, item in ipairs(items) do
      for _, member in ipairs(item.spec.members or {}) do
         local size = ffi.sizeof(member.type)
         members[#members + 1] = {
            name = ("m%d_%s"):format(k, member.name), type = member.type, size = size,
            order = #members,
         }
      end
   end
   table.sort(members, function(a, b)
      if a.size ~= b.size then return a.size > b.size end
      return a.order < b.order
   end)
   return members
end

--- Lay out the state of an aggregation.
-- @tparam table items of the graph: `{ { name =, spec = }, … }`
-- @treturn table `{ ctype =, size = bytes, part_offsets = {…}, users = item → ctype }`
function driver_state.layout(items)
   local text, types, users = {}, {}, {}
   for k, item in ipairs(items) do
      if item.spec.user then
         users[k] = user.struct(item.spec.user)
         types[#types + 1] = users[k]
         text[#text + 1] = ("$ m%d;"):format(k)
      end
   end
   local members = sorted_members(items)
   for _, member in ipairs(members) do
      text[#text + 1] = ("%s %s;"):format(member.type, member.name)
   end
   local struct = "struct __attribute__((aligned(8))) { %s }"
   local ctype = ffi.typeof(struct:format(table.concat(text, " ")), unpack(types))
   local offsets = {}
   for _, member in ipairs(members) do
      if member.type == "sl_part" then
         offsets[#offsets + 1] = ffi.offsetof(ctype, member.name)
      end
   end
   local state = { ctype = ctype, size = ffi.sizeof(ctype), part_offsets = offsets }
   state.users, state.items = users, items
   return setmetatable(state, State)
end

--- Make the state that a new group starts with; runs the `init` of users' aggregates.
-- @treturn cdata owned by the caller
function State:initial()
   local initial = ffi.new(self.ctype)
   for k, item in ipairs(self.items) do
      if item.spec.user then user.start(item.spec.user, initial["m" .. k]) end
   end
   return initial
end

--- Write an aggregate's code for its place in the state.
-- @tparam integer k number of the item, from 1
-- @tparam string code with `$a.NAME`, `$b.NAME`, `$label`
-- @treturn string Lua
function State:code(k, code)
   local label = self.items[k].spec.label
   code = code:gsub("%$label", function() return ("%q"):format(label) end)
   return (code:gsub("%$([ab])%.([%w_]+)", "%1.m" .. k .. "_%2"))
end

return driver_state
