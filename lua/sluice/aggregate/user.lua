--- `sluice.aggregate { state =, fold =, merge =, result =, … }`: an aggregate in the
-- user's functions over a flat struct.
-- @module sluice.aggregate.user

local ffi = require "ffi"

local field = require "sluice.field"
local nearest = require "sluice.nearest"
local options = require "sluice.options"
local place = require "sluice.place"
local schema = require "sluice.schema"

local user = {}

-- What a member of the state can be, and in C. `bool` is true or false in Lua.
local TYPES = {
   double = "double", int64 = "int64_t", int32 = "int32_t", timestamp = "int64_t",
   bool = "bool",
}

local fn = options.fn "a function"

--- Options by name.
user.OPTIONS = {
   state = { check = options.checker("a table of members", function(value)
      return type(value) == "table" and next(value) ~= nil and value or nil
   end), doc = "members by name: a number is a double that starts there, text names a "
      .. "type that starts at zero",
      about = "memory",
      risk = "kept once for each group and window",
   },
   init = { check = fn, doc = "(state): sets up a new one, where `state` is not enough",
      about = "correctness",
      risk = "must give the same state each time",
   },
   fold = { check = fn, doc = "(state, row): takes in a row",
      about = "correctness",
      risk = "must depend on state and row alone",
   },
   merge = { check = fn, doc = "(a, b): takes state b into a; hopping windows need it",
      about = "correctness",
      risk = "must give the same in any order and grouping",
   },
   result = { check = fn,
      doc = "(state, window): the value, or a table of them by field; nil is null",
      about = "correctness",
      risk = "nil becomes null",
   },
   fold_batch = { check = fn,
      doc = "(states, rows, count): takes in rows[i] by states[i], 0 <= i < count",
      about = "correctness",
      risk = "must depend on states and rows alone",
   },
   returns = { check = options.checker("a type or a list of fields", function(value)
      local right = type(value) == "table" and #value > 0 or schema.TYPES[value]
      return right and value or nil
   end), default = "double", doc = "what `result` gives; a list: columns NAME_FIELD",
      about = "correctness",
      risk = "readers must expect this type",
   },
   order = { later = true, doc = "the order in which rows come" },
}

local function array_of(text)
   local kind, count = text:match "^(%w+)%[(%d+)%]$"
   count = tonumber(count)
   if TYPES[kind] and kind ~= "bool" and count > 0 and count <= 65536 then
      return kind, count
   end
end

local function check_name(name)
   if type(name) ~= "string" or not name:find "^[%a_][%w_]*$" then
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
      return { name = name, type = "double", start = given }
   end
   if type(given) == "string" then
      if TYPES[given] then return { name = name, type = given } end
      local kind, count = array_of(given)
      if kind then return { name = name, type = kind, count = count } end
   end
   place.fail(nil, "sluice.aggregate: state: `%s` is %s, wanted a number to start with "
      .. 'or a type ("double", "int64", "int32", "bool", "timestamp", "double[8]")',
      name, options.show(given))
end

local function members_of(state)
   local members = {}
   for i, name in ipairs(options.sorted_keys(state)) do
      members[i] = member_of(name, state[name])
   end
   return members
end

local function returned_fields(list)
   local fields = {}
   for i, entry in ipairs(list) do
      local spec = field.spec(entry)
      if not spec then
         place.fail(nil, "sluice.aggregate: `returns` holds %s, wanted fields "
            .. "(sluice.double \"lo\")", options.show(entry))
      end
      fields[i] = { name = spec.name, type = spec.type, exact = spec.exact }
   end
   return fields
end

--- Check what a user gave to `sluice.aggregate`.
-- @tparam table given options as written
-- @treturn table `{ members =, fields = or type =, fold =, … }`
-- @raise when an option is wrong
function user.read(given)
   local read = options.read("sluice.aggregate", user.OPTIONS, given)
   for _, name in ipairs { "state", "result" } do
      if not read[name] then
         place.fail(nil, "sluice.aggregate: `%s` is missing", name)
      end
   end
   if (read.fold ~= nil) == (read.fold_batch ~= nil) then
      place.fail(nil, "sluice.aggregate: give `fold` or `fold_batch`, %s",
         read.fold and "not both" or "there is none")
   end
   read.members = members_of(read.state)
   local returns = read.returns or "double"
   if type(returns) == "table" then
      read.fields = returned_fields(returns)
   else
      read.type = returns
   end
   return read
end

-- An array member: 0-based, held to its bounds.
local function array_type(kind, count)
   local function at(i)
      if type(i) ~= "number" or i < 0 or i >= count then
         error(("an array of %d has the places 0 to %d, got %s"):format(count, count - 1,
            tostring(i)), 3)
      end
      return i
   end
   local text = ("struct { %s items[%d]; }"):format(TYPES[kind], count)
   return ffi.metatype(ffi.typeof(text), {
      __index = function(array, i) return array.items[at(i)] end,
      __newindex = function(array, i, value) array.items[at(i)] = value end,
      __len = function() return count end,
   })
end

--- Make the struct of a state: members by name, an error for every other name.
-- @tparam table spec from `user.read`
-- @treturn cdata ctype
function user.struct(spec)
   local text, types, names = {}, {}, {}
   for i, member in ipairs(spec.members) do
      names[i] = member.name
      text[i] = (member.count and "$" or TYPES[member.type]) .. " " .. member.name .. ";"
      if member.count then
         types[#types + 1] = array_type(member.type, member.count)
      end
   end
   local function unknown(_, name)
      error(("the state has no member `%s`%s"):format(tostring(name),
         nearest.hint(tostring(name), names)), 2)
   end
   local struct = "struct { " .. table.concat(text, " ") .. " }"
   return ffi.metatype(ffi.typeof(struct, unpack(types)), {
      __index = unknown, __newindex = unknown,
   })
end

--- Put a state to what a new group starts with; runs `init`.
-- @tparam table spec from `user.read`
-- @tparam cdata state zeroed
function user.start(spec, state)
   for _, member in ipairs(spec.members) do
      if member.start then state[member.name] = member.start end
   end
   if spec.init then spec.init(state) end
end

return user
