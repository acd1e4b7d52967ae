-- What users do with text. A comment `told: REASON` stands at a line that leaves compiled
-- code; a case without one must be compiled whole.
local cjson = require "cjson"
local sluice = require "sluice"
local shapes = require "shapes"

local derive, filter = shapes.derive, shapes.filter

local PLATE = sluice.text.regex "^([a-z]+)-([0-9]+)$"
local BOT = sluice.text.regex "(?i)bot|crawler"
local C = ("c"):byte()

-- Written by hand, as one would who knows no helper.
local function split(text, separator)
   local parts, from = {}, 1
   while true do
      local at = text:find(separator, from, true)
      if not at then break end
      parts[#parts + 1] = text:sub(from, at - 1)
      from = at + #separator
   end
   parts[#parts + 1] = text:sub(from)
   return parts
end

return {
   { "equal text", filter(function(row) return row.kind ~= "heartbeat" end) },

   { "one of several texts", filter(function(row)
      local kind = row.kind
      return kind == "ride_started" or kind == "ride_completed"
   end) },

   { "prefix by sub", filter(function(row) return row.path:sub(1, 5) == "/api/" end) },

   { "suffix by sub", filter(function(row) return row.path:sub(-4) == ".php" end) },

   { "plain find", filter(function(row)
      return row.path:find("/v2/", 1, true) ~= nil
   end) },

   { "find of a text without magic", filter(function(row)
      return row.path:find "api" ~= nil
   end) },

   { "find by a pattern", filter(function(row)
      return row.user:find "^u%d+7$" ~= nil -- told: string.find
   end) },

   { "match with captures", derive(sluice.string, function(row)
      local letters, digits = row.user:match "^(%a+)(%d+)$" -- told: string.match
      return letters and letters .. "/" .. digits
   end) },

   { "first number in a text", derive(sluice.int64, function(row)
      return tonumber(string.match(row.path, "%d+")) -- told: string.match
   end) },

   { "gsub", derive(sluice.string, function(row)
      return (row.path:gsub("%d+", "N")) -- told: string.gsub
   end) },

   { "gsub with a function", derive(sluice.string, function(row)
      return (row.user:gsub("%d", function(d) -- told: a function is made
         return ("%x"):format(d + 6)
      end))
   end) },

   { "words by gmatch", derive(sluice.int32, function(row)
      local count = 0
      for _ in row.path:gmatch "[^/]+" do count = count + 1 end -- told: string.gmatch
      return count
   end) },

   { "regex test", filter(function(row) return BOT:test(row.note) end) },

   { "regex match", derive(sluice.string, function(row)
      local letters, digits = PLATE:match(row.note)
      return letters and digits .. letters or nil
   end) },

   { "split by the helper", derive(sluice.string, function(row)
      return sluice.text.split(row.path, "/")[3]
   end) },

   { "split by hand", derive(sluice.string, function(row)
      local parts = split(row.path, "/")
      return parts[#parts]
   end) },

   { "contains and starts_with", filter(function(row)
      return sluice.text.starts_with(row.path, "/api")
         and sluice.text.contains(row.note, "ab")
   end) },

   { "joined by ..", derive(sluice.string, function(row)
      return row.kind .. ":" .. row.user .. "@" .. row.id
   end) },

   { "format of numbers", derive(sluice.string, function(row)
      return ("%05d-%s-%.2f"):format(row.id % 1000, row.kind, row.amount or 0)
   end) },

   { "format of hex and quotes", derive(sluice.string, function(row)
      return string.format("%x %q", row.id, row.kind)
   end) },

   { "upper, lower, reverse, rep", derive(sluice.string, function(row)
      return row.kind:upper() .. row.user:lower():reverse() .. ("-"):rep(row.id % 5)
   end) },

   { "letters counted byte by byte", derive(sluice.int32, function(row)
      local count, path = 0, row.path
      for i = 1, #path do
         if path:byte(i) == C then count = count + 1 end
      end
      return count
   end) },

   { "a text built in a loop", derive(sluice.string, function(row)
      local made = ""
      for i = 1, math.min(#row.user, 6) do
         made = made .. string.char(row.user:byte(i) + 1)
      end
      return made
   end) },

   { "table.concat", derive(sluice.string, function(row)
      local parts = {}
      for i = 1, 3 do parts[i] = row.kind:sub(i, i) end
      return table.concat(parts, ",")
   end) },

   { "trimmed by a pattern", derive(sluice.string, function(row)
      return row.note and row.note:match "^%s*(.-)%s*$" -- told: string.match
   end) },

   { "trimmed by bytes", derive(sluice.string, function(row)
      local text = row.note
      if not text then return nil end
      local from, to = 1, #text
      while from <= to and text:byte(from) == 32 do from = from + 1 end
      while to >= from and text:byte(to) == 32 do to = to - 1 end
      return text:sub(from, to)
   end) },

   { "tostring and tonumber", derive(sluice.double, function(row)
      return tonumber(tostring(row.amount or 0) .. "1")
   end) },

   { "hashes", derive(sluice.string, function(row)
      local hash = sluice.hash.xxh3(row.user)
      return sluice.hash.sha256(row.kind .. tostring(hash):sub(1, 3))
   end) },

   { "cjson decode", derive(sluice.double, function(row)
      local made = cjson.decode('{"a":' .. row.id .. "}") -- told: cjson
      return made.a
   end) },

   { "cjson encode", derive(sluice.string, function(row)
      return cjson.encode { row.id, row.kind } -- told: cjson
   end) },

   { "a rare pattern", derive(sluice.string, function(row)
      if row.id % 50 ~= 0 then return row.kind end
      return (row.kind:gsub("_", "-")) -- told rarely: string.gsub
   end) },
}
