--- Fields of a source, `sluice.TYPE(name)`, and typed functions, `sluice.TYPE(function)`.
-- A field is never changed: each method gives a new one.
-- @module sluice.field

local constraint = require "sluice.constraint"
local later = require "sluice.later"
local nearest = require "sluice.nearest"
local options = require "sluice.options"
local place = require "sluice.place"
local schema = require "sluice.schema"
local value = require "sluice.value"

local field = {}

--- Units that a timestamp field can come in.
field.UNITS = { "s", "ms", "us", "ns", "iso" }

-- What `:from_metadata` gives, and the types that hold it.
local METADATA = {
   topic = { "string" }, partition = { "int32", "int64" }, offset = { "int64" },
   kafka_time = { "timestamp", "int64" }, kafka_time_type = { "string" },
   processing_time = { "timestamp", "int64" },
}

local NESTED = { list = true, map = true, struct = true }
local NUMBERS = { int32 = true, int64 = true, double = true }

local methods = {}
local Field = {}
local Typed = {}

function Field.__index(_, name)
   if methods[name] then return methods[name] end
   later.refuse(later.FIELD_METHODS, name, ":" .. tostring(name))
   place.fail(nil, "a field has no method `%s`%s", tostring(name),
      nearest.hint(tostring(name), nearest.names(methods)))
end

local function with(self, changes)
   local spec = {}
   for key, old in pairs(rawget(self, "spec")) do spec[key] = old end
   for key, new in pairs(changes) do spec[key] = new end
   return setmetatable({ spec = spec }, Field)
end

local function spec_of(self, method)
   local spec = getmetatable(self) == Field and rawget(self, "spec")
   if not spec then
      place.fail(nil, "write a field's method with a colon: `:%s()`", method)
   end
   return spec
end

