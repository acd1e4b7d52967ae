--- What stands in the slots of a function: a table `{ kind =, … }`, one for each thing,
-- compared by identity. `outside` (from a variable outside the function, or from inside
-- its value: `name`, and `value` where it is known), `argument`, `field` of a row,
-- `text` (`value`), `number`, `truth` (what `not` gives). @module sluice.check.slots

local shape = require "sluice.shape"
local util = require "jit.util"

local slots = {}

local READS = { TGETS = true, TGETV = true, TGETB = true, TGETR = true }

local NUMBER = { kind = "number", type = "number", name = "a number" }
local TRUTH = { kind = "truth", type = "bool", name = "a truth value" }
local ANY = {} -- stands for the name of a member that is not known

--- Whether a list holds a value.
-- @tparam table names
-- @param wanted any
-- @treturn boolean
function slots.has_value(names, wanted)
   for _, name in pairs(names) do
      if name == wanted then return true end
   end
   return false
end

--- One function, while it is looked at: what stands in its slots.
local View = {}
View.__index = View

-- Something outside the function by the name of its variable.
function View:outside(key, name, value)
   local found = self.origins[key]
   if not found then
      found = { kind = "outside", name = name, value = value, inside = {} }
      self.origins[key] = found
   end
   return found
end

--- Whether a variable of the enclosing scopes lies outside of the user's function. One
-- that belongs to the function itself (`outer` is the chain of functions around this one,
-- the outermost first) is its own business.
-- @tparam string name
-- @tparam table outer list of lists of names
-- @treturn boolean
function slots.is_outside(name, outer)
   for _, names in ipairs(outer) do
      if not slots.has_value(names, name) then return false end
   end
   return true
end

function View:upvalue(index)
   local name = util.funcuvname(self.code, index)
   if not slots.is_outside(name, self.outer) then return nil end
   local value = self.values[name]
   if type(self.code) == "function" then
      value = select(2, debug.getupvalue(self.code, index + 1))
   end
   return self:outside(index, name, value)
end

local function as_field(name, of)
   return { kind = "field", name = name, type = of.type, shape = of.shape,
      inside = shape.BLOCKS[of.type] and {} or nil }
end

local function field_of(arg, name)
   local column = arg.schema and arg.schema.by_name[name]
   return column and as_field(name, column)
end

-- What stands inside of a list, map or struct.
local function inner_of(of, name)
   if of.shape.item then return as_field(of.name .. "[]", of.shape.item) end
   for _, one in ipairs(of.shape.fields) do
      if one.name == name then return as_field(of.name .. "." .. name, one) end
   end
end

local function part_of(outside, name)
   local value = name and type(outside.value) == "table" and rawget(outside.value, name)
   return { kind = "outside", name = outside.name, value = value or nil, inside = {} }
end

-- A method of text, by name.
function View:method(name)
   local library = rawget(self.globals, "string")
   local value = type(library) == "table" and rawget(library, name)
   return value and self:outside("." .. name, name, value) or nil
end

local function is_text(of)
   return of ~= nil and (of.kind == "text" or of.kind == "field" and of.type == "string")
end

-- What stands in a table: a field of a row; of something outside, more that is outside.
local function member(of, name)
   local inside = of and of.inside
   if not inside then return nil end
   local key = name or ANY
   if not inside[key] then
      inside[key] = of.kind == "argument" and field_of(of.arg, name)
         or of.kind == "outside" and part_of(of, name)
         or of.kind == "field" and inner_of(of, name) or nil
   end
   return inside[key]
end

-- What is read of something: a method of text, or what stands in a table.
function View:part(of, name)
   if name and is_text(of) then return self:method(name) end
   return member(of, name)
end

--- The text that an instruction names by its operand C.
function View:constant(ins)
   return util.funck(self.code, -ins.c - 1)
end

-- Text that stands in the function.
function View:text(value)
   local found = self.texts[value]
   if not found then
      found = { kind = "text", value = value }
      self.texts[value] = found
   end
   return found
end

--- What an instruction puts into its slot A, for `bytecode.states`.
function View:known(ins, state)
   if ins.op == "MOV" then return state[ins.d] end
   if ins.op == "KSTR" then return self:text(util.funck(self.code, -ins.d - 1)) end
   if ins.op == "KSHORT" or ins.op == "KNUM" then return NUMBER end
   if ins.op == "NOT" then return TRUTH end
   if ins.op == "UGET" then return self:upvalue(ins.d) end
   if ins.op == "GGET" then
      local name = util.funck(self.code, -ins.d - 1)
      return self:outside(name, name, rawget(self.globals, name))
   end
   if READS[ins.op] then
      return self:part(state[ins.b], ins.op == "TGETS" and self:constant(ins) or nil)
   end
end

--- What the parameters of a user's function hold.
-- @tparam ?table args `{ kind =, names =, schema = }` each
-- @tparam integer params how many it has
-- @treturn table slot → what it holds
function slots.entry_of(args, params)
   local entry = {}
   for i, arg in ipairs(args or {}) do
      if i <= params and arg.names then
         entry[i - 1] = { kind = "argument", arg = arg, inside = {} }
      end
   end
   return entry
end

--- Begin to look at a function.
-- @tparam table view `{ code = function or prototype, list = its instructions, outer =
--   names of the functions around it, values = of upvalues by name, globals = }`
-- @treturn table View
function slots.new(view)
   view.origins, view.texts = {}, {}
   return setmetatable(view, View)
end

return slots
