--- What lies where in a stored state, for `sluice state`: read from the shape that was
-- stored with it.
-- @module sluice.compat.members

local cjson = require "cjson"

local members = {}

-- Of an sl_span: the times of a group's first and last row.
local SPAN = { { "rows.first_ms", 0 }, { "rows.last_ms", 8 } }

local function line(name, type, offset, size, part)
   return ("%s\t%s\t%d\t%d\t%d\n"):format(name, type, offset, size, part or -1)
end

local function of_aggregate(operator)
   local lines = {}
   for _, span in ipairs(operator.span_offset and SPAN or {}) do
      lines[#lines + 1] = line(span[1], "int64_t", operator.span_offset + span[2], 8)
   end
   for _, item in ipairs(operator.items) do
      for _, member in ipairs(item.members) do
         local name = item.name .. "." .. member.name
         lines[#lines + 1] = line(name, member.type, member.offset, member.size,
            member.part)
      end
   end
   return lines
end

local function of_sent(operator)
   local lines = {}
   for i, name in ipairs(operator.sent or {}) do
      lines[i] = line("hash of what went to " .. name, "uint64_t", 8 * (i - 1), 8)
   end
   return lines
end

-- The watermark from which on the key may come again.
local function of_distinct()
   return { line("until_ms", "int64_t", 0, 8) }
end

local KINDS = { aggregate = of_aggregate, sent = of_sent, distinct = of_distinct }

--- The members of a table's states.
-- @tparam string stored shape, JSON
-- @tparam string section "aggregate NAME", "sent NAME", "distinct NAME"
-- @treturn string a line each: name, C type, offset, bytes, number of the part or -1,
--  with tabs between; "" when the shape does not know the table
function members.text(stored, section)
   local kind, name = section:match "^(%a+) (.*)$"
   local right, shape = pcall(cjson.decode, stored)
   local describe = KINDS[kind]
   if not right or not describe then return "" end
   local wanted = kind == "sent" and "aggregate" or kind
   for _, operator in ipairs(shape.operators or {}) do
      if operator.kind == wanted and operator.name == name then
         return table.concat(describe(operator))
      end
   end
   return ""
end

return members
