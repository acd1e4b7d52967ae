--- Where in the user's script something was written, as "FILE:LINE", for messages.
-- A tail call (`return sluice.pipeline { … }`) leaves no frame behind in Lua 5.1: then
-- `here` knows nothing, and `of_word` looks the word up in a file that is known from
-- elsewhere.
-- @module sluice.place

local place = {}

local OWN = debug.getinfo(1, "S").source
local LIBRARY = OWN:match("^(.*)place") or OWN

local function is_library(info)
   local source = info.source
   return info.what == "C" or source:sub(1, #LIBRARY) == LIBRARY
      or source:sub(1, 8) == "=sluice:"
end

local function file_of(info)
   local mark = info.source:sub(1, 1)
   if mark == "@" or mark == "=" then return info.source:sub(2) end
   return info.short_src
end

--- The line of the script that is being run now: the first frame outside the library.
-- @treturn ?string "FILE:LINE", nil when a tail call hid it
function place.here()
   local level = 2
   local info = debug.getinfo(level, "Sl")
   while info do
      if not is_library(info) then return file_of(info) .. ":" .. info.currentline end
      level = level + 1
      info = debug.getinfo(level, "Sl")
   end
end

--- The line on which a function of the script begins.
-- @tparam function fn
-- @treturn string "FILE:LINE"
function place.of_function(fn)
   local info = debug.getinfo(fn, "S")
   return file_of(info) .. ":" .. info.linedefined
end

--- The last line of a script that holds a word.
-- @tparam ?string near "FILE:LINE" of anything in the same script
-- @tparam string word plain text
-- @treturn ?string "FILE:LINE"; `near` when the file cannot be read or holds no such word
function place.of_word(near, word)
   local path = near and near:match("^(.*):%d+$")
   local file = path and io.open(path, "r")
   if not file then return near end
   local found, number = near, 0
   for line in file:lines() do
      number = number + 1
      if line:find(word, 1, true) then found = path .. ":" .. number end
   end
   file:close()
   return found
end

--- Raise "FILE:LINE: message".
-- @tparam ?string at "FILE:LINE"; nil: the script's line now
-- @tparam string message what, what was seen, what to write instead
-- @param ... values for the message, as in string.format
-- @raise always
function place.fail(at, message, ...)
   if select("#", ...) > 0 then message = message:format(...) end
   at = at or place.here()
   error(at and at .. ": " .. message or message, 0)
end

return place
