--- Writes the draft: a script whose schema fits what was seen, each field with what is
-- to be known of it. Pure: what was seen in, text out.
-- @module sluice.infer.draft

local doubt = require "sluice.infer.doubt"
local kind = require "sluice.infer.kind"
local names = require "sluice.infer.names"
local node = require "sluice.infer.node"

local draft = {}

local MOST_VALUES, MOST_WIDTH = 8, 60
local STEP = "   "
local NAMES = { text = "text", integer = "a whole number", number = "a number",
   bool = "true or false", object = "an object", array = "a list", null = "null" }

local function percent(part, whole)
   local share = whole > 0 and 100 * part / whole or 0
   if part > 0 and share < 0.1 then return "under 0.1 %" end
   return ("%.3g %%"):format(share)
end

-- A text as it stands in a comment: no end of line.
local function shown(text)
   return (text:gsub("[%c]", " "))
end

local quoted = names.quoted

local type_of, write_fields

-- The type behind the name, or the whole constructor where there is no name.
local function arguments(chosen, depth)
   if chosen.type == "timestamp" then return ("%q"):format(chosen.unit) end
   if chosen.type == "decimal" then
      return ("%d, %d"):format(chosen.precision, chosen.scale)
   end
   if chosen.type == "list" or chosen.type == "map" then
      return (type_of(kind.of(chosen.inner, node.new), depth))
   end
   if chosen.type == "struct" then
      local lines = {}
      write_fields(lines, chosen.fields, depth + 1, chosen.objects)
      return ("{\n%s\n%s}"):format(table.concat(lines, "\n"), STEP:rep(depth))
   end
end

-- A type without a field's name: in a list or a map.
function type_of(chosen, depth)
   local more = arguments(chosen, depth)
   if chosen.type == "struct" then return "sluice.struct " .. more end
   if chosen.type == "timestamp" then
      return ('sluice.timestamp("element", %s)'):format(more)
   end
   if chosen.is_exact then return 'sluice.int64("element"):exact()' end
   return more and ("sluice.%s(%s)"):format(chosen.type, more)
      or '"' .. chosen.type .. '"'
end

local function constructor(name, chosen, depth)
   local more = arguments(chosen, depth)
   if more then return ("sluice.%s(%s, %s)"):format(chosen.type, quoted(name), more) end
   return ("sluice.%s %s"):format(chosen.type, quoted(name))
end

