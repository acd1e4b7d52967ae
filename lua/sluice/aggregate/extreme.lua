--- What `min` and `max` share. Numbers, timestamps, bools (false < true), text bytewise.
-- NaN is passed over like null: the result does not depend on the order of the rows.
-- @module sluice.aggregate.extreme

local extreme = {}

--- The member that holds a value of a type, as rows do; text has a part of its own.
extreme.MEMBERS = {
   bool = "uint8_t", int32 = "int32_t", int64 = "int64_t", double = "double",
   timestamp = "int64_t",
}

-- Smaller and larger of two strings: as Lua strings, whose order is that of their bytes.
local TEXT = {
   fold = [[
local part = $a.text
if part.data == nil or text(data, len) OP text(part.data, part.len) then
   calls.sl_part_set(v.table, part, data, len)
end]],
   merge = [[
local a_part, b_part = $a.text, $b.text
if b_part.data ~= nil and (a_part.data == nil
   or text(b_part.data, b_part.len) OP text(a_part.data, a_part.len)) then
   a_part.data, a_part.len = b_part.data, b_part.len
end]],
   result = "data, len = $a.text.data, $a.text.len",
}

local NUMBER = {
   fold = "if x == x and ($a.seen == 0 or x OP $a.best) then $a.best, $a.seen = x, 1 end",
   merge = [[
if $b.seen ~= 0 and ($a.seen == 0 or $b.best OP $a.best) then
   $a.best, $a.seen = $b.best, 1
end]],
   result = "if $a.seen ~= 0 then y = $a.best end",
}

local function with(code, operator)
   return (code:gsub("OP", operator))
end

--- Make `min` or `max`.
-- @tparam string operator "<" or ">": a value that stands so to the best one takes its
--  place
-- @treturn table the aggregate
function extreme.new(operator)
   local function resolve(input)
      local text = input.type == "string"
      local code = text and TEXT or NUMBER
      local made = {
         type = input.type, exact = input.exact,
         fold = with(code.fold, operator),
         merge = with(code.merge, operator),
         result = code.result,
      }
      if text then
         made.members = { { name = "text", type = "sl_part" } }
      else
         made.members = {
            { name = "best", type = extreme.MEMBERS[input.type] },
            { name = "seen", type = "uint8_t" },
         }
      end
      return made
   end
   return { accepts = "any", resolve = resolve }
end

return extreme
