--- The state of a group: the members of all aggregates in one struct.
--
-- A builtin's members are flat, `mK_NAME` for item K; a user's are a struct of their own,
-- `mK`, which is what the user's functions get. Equal sketches of the same values are
-- one: the later items use the members of the first. Where C keeps the times of a group's
-- rows (`sl_span`), they come first.
-- @module sluice.driver.state

local ffi = require "ffi"

local user = require "sluice.aggregate.user"

local driver_state = {}

local MOST_BYTES = (65535 - 3) * 8 -- ENTRY_STATE_BYTES

-- Of a span that holds no row yet.
local LATEST, EARLIEST = 0x7fffffffffffffffLL, -0x7fffffffffffffffLL - 1

local State = {}
State.__index = State

local function same_input(a, b)
   return a.field == b.field and a.fn == b.fn and a.type == b.type
end

local function same_state(a, b)
   local same = a.is_shared and b.is_shared and a.fold == b.fold and a.merge == b.merge
      and a.check == b.check and a.where == b.where and #a.inputs == #b.inputs
   for n, input in ipairs(same and a.inputs or {}) do
      same = same and same_input(input, b.inputs[n])
   end
   return same
end

-- By item: the number of the first one with the same state, itself in most cases.
local function owners_of(items)
   local owners = {}
   for k, item in ipairs(items) do
      owners[k] = k
      for j = k - 1, 1, -1 do
         if same_state(items[j].spec, item.spec) then owners[k] = j end
      end
   end
   return owners
end

-- Large members first, so that small ones leave no holes.
local function sorted_members(items, owners)
   local members = {}
   for k, item in ipairs(items) do
      for _, member in ipairs(owners[k] == k and item.spec.members or {}) do
         local size = ffi.sizeof(member.type)
         local suffix = member.count and ("[%d]"):format(member.count) or ""
         members[#members + 1] = {
            name = ("m%d_%s"):format(k, member.name), type = member.type, size = size,
            suffix = suffix, order = #members,
         }
      end
   end
   table.sort(members, function(a, b)
      if a.size ~= b.size then return a.size > b.size end
      return a.order < b.order
   end)
   return members
end

local function part_offsets(ctype, members)
   local offsets = {}
   for _, member in ipairs(members) do
      if member.type == "sl_part" then
         offsets[#offsets + 1] = ffi.offsetof(ctype, member.name)
      end
   end
   return offsets
end

local function checked_size(ctype)
   local size = ffi.sizeof(ctype)
   if size > MOST_BYTES then
      error(("the states of one group take %d bytes, at most %d can be kept"):format(size,
         MOST_BYTES), 0)
   end
   return size
end

--- Lay out the state of an aggregation.
-- @tparam table items of the graph: `{ { name =, spec = }, … }`
-- @tparam ?boolean has_span C keeps the times of the group's rows
-- @treturn table `{ ctype =, size = bytes, part_offsets = {…}, span_offset =, users =
--  item → ctype, owners = item → the one whose members it uses, folded = item → what a
--  fold in order works on }`
-- @raise when it is larger than a table takes
function driver_state.layout(items, has_span)
   local text, types, users = { has_span and "sl_span span;" or nil }, {}, {}
   local owners = owners_of(items)
   for k, item in ipairs(items) do
      if item.spec.user then users[k] = user.struct(item.spec.user) end
      if item.spec.user and not item.spec.user.order then
         types[#types + 1] = users[k]
         text[#text + 1] = ("$ m%d;"):format(k)
      end
   end
   local members = sorted_members(items, owners)
   for _, member in ipairs(members) do
      text[#text + 1] = ("%s %s%s;"):format(member.type, member.name, member.suffix)
   end
   local struct = "struct __attribute__((aligned(8))) { %s }"
   local ctype = ffi.typeof(struct:format(table.concat(text, " ")), unpack(types))
   local state = { ctype = ctype, size = checked_size(ctype) }
   state.part_offsets = part_offsets(ctype, members)
   state.users, state.items, state.owners, state.folded = users, items, owners, {}
   state.span_offset = has_span and ffi.offsetof(ctype, "span") or nil
   return setmetatable(state, State)
end

--- Make the state that a new group starts with; runs the `init` of users' aggregates.
-- @treturn cdata owned by the caller
function State:initial()
   local initial = ffi.new(self.ctype)
   if self.span_offset then
      initial.span.first_ms, initial.span.last_ms = LATEST, EARLIEST
   end
   for k, item in ipairs(self.items) do
      local of = item.spec.user
      if of and not of.order then user.start(of, initial["m" .. k]) end
   end
   return initial
end

--- Tell whether an item uses the members of an earlier one, which folds and merges them.
-- @tparam integer k number of the item, from 1
-- @treturn boolean
function State:is_shared(k)
   return self.owners[k] ~= k
end

--- Write an aggregate's code for its place in the state.
-- @tparam integer k number of the item, from 1
-- @tparam string text with `$a.NAME`, `$b.NAME` for members, `$label`, and `$k.NAME` for
--  what stands in the `constants` of the aggregate
-- @tparam table code Code that it will stand in
-- @treturn string Lua
function State:code(k, text, code)
   local spec, owner = self.items[k].spec, self.owners[k]
   text = text:gsub("%$label", function() return ("%q"):format(spec.label) end)
   text = text:gsub("%$k%.([%w_]+)", function(name)
      return code:use(spec.constants[name])
   end)
   return (text:gsub("%$([ab])%.([%w_]+)", "%1.m" .. owner .. "_%2"))
end

return driver_state
