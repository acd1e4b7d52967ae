--- What `sluice reload NAME --shadow N` prints: two scripts over the same batches.
-- @module sluice.answer.shadow

local members = require "sluice.answer.members"
local say = require "sluice.answer.say"

local shadow = {}

local DIFFERS, DROPPED = 1, 4
local CLIPPED = 160 -- of a row
local LONGEST = 60 -- of a field

-- Bytes that are no text come as { base64 = … }; null is a retraction, or no key.
local function text_of(value, none)
   if type(value) == "string" then return value end
   if type(value) == "table" and value.base64 then return "base64 " .. value.base64 end
   return none
end

local function fields_of(old, new, lines)
   local before, after = members.of(old), members.of(new)
   if not before or not after then return false end
   local any = false
   local function add(format, name, ...)
      any = true
      local parts = { ... }
      for i, part in ipairs(parts) do parts[i] = say.clip(part, LONGEST) end
      lines[#lines + 1] = "      " .. format:format(name, unpack(parts))
   end
   for _, name in ipairs(after) do
      if not before[name] then
         add("%s  new: %s", name, after[name])
      elseif before[name] ~= after[name] then
         add("%s  %s -> %s", name, before[name], after[name])
      end
   end
   for _, name in ipairs(before) do
      if not after[name] then add("%s  gone: %s", name, before[name]) end
   end
   return any
end

local MARKS = { old = "-", new = "+", differs = "~" }

local function add_row(lines, row)
   local old = text_of(row.old, "(retracted)")
   local new = text_of(row.new, "(retracted)")
   local key = text_of(row.key)
   local head = ("  %s %s  batch %s%s"):format(MARKS[row.kind] or "?",
      text_of(row.sink, "?"), say.maybe(row.batch), key and "  key " .. key or "")
   lines[#lines + 1] = say.clip(head, CLIPPED)
   if row.kind ~= "differs" then
      lines[#lines + 1] = "      " .. say.clip(row.kind == "new" and new or old, CLIPPED)
   elseif not fields_of(old, new, lines) then
      lines[#lines + 1] = "      " .. say.clip(old, CLIPPED)
      lines[#lines + 1] = "   -> " .. say.clip(new, CLIPPED)
   end
end

local function ns_of(side)
   local records = tonumber(side.timed_records) or 0
   if records == 0 then return "?" end
   return say.count(side.cpu_ns / records)
end

local function add_sides(lines, it)
   local function add(what, old, new)
      lines[#lines + 1] = ("%-14s %16s %16s"):format(what, old, new)
   end
   local old, new = it.old, it.new
   add("", "old", "new")
   add("rows", say.maybe(old.rows), say.maybe(new.rows))
   add("late", say.maybe(old.late), say.maybe(new.late))
   add("bad", say.maybe(old.bad), say.maybe(new.bad))
   add("ns a record", ns_of(old), ns_of(new))
   add("state", say.bytes(old.state_bytes), say.bytes(new.state_bytes))
   add("groups", say.maybe(old.groups), say.maybe(new.groups))
end

local function count_of(lines, it)
   local parts = { say.count(it.same) .. " the same" }
   local function add(count, what)
      if count > 0 then parts[#parts + 1] = say.count(count) .. " " .. what end
   end
   add(it.differing, "differ (~)")
   add(it.only_old, "by the old alone (-)")
   add(it.only_new, "by the new alone (+)")
   lines[#lines + 1] = "rows: " .. table.concat(parts, ", ")
end

local function batches_of(it)
   return ("%s batch%s from %s on, %s records"):format(say.count(it.batches),
      it.batches == 1 and "" or "es", say.maybe(it.first_batch), say.maybe(it.records))
end

local function add_changes(lines, it)
   if type(it.changes) ~= "string" then return end
   for line in it.changes:gmatch "[^\n]+" do lines[#lines + 1] = line end
end

local function add_rows(lines, it)
   local rows = type(it.rows) == "table" and it.rows or {}
   for _, row in ipairs(rows) do add_row(lines, row) end
   local left = it.differing + it.only_old + it.only_new - #rows
   if left > 0 and #rows > 0 then
      lines[#lines + 1] = ("  … %s more"):format(say.count(left))
   end
end

local function dropped(it)
   if it.state == "refused" then return "refused: " .. tostring(it.reason) end
   local is_begun = (tonumber(it.batches) or 0) > 0
   return ("dropped%s: %s"):format(is_begun and " behind " .. batches_of(it) or "",
      tostring(it.reason))
end

--- The outcome of a shadow.
-- @tparam table it the answer
-- @treturn string
-- @treturn integer exit code: 0 nothing differs, 1 something does, 4 dropped or refused
-- @usage shadow.page(cjson.decode(answer))
function shadow.page(it)
   if it.state ~= "done" then return dropped(it), DROPPED end
   local lines = { ("%s: %s"):format(tostring(it.script), batches_of(it)) }
   add_changes(lines, it)
   add_sides(lines, it)
   count_of(lines, it)
   add_rows(lines, it)
   return table.concat(lines, "\n"), it.is_same == true and 0 or DIFFERS
end

return shadow
