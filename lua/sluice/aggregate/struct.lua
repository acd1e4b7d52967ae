--- The state of a user's aggregate: a flat struct whose members are read and assigned as
-- `state.name`, arrays as `state.name[i]`, from 0. What would not fit is an error and
-- changes nothing: numbers of few bits, dates, text longer than was said, places outside
-- of an array. Such members hide behind names of their own (`__name`), since a real
-- member would win over the metatype.
-- @module sluice.aggregate.struct

local ffi = require "ffi"

local nearest = require "sluice.nearest"
local options = require "sluice.options"
local place = require "sluice.place"
local tables = require "sluice.tables"

local struct = {}

-- What a member can be: in C, and for checked ones the least and the most. `bool` is true
-- or false in Lua, int64 and timestamp are int64 cdata.
local KINDS = {
   double = { c = "double" }, int64 = { c = "int64_t" }, timestamp = { c = "int64_t" },
   bool = { c = "bool" },
}
for bits, c in pairs { [8] = "int8_t", [16] = "int16_t", [32] = "int32_t" } do
   KINDS["int" .. bits] = { c = c, low = -2 ^ (bits - 1), high = 2 ^ (bits - 1) - 1 }
   KINDS["uint" .. bits] = { c = "u" .. c, low = 0, high = 2 ^ bits - 1 }
end
KINDS.date = KINDS.int32

local MOST = 65535

local TYPES = '"double", "int64", "int32", "uint8", "bool", "timestamp", "date", '
   .. '"string(32)" and arrays: "double[8]"'

-- "string(32)": text of at most so many bytes.
local function text_kind(name)
   local room = tonumber(name:match "^string%((%d+)%)$")
   if not room or room < 1 or room > MOST then return nil end
   return { room = room, c = ("struct { uint16_t len; char data[%d]; }"):format(room) }
end

-- By what it is in C: what the shape of stored state says.
local OF_C = { uint64_t = { c = "uint64_t" } }
for _, name in ipairs { "double", "int64", "bool", "int8", "int16", "int32", "uint8",
   "uint16", "uint32" } do
   OF_C[KINDS[name].c] = KINDS[name]
end

local function kind_of(name)
   local of, count = name:match "^(.-)%[(%d+)%]$"
   count = tonumber(count)
   if of and (count < 1 or count > MOST + 1) then return nil end
   local kind = KINDS[of or name] or text_kind(of or name)
   if not kind or (of == "bool") then return nil end
   return kind, count
end

local function check_name(name)
   if type(name) ~= "string" or not name:find "^[%a_][%w_]*$" or name:find "^__" then
      place.fail(nil, "sluice.aggregate: state: a member is named by letters, digits "
         .. "and _, got %s", options.show(name))
   end
   if not pcall(ffi.typeof, ("struct { double %s; }"):format(name)) then
      place.fail(nil, "sluice.aggregate: state: `%s` is a word of C: choose another name",
         name)
   end
end

local function member_of(name, given)
   check_name(name)
   if type(given) == "number" then
      return { name = name, kind = KINDS.double, start = given }
   end
   if type(given) == "string" then
      local kind, count = kind_of(given)
      if kind then return { name = name, kind = kind, count = count } end
   end
   place.fail(nil, "sluice.aggregate: state: `%s` is %s, wanted a number to start with "
      .. "or a type (%s)", name, options.show(given), TYPES)
end

--- Check the members that a user gave.
-- @tparam table state as written: name → a number or the name of a type
-- @treturn table members by name: `{ name =, kind =, count =, start = }`
-- @raise when one is wrong
function struct.members(state)
   local members = {}
   for i, name in ipairs(tables.keys(state)) do
      members[i] = member_of(name, state[name])
   end
   return members
end

--- A member as it is stored, by its type in C.
-- @tparam table stored `{ name =, type = "double", "int32_t[4]" …, offset =, size = }`
-- @treturn ?table as of `struct.members`, with `offset` and `size`; nil: no plain one
function struct.member_of_c(stored)
   local text, count = stored.type:match "^(.-[%w}])%[(%d+)%]$"
   local room = stored.type:match "data%[(%d+)%]; }"
   local kind = room and text_kind(("string(%s)"):format(room))
      or OF_C[text or stored.type]
   if not kind then return nil end
   return { name = stored.name, kind = kind, count = tonumber(count),
      offset = stored.offset, size = stored.size }
end

