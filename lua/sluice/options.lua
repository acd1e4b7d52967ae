--- Tables of options: name → `{ check =, default =, doc = }`, and the checkers. The
-- reference is printed from these tables.
--
-- A checker is `{ wanted =, check = function(value) → value in the plan's form | nil,
-- parse = function(text), say = function(value in the plan's form) → text or nil }`;
-- `parse` makes of `--set` text what a script would have written. Each entry says what it
-- is `about` and its `risk`, for `sluice check` (sluice.check.audit). It may also say
-- `later = true` (known, not there yet), `as`, its name in the plan where that differs,
-- and `environment`, the variable that stands in for it.
-- @module sluice.options

local foreign = require "sluice.foreign"
local nearest = require "sluice.nearest"
local place = require "sluice.place"
local tables = require "sluice.tables"
local units = require "sluice.units"

local options = {}

local LARGEST = 2 ^ 53

local function identity(value) return value end

--- Make a checker.
-- @tparam string wanted how the message names what is right
-- @tparam function check value → its form in the plan, or nil (and, for a closer message,
--   what is wanted)
-- @tparam ?function parse `--set` text → what a script would have written
-- @treturn table
function options.checker(wanted, check, parse)
   return { wanted = wanted, check = check, parse = parse or identity }
end

local function as_number(text) return tonumber(text) or text end

--- A whole number in a range.
-- @tparam ?integer low least, 0 when absent
-- @tparam ?integer high most, 2^53 when absent
-- @treturn table checker
function options.integer(low, high)
   low, high = low or 0, high or LARGEST
   local wanted = high == LARGEST and ("a whole number, at least %d"):format(low)
      or ("a whole number from %d to %d"):format(low, high)
   return options.checker(wanted, function(value)
      local right = type(value) == "number" and value % 1 == 0 and value >= low
         and value <= high
      return right and value or nil
   end, as_number)
end

--- A number in a range.
-- @tparam number low least; with `open`, it is itself left out
-- @tparam number high most
-- @tparam ?boolean open
-- @treturn table checker
function options.number(low, high, open)
   local wanted = ("a number %s %g"):format(open and "above" or "from", low)
   if high < math.huge then wanted = wanted .. (" to %g"):format(high) end
   return options.checker(wanted, function(value)
      local right = type(value) == "number" and value >= low and value <= high
         and value < math.huge and not (open and value == low)
      return right and value or nil
   end, as_number)
end

-- Text of a number alone: of which unit?
local function without_unit(value, units_of)
   if type(value) ~= "string" or not tonumber(value) then return nil end
   return ("a unit in the text, as in \"%s %s\" (a number without quotes is %s)"):format(
      value, units_of[1], units_of[2])
end

local DURATIONS, SIZES = { "seconds", "ms" }, { "MiB", "bytes" }

--- A duration, in the plan ms.
-- @tparam ?integer low least, ms, 0 when absent
-- @tparam ?integer high most, ms
-- @treturn table checker
function options.duration(low, high)
   low, high = low or 0, high or units.LONGEST_MS
   local wanted = 'a duration ("30 seconds", or ms)'
   if low > -units.LONGEST_MS then wanted = wanted .. ", at least " .. units.say(low) end
   if high < units.LONGEST_MS then wanted = wanted .. ", at most " .. units.say(high) end
   local made = options.checker(wanted, function(value)
      local ms = units.duration(value)
      if ms and ms >= low and ms <= high then return ms end
      return nil, without_unit(value, DURATIONS)
   end, as_number)
   made.say = units.say
   return made
end

--- A duration, or one of some words.
-- @tparam table words word → its value in the plan
-- @tparam ?integer low least, ms
-- @treturn table checker
function options.duration_or(words, low)
   local duration = options.duration(low)
   local named = table.concat(tables.keys(words), '" or "')
   local made = options.checker(duration.wanted .. ', or "' .. named .. '"',
      function(value)
      if words[value] then return words[value] end
      return duration.check(value)
   end, as_number)
   made.say = function(value)
      for _, word in ipairs(tables.keys(words)) do
         if words[word] == value then return word end
      end
      return units.say(value)
   end
   return made
end

--- A size, in the plan bytes.
-- @tparam integer low least, bytes
-- @treturn table checker
function options.size(low)
   local wanted = ('a size ("64 MiB", or bytes), at least %d'):format(low)
   local made = options.checker(wanted, function(value)
      local bytes = units.size(value)
      if bytes and bytes >= low and bytes <= LARGEST then return bytes end
      return nil, without_unit(value, SIZES)
   end, as_number)
   made.say = units.say_size
   return made
end

--- One of some words.
-- @tparam {string,...} words
-- @treturn table checker
function options.word(words)
   local wanted = '"' .. table.concat(words, '", "') .. '"'
   local made = options.checker(wanted, function(value)
      for _, word in ipairs(words) do
         if word == value then return value end
      end
      return nil, options.nearest_word(value, words, wanted)
   end)
   made.words = words
   return made
end

--- What is wanted where words are, when one of them is near.
-- @param value as written
-- @tparam {string,...} words
-- @tparam string wanted how the message names what is right
-- @treturn ?string
function options.nearest_word(value, words, wanted)
   if type(value) ~= "string" or foreign.find("value", value) then return nil end
   local near = nearest.find(value, words)
   return near and wanted .. ("; did you mean %q?"):format(near)
end

local FLAGS = { ["true"] = true, ["false"] = false }

