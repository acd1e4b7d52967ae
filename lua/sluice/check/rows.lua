--- Made-up rows for functions to be tried on, such as can reach them: a row goes through
-- the filters and derived columns that stand before. Values are of the schema's types;
-- text and numbers that the functions compare with are tried, too.
-- @module sluice.check.rows

local ffi = require "ffi"
local util = require "jit.util"

local bytecode = require "sluice.check.bytecode"
local decimal = require "sluice.decimal"
local samples = require "sluice.check.samples"
local stand = require "sluice.check.stand"
local tables = require "sluice.tables"
local value_of = require "sluice.value"

local rows = {}

-- Numbers that scripts hardly treat apart, as they do 0 and 1.
local SAMPLE = 12345
local SAMPLES = { bool = true, int32 = SAMPLE, int64 = SAMPLE, double = 1.5, string = "a",
   timestamp = 1700000000000, date = 19844, bytes = "a" }
local DIGIT = "1" -- text that is a number, for `tonumber`
local NUMBERS = { int32 = true, int64 = true, double = true, timestamp = true }
-- So many constants of functions, and so many rows, are tried.
local MOST_CONSTANTS, MOST_ROWS = 12, 8
local MOST_NULLS = 24

-- Values of the types that hold others.
local COMPOSED = {}

--- A value of a column's type that its field allows.
-- @tparam table column
-- @tparam ?table field of the source
-- @return a value as functions see it
function rows.sample_of(column, field)
   local spec = field or column
   if spec.one_of then return value_of.in_lua(spec, spec.one_of[1]) end
   if spec.range then return value_of.in_lua(spec, spec.range[1]) end
   if spec.type == "int64" and spec.exact then return ffi.new("int64_t", SAMPLE) end
   local make = COMPOSED[spec.type]
   if make then return make(spec.shape) end
   return SAMPLES[spec.type]
end

function COMPOSED.decimal(of) return decimal.new(1, 0, of.scale) end
function COMPOSED.list(of)
   return { rows.sample_of(of.item), rows.sample_of(of.item) }
end
function COMPOSED.map(of) return { a = rows.sample_of(of.item) } end
function COMPOSED.struct(of)
   local made = {}
   for _, one in ipairs(of.fields) do made[one.name] = rows.sample_of(one) end
   return stand.struct(made, of)
end

--- See `sluice.check.stand`.
rows.view = stand.row

