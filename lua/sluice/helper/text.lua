--- `sluice.text`: what scripts do with text. All may stand in filters and derived
-- columns: they are compiled with the loop. A text that is nil holds nothing: `contains`
-- and the like give false, `split` gives nil.
-- @module sluice.text

local options = require "sluice.options"
local place = require "sluice.place"
local regex = require "sluice.helper.regex"

local text = {}

local find, sub = string.find, string.sub

local function check(name, given, what)
   if type(given) ~= "string" then
      error(("sluice.text.%s: %s is %s, wanted text"):format(name, what,
         options.show(given)), 3)
   end
end

--- Cut a text at a separator; patterns have no meaning in it.
-- @tparam ?string given
-- @tparam string separator not empty
-- @treturn ?table the pieces; one more than there are separators
-- @usage local first = sluice.text.split(row.path, "/")[1]
function text.split(given, separator)
   if given == nil then return nil end
   check("split", given, "the text")
   check("split", separator, "the separator")
   if separator == "" then error("sluice.text.split: the separator is empty", 2) end
   local pieces, count, from = {}, 0, 1
   while true do
      local start, stop = find(given, separator, from, true)
      count = count + 1
      if not start then
         pieces[count] = sub(given, from)
         return pieces
      end
      pieces[count] = sub(given, from, start - 1)
      from = stop + 1
   end
end

--- Say whether a text begins with another.
-- @tparam ?string given
-- @tparam string prefix
-- @treturn boolean
-- @usage local is_api = sluice.text.starts_with(row.path, "/api/")
function text.starts_with(given, prefix)
   if given == nil then return false end
   check("starts_with", given, "the text")
   check("starts_with", prefix, "the prefix")
   return sub(given, 1, #prefix) == prefix
end

--- Say whether a text holds another; patterns have no meaning in it.
-- @tparam ?string given
-- @tparam string part
-- @treturn boolean
-- @usage local is_bot = sluice.text.contains(row.agent, "bot")
function text.contains(given, part)
   if given == nil then return false end
   check("contains", given, "the text")
   check("contains", part, "what is looked for")
   return find(given, part, 1, true) ~= nil
end

--- Compile a regular expression (PCRE2's syntax), once, outside of functions.
-- `:test(text)` says whether there is a match, `:find(text, from)` where the first is
-- (bytes, from 1), `:match(text)` gives its groups, or all of it when it has none. A dot
-- is a character of UTF-8; `\d`, `\w`, `\s` and `(?i)` know ASCII.
-- @tparam string pattern
-- @treturn table
-- @raise for what is no regular expression
-- @usage local plate = sluice.text.regex "^([A-Z]{2})-([0-9]+)$"
function text.regex(pattern)
   if type(pattern) ~= "string" then
      place.fail(nil, "sluice.text.regex takes a pattern, got %s", options.show(pattern))
   end
   local made, problem = regex.new(pattern)
   if not made then place.fail(nil, "sluice.text.regex %q: %s", pattern, problem) end
   return made
end

return text
