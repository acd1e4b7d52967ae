--- Lua strings of texts in memory. To make one, LuaJIT hashes the text and looks it up in
-- its table of all strings; a reader remembers the short ones that it met, and what comes
-- again (the kind of an event, a city) costs some comparisons.
-- @module sluice.text

local bit = require "bit"
local ffi = require "ffi"

local text = {}

local SLOTS = 64
local WORDS = ffi.typeof "const int32_t *"
local KEPT = ffi.typeof("int32_t[$]", 4 * SLOTS)

--- Make a function that reads texts of one place: those of others would put out what it
-- remembers.
-- @treturn function (pointer, length in bytes) → string
function text.reader()
   local band, bxor, rshift = bit.band, bit.bxor, bit.rshift
   local cast, string = ffi.cast, ffi.string
   local words, strings = KEPT(), {}
   for i = 0, SLOTS - 1 do strings[i] = "" end
   -- the first 8 bytes and the last 8 are all of a text of 8 to 16
   return function(p, len)
      if len < 8 or len > 16 then return (string(p, len)) end
      local first, last = cast(WORDS, p), cast(WORDS, p + len - 8)
      local a, b, c, d = first[0], first[1], last[0], last[1]
      local mixed = bxor(a, b, rshift(c, 3), d)
      local slot = band(bxor(mixed, rshift(mixed, 11), rshift(mixed, 19)), SLOTS - 1)
      local at, known = 4 * slot, strings[slot]
      if words[at] == a and words[at + 1] == b and words[at + 2] == c
         and words[at + 3] == d and #known == len then
         return known
      end
      known = string(p, len)
      strings[slot] = "" -- a call may be broken off in between
      words[at], words[at + 1], words[at + 2], words[at + 3] = a, b, c, d
      strings[slot] = known
      return known
   end
end

return text
