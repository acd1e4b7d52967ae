--- Memory of the plan: strings, columns and option trees as C structs, all kept alive by
-- one list.
-- @module sluice.lower.value

local ffi = require "ffi"

local secret = require "sluice.secret"
local shape = require "sluice.shape"
local tables = require "sluice.tables"

local lower_value = {}

local Memory = {}
Memory.__index = Memory

--- Begin a plan's memory.
-- @tparam ?boolean hides_secrets look none up: such a value is left out
-- @treturn table Memory
function lower_value.new(hides_secrets)
   return setmetatable({ anchors = {}, hides_secrets = hides_secrets }, Memory)
end

--- Make an array of structs, zeroed.
-- @tparam string ctype name of the struct
-- @tparam integer count
-- @treturn cdata array of at least one, alive as long as the memory
function Memory:array(ctype, count)
   local array = ffi.new(ffi.typeof("$[?]", ffi.typeof(ctype)), math.max(count, 1))
   self.anchors[#self.anchors + 1] = array
   return array
end

--- Put a text into an sl_string.
-- @tparam cdata into sl_string
-- @tparam ?string text nil: left empty
function Memory:text(into, text)
   if text == nil then return end
   self.anchors[#self.anchors + 1] = text
   into.data, into.len = text, #text
end

-- An sl_shape of a column, or of what is inside of it.
local function shape_of(memory, column)
   local inner = column.shape
   if not inner then return nil end
   local made = memory:array("sl_shape", 1)
   if inner.precision then
      made[0].precision, made[0].scale = inner.precision, inner.scale
      return made
   end
   local specs = inner.fields or { inner.item }
   local items = memory:array("sl_field", #specs)
   for i, spec in ipairs(specs) do
      local into = items[i - 1]
      memory:text(into.column.name, spec.name)
      memory:type(into.column, spec, spec.exact)
      memory:constraints(into, spec)
   end
   made[0].items, made[0].item_count = items, #specs
   return made
end

--- Say of what type an sl_column is.
-- @tparam cdata into sl_column
-- @tparam table of column or spec: `type`, `shape`
-- @tparam ?boolean exact
function Memory:type(into, of, exact)
   into.type, into.exact = shape.TYPES[of.type], exact and 1 or 0
   into.shape = shape_of(self, of)
end

local UNITS = { s = 1, ms = 2, us = 3, ns = 4, iso = 5 }

--- Fill in what holds for the values of a field.
-- @tparam cdata into sl_field
-- @tparam table spec `unit`, `required`, `default`, `range`, `one_of`
function Memory:constraints(into, spec)
   if spec.type == "timestamp" then into.unit = UNITS[spec.unit or "ms"] end
   into.required = spec.required and 1 or 0
   if spec.default ~= nil then
      into.has_default, into.default_value = 1, self:value(spec.default)
   end
   if spec.range and spec.type == "decimal" then
      into.has_range, into.bounds = 1, self:value(spec.range)[0].items
   elseif spec.range then
      into.has_range, into.low, into.high = 1, spec.range[1], spec.range[2]
   end
   if spec.one_of then
      into.one_of_count, into.one_of = #spec.one_of, self:value(spec.one_of)[0].items
   end
end

--- Fill in an sl_column.
-- @tparam cdata into sl_column
-- @tparam table layout of the row
-- @tparam integer slot
-- @tparam ?string name as it is written out, nil: none
-- @tparam ?boolean exact nil: as the layout says
function Memory:column(into, layout, slot, name, exact)
   local column = layout.columns[slot]
   if exact == nil then exact = column.exact end
   self:text(into.name, name)
   into.offset, into.null_bit = layout:offset(slot), slot - 1
   self:type(into, column, exact)
end

--- Fill in a list of columns.
-- @tparam table layout of the row
-- @tparam table columns `{ { name =, slot = }, … }`
-- @treturn cdata sl_column array
-- @treturn integer its length
function Memory:columns(layout, columns)
   local array = self:array("sl_column", #columns)
   for i, column in ipairs(columns) do
      self:column(array[i - 1], layout, column.slot, column.name, column.exact)
   end
   return array, #columns
end

local fill

local function fill_table(memory, into, given)
   local keys = tables.keys(given)
   into.kind, into.item_count = ffi.C.SL_TABLE, #keys
   local items = memory:array("sl_value", #keys)
   for i, key in ipairs(keys) do
      if type(key) == "string" then memory:text(items[i - 1].name, key) end
      fill(memory, items[i - 1], given[key])
   end
   into.items = items
end

-- Secrets are looked up only here: what is printed of a plan is printed from the graph.
local function revealed(given)
   local text, message = secret.reveal(given)
   if not text then error("a secret is missing: " .. message, 0) end
   return text
end

function fill(memory, into, given)
   if secret.is(given) then
      if memory.hides_secrets then return end -- SL_NIL: as if it were not given
      given = revealed(given)
   end
   local kind = type(given)
   if kind == "table" then
      fill_table(memory, into, given)
   elseif kind == "string" then
      into.kind = ffi.C.SL_TEXT
      memory:text(into.text, given)
   elseif kind == "number" then
      into.kind, into.number = ffi.C.SL_NUMBER, given
   elseif kind == "boolean" then
      into.kind, into.number = ffi.C.SL_FLAG, given and 1 or 0
   else
      error(("an option is a %s, which C cannot read"):format(kind), 0)
   end
end

--- Turn a value into an sl_value: list items in their order, then named ones by name.
-- @param given table, text, number or flag
-- @treturn cdata sl_value array of one
function Memory:value(given)
   local into = self:array("sl_value", 1)
   fill(self, into[0], given)
   return into
end

return lower_value
