--- Aggregates: the table of them, their constructors, and what they come to over a
-- schema.
-- @module sluice.aggregate

local nearest = require "sluice.nearest"
local options = require "sluice.options"
local place = require "sluice.place"
local schema = require "sluice.schema"
local user = require "sluice.aggregate.user"

local aggregate = {}

-- name → `{ resolve = function(input) → code, accepts = "any" | "number", optional = flag
-- }`. `input` is `{ type =, exact = }`, nil without a field. The code is text for
-- lua/sluice/fold.lua: `$a.NAME` a member of the state, `$b.NAME` of the state merged
-- into it; in `fold`: `x` the value (numbers; int64 and timestamps as int64 cdata),
-- `data` and `len` of text, `r` the row; `result` sets `y`, or `data` and `len`.
local BUILTINS = {
   avg = require "sluice.aggregate.avg",
   count = require "sluice.aggregate.count",
   first = require "sluice.aggregate.first",
   last = require "sluice.aggregate.last",
   max = require "sluice.aggregate.max",
   min = require "sluice.aggregate.min",
   sum = require "sluice.aggregate.sum",
}

local NUMBERS = { int32 = true, int64 = true, double = true }
local NEEDS_MERGE = { hopping = true }

local Spec = {}
local methods = {}

function Spec.__index(_, name)
   if methods[name] then return methods[name] end
   place.fail(nil, "an aggregate has no method `%s`%s", tostring(name),
      nearest.hint(tostring(name), nearest.names(methods)))
end

local function new(parts)
   return setmetatable({ parts = parts }, Spec)
end

local function parts_of(self, method)
   local parts = getmetatable(self) == Spec and rawget(self, "parts")
   if not parts then
      place.fail(nil, "write an aggregate's method with a colon: `:%s`", method)
   end
   return parts
end

--- Tell an aggregate from other values.
-- @param it any
-- @treturn boolean
function aggregate.is(it)
   return getmetatable(it) == Spec
end

--- Aggregate only the rows for which a function is true.
-- @tparam function condition row → true or false
-- @treturn sluice.aggregate.Spec
-- @usage sluice.count():where(function(ride) return ride.amount > 10 end)
function methods:where(condition)
   local parts = parts_of(self, "where(function(row) … end)")
   if type(condition) ~= "function" then
      place.fail(nil, ":where takes a function of a row, got %s", options.show(condition))
   end
   if parts.where then
      place.fail(nil, "an aggregate has one :where: join the conditions with `and`")
   end
   local changed = {}
   for key, value in pairs(parts) do changed[key] = value end
   changed.where = condition
   return new(changed)
end

local function input_of(parts, builtin, columns)
   local of = parts.field
   if of == nil then return nil end
   if type(of) == "function" then return { type = "double", fn = of } end
   local column, message = schema.column(columns, of)
   if not column then return nil, ("%s: %s"):format(parts.label, message) end
   if builtin.accepts == "number" and not NUMBERS[column.type] then
      return nil, ("%s: `%s` is %s, wanted int32, int64 or double")
         :format(parts.label, of, column.type)
   end
   return { type = column.type, exact = column.exact, field = of }
end

local function resolve_builtin(parts, columns)
   local builtin = BUILTINS[parts.kind]
   local input, message = input_of(parts, builtin, columns)
   if message then return nil, message end
   local resolved = builtin.resolve(input)
   resolved.kind, resolved.input = parts.kind, input
   resolved.nullable = parts.kind ~= "count"
   return resolved
end

local function resolve_user(parts, window)
   local spec = parts.user
   if NEEDS_MERGE[window] and not spec.merge then
      return nil, ("%s: a %s window keeps panes and merges them: "
         .. "give `merge = function(a, b) … end`"):format(parts.label, window)
   end
   return {
      kind = "user", type = spec.type, fields = spec.fields, nullable = true, user = spec,
   }
end

--- Say what the aggregate comes to over the rows of a schema.
-- @tparam table columns schema of the rows
-- @tparam string window kind: "none", "tumbling" or "hopping"
-- @treturn ?table `{ kind =, type = or fields = { { name =, type = }, … }, exact =,
--  nullable =, label =, where = function|nil, input = nil or { type =, field = or fn = },
--  members =, fold =, merge =, result =, user = nil or spec }`
-- @treturn ?string a message
function methods:resolve(columns, window)
   local parts = parts_of(self, "resolve(schema, window)")
   local resolved, message
   if parts.user then
      resolved, message = resolve_user(parts, window)
   else
      resolved, message = resolve_builtin(parts, columns)
   end
   if not resolved then return nil, message end
   resolved.label, resolved.where, resolved.line = parts.label, parts.where, parts.line
   return resolved
end

--- The user's functions in a resolved aggregate, in the order in which they are called.
-- @tparam table resolved
-- @treturn table list of `{ fn =, what = "where" | "value" | "fold" | "fold_batch" |
--  "merge" | "result" | "init" }`
function aggregate.functions(resolved)
   local of = resolved.user or {}
   local list = {}
   local function add(what, fn)
      if fn then list[#list + 1] = { fn = fn, what = what } end
   end
   add("init", of.init)
   add("where", resolved.where)
   add("value", resolved.input and resolved.input.fn)
   add("fold", of.fold)
   add("fold_batch", of.fold_batch)
   add("merge", of.merge)
   add("result", of.result)
   return list
end

local function constructor(kind, builtin)
   return function(of, ...)
      if select("#", ...) > 0 then
         place.fail(nil, "sluice.%s takes one field or function, got %s behind it", kind,
            options.show((...)))
      end
      local given = type(of)
      local right = given == "string" or given == "function"
      if not right and not (of == nil and builtin.optional) then
         place.fail(nil, "sluice.%s takes a field's name or a function, got %s", kind,
            options.show(of))
      end
      local shown = of and "(function)" or "()"
      if given == "string" then shown = (" %q"):format(of) end
      return new { kind = kind, field = of, label = kind .. shown, line = place.here() }
   end
end

--- Constructors by name, for `require "sluice"`: `count` … `sum`, each (field | function)
-- → Spec.
aggregate.constructors = {}
for kind, builtin in pairs(BUILTINS) do
   aggregate.constructors[kind] = constructor(kind, builtin)
end

--- A user's own aggregate.
-- @tparam table given options: `state`, `init`, `fold` or `fold_batch`, `merge`,
--  `result`, `returns`
-- @treturn sluice.aggregate.Spec
-- @raise when an option is wrong
-- @usage sluice.aggregate { state = { n = 0 }, fold = function(a) a.n = a.n + 1 end,
--  result = function(a) return a.n end }
function aggregate.aggregate(given)
   local read = user.read(given)
   return new { kind = "user", user = read, label = "aggregate", line = place.here() }
end

return aggregate