local function shown(x)
   if type(x) == "string" then return ("text of %d bytes"):format(#x) end
   if type(x) == "number" then return ("%.17g"):format(x) end
   return type(x)
end

-- Levels of the message: this, the setter, the metatype's function, the user's.
local function refuse(name, kind, x)
   local wanted = kind.room and ("text of at most %d bytes"):format(kind.room)
      or kind.low and ("a whole number from %.0f to %.0f"):format(kind.low, kind.high)
      or "a number"
   error(("`%s`: got %s, wanted %s"):format(name, shown(x), wanted), 4)
end

-- How what lies AT is read and written.
local PLAIN = { get = "return AT", set = [[
   if type(x) ~= "number" and type(x) ~= "cdata" then refuse(name, kind, x) end
   AT = x]] }
local NUMBER = { get = "return AT", set = [[
   if type(x) ~= "number" or not (x >= LOW and x <= HIGH) or x % 1 ~= 0 then
      refuse(name, kind, x)
   end
   AT = x]] }
local TEXT = { get = "return (text(AT.data, AT.len))", set = [[
   if type(x) ~= "string" or #x > ROOM then refuse(name, kind, x) end
   local at = AT
   copy(at.data, x, #x)
   at.len = #x]] }

local ACCESS = [[
local name, kind, refuse, check, text, copy, type = ...
return function(s, i) CHECK GET end, function(s, x, i) CHECK SET end]]

local function access(member, at, check)
   local kind = member.kind
   local code = kind.room and TEXT or kind.low and NUMBER or PLAIN
   local constants = {
      LOW = kind.low and ("%.0f"):format(kind.low),
      HIGH = kind.high and ("%.0f"):format(kind.high),
      ROOM = kind.room,
   }
   local function fill(template)
      return (template:gsub("%u%u+", constants):gsub("%f[%u]AT%f[%U]", at))
   end
   local source = ACCESS:gsub("%u%u+", { GET = fill(code.get), SET = fill(code.set),
      CHECK = check and ("if %s then check(i) end"):format(check) or "" })
   return assert(load(source, "=sluice:state"))
end

local function only_read()
   error("the old state is only read: write to the new one", 3)
end

-- An array: 0-based, held to its bounds.
local function array_type(member)
   local kind, count = member.kind, member.count
   local function outside(i)
      error(("`%s`: an array of %d has the places 0 to %d, got %s"):format(member.name,
         count, count - 1, tostring(i)), 4)
   end
   local condition = ('type(i) ~= "number" or not (i >= 0 and i < %d) or i %% 1 ~= 0')
      :format(count)
   local get, set = access(member, "s.__items[i]", condition)(member.name, kind, refuse,
      outside, ffi.string, ffi.copy, type)
   local text = ("struct { %s __items[%d]; }"):format(kind.c, count)
   return ffi.metatype(ffi.typeof(text), {
      __index = function(array, i) return (get(array, i)) end,
      __newindex = member.offset and only_read -- const ends at an array
         or function(array, i, value) set(array, value, i) end,
      __len = function() return count end,
   })
end

local function is_hidden(member)
   return not member.count and (member.kind.room or member.kind.low) ~= nil
end

-- What lies between members that have places of their own.
local function gap_before(members, i)
   local before, member = members[i - 1], members[i]
   local at = before and before.offset and before.offset + before.size or 0
   local gap = member.offset and member.offset - at or 0
   return gap > 0 and ("uint8_t __%d[%d]; "):format(i, gap) or ""
end

--- Make the struct of a state: members by name, an error for every other name.
-- @tparam table members from `struct.members`; or of `struct.member_of_c`, by offset: of
--  a stored state, to be read through a pointer to const
-- @treturn cdata ctype
function struct.make(members)
   local text, types, names, getters, setters = {}, {}, {}, {}, {}
   for i, member in ipairs(members) do
      local name = member.name
      names[i] = name
      if is_hidden(member) then
         local at = "s.__" .. name
         getters[name], setters[name] = access(member, at)(name, member.kind, refuse, nil,
            ffi.string, ffi.copy, type)
         name = "__" .. name
      end
      if member.count then types[#types + 1] = array_type(member) end
      text[i] = ("%s%s %s;"):format(gap_before(members, i),
         member.count and "$" or member.kind.c, name)
   end
   local function unknown(name)
      error(("the state has no member `%s`%s"):format(tostring(name),
         nearest.hint(tostring(name), names)), 3)
   end
   local of = ffi.typeof("struct { " .. table.concat(text, " ") .. " }", unpack(types))
   return ffi.metatype(of, {
      __index = function(state, name)
         local get = getters[name]
         if get then return (get(state)) end
         unknown(name)
      end,
      __newindex = function(state, name, value)
         local set = setters[name]
         if not set then unknown(name) end
         set(state, value)
      end,
   })
end

return struct
