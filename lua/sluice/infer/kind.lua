--- The type of sluice that fits what was seen, and what does not fit it.
-- @module sluice.infer.kind

local names = require "sluice.infer.names"

local kind = {}

-- Shares of the values from which on the others are taken for errors.
local MOST = 0.9
local MAP_FIELDS, MAP_SHARE = 24, 0.34

-- Most digits of a decimal, less two for what was not seen.
local MOST_DIGITS = 36

-- Years 2000 and 2100, seconds.
local EARLIEST, LATEST = 946684800, 4102444800
local UNITS = { { "s", 1 }, { "ms", 1e3 }, { "us", 1e6 }, { "ns", 1e9 } }
local TIME_NAMES = { "time", "date", "_at$", "^at$", "^ts$", "_ts$", "when", "created",
   "updated", "expires", "epoch" }

local function names_time(name)
   for _, pattern in ipairs(TIME_NAMES) do
      local text = name or ""
      if text:lower():find(pattern) or text:find "At$" then return true end
   end
   return false
end

-- The unit in which whole numbers are times of our age; but for milliseconds they are too
-- like other numbers to go without a name.
local function unit_of(node)
   for _, unit in ipairs(UNITS) do
      local name, factor = unit[1], unit[2]
      local is_within = node.low >= EARLIEST * factor and node.high < LATEST * factor
      if is_within and (names_time(node.name) or name == "ms") then return name end
   end
end

-- Texts that are all of one look but for a few.
local function most_texts(node, look)
   return (node.texts[look] or 0) >= MOST * (node.counts.text or 0)
end

local function of_text(node)
   if most_texts(node, "time") then
      return { type = "timestamp", unit = "iso", look = "time" }
   end
   if most_texts(node, "date") then return { type = "date", look = "date" } end
   local decimals = node.texts.decimal or 0
   local all = decimals + (node.texts.digits or 0)
   if decimals > 0 and all >= MOST * (node.counts.text or 0)
      and node.digits + node.scale <= MOST_DIGITS then
      return { type = "decimal", precision = node.digits + node.scale + 2,
         scale = node.scale, look = "decimal" }
   end
   return { type = "string" }
end

-- An object whose keys are data: many of them, each in few objects.
local function is_map(node)
   if #node.fields < MAP_FIELDS then return false end
   local sum = 0
   for _, field in ipairs(node.fields) do sum = sum + field.total end
   return sum < MAP_SHARE * #node.fields * node.objects
end

-- Whether a field can stand for one of the keys at least.
local function has_names(node, new)
   for _, field in ipairs(node.fields) do
      if names.fits(field.name) and not kind.of(field, new).is_mixed then return true end
   end
   return false
end

-- Whether a map of such values would take all of them.
local function is_mixed(all, new)
   local main = all:main_kind()
   if kind.of(all, new).is_mixed then return true end
   for name in pairs(all.counts) do
      local is_number = main == "number" and name == "integer"
      if name ~= "null" and name ~= main and not is_number then return true end
   end
   return false
end

local function of_object(node, new)
   if is_map(node) or not has_names(node, new) then
      local all = new()
      for _, field in ipairs(node.fields) do all:add(field) end
      return { type = "map", inner = all,
         is_mixed = not has_names(node, new) and is_mixed(all, new) }
   end
   return { type = "struct", fields = node.fields }
end

local function of_integer(node)
   local unit = unit_of(node)
   if unit then return { type = "timestamp", unit = unit } end
   if node.is_huge then
      local digits = math.max(node.whole, node.digits) + node.scale
      if digits > MOST_DIGITS then return { type = "double" } end
      return { type = "decimal", precision = digits + 2, scale = node.scale,
         look = "decimal", is_huge = true }
   end
   return { type = "int64", is_exact = node.is_large }
end

--- Choose a type.
-- @tparam Node node
-- @tparam function new makes an empty Node
-- @treturn table `{ type =, unit =, precision =, scale =, is_exact =, is_huge =,
--  inner = Node,
--  fields = {Node}, is_mixed = a map that few values
--  fit, objects =, main = kind of most values, is_empty = all is null }`
function kind.of(node, new)
   local main = node:main_kind()
   local made
   if not main then
      made = { type = "string", is_empty = true }
   elseif main == "text" then
      made = of_text(node)
   elseif main == "integer" then
      made = of_integer(node)
   elseif main == "number" then
      made = { type = "double" }
   elseif main == "bool" then
      made = { type = "bool" }
   elseif main == "array" then
      local inner = node.items or new()
      made = { type = "list", inner = inner, is_mixed = kind.of(inner, new).is_mixed }
   else
      made = of_object(node, new)
   end
   made.main, made.objects = main, node.objects
   return made
end

-- Kinds that a type takes.
local TAKES = { double = { number = true, integer = true },
   int64 = { integer = true }, decimal = { text = true, number = true, integer = true } }

--- Tell which kinds of values do not fit the chosen type.
-- @tparam Node node
-- @tparam table chosen from `kind.of`
-- @treturn {string,...} kinds, in a fixed order
function kind.odd(node, chosen)
   local odd = {}
   for _, name in ipairs { "text", "integer", "number", "bool", "object", "array" } do
      local takes = TAKES[chosen.type]
      local fits = takes and takes[name] or not takes and name == chosen.main
      if node.counts[name] and not fits then odd[#odd + 1] = name end
   end
   return odd
end

--- How many texts do not look as the type wants them.
-- @tparam Node node
-- @tparam table chosen
-- @treturn integer
function kind.unlike(node, chosen)
   if not chosen.look then return 0 end
   local like = node.texts[chosen.look] or 0
   if chosen.look == "decimal" then like = like + (node.texts.digits or 0) end
   return (node.counts.text or 0) - like
end

return kind
