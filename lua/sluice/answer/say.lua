--- Numbers, spans and times as `sluice status` writes them.
-- @module sluice.answer.say

local say = {}

--- Widest line.
say.WIDTH = 80

--- "1,234,567".
-- @tparam number count
-- @treturn string
-- @usage say.count(1234567) --> "1,234,567"
function say.count(count)
   local text = ("%.0f"):format(count)
   local done
   repeat text, done = text:gsub("^(-?%d+)(%d%d%d)", "%1,%2") until done == 0
   return text
end

--- A count that may be missing: "?".
-- @tparam ?number count
-- @treturn string
-- @usage say.maybe(nil) --> "?"
function say.maybe(count)
   return type(count) == "number" and say.count(count) or "?"
end

--- "12.3 MB".
-- @tparam number bytes
-- @treturn string
-- @usage say.bytes(12345678) --> "12.3 MB"
function say.bytes(bytes)
   for _, unit in ipairs { "B", "KB", "MB", "GB" } do
      if bytes < 999.95 then
         return (unit == "B" and "%.0f %s" or "%.1f %s"):format(bytes, unit)
      end
      bytes = bytes / 1000
   end
   return ("%.1f TB"):format(bytes)
end

local SPANS = { { 86400000, "d", 3600000, "h" }, { 3600000, "h", 60000, "min" },
   { 60000, "min", 1000, "s" } }

--- A span in its two largest units.
-- @tparam number ms
-- @treturn string
-- @usage say.span(8040000) --> "2 h 14 min"
function say.span(ms)
   if ms < 0 then return "-" .. say.span(-ms) end
   if ms < 1000 then return ("%.0f ms"):format(ms) end
   for _, of in ipairs(SPANS) do
      if ms >= of[1] then
         local rest = math.floor(ms % of[1] / of[3])
         local head = ("%.0f %s"):format(math.floor(ms / of[1]), of[2])
         return rest > 0 and ("%s %.0f %s"):format(head, rest, of[4]) or head
      end
   end
   return (ms < 10000 and "%.1f s" or "%.0f s"):format(ms / 1000)
end

--- A moment in UTC; of today without the date.
-- @tparam number ms Unix ms
-- @tparam number now_ms likewise
-- @treturn string
-- @usage say.time(1700000000000, 1700000001000) --> "22:13:20"
function say.time(ms, now_ms)
   local day, time = "!%Y-%m-%d", "!%H:%M:%S"
   local seconds, now = math.floor(ms / 1000), math.floor(now_ms / 1000)
   if seconds < -62135596800 or seconds > 253402300799 then
      return ("%.0f ms"):format(ms)
   end
   local clock = os.date(time, seconds)
   if os.date(day, seconds) == os.date(day, now) then return clock end
   return os.date(day, seconds) .. " " .. clock
end

--- What would move the cursor becomes a blank, what is too wide ends in "…".
-- @tparam string text
-- @tparam integer width columns, > 0
-- @treturn string
-- @usage say.clip("counts", 4) --> "cou…"
function say.clip(text, width)
   local chars = {}
   text = text:gsub("%c", " ")
   for char in text:gmatch "[%z\1-\127\192-\255][\128-\191]*" do
      chars[#chars + 1] = char
   end
   if #chars <= width then return text end
   return table.concat(chars, "", 1, width - 1) .. "…"
end

return say
