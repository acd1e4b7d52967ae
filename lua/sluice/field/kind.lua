--- The types of fields: what stands in `sluice.TYPE(…)` behind the name, and types that
-- stand inside others.
-- @module sluice.field.kind

local class = require "sluice.field.class"
local decimal = require "sluice.decimal"
local nearest = require "sluice.nearest"
local options = require "sluice.options"
local place = require "sluice.place"
local schema = require "sluice.schema"
local shape = require "sluice.shape"
local tables = require "sluice.tables"
local value = require "sluice.value"

local kind = {}

--- Units that a timestamp field can come in.
kind.UNITS = { "s", "ms", "us", "ns", "iso" }

local OTHER_FORMS = "; text of another form: sluice.string, and :event_time(function("
   .. 'row) return sluice.time.parse(row.ts, "%Y-%m-%d %H:%M:%S") end)'

local function unit_of(label, unit)
   local entry = { check = options.word(kind.UNITS) }
   local checked, message = options.value("unit", entry, unit == nil and "ms" or unit)
   if not checked then
      local is_form = type(unit) == "string" and unit:find "[yY%%:/]"
      place.fail(nil, "%s: %s%s", label, message, is_form and OTHER_FORMS or "")
   end
   return checked
end

-- Constructors, and the type of each: `sluice.list("tags", sluice.string)`.
local KINDS = {}

-- Types of many of one kind, and what these are called.
local ITEMS = { list = "elements", map = "values" }

-- Types that a name alone does not say.
local OPEN = { decimal = "sluice.decimal(10, 2)", list = 'sluice.list("string")',
   map = 'sluice.map("string")', struct = 'sluice.struct { sluice.string "city" }' }

--- What a type written in a script says: "string", `sluice.string`, `sluice.decimal(10,
-- 2)`, `sluice.list("string")`, a field (its name means nothing then).
-- @param given as written
-- @treturn ?table spec: `{ type =, shape =, … }`, borrowed; nil: it is no type
-- @treturn ?string what is wrong with it
function kind.of(given)
   local spec = class.spec(given)
   if spec then return spec end
   local type_name = KINDS[given] or given
   if type(type_name) ~= "string" then
      return nil, options.show(given) .. " is no type"
   end
   if OPEN[type_name] then
      return nil, ("%s says too little: write %s"):format(type_name, OPEN[type_name])
   end
   if schema.TYPES[type_name] then return { type = type_name } end
   return nil, ("unknown type %q%s"):format(type_name,
      nearest.hint(type_name, tables.keys(schema.TYPES), "type"))
end

local function is_type(given)
   return class.spec(given) ~= nil or KINDS[given] ~= nil
      or schema.TYPES[given] == true
end

local function check_inner(label, spec)
   if spec.from then
      place.fail(nil, "%s: `:from…` is for fields of the record, not inside of one",
         label)
   end
   if spec.checks then
      place.fail(nil, "%s: `:matches` and `:check` are for fields of the record: write "
         .. "`:check(function(value) … end)` there", label)
   end
   local wrong = value.conflict(spec)
   if wrong then place.fail(spec.line, "%s: %s", label, wrong) end
   if shape.depth(spec) >= shape.DEPTH then
      place.fail(nil, "%s: at most %d lists, maps and structs inside each other", label,
         shape.DEPTH)
   end
   return spec
end

local function item_of(label, type_name, given)
   if given == nil then
      place.fail(nil, "%s: the type of its %s is missing: write sluice.%s(\"name\", "
         .. "\"string\") or another", label,
         ITEMS[type_name], type_name)
   end
   local spec, message = kind.of(given)
   if not spec then place.fail(nil, "%s: %s", label, message) end
   return { item = check_inner(label, spec) }
end

local function inner_field(label, entry, seen)
   local spec = class.spec(entry)
   if not spec or not spec.name then
      place.fail(nil, "%s holds %s, wanted fields (sluice.string \"city\")", label,
         spec and "a type without a name" or options.show(entry))
   end
   if seen[spec.name] then
      place.fail(nil, "%s: field `%s` stands twice: take one out", label, spec.name)
   end
   seen[spec.name] = true
   return check_inner(label, spec)
end

