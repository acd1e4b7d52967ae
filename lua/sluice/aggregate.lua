--- Aggregates: the table of them, their constructors, and what they come to over a
-- schema.
-- @module sluice.aggregate

local condition = require "sluice.condition"
local field = require "sluice.field"
local nearest = require "sluice.nearest"
local options = require "sluice.options"
local place = require "sluice.place"
local reads = require "sluice.aggregate.reads"
local schema = require "sluice.schema"
local tables = require "sluice.tables"
local user = require "sluice.aggregate.user"
local window = require "sluice.window"

local aggregate = {}

-- name → `{ resolve = function(input, given, by) → code, accepts = types of the field, by
-- = types of a second one, read = function(what stands behind the field) → given,
-- optional = flag, splits = flag }`. `splits`: rows folded in two parts that are merged
-- give what they give folded in one. `input` is `{ type =,
-- exact =, field = or fn = }`, nil without a field. The code is text for
-- lua/sluice/driver/fold.lua: `$a.NAME` a member of the state, `$b.NAME` of the state
-- merged into it, `$k.NAME` one of the `constants`; in `fold` (and `check`, which may
-- throw): `x` the value (numbers; int64 and timestamps as int64 cdata), `data` and `len`
-- of text, with `takes_bytes` of all types, `x2` … the second value, `r` the row;
-- `result` sets `y`, or `data` and `len`. `is_shared`: equal states over one field are
-- kept once. `meaning`: what else stored states depend on beside kind, types and members
-- (`sluice.compat`).
local BUILTINS = {
   arg_max = require "sluice.aggregate.arg_max",
   arg_min = require "sluice.aggregate.arg_min",
   avg = require "sluice.aggregate.avg",
   collect = require "sluice.aggregate.collect",
   count = require "sluice.aggregate.count",
   count_distinct = require "sluice.aggregate.count_distinct",
   first = require "sluice.aggregate.first",
   histogram = require "sluice.aggregate.histogram",
   last = require "sluice.aggregate.last",
   max = require "sluice.aggregate.max",
   min = require "sluice.aggregate.min",
   quantile = require "sluice.aggregate.quantile",
   stddev = require "sluice.aggregate.stddev",
   sum = require "sluice.aggregate.sum",
   top = require "sluice.aggregate.top",
   variance = require "sluice.aggregate.variance",
}

-- What `accepts` and `by` say: types, and how a message names them.
local ACCEPTS = {
   any = {},
   number = { types = { int32 = true, int64 = true, double = true },
      wanted = "int32, int64 or double" },
   addable = { types = { int32 = true, int64 = true, double = true, decimal = true },
      wanted = "int32, int64, double or decimal" },
   ordered = { types = { int32 = true, int64 = true, double = true, timestamp = true,
      bool = true, string = true, bytes = true, date = true, decimal = true },
      wanted = "a type whose values have an order" },
}

local Spec = {}
local methods = {}

function Spec.__index(_, name)
   if methods[name] then return methods[name] end
   place.fail(nil, "an aggregate has no method `%s`%s", tostring(name),
      nearest.hint(tostring(name), { "where" }, "aggregate"))
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
-- @tparam function given row → true or false
-- @treturn sluice.aggregate.Spec
-- @usage sluice.count():where(function(ride) return ride.amount > 10 end)
function methods:where(given)
   local parts = parts_of(self, "where(function(row) … end)")
   if type(given) ~= "function" then
      place.fail(nil, ":where takes a function of a row, got %s: write :where(%s)",
         options.show(given), condition.of(given))
   end
   if parts.where then
      place.fail(nil, "an aggregate has one :where: join the conditions with `and`")
   end
   local changed = tables.copy(parts)
   changed.where = given
   return new(changed)
end

-- What a function gives: a number, or what `sluice.TYPE(fn)` says.
local function of_function(of)
   if type(of) == "function" then return { type = "double", fn = of } end
   return { type = of.type, exact = of.exact, shape = of.shape, fn = of.fn, of = of }
end

local function input_of(label, of, accepts, columns)
   local input
   if type(of) == "string" then
      local column, message = schema.column(columns, of)
      if not column then return nil, ("%s: %s"):format(label, message) end
      input = { type = column.type, exact = column.exact, shape = column.shape,
         field = of, column = column }
   else
      input = of_function(of)
   end
   local types = ACCEPTS[accepts].types
   if types and not types[input.type] then
      return nil, ("%s: %s is %s, wanted %s"):format(label,
         input.field and ("`%s`"):format(of) or "the function", input.type,
         ACCEPTS[accepts].wanted)
   end
   return input
end

local function inputs_of(parts, builtin, columns)
   local inputs = {}
   if parts.field == nil then return inputs end
   for n, of in ipairs { parts.field, parts.by } do
      local accepts = n == 1 and builtin.accepts or builtin.by
      local input, message = input_of(parts.label, of, accepts, columns)
      if not input then return nil, message end
      inputs[n] = input
   end
   return inputs
end