local function path_of(spec, text, method)
   if type(text) ~= "string" or text == "" or text:find "%.%." or text:find "^%."
      or text:find "%.$" then
      place.fail(nil, "field `%s`: `:%s` takes a path of keys, as in \"user.id\", got %s",
         spec.name, method, options.show(text))
   end
   local path = {}
   for key in text:gmatch "[^.]+" do path[#path + 1] = key end
   return path
end

local function from(self, method, source)
   local spec = spec_of(self, method)
   if spec.from then
      place.fail(nil, "field `%s` is already taken from elsewhere: say one `:from…`",
         spec.name)
   end
   return with(self, { from = source })
end

--- A record without the field is bad.
-- @treturn sluice.field.Field
-- @usage sluice.string "event_id" :required()
function methods:required()
   local spec = spec_of(self, "required")
   if spec.default ~= nil then
      place.fail(nil, "field `%s` has a default, so it is never missing: leave "
         .. "`:required()` out",
         spec.name)
   end
   return with(self, { required = true })
end

--- What stands for an absent or null value.
-- @param given of the field's type; timestamps: Unix ms or RFC 3339 text; exact int64:
--   digits as text too
-- @treturn sluice.field.Field
-- @usage sluice.double "tip" :default(0)
function methods:default(given)
   local spec = spec_of(self, "default")
   if spec.required then
      place.fail(nil, "field `%s` is required, so its default is never used: "
         .. "leave one out", spec.name)
   end
   local checked, wanted = value.of(spec, given)
   if checked == nil then
      place.fail(nil, "field `%s`: the default is %s, wanted %s", spec.name,
         options.show(given), wanted)
   end
   return with(self, { default = checked })
end

--- Take all of int64, beyond 2^53 too, where Lua's numbers would lose digits.
-- @treturn sluice.field.Field
-- @usage sluice.int64 "serial" :exact()
function methods:exact()
   local spec = spec_of(self, "exact")
   if spec.type ~= "int64" then
      place.fail(nil, "field `%s` is %s: `:exact()` is for int64", spec.name, spec.type)
   end
   return with(self, { exact = true })
end

--- Numbers outside make the record bad.
-- @tparam number low least
-- @tparam number high most
-- @treturn sluice.field.Field
-- @usage sluice.double "amount" :range(0, 500)
function methods:range(low, high)
   local spec = spec_of(self, "range")
   if not NUMBERS[spec.type] then
      place.fail(nil, "field `%s` is %s: `:range` is for numbers", spec.name, spec.type)
   end
   local right = type(low) == "number" and type(high) == "number" and low <= high
   if not right then
      place.fail(nil, "field `%s`: `:range` takes the least and the most number, got %s "
         .. "and %s",
         spec.name, options.show(low), options.show(high))
   end
   return with(self, { range = { low, high } })
end

--- Values that are not in the list make the record bad.
-- @tparam table values of the field's type
-- @treturn sluice.field.Field
-- @usage sluice.string "kind" :one_of { "start", "end" }
function methods:one_of(values)
   local spec = spec_of(self, "one_of")
   if type(values) ~= "table" or #values == 0 or spec.type == "bool" then
      place.fail(nil, "field `%s`: `:one_of` takes a list of values (no bools), got %s",
         spec.name, options.show(values))
   end
   local checked = {}
   for i, given in ipairs(values) do
      local one, wanted = value.of(spec, given)
      if one == nil then
         place.fail(nil, "field `%s`: `:one_of` holds %s, wanted %s", spec.name,
            options.show(given), wanted)
      end
      checked[i] = one
   end
   return with(self, { one_of = checked })
end

--- Text that does not match makes the record bad. A pattern matches anywhere, unless it
-- begins with `^` and ends with `$`.
-- @tparam string pattern of Lua
-- @treturn sluice.field.Field
-- @usage sluice.string "plate" :matches "^%u%u%-%d+$"
function methods:matches(pattern)
   local spec = spec_of(self, "matches")
   if spec.type ~= "string" then
      place.fail(nil, "field `%s` is %s: `:matches` is for strings", spec.name, spec.type)
   end
   if type(pattern) ~= "string" then
      place.fail(nil, "field `%s`: `:matches` takes a pattern of Lua, got %s", spec.name,
         options.show(pattern))
   end
   local made, wrong = constraint.matches(pattern)
   if not made then
      place.fail(nil, "field `%s`: `:matches` %q is no pattern of Lua: %s", spec.name,
         pattern, wrong)
   end
   return with(self, { checks = constraint.add(spec.checks, made) })
end

--- Values for which the function gives false or nil make the record bad; null is not
-- checked. It is called before event time and watermark see the record.
-- @tparam function fn (value) → true
-- @treturn sluice.field.Field
-- @usage sluice.string "code" :check(function(code) return #code == 8 end)
function methods:check(fn)
   local spec = spec_of(self, "check")
   if type(fn) ~= "function" then
      place.fail(nil, "field `%s`: `:check` takes a function(value), got %s", spec.name,
         options.show(fn))
   end
   return with(self, { checks = constraint.add(spec.checks, constraint.check(fn)) })
end

--- Take the value from another place of the JSON document.
-- @tparam string path keys from the outside in, between dots
-- @treturn sluice.field.Field
-- @usage sluice.string "city" :from "address.city"
function methods:from(path)
   local keys = path_of(spec_of(self, "from"), path, "from")
   return from(self, "from", { kind = "value", path = keys })
end

--- Take the value from the record's key: all of it as text that says a value of the
-- field's type, or a place in a JSON key.
-- @tparam ?string path keys from the outside in, between dots
-- @treturn sluice.field.Field
-- @usage sluice.string "user" :from_key()
function methods:from_key(path)
   local spec = spec_of(self, "from_key")
   if path ~= nil then
      return from(self, "from_key", { kind = "key_path",
         path = path_of(spec, path, "from_key") })
   end
   if NESTED[spec.type] then
      place.fail(nil, "field `%s` is a %s: a whole key is one value, write sluice.string "
         .. "or `:from_key(path)`",
         spec.name, spec.type)
   end
   return from(self, "from_key", { kind = "key", path = {} })
end

--- Take the value from a header of the record: text that says a value of the field's
-- type.
-- @tparam string name of the header
-- @treturn sluice.field.Field
-- @usage sluice.string "trace" :from_header "trace-id"
function methods:from_header(name)
   local spec = spec_of(self, "from_header")
   if type(name) ~= "string" or name == "" then
      place.fail(nil, "field `%s`: `:from_header` takes a header's name, got %s",
         spec.name,
         options.show(name))
   end
   if NESTED[spec.type] then
      place.fail(nil, "field `%s` is a %s: a header is one value, write sluice.string",
         spec.name, spec.type)
   end
   return from(self, "from_header", { kind = "header", path = { name } })
end

--- Take what Kafka and the batch know about the record.
-- @tparam string what topic, partition, offset, kafka_time, kafka_time_type or
--   processing_time
-- @treturn sluice.field.Field
-- @usage sluice.int64 "at" :from_metadata "offset"
function methods:from_metadata(what)
   local spec = spec_of(self, "from_metadata")
   local types = METADATA[what]
   if not types then
      local names = nearest.names(METADATA)
      place.fail(nil, "field `%s`: unknown metadata %s%s", spec.name, options.show(what),
         nearest.hint(tostring(what), names))
   end
   for _, name in ipairs(types) do
      if name == spec.type then
         return from(self, "from_metadata",
            { kind = "metadata", path = {}, metadata = what })
      end
   end
   place.fail(nil, "field `%s` is %s: `%s` is held by sluice.%s", spec.name, spec.type,
      what,
      table.concat(types, " or sluice."))
end

local function unit_of(kind, name, unit)
   if kind ~= "timestamp" then
      if unit ~= nil then
         place.fail(nil, "sluice.%s takes a name only, got %s behind it", kind,
            options.show(unit))
      end
      return nil
   end
   local entry = { check = options.word(field.UNITS) }
   local checked, message = options.value("unit", entry, unit == nil and "ms" or unit)
   if not checked then place.fail(nil, "sluice.timestamp %q: %s", name, message) end
   return checked
end

--- Make the constructor of a type.
-- @tparam string kind name of the type
-- @treturn function (name, unit) → field, (function) → typed function
function field.constructor(kind)
   return function(name, unit)
      if type(name) == "function" then
         return setmetatable({ type = kind, fn = name, line = place.of_function(name) },
            Typed)
      end
      local wrong = schema.bad_name(name)
      if wrong then
         place.fail(nil, "sluice.%s takes a field's name or a function, got %s: %s", kind,
            options.show(name), wrong)
      end
      local spec = { name = name, type = kind, unit = unit_of(kind, name, unit),
         line = place.here() }
      return setmetatable({ spec = spec }, Field)
   end
end

--- Tell a field from other values.
-- @param it any
-- @treturn ?table what the field says: `{ name =, type =, … }`, borrowed
function field.spec(it)
   return getmetatable(it) == Field and rawget(it, "spec") or nil
end

--- Tell a typed function from other values.
-- @param it any
-- @treturn boolean
function field.is_typed(it)
   return getmetatable(it) == Typed
end

return field