local function fields_of(label, given)
   if type(given) ~= "table" or class.spec(given) or #given == 0
      or #given > shape.FIELDS then
      place.fail(nil, "%s takes a table of 1 to %d fields, as in "
         .. "{ sluice.string \"city\" }, got %s", label, shape.FIELDS,
         options.show(given))
   end
   local positional, named = options.split(given)
   if named[1] then
      place.fail(nil, "%s takes fields in order, got `%s =`: a field's name stands in "
         .. "its constructor", label, tostring(named[1][1]))
   end
   local fields, seen = {}, {}
   for i, entry in ipairs(positional) do fields[i] = inner_field(label, entry, seen) end
   return { fields = fields }
end

local function whole(x, low, high)
   return type(x) == "number" and x % 1 == 0 and x >= low and x <= high
end

local function decimal_of(label, precision, scale)
   scale = scale == nil and 0 or scale
   if whole(precision, 1, decimal.DIGITS) and whole(scale, 0, precision) then
      return { precision = precision, scale = scale }
   end
   place.fail(nil, "%s takes its digits in all (1 to %d) and those behind the point, got "
      .. "%s and %s: write sluice.decimal(\"name\", 10, 2)", label, decimal.DIGITS,
      options.show(precision), options.show(scale))
end

-- So many arguments stand behind the name, and what they are.
local BEHIND = {
   timestamp = { 1, "its unit" }, decimal = { 2, "precision and scale" },
   list = { 1, "the type of its elements" }, struct = { 1, "a table of fields" },
   map = { 1, "the type of its values (keys are text)" },
}

local function check_count(type_name, label, ...)
   local behind = BEHIND[type_name]
   local extra = behind and select(behind[1] + 1, ...)
   if extra == nil then return end
   place.fail(nil, "%s takes %s, got %s beyond: leave it out", label, behind[2],
      options.show(extra))
end

-- What stands behind the name: parts of the spec.
local function parameters(type_name, label, ...)
   check_count(type_name, label, ...)
   if type_name == "timestamp" then return { unit = unit_of(label, (...)) } end
   if type_name == "decimal" then return { shape = decimal_of(label, ...) } end
   if ITEMS[type_name] then return { shape = item_of(label, type_name, ...) } end
   if type_name == "struct" then return { shape = fields_of(label, ...) } end
   if select("#", ...) > 0 then
      place.fail(nil, "sluice.%s takes a name only, got %s behind it", type_name,
         options.show((...)))
   end
   return {}
end

-- Types of these kinds need no name: sluice.list("string") is what each list holds.
local function is_nameless(type_name, first, ...)
   if type_name == "decimal" then return type(first) == "number" end
   if type_name == "struct" then return type(first) == "table" end
   return ITEMS[type_name] and select("#", ...) == 0 and is_type(first)
end

local function checked_name(type_name, name)
   local wrong = schema.bad_name(name)
   if wrong then
      place.fail(nil, "sluice.%s takes a field's name or a function, got %s: %s",
         type_name, options.show(name), wrong)
   end
   return ("sluice.%s %q"):format(type_name, name)
end

-- `sluice.double(function)`: what it gives.
local function typed(type_name, fn, ...)
   local more = {}
   if OPEN[type_name] then more = parameters(type_name, "sluice." .. type_name, ...) end
   return setmetatable({ type = type_name, fn = fn, shape = more.shape,
      line = place.of_function(fn) }, class.Typed)
end

-- `sluice.decimal "price"` makes a field, `sluice.decimal.of "12.50"` a number.
local function callable(construct)
   return setmetatable({ of = decimal.of }, {
      __call = function(_, ...) return construct(...) end,
   })
end

--- Make the constructor of a type.
-- @tparam string type_name
-- @treturn function (name, parameters…) → field, (parameters…) → type without a name,
--   (function, parameters…) → typed function
-- @usage sluice.list("stops", sluice.struct { sluice.string "city" })
function kind.constructor(type_name)
   local construct
   function construct(first, ...)
      if type(first) == "function" and not KINDS[first] then
         return typed(type_name, first, ...)
      end
      local spec
      if is_nameless(type_name, first, ...) then
         spec = parameters(type_name, "sluice." .. type_name, first, ...)
      else
         spec = parameters(type_name, checked_name(type_name, first), ...)
         spec.name = first
      end
      spec.type, spec.line = type_name, place.here()
      return class.new(spec)
   end
   if type_name == "decimal" then construct = callable(construct) end
   KINDS[construct] = type_name
   return construct
end

return kind
