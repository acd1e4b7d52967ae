--- `:raw()`: each record as it came, `key` and `value`.
-- @module sluice.format.raw

local field = require "sluice.field"

local raw = {}

--- What the reference says.
raw.doc = "`:raw()` or `:raw { fields }`: each record as it came: `key` and `value` as "
   .. "bytes, null where there is none, and the fields from headers and metadata. A "
   .. "field named `key` or `value` takes the place of that one, with its own type: "
   .. "`:raw { sluice.string \"value\" }`. Records without a value (tombstones) are "
   .. "rows, too."

local NESTED = { list = true, map = true, struct = true }

local function add(fields, name, more)
   for _, spec in ipairs(more) do
      if spec.name == name then
         fields[#fields + 1] = spec
         return
      end
   end
   local made = field.spec(field.constructor "bytes"(name))
   if name == "key" then made.from = { kind = "key", path = {} } end
   fields[#fields + 1] = made
end

--- The fields there are: key and value first.
-- @tparam {table,...} more specs of the fields that a script wrote
-- @treturn {table,...} specs
function raw.fields(more)
   local fields = {}
   add(fields, "key", more)
   add(fields, "value", more)
   for _, spec in ipairs(more) do
      if spec.name ~= "key" and spec.name ~= "value" then fields[#fields + 1] = spec end
   end
   return fields
end

--- Say why a field cannot be read.
-- @tparam table spec of the field
-- @treturn ?string a message
function raw.problem(spec)
   local from = spec.from
   if from and from.kind == "key_path" then
      return "a key that is JSON is read beside `:json` only: write `:from_key()` for "
         .. "all of the key"
   end
   if NESTED[spec.type] then
      return ("a raw value is no %s: write `:json { fields }`"):format(spec.type)
   end
   if spec.name == "key" and not from then
      return "all of the key is meant: add `:from_key()`"
   end
   if from and from.kind ~= "value" then return nil end
   if not from and spec.name == "value" then return nil end
   return "what a raw record has beside its key and value comes from headers and "
      .. "metadata: add `:from_header(…)` or `:from_metadata(…)`"
end

--- Write a record's value.
-- @tparam table _ source of the graph
-- @tparam table values name of a field → text
-- @treturn string
function raw.encode(_, values)
   return values.value or ""
end

return raw
