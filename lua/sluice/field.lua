--- Fields of a source, `sluice.TYPE(name)`, and typed functions, `sluice.TYPE(function)`.
-- A field is never changed: each method gives a new one.
-- @module sluice.field

local arity = require "sluice.arity"
local bounds = require "sluice.bounds"
local constraint = require "sluice.constraint"
local class = require "sluice.field.class"
local kind = require "sluice.field.kind"
local nearest = require "sluice.nearest"
local options = require "sluice.options"
local place = require "sluice.place"
local shape = require "sluice.shape"
local tables = require "sluice.tables"
local value = require "sluice.value"

local field = {}

--- Units that a timestamp field can come in.
field.UNITS = kind.UNITS

--- Make the constructor of a type: see `sluice.field.kind`.
field.constructor = kind.constructor

--- What a type written in a script says: see `sluice.field.kind`.
field.type_of = kind.of

-- What `:from_metadata` gives, and the types that hold it.
local METADATA = {
   topic = { "string" }, partition = { "int32", "int64" }, offset = { "int64" },
   kafka_time = { "timestamp", "int64" }, kafka_time_type = { "string" },
   processing_time = { "timestamp", "int64" },
}

local RANGES = { int32 = true, int64 = true, double = true, timestamp = true,
   date = true, decimal = true }

-- Numbers of `:range` may lie outside of the type: then all values are inside.
local function bound(spec, given)
   if type(given) == "number" and given == given
      and (spec.type == "int32" or spec.type == "int64" or spec.type == "double") then
      return given
   end
   return value.of(spec, given)
end

local methods, guarded = {}, {}
local Field, Typed = class.Field, class.Typed

function Field.__index(_, name)
   if guarded[name] then return guarded[name] end
   place.fail(nil, "a field has no method `%s`%s", tostring(name),
      nearest.hint(tostring(name), tables.keys(methods), "field"))
end

local function with(self, changes)
   local spec = {}
   for key, old in pairs(rawget(self, "spec")) do spec[key] = old end
   for key, new in pairs(changes) do spec[key] = new end
   return class.new(spec)
end

local function spec_of(self, method)
   local spec = class.spec(self)
   if not spec then
      place.fail(nil, "write a field's method with a colon: `:%s()`", method)
   end
   return spec
end

-- Keys that hold dots or brackets are written as a list.
local function listed(given)
   local path = {}
   for i, key in ipairs(type(given) == "table" and given or {}) do
      if type(key) ~= "string" then return nil end
      path[i] = key
   end
   return path[1] and path
end

local function path_of(spec, text, method)
   local list = listed(text)
   if list then return list end
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
-- @param given of the field's type; timestamps: Unix ms or RFC 3339 text; dates: text;
--   decimals: text or a number; exact int64: digits as text too
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

--- Values outside make the record bad.
-- @tparam number|string low least: of numbers, dates, timestamps, decimals
-- @tparam number|string high most
-- @treturn sluice.field.Field
-- @usage sluice.double "amount" :range(0, 500)
function methods:range(low, high)
   local spec = spec_of(self, "range")
   local shown = spec.name or spec.type
   if not RANGES[spec.type] then
      place.fail(nil, "field `%s` is %s: `:range` is for numbers, dates and times", shown,
         spec.type)
   end
   local least, wanted = bound(spec, low)
   local most, wanted_too = bound(spec, high)
   local wrong = least and most and bounds.of { type = spec.type,
      range = { least, most }, shape = spec.shape }
   if not wrong or wrong(least) then
      wanted = least == nil and wanted or most == nil and wanted_too or "in this order"
      place.fail(nil, "field `%s`: `:range` takes the least and the most, %s, got %s "
         .. "and %s", shown, wanted, options.show(low), options.show(high))
   end
   return with(self, { range = { least, most } })
end

--- Values that are not in the list make the record bad.
-- @tparam table values of the field's type; no bools, lists, maps or structs
-- @treturn sluice.field.Field
-- @usage sluice.string "kind" :one_of { "start", "end" }
function methods:one_of(values)
   local spec = spec_of(self, "one_of")
   if type(values) ~= "table" or #values == 0 or spec.type == "bool"
      or shape.BLOCKS[spec.type] then
      place.fail(nil, "field `%s`: `:one_of` takes a list of values (no bools, lists, "
         .. "maps or structs), got %s", spec.name or spec.type, options.show(values))
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
-- @tparam string|table path keys from the outside in, between dots; or a list of them,
--   for keys that hold a dot: `{ "labels", "app.name" }`
-- @treturn sluice.field.Field
-- @usage sluice.string "city" :from "address.city"
function methods:from(path)
   local keys = path_of(spec_of(self, "from"), path, "from")
   return from(self, "from", { kind = "value", path = keys,
      text = type(path) == "string" and path or nil })
end

--- Take the value from the record's key: all of it as text that says a value of the
-- field's type, or a place in a JSON key.
-- @tparam ?string|table path keys from the outside in, between dots, or a list of them
-- @treturn sluice.field.Field
-- @usage sluice.string "user" :from_key()
function methods:from_key(path)
   local spec = spec_of(self, "from_key")
   if path ~= nil then
      return from(self, "from_key", { kind = "key_path",
         path = path_of(spec, path, "from_key"),
         text = type(path) == "string" and path or nil })
   end
   if shape.BLOCKS[spec.type] then
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
   if shape.BLOCKS[spec.type] then
      place.fail(nil, "field `%s` is a %s: a header is one value, write sluice.string",
         spec.name, spec.type)
   end
   return from(self, "from_header", { kind = "header", path = { name } })
end

--- Take what is known about the record: its `topic` (of a file: the path), `partition`,
-- `offset` (of a file: the line, from 0), `kafka_time`, `kafka_time_type`, or the batch's
-- `processing_time`.
-- @tparam string what topic, partition, offset, kafka_time, kafka_time_type or
--   processing_time
-- @treturn sluice.field.Field
-- @usage sluice.int64 "at" :from_metadata "offset"
function methods:from_metadata(what)
   local spec = spec_of(self, "from_metadata")
   local types = METADATA[what]
   if not types then
      local names = tables.keys(METADATA)
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

-- A method that refuses what it does not take, as in `:required(false)`.
local function with_checks(name, method)
   return function(self, ...)
      arity.check(("`:%s`"):format(name), arity.of(method) - 1, ...)
      local made = method(self, ...)
      return made
   end
end

for name, method in pairs(methods) do guarded[name] = with_checks(name, method) end

--- Tell a field from other values.
-- @param it any
-- @treturn ?table what the field says: `{ name =, type =, shape =, … }`, borrowed; the
--   types of `sluice.shape`; a type without a name has `name` nil
field.spec = class.spec

--- Tell a typed function from other values.
-- @param it any
-- @treturn boolean
function field.is_typed(it)
   return getmetatable(it) == Typed
end

return field
