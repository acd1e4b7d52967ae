--- What a type is beyond its name. A column or a field's spec of type
--
--     decimal    has shape = { precision =, scale = }
--     list, map  has shape = { item = SPEC }: of the elements, of the values
--     struct     has shape = { fields = { SPEC, … } }
--
-- and the others have none. A SPEC is what `field.spec` gives: `type`, `exact`, `unit`,
-- `shape`, and what holds for the value: `required`, `default`, `one_of`, `range`.
-- @module sluice.shape

local shape = {}

--- Lists, maps and structs inside each other: SL_NESTED_DEPTH of nested.h.
shape.DEPTH = 64

--- Most fields of a struct: SL_STRUCT_FIELDS of nested.h.
shape.FIELDS = 1024

--- Types that are kept as blocks (nested.h).
shape.BLOCKS = { list = true, map = true, struct = true }

--- Types that are kept as pointer and length.
shape.TEXTS = { string = true, bytes = true, list = true, map = true, struct = true }

--- The numbers of all types in `sl_type`.
shape.TYPES = {
   bool = 1, int32 = 2, int64 = 3, double = 4, timestamp = 5, string = 6, bytes = 7,
   date = 8, decimal = 9, list = 10, map = 11, struct = 12,
}

--- How a type is written in messages and plans.
-- @tparam table of column or spec
-- @treturn string "list<struct{city string, lat double}>", "decimal(10, 2)"
function shape.text(of)
   local inner = of.shape
   if not inner then return of.type end
   if inner.precision then
      return ("decimal(%d, %d)"):format(inner.precision, inner.scale)
   end
   if inner.item then return ("%s<%s>"):format(of.type, shape.text(inner.item)) end
   local fields = {}
   for i, field in ipairs(inner.fields) do
      fields[i] = field.name .. " " .. shape.text(field)
   end
   return "struct{" .. table.concat(fields, ", ") .. "}"
end

--- How deep a type is nested: 0 for what holds nothing.
-- @tparam table of column or spec
-- @treturn integer
function shape.depth(of)
   local inner, deepest = of.shape, 0
   if not shape.BLOCKS[of.type] then return 0 end
   for _, one in ipairs(inner.fields or { inner.item }) do
      deepest = math.max(deepest, shape.depth(one))
   end
   return deepest + 1
end

local function equal_fields(a, b)
   if #a ~= #b then return false end
   for i, field in ipairs(a) do
      if field.name ~= b[i].name or not shape.equal(field, b[i]) then return false end
   end
   return true
end

--- Tell whether two columns or specs hold the same values.
-- @tparam table a
-- @tparam table b
-- @treturn boolean
function shape.equal(a, b)
   local x, y = a.shape, b.shape
   if a.type ~= b.type or (a.exact or false) ~= (b.exact or false) then return false end
   if not x then return true end
   if x.item then return shape.equal(x.item, y.item) end
   if x.fields then return equal_fields(x.fields, y.fields) end
   return x.precision == y.precision and x.scale == y.scale
end

return shape
