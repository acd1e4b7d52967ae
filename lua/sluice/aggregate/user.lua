--- `sluice.aggregate { state =, fold =, merge =, result =, … }`: an aggregate in the
-- user's functions over a flat struct.
-- @module sluice.aggregate.user

local field = require "sluice.field"
local options = require "sluice.options"
local place = require "sluice.place"
local struct = require "sluice.aggregate.struct"

local user = {}

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
   merge = { check = fn, doc = "(a, b): takes state b into a; all windows but tumbling "
      .. "and running need it",
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
      if type(value) == "table" and not field.spec(value) and #value > 0 then
         return value
      end
      local spec, message = field.type_of(value)
      if spec and spec.name then return nil, "a type without a name, or { fields }" end
      return spec and value, message
   end), default = "double", doc = "what `result` gives: a type (`\"double\"`, "
      .. "`sluice.list \"double\"`), or fields in a table: columns NAME_FIELD",
      about = "correctness",
      risk = "readers must expect this type",
   },
   migrate = { check = fn,
      doc = "(old, new): makes a new state of one that was stored with other members; "
         .. "`new` is as `state` and `init` say",
      about = "correctness",
      risk = "runs once for each stored state, and must depend on `old` alone",
   },
   order = { check = options.word { "event time" },
      doc = "`\"event time\"`: `fold` gets the rows of a window when it closes, in the "
      .. "order of their event times, then topic, partition, offset; needs no `merge`",
      about = "memory",
      risk = "every row is kept until the window closes: the fields that `fold` reads by "
      .. "name (`row.x`), all of them if it does more with the row",
   },
}

local function returned_fields(list)
   local fields = {}
   for i, entry in ipairs(list) do
      local spec = field.spec(entry)
      if not spec then
         place.fail(nil, "sluice.aggregate: `returns` holds %s, wanted fields "
            .. "(sluice.double \"lo\")", options.show(entry))
      end
      fields[i] = { name = spec.name, type = spec.type, exact = spec.exact,
         shape = spec.shape }
   end
   return fields
end

local function check_order(read)
   if not read.order then return end
   if read.fold_batch then
      place.fail(nil, "sluice.aggregate: `order` goes with `fold`, not with `fold_batch`")
   end
   if read.migrate then
      place.fail(nil, "sluice.aggregate: with `order` rows are kept, and no state that "
         .. "`migrate` could take over")
   end
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
   check_order(read)
   read.members = struct.members(read.state)
   local returns = read.returns or "double"
   if type(returns) == "table" and not field.spec(returns) then
      read.fields = returned_fields(returns)
   else
      local spec = field.type_of(returns)
      read.type, read.shape, read.exact = spec.type, spec.shape, spec.exact
   end
   return read
end

--- Make the struct of a state: members by name, an error for every other name.
-- @tparam table spec from `user.read`
-- @treturn cdata ctype
function user.struct(spec)
   return struct.make(spec.members)
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