local function say_odd(notes, field, chosen)
   for _, name in ipairs(kind.odd(field, chosen)) do
      local first = field.examples[name][1]
      notes[#notes + 1] = ("%d %s: %s at %s"):format(field.counts[name],
         NAMES[name], shown(first.raw), first.where)
   end
   local unlike = kind.unlike(field, chosen)
   if unlike > 0 then
      notes[#notes + 1] = ("%d of another form"):format(unlike)
   end
end

local function say_values(notes, field, chosen)
   if chosen.type ~= "string" or field.distinct_count > MOST_VALUES
      or field.distinct_count == 0 or field.total < 4 * field.distinct_count then
      return
   end
   local values = {}
   for value in pairs(field.distinct) do values[#values + 1] = shown(value) end
   table.sort(values)
   local text = table.concat(values, ", ")
   if #text <= MOST_WIDTH then notes[#notes + 1] = "values: " .. text end
end

local function say_digits(notes, field, chosen)
   if chosen.is_huge then
      notes[#notes + 1] = "beyond 2^63: a decimal keeps all digits, written as text"
   elseif chosen.type == "decimal" then
      notes[#notes + 1] = "decimals as text"
   elseif chosen.is_exact then
      notes[#notes + 1] = "beyond 2^53, which int64 takes with :exact() only"
   elseif chosen.type == "double" and field.is_large then
      notes[#notes + 1] = "a double does not keep all digits beyond 2^53"
   end
end

local function say_range(notes, field, chosen)
   if chosen.type ~= "double" and chosen.type ~= "int64" then return end
   if field.low > field.high then return end
   notes[#notes + 1] = ("%.14g to %.14g"):format(field.low, field.high)
end

-- What is to be known of a field, as a comment; nil: nothing.
local function notes_of(field, chosen, objects)
   local notes = {}
   local missing = math.max(0, objects - field.total) + (field.counts.null or 0)
   if chosen.is_empty then
      notes[1] = "nothing but null was seen: the type is a guess"
   elseif missing > 0 then
      notes[1] = percent(missing, objects) .. " null or missing"
   end
   say_digits(notes, field, chosen)
   if chosen.type == "timestamp" and chosen.unit ~= "iso" then
      notes[#notes + 1] = "the unit is a guess"
   end
   say_odd(notes, field, chosen)
   say_values(notes, field, chosen)
   say_range(notes, field, chosen)
   return #notes > 0 and table.concat(notes, "; ") or nil
end

local function is_required(field, chosen, objects)
   return not chosen.is_empty and field.total >= objects and not field.counts.null
end

-- The line of a field; `name` may stand for another key. A dot in one would be a path.
local function field_line(field, chosen, depth, objects, name, is_inner)
   local is_key = is_inner or name == field.name and not name:find("%.")
   return ("%s%s%s%s,"):format(constructor(name, chosen, depth),
      chosen.is_exact and " :exact()" or "",
      is_required(field, chosen, objects) and " :required()" or "",
      is_key and "" or (" :from { %s }"):format(quoted(field.name)))
end

--- Write the fields of an object, a line each, with a comment in front where there is
-- something to say.
-- @tparam {string,...} lines are appended to
-- @tparam {Node,...} fields
-- @tparam integer depth of the lines
-- @tparam integer objects in which they might stand
-- @tparam ?table by_key names of a record's fields by key; nil: inside of a field, where
--  keys that can be no names are left out
function write_fields(lines, fields, depth, objects, by_key)
   local indent = STEP:rep(depth)
   for _, field in ipairs(fields) do
      local chosen, fits = kind.of(field, node.new), names.fits(field.name)
      local name = by_key and by_key[field.name] or fits and field.name
      local note = notes_of(field, chosen, objects)
      if not name then note = "left out: no name of a field inside of another" end
      if chosen.is_mixed then
         name, note = nil, "left out: its keys are no names, its values of several types"
      end
      if note then
         lines[#lines + 1] = ("%s-- %s: %s"):format(indent,
            fits and field.name or quoted(field.name), note)
      end
      if name then
         lines[#lines + 1] = indent .. field_line(field, chosen, depth, objects, name,
            not by_key)
      end
   end
end

-- The field that says when it happened: a time that is always there.
local function time_of(root, by_key)
   for _, field in ipairs(root.fields) do
      local chosen = kind.of(field, node.new)
      if chosen.type == "timestamp" and is_required(field, chosen, root.objects) then
         return by_key[field.name]
      end
   end
end

local HEAD = [=[
-- Drafted by `sluice schema infer` from @COUNT@ records of @FROM@.
-- A comment in front of a field says what was seen: how many are null, what does not fit,
-- values.
-- What does not fit goes to the quarantine: `sluice try` shows how much that is.
@ODD@local sluice = require "sluice"

local records = @SOURCE@
   :@FORMAT@ {
@FIELDS@
@OPTIONS@   }
@TIME@   :to(sluice.file { path = "-" })

return sluice.pipeline { name = @NAME@, checkpoint = "none", records }
]=]

local function name_of(from)
   local name = from:match "([^/]+)$" or from
   name = name:gsub("%.jsonl?%f[%A].*$", ""):gsub("%.[ct]sv%f[%A].*$", "")
   name = name:gsub("[^%w_-]", "-"):gsub("^[^%w]+", "")
   return ("%q"):format(name ~= "" and name or "draft")
end

local function odd_lines(seen)
   local lines = {}
   for _, one in ipairs(seen.odd) do
      lines[#lines + 1] =
         ("-- %s, at %s: %s\n"):format(one.what, one.where, shown(one.text))
   end
   if seen.odd_count > #seen.odd then
      lines[#lines + 1] = ("-- … %d more that are no %s\n"):format(
         seen.odd_count - #seen.odd, seen.csv and "such line" or "JSON object")
   end
   if seen.nulls > 0 then
      lines[#lines + 1] =
         ("-- %d records have no value (tombstones)\n"):format(seen.nulls)
   end
   return table.concat(lines)
end

-- How the columns are found.
local function csv_options(csv)
   if not csv then return "" end
   local listed = {}
   for i, name in ipairs(csv.names) do listed[i] = quoted(name) end
   local lines = { csv.has_header and "header = true"
      or ("columns = { %s }"):format(table.concat(listed, ", ")) }
   if csv.delimiter ~= "," then lines[2] = "delimiter = " .. quoted(csv.delimiter) end
   return ("%s%s,\n"):format(STEP:rep(2), table.concat(lines, ", "))
end

--- Write it.
-- @tparam table seen `{ root = Node, count =, nulls =, odd_count =,
--  odd = { { what =, where =, text = }, … }, csv = of `infer.look` }`
-- @tparam string from topic or path
-- @tparam string source how a script names it
-- @treturn string
function draft.text(seen, from, source)
   local lines, keys = {}, {}
   for i, field in ipairs(seen.root.fields) do keys[i] = field.name end
   local by_key = names.of(keys)
   write_fields(lines, seen.root.fields, 2, seen.root.objects, by_key)
   local time = time_of(seen.root, by_key)
   local words = { COUNT = ("%d"):format(seen.count), FROM = shown(from), SOURCE = source,
      FORMAT = seen.csv and "csv" or "json", OPTIONS = csv_options(seen.csv),
      ODD = doubt.comments(from, seen) .. odd_lines(seen),
      FIELDS = table.concat(lines, "\n"), NAME = name_of(from),
      TIME = time and
         ('   :event_time(%s, { delay = "10 seconds" })\n'):format(quoted(time))
         or "" }
   return (HEAD:gsub("@(%u+)@", words))
end

return draft