local function resolve_builtin(parts, columns)
   local builtin = BUILTINS[parts.kind]
   local inputs, message = inputs_of(parts, builtin, columns)
   if message then return nil, message end
   local resolved = builtin.resolve(inputs[1], parts.given, inputs[2])
   resolved.kind, resolved.inputs = parts.kind, inputs
   resolved.splits = builtin.splits
   resolved.nullable = not resolved.never_null
   return resolved
end

-- Columns of the rows that are kept for a fold in order: those it reads, else all.
local function kept_columns(fold, columns)
   local names = reads.of(fold, 2)
   if not names then return columns end
   local kept = {}
   for _, column in ipairs(columns.columns) do
      if names[column.name] then kept[#kept + 1] = column end
   end
   return (schema.new(kept))
end

local function resolve_user(parts, columns, kind)
   local spec = parts.user
   if spec.order and not window.has_bounds(kind) then
      return nil, ("%s: with `order` rows are folded when their window closes: write "
         .. "`:window(…)`, one that closes"):format(parts.label)
   end
   if window.of(kind).merges and not spec.merge and not spec.order then
      return nil, ("%s: a %s window keeps panes and merges them: "
         .. "give `merge = function(a, b) … end`"):format(parts.label, kind)
   end
   return {
      kind = "user", type = spec.type, shape = spec.shape, exact = spec.exact,
      fields = spec.fields, nullable = true, user = spec,
      rows = spec.order and kept_columns(spec.fold, columns) or nil,
      members = spec.order and { { name = "rows", type = "sl_part" } } or nil,
      bound = spec.order and "all rows of the window" or nil,
   }
end

--- Say what the aggregate comes to over the rows of a schema.
-- @tparam table columns schema of the rows
-- @tparam string kind of window: "none", "tumbling", …
-- @treturn ?table `{ kind =, type = or fields = { { name =, type = }, … }, exact =,
--  nullable =, label =, where = function|nil, input = nil or { type =, field = or fn = },
--  members =, fold =, merge =, result =, user = nil or spec }`
-- @treturn ?string a message
function methods:resolve(columns, kind)
   local parts = parts_of(self, "resolve(schema, window)")
   local resolved, message
   if parts.user then
      resolved, message = resolve_user(parts, columns, kind)
   else
      resolved, message = resolve_builtin(parts, columns)
   end
   if not resolved then return nil, message end
   resolved.label, resolved.where, resolved.line = parts.label, parts.where, parts.line
   return resolved
end

--- The user's functions in a resolved aggregate, in the order in which they are called.
-- @tparam table resolved
-- @treturn table list of `{ fn =, what = "where" | "value" | "by" | "fold" |
--  "fold_batch" | "merge" | "result" | "init", type = what "value" and "by" give }`
function aggregate.functions(resolved)
   local of = resolved.user or {}
   local list = {}
   local function add(what, fn, kind)
      if fn then list[#list + 1] = { fn = fn, what = what, type = kind } end
   end
   add("init", of.init)
   add("where", resolved.where)
   for n, input in ipairs(resolved.inputs or {}) do
      add(n == 1 and "value" or "by", input.fn, input.type)
   end
   add("fold", of.fold)
   add("fold_batch", of.fold_batch)
   add("merge", of.merge)
   add("result", of.result)
   return list
end

local function is_input(of)
   return type(of) == "string" or type(of) == "function" or field.is_typed(of)
end

local function show_input(of)
   if type(of) == "string" then return ("%q"):format(of) end
   return field.is_typed(of) and ("sluice.%s(function)"):format(of.type) or "function"
end

-- How messages call an aggregate: as it was written, functions and options apart.
local function label_of(kind, of, more)
   if of == nil then return kind .. "()" end
   if type(of) == "string" and more == nil then return ("%s %q"):format(kind, of) end
   local shown = show_input(of)
   if type(more) == "number" or is_input(more) then
      local second = type(more) == "number" and ("%.15g"):format(more) or show_input(more)
      shown = shown .. ", " .. second
   end
   return ("%s(%s)"):format(kind, shown)
end

local function check_input(kind, of, what)
   if is_input(of) then return end
   place.fail(nil, "sluice.%s takes a field's name or a function%s, got %s: write "
      .. "sluice.%s%s", kind, what, options.show(of), kind,
      what == "" and ' "amount"' or '("a", "b")')
end

local function constructor(kind, builtin)
   local most = (builtin.by or builtin.read) and 1 or 0
   return function(of, ...)
      local more, count = (...), select("#", ...)
      if count > most then
         place.fail(nil, "sluice.%s takes one field or function%s, got %s behind it",
            kind, most == 0 and "" or " and what stands behind it",
            options.show((select(most + 1, ...))))
      end
      if not (of == nil and builtin.optional) then check_input(kind, of, "") end
      if builtin.by then check_input(kind, more, " behind the first") end
      return new { kind = kind, field = of, by = builtin.by and more,
         given = builtin.read and builtin.read(more), label = label_of(kind, of, more),
         line = place.here() }
   end
end

--- Constructors by name, for `require "sluice"`: `count` … `variance`, each (field |
-- function | typed function, what else it takes) → Spec.
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
