--- What functions get at check in place of rows and structs: strict where the real ones
-- only give nil, and no more of a table than those are.
-- @module sluice.check.stand

local ffi = require "ffi"

local nearest = require "sluice.nearest"

local stand = {}

local NO_MEMBER_START = "the struct has no field `"
local NO_MEMBER = NO_MEMBER_START .. "%s`%s"

-- Like a row of the runtime a stand-in is cdata, of a type of its own: `pairs` and what
-- else takes tables throws here, too. What it stands for is found by the object; its own
-- members are those of a row's head that helpers read.
local Stand = ffi.typeof [[struct { int64_t __time; uint32_t __record, __partition;
   int64_t __offset; }]]
local stood_for = setmetatable({}, { __mode = "k" })

local function read(self, name)
   local of = stood_for[self]
   local column, seen = of.arg.schema.by_name[name], of.seen
   if not column then
      seen.unknown = true
      error(("unknown field `%s`%s"):format(tostring(name),
         nearest.hint(tostring(name), of.arg.names)), 2)
   end
   if seen.reads then seen.reads[column.slot] = true end
   local value = of.values[column.slot]
   if value == nil and not seen[name] then
      seen[name] = true
      seen[#seen + 1] = name
   end
   return value
end

local function write(self, name)
   stood_for[self].seen.unknown = true
   error(("a row cannot be changed: assigned to `%s`; use :derive")
      :format(tostring(name)), 2)
end

ffi.metatype(Stand, { __index = read, __newindex = write })

--- A stand-in for a row that remembers which fields were nil when they were read.
-- @tparam table arg `{ schema =, names = }`
-- @tparam table values by slot
-- @tparam table seen gets the names of nil fields; `unknown` when a field is not there;
--  `reads`, if it is there, the slots that are read
-- @treturn cdata
function stand.row(arg, values, seen)
   local made = Stand()
   stood_for[made] = { arg = arg, values = values, seen = seen }
   return made
end

--- Make a struct strict: a member that the declaration does not have would be nil in all
-- records.
-- @tparam table made its members
-- @tparam table of its shape
-- @treturn table `made`
function stand.struct(made, of)
   local names = {}
   for i, one in ipairs(of.fields) do names[i] = one.name end
   return setmetatable(made, { __index = function(_, name)
      for _, known in ipairs(names) do
         if known == name then return nil end
      end
      error(NO_MEMBER:format(tostring(name), nearest.hint(tostring(name), names)), 2)
   end })
end

-- Rows are no tables: what asks for one throws with every record.
local ASKS_TABLE = { "table expected, got cdata", "annot serialise cdata",
   "takes a table of fields, got cdata", "' has no '__" }

--- Whether what was thrown is thrown with every record.
-- @tparam ?string problem
-- @treturn ?string the problem, with what to do; nil: it may be the made-up row's fault
function stand.never(problem)
   if not problem then return nil end
   if problem:find(NO_MEMBER_START, 1, true) then return problem end
   for _, text in ipairs(ASKS_TABLE) do
      if problem:find(text, 1, true) then
         return problem .. "; a row is no table: name its fields, as in row.name"
      end
   end
end

return stand