--- True or false.
-- @treturn table checker
function options.flag()
   return options.checker("true or false", function(value)
      if type(value) == "boolean" then return value end
   end, function(text)
      if FLAGS[text] == nil then return text end
      return FLAGS[text]
   end)
end

--- Text, not empty.
-- @tparam ?string wanted how the message names it
-- @treturn table checker
function options.text(wanted)
   return options.checker(wanted or "text", function(value)
      if type(value) == "string" and value ~= "" then return value end
   end)
end

--- A function.
-- @tparam string wanted how the message names it
-- @treturn table checker
function options.fn(wanted)
   return options.checker(wanted, function(value)
      if type(value) == "function" then return value end
   end)
end

--- How a value looks in a message.
-- @param value any
-- @treturn string
function options.show(value)
   if type(value) == "string" then return ("%q"):format(value) end
   if type(value) == "table" then return "a table" end
   if type(value) == "function" then return "a function" end
   return tostring(value)
end

-- A message about an option of a table that is itself an option.
local function within(name, inside)
   local member = inside:match "^`(.*)$"
   return member and ("`%s.%s"):format(name, member) or ("`%s`: %s"):format(name, inside)
end

--- Check one value.
-- @tparam string name of the option
-- @tparam table entry of its table
-- @param value as written
-- @treturn ?any in the plan's form
-- @treturn ?string a message
function options.value(name, entry, value)
   if entry.later then
      return nil, ("not yet: `%s` comes with a later release"):format(name)
   end
   local checked, closer, inside = entry.check.check(value)
   if checked == nil then
      if inside then return nil, within(name, inside) end
      local wanted = closer or entry.check.wanted
      local said = type(value) == "string" and foreign.hint("value", value)
      if said and entry.check.words then wanted = wanted .. said end
      local seen = entry.check.is_secret and "a " .. type(value) or options.show(value)
      return nil, ("`%s` is %s, wanted %s"):format(name, seen, wanted)
   end
   return checked
end

--- Check `--set` text for one option.
-- @tparam table known options
-- @tparam string name
-- @tparam string text
-- @tparam ?string context of `sluice.foreign`
-- @treturn ?any in the plan's form
-- @treturn ?string a message
function options.parse(known, name, text, context)
   local entry = known[name]
   if not entry then
      return nil, ("unknown option `%s`%s")
         :format(name, nearest.hint(name, tables.keys(known), context))
   end
   return options.value(name, entry, entry.check and entry.check.parse(text))
end

--- Check a table of named options.
-- @tparam string what whose options, for the message
-- @tparam table known name → entry
-- @tparam table given as written
-- @tparam ?string at "FILE:LINE", the script's line now when absent
-- @tparam ?function hint_of (unknown name) → the end of the message, as `nearest.hint`
-- @treturn table name → value in the plan's form; defaults are not filled in
-- @raise for anything that is not a table, unknown names, positional entries and wrong
--   values
function options.read(what, known, given, at, hint_of)
   if type(given) ~= "table" then
      place.fail(at, "%s takes a table of options, got %s", what, options.show(given))
   end
   local read = {}
   for _, name in ipairs(tables.keys(given)) do
      if type(name) ~= "string" then
         place.fail(at, "%s takes named options, got the entry %s without a name", what,
            options.show(given[name]))
      end
      local entry = known[name]
      if not entry then
         place.fail(at, "%s: unknown option `%s`%s", what, name, hint_of and hint_of(name)
            or nearest.hint(name, tables.keys(known), (what:gsub("`", ""))))
      end
      local value, message = options.value(name, entry, given[name])
      if value == nil then place.fail(at, "%s: %s", what, message) end
      read[name] = value
   end
   return read
end

--- Take a table of a script apart: positional entries in their order, named ones by name.
-- @tparam table given
-- @treturn table list of values
-- @treturn table list of `{ name, value }`
function options.split(given)
   local positional, named = {}, {}
   for _, key in ipairs(tables.keys(given)) do
      if type(key) == "number" then
         positional[#positional + 1] = given[key]
      else
         named[#named + 1] = { key, given[key] }
      end
   end
   return positional, named
end

--- Values with the defaults of what is absent, under the plan's names.
-- @tparam table known name → entry
-- @tparam table values as `read` gave them
-- @treturn table
function options.filled(known, values)
   local filled = {}
   for name, entry in pairs(known) do
      local value = values[name]
      if value == nil and entry.default ~= nil then
         value = entry.check.check(entry.default)
      end
      filled[entry.as or name] = value
   end
   return filled
end

--- A table with options of its own; the message names the inner one.
-- @tparam string wanted how the message names what is right
-- @tparam table known name → entry
-- @tparam {string,...} required names that must be there
-- @treturn table checker; in the plan a table with every default
function options.nested(wanted, known, required)
   return options.checker(wanted, function(value)
      if type(value) ~= "table" then return nil end
      local ok, read = pcall(options.read, "it", known, value, "")
      if not ok then return nil, nil, (read:gsub("^: it: ", "")) end
      for _, name in ipairs(required) do
         if read[name] == nil then return nil, ("%s with `%s`"):format(wanted, name) end
      end
      return options.filled(known, read)
   end)
end

--- Several tables of options as one.
-- @tparam table ... name → entry
-- @treturn table
function options.merge(...)
   local merged = {}
   for _, known in ipairs { ... } do
      for name, entry in pairs(known) do merged[name] = entry end
   end
   return merged
end

return options