-- Columns that a row has before the first of the stages, by slot; those that a stage adds
-- are left out.
local function base_columns(arg)
   local by_slot, list, derived = {}, {}, {}
   for _, stage in ipairs(arg.before or {}) do
      if stage.slot then derived[stage.slot] = true end
   end
   local function add(of)
      for _, column in ipairs(of.columns) do
         if not by_slot[column.slot] and not derived[column.slot] then
            by_slot[column.slot] = true
            list[#list + 1] = column
         end
      end
   end
   for _, stage in ipairs(arg.before or {}) do add(stage.arg.schema) end
   add(arg.schema)
   return list
end

local function add_constant(found, value)
   if found[value] or #found == MOST_CONSTANTS then return end
   found[value] = true
   found[#found + 1] = value
end

-- Text and numbers that a function holds; whole ones below 32768 are in its instructions.
local function add_constants(found, fn)
   local info = util.funcinfo(fn)
   for i = 1, info.gcconsts or 0 do
      local value = util.funck(fn, -i)
      if type(value) == "string" then add_constant(found, value) end
   end
   for i = 0, (info.nconsts or 0) - 1 do
      local value = util.funck(fn, i)
      if type(value) == "number" then add_constant(found, value) end
   end
   for _, ins in ipairs(bytecode.instructions(fn)) do
      if ins.op == "KSHORT" and ins.d < 32768 then add_constant(found, ins.d) end
   end
end

-- Whether a function, one in it or one that it closes over has a `while` or `repeat`:
-- with the right value it may never come back.
local function may_hang(code, seen)
   if seen[code] then return false end
   seen[code] = true
   for _, ins in ipairs(bytecode.instructions(code)) do
      if ins.op == "LOOP" then return true end
      if ins.op == "FNEW" and may_hang(util.funck(code, -ins.d - 1), seen) then
         return true
      end
   end
   for i = 1, type(code) == "function" and util.funcinfo(code).upvalues or 0 do
      local _, value = debug.getupvalue(code, i)
      if type(value) == "function" and may_hang(value, seen) then return true end
   end
   return false
end

local function constants_of(arg, fn)
   local found, seen = { DIGIT, [DIGIT] = true }, {}
   for _, stage in ipairs(arg.before or {}) do
      if may_hang(stage.fn, seen) then return {} end
      add_constants(found, stage.fn)
   end
   if may_hang(fn, seen) then return {} end
   add_constants(found, fn)
   return found
end

local Rows = {}
Rows.__index = Rows

--- Begin to make rows for a function.
-- @tparam table arg a row as `functions.of` describes it
-- @tparam function fn
-- @treturn table Rows
function rows.new(arg, fn)
   return setmetatable({ arg = arg, columns = base_columns(arg),
      constants = constants_of(arg, fn), reads = {} }, Rows)
end

function Rows:field(column)
   return self.arg.fields[column.slot]
end

function Rows:sample()
   local values = {}
   for _, column in ipairs(self.columns) do
      values[column.slot] = rows.sample_of(column, self:field(column))
   end
   return values
end

-- Whether a field's declaration allows a value of its type.
local function allows(field, value)
   if not field then return true end
   if field.one_of then
      for _, one in ipairs(field.one_of) do
         if one == value then return true end
      end
      return false
   end
   return not field.range or value >= field.range[1] and value <= field.range[2]
end

-- Whether a column can take a constant.
local function fits(column, constant)
   if type(constant) == "string" then return column.type == "string" end
   return NUMBERS[column.type] and not column.exact
end

-- A row with every column that can take a constant set to it, or the only one given.
function Rows:with(base, constant, only)
   local values, changed = tables.copy(base), false
   for _, column in ipairs(only and { only } or self.columns) do
      if fits(column, constant) and allows(self:field(column), constant) then
         values[column.slot], changed = constant, true
      end
   end
   return changed and values or nil
end

-- Constants, and the numbers beside them.
function Rows:tries()
   local list = {}
   for _, constant in ipairs(self.constants) do
      list[#list + 1] = constant
      if type(constant) == "number" then
         list[#list + 1] = constant + 1
         list[#list + 1] = constant - 1
      end
   end
   return list
end

-- Rows of a source's own events: made once.
local made_of = setmetatable({}, { __mode = "k" })

local function samples_of(source)
   made_of[source] = made_of[source] or samples.of(source)
   return made_of[source]
end

-- Rows without a null, the plain sample first.
function Rows:candidates()
   local sample = self:sample()
   local list = { sample }
   for _, constant in ipairs(self:tries()) do
      list[#list + 1] = self:with(sample, constant)
   end
   for _, own in ipairs(self.arg.source and samples_of(self.arg.source) or {}) do
      local values = self:sample()
      for _, column in ipairs(self.columns) do
         if own[column.slot] ~= nil then values[column.slot] = own[column.slot] end
      end
      list[#list + 1] = values
   end
   for _, column in ipairs(self.columns) do
      local field = self:field(column)
      for _, one in ipairs(field and field.one_of or {}) do
         local values = self:sample()
         values[column.slot] = value_of.in_lua(field, one)
         list[#list + 1] = values
      end
   end
   return list
end

--- Send a row through the stages before the function.
-- @tparam table values by slot; derived ones are added to a copy
-- @treturn ?table values; nil when it does not come through
-- @treturn ?integer the stage that it does not pass
function Rows:through(values)
   local made = tables.copy(values)
   for i, stage in ipairs(self.arg.before or {}) do
      local done, gave = pcall(stage.fn, rows.view(stage.arg, made,
         { reads = self.reads }))
      if not done or not stage.slot and not gave then return nil, i end
      if stage.slot then made[stage.slot] = gave end
   end
   return made
end

-- A row that differs in one constant and comes further than stage `far`; nil: none does.
function Rows:further(base, far)
   local function better(changed)
      local values, failed = nil, nil
      if changed then values, failed = self:through(changed) end
      return values or failed and failed > far, values, failed
   end
   for _, constant in ipairs(self:tries()) do
      local all = self:with(base, constant)
      local is_better, values, failed = better(all)
      if is_better then return all, values, failed end
      for _, column in ipairs(self.columns) do
         local one = self:with(base, constant, column)
         is_better, values, failed = better(one)
         if is_better then return one, values, failed end
      end
   end
end

-- Change the sample constant by constant until it comes through; nil when it never does.
function Rows:search()
   local base = self:sample()
   local values, far = self:through(base)
   while not values do
      base, values, far = self:further(base, far)
      if not base then return nil end
   end
   return { base = base, values = values }
end

--- Rows without a null that reach the function.
-- @treturn table list of `{ base = values before the stages, values = }`; empty when none
--   is known to
function Rows:reaching()
   local list = {}
   for _, base in ipairs(self:candidates()) do
      local values = self:through(base)
      if values then list[#list + 1] = { base = base, values = values } end
      if #list == MOST_ROWS then return list end
   end
   if not list[1] then list[1] = self:search() end
   return list
end

--- The same row with nulls, as far as it still reaches the function: with as many as it
-- can have, then each alone. Only of columns that were read so far (`reads`): the others
-- make no difference.
-- @tparam table base from `reaching`
-- @tparam boolean wants_alone
-- @treturn table values with as many nulls as come through
-- @treturn table list of values, one a column with `wants_alone`
function Rows:nulls_of(base, wants_alone)
   local most, values, alone = base, self:through(base), {}
   for _, column in ipairs(self.columns) do
      if column.nullable and self.reads[column.slot] then
         local more, one = tables.copy(most), tables.copy(base)
         more[column.slot], one[column.slot] = nil, nil
         local come = self:through(more)
         if come then most, values = more, come end
         local wanted = wants_alone and #alone < MOST_NULLS
         alone[#alone + 1] = wanted and self:through(one) or nil
      end
   end
   return values, alone
end

return rows
