--- How a state holds a value of each type, for aggregates that keep one: the members,
-- and the code that takes, copies, gives and compares it. Numbers lie in the state as
-- in rows, text in a part of its own.
-- @module sluice.aggregate.held

local held = {}

--- The C type of values that lie in a state as they lie in rows.
held.MEMBERS = {
   bool = "uint8_t", int32 = "int32_t", int64 = "int64_t", double = "double",
   timestamp = "int64_t", date = "int32_t", decimal = "sl_decimal",
}

-- NAME: the member; SUFFIX: which value of the row it takes (`x` and `data, len`, or of a
-- second field `x2` and `data2, len2`); OP: "<" or ">".
local NUMBER = {
   take = "$a.NAME = xSUFFIX",
   copy = "$a.NAME = $b.NAME",
   give = "y = $a.NAME",
   row_is = "xSUFFIX OP $a.NAME",
   other_is = "$b.NAME OP $a.NAME",
}

-- Both words, of one scale. Only `high` has a sign.
local DECIMAL = {
   take = NUMBER.take, copy = NUMBER.copy, give = NUMBER.give,
   row_is = [[(xSUFFIX.high OP $a.NAME.high
      or (xSUFFIX.high == $a.NAME.high and xSUFFIX.low OP $a.NAME.low))]],
   other_is = [[($b.NAME.high OP $a.NAME.high
      or ($b.NAME.high == $a.NAME.high and $b.NAME.low OP $a.NAME.low))]],
   row_equals = "(xSUFFIX.high == $a.NAME.high and xSUFFIX.low == $a.NAME.low)",
   other_equals = "($b.NAME.high == $a.NAME.high and $b.NAME.low == $a.NAME.low)",
}

-- Compared as Lua strings, whose order is that of their bytes.
local TEXT = {
   take = "calls.sl_part_set(v.table, $a.NAME, dataSUFFIX, lenSUFFIX)",
   copy = "$a.NAME.data, $a.NAME.len = $b.NAME.data, $b.NAME.len",
   give = "data, len = $a.NAME.data, $a.NAME.len",
   row_is = "text(dataSUFFIX, lenSUFFIX) OP text($a.NAME.data, $a.NAME.len)",
   other_is = "text($b.NAME.data, $b.NAME.len) OP text($a.NAME.data, $a.NAME.len)",
}

--- Whether values of a type are bytes of any length: `data` and `len` in the loops.
-- @tparam string kind type
-- @treturn boolean
function held.is_text(kind)
   return held.MEMBERS[kind] == nil
end

--- Take the type of a value over: what an aggregate gives is what it was given.
-- @tparam table made the aggregate
-- @tparam table input `{ type =, exact = }`
-- @treturn table made
function held.like(made, input)
   made.type, made.exact, made.shape = input.type, input.exact, input.shape
   return made
end

-- Where "==" is not what "<" is with another sign.
local EQUALS = { [DECIMAL] = true, row_is = "row_equals", other_is = "other_equals" }

local Held = {}
Held.__index = Held

--- Say how a value is held.
-- @tparam string kind its type
-- @tparam string name of the member
-- @tparam ?string suffix of the row's value: "" when absent
-- @treturn table Held: `{ member =, take =, copy =, give = }`
function held.of(kind, name, suffix)
   local code = held.is_text(kind) and TEXT or kind == "decimal" and DECIMAL or NUMBER
   local made = {
      code = code, name = name, suffix = suffix or "",
      member = { name = name, type = held.MEMBERS[kind] or "sl_part" },
   }
   setmetatable(made, Held)
   for _, what in ipairs { "take", "copy", "give" } do made[what] = made:fill(what) end
   return made
end

function Held:fill(what, operator)
   if operator == "==" then what = EQUALS[self.code] and EQUALS[what] or what end
   local text = self.code[what]:gsub("NAME", self.name):gsub("SUFFIX", self.suffix)
   return (text:gsub("OP", operator or ""))
end

--- The condition that the row's value stands so to the held one.
-- @tparam string operator "<", ">" or "=="
-- @treturn string Lua
function Held:row_is(operator) return "(" .. self:fill("row_is", operator) .. ")" end

--- The condition that the value of state `b` stands so to that of `a`.
-- @tparam string operator "<", ">" or "=="
-- @treturn string Lua
function Held:other_is(operator) return "(" .. self:fill("other_is", operator) .. ")" end

return held
