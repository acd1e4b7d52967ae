--- Comparisons of a field with what its type is never equal to: they throw nothing, and
-- are false for every record (`~=`: true).
-- @module sluice.check.compare

local cjson = require "cjson"
local util = require "jit.util"

local options = require "sluice.options"

local compare = {}

-- What values of a column's type are in Lua. Decimals compare in ways of their own.
local KINDS = { bool = "boolean", int32 = "number", int64 = "number", double = "number",
   timestamp = "number", date = "number", string = "string", bytes = "string" }

local PRIMITIVES = { [1] = false, [2] = true }

local WITH_SLOT = { ISEQV = true, ISNEV = true }
local WITH_TEXT = { ISEQS = true, ISNES = true }
local WITH_NUMBER = { ISEQN = true, ISNEN = true }
local WITH_PRIMITIVE = { ISEQP = true, ISNEP = true }
local ORDERS = { ISLT = true, ISGE = true, ISLE = true, ISGT = true }

--- Instructions that this looks at, by name.
compare.OPS = {}
for _, ops in ipairs { WITH_SLOT, WITH_TEXT, WITH_NUMBER, WITH_PRIMITIVE, ORDERS } do
   for op in pairs(ops) do compare.OPS[op] = true end
end

local function kind_of(one)
   if one.kind == "truth" then return "boolean" end
   return one.kind == "field" and KINDS[one.type] or nil
end

local function say(one)
   if one.kind == "truth" then return "`not …` is true or false" end
   local is_text = one.type == "string"
   local article = one.type:find "^i" and "an " or "a "
   return ("`%s` is %s"):format(one.name, is_text and "text" or article .. one.type)
end

-- What to write instead.
local function instead(one, value)
   if one.kind == "truth" then return "write `~=`, or `not (… == …)`" end
   if one.type == "date" and type(value) == "string" then
      return ("write sluice.time.days %q"):format(value)
   end
   if one.type == "timestamp" and type(value) == "string" then
      return ("write sluice.time.parse %q, outside of the function"):format(value)
   end
   if one.type == "string" and type(value) == "number" then
      return ("write \"%.14g\", or tonumber of the field"):format(value)
   end
   if tonumber(value) then return ("write %s"):format(value) end
   return "write a " .. KINDS[one.type]
end

local function between(one, value)
   if value == cjson.null then
      return one.kind == "field" and ("`%s` is never sluice.null: null is nil in a row, "
         .. "write nil"):format(one.name)
   end
   local kind = kind_of(one)
   if not kind or value == nil or type(value) == kind or type(value) == "cdata" then
      return nil
   end
   return ("%s, never equal to %s: %s"):format(say(one), options.show(value),
      instead(one, value))
end

-- What an instruction compares slot A with, where that is a constant.
local function constant_of(view, ins, state)
   if WITH_TEXT[ins.op] then return util.funck(view.code, -ins.d - 1) end
   if WITH_NUMBER[ins.op] then return util.funck(view.code, ins.d) end
   if WITH_PRIMITIVE[ins.op] then return PRIMITIVES[ins.d] end
   local other = state[ins.d]
   return other and other.value
end

--- Say what is wrong with a comparison.
-- @tparam table view of the function, from `slots.new`
-- @tparam table ins instruction, one of `compare.OPS`
-- @tparam table state slot → what is known of it
-- @treturn ?string a message
function compare.problem(view, ins, state)
   if ORDERS[ins.op] then return nil end
   local one = state[ins.a]
   local message = one and between(one, constant_of(view, ins, state))
   if message or not WITH_SLOT[ins.op] then return message end
   local other = state[ins.d]
   return other and one and between(other, one.value) or nil
end

--- Say what a comparison by order throws with every record.
-- @tparam table ins instruction, one of `compare.OPS`
-- @tparam table state slot → what is known of it
-- @treturn ?string a message
function compare.throws(ins, state)
   local one, other = state[ins.a], state[ins.d]
   if not ORDERS[ins.op] or not one or not other then return nil end
   local text = one.type == "string" and one or other
   local number = text == one and other or one
   if text.type ~= "string" or number.kind ~= "number" then return nil end
   return ("%s, and is compared with a number: write tonumber(…), which is nil where it "
      .. "is none"):format(say(text))
end

return compare
