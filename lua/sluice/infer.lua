--- `sluice schema infer`: from records to the draft of a script.
-- @module sluice.infer

local csv = require "sluice.infer.csv"
local doubt = require "sluice.infer.doubt"
local draft = require "sluice.infer.draft"
local json = require "sluice.infer.json"
local node = require "sluice.infer.node"

local infer = {}

local MOST_ODD, MOST_TEXT = 3, 80

-- How CSV is read, by its first line; whether that is its header.
local function style_of(line, is_topic)
   local style = { delimiter = csv.delimiter(line), names = {} }
   local cells = csv.cells(line, style.delimiter) or {}
   style.has_header, style.twice = csv.is_header(cells)
   if is_topic then style.has_header, style.twice = false, nil end
   for i, cell in ipairs(cells) do
      style.names[i] = style.has_header and cell.text or ("c%d"):format(i)
   end
   return style
end

local function note_odd(seen, what, where, text)
   seen.odd_count = seen.odd_count + 1
   if #seen.odd < MOST_ODD then
      seen.odd[#seen.odd + 1] = { what = what, where = where,
         text = text:sub(1, MOST_TEXT) }
   end
end

local function see(seen, text, where)
   if not seen.csv then return json.see(text, seen.root, where) end
   if seen.csv.has_header and where:find ":0$" then
      seen.count = seen.count - 1
      return nil
   end
   return csv.see(text, seen.csv, seen.root, where)
end

local function is_first(where) return where:find ":0$" ~= nil end

--- Look at records.
-- @tparam {string,...} list where each lies and its value, in turns; "" for no value
-- @tparam ?string format "csv": lines of a file, the first among them; "csv of a topic";
--  nil: JSON
-- @treturn table as `draft.text` takes it; `is_marked`: a byte-order mark is in front
function infer.look(list, format)
   local seen = { root = node.new(), count = #list / 2, nulls = 0, odd = {},
      odd_count = 0 }
   local is_topic = format == "csv of a topic"
   for i = 1, #list, 2 do
      local where, text = list[i], list[i + 1]
      if is_first(where) and not is_topic then
         text, seen.is_marked = doubt.without_mark(text)
      end
      local is_head = format and not seen.csv and (is_topic or is_first(where))
      if is_head then seen.csv = style_of(text, is_topic) end
      local wrong = text ~= "" and see(seen, text, where)
      if text == "" then seen.nulls = seen.nulls + 1 end
      if wrong then note_odd(seen, wrong, where, text) end
   end
   if seen.csv then csv.finish(seen.root) end
   return seen
end

local function of_file(from) return ("sluice.file { path = %q }"):format(from) end

local SOURCES = {
   topic = function(from, brokers)
      local more = brokers ~= "" and (", brokers = %q"):format(brokers) or ""
      return ('sluice.kafka { topics = %q, start = "earliest"%s }'):format(from, more)
   end,
   file = of_file, csv = of_file,
}

-- Texts of a topic that have columns, as many in one as in the other; nil: they have not.
local function look_for_columns(list)
   local seen = infer.look(list, "csv of a topic")
   if not seen.csv or #seen.csv.names < 2 or 2 * seen.odd_count > seen.count then
      return nil
   end
   seen.is_taken_for_csv = true
   return seen
end

-- Of a file the first line; nil: the sample begins behind it.
local function first_of(list)
   return list[1] and is_first(list[1]) and (doubt.without_mark(list[2])) or nil
end

local function refuse(from, seen, is_csv)
   local first = seen.odd[1]
   if seen.count == 0 and seen.csv then
      return nil, from .. " has a header, and no line behind it"
   end
   if seen.count == 0 then
      return nil, from .. " is empty: there is nothing to draft from"
   end
   return nil, ("%s: none of %d records is %s%s"):format(from, seen.count,
      is_csv and "a line of CSV with values" or seen.root.objects > 0
         and "a JSON object with anything in it" or "a JSON object",
      first and (": %s at %s: %s"):format(first.what, first.where, first.text) or "")
end

--- Draft a script; for C.
-- @tparam string what "topic", "file" or "csv": a file of CSV
-- @tparam string from topic or path
-- @tparam string brokers "" where the default is meant
-- @tparam {string,...} list as for `look`
-- @treturn ?string nil when no record is a JSON object
-- @treturn ?string what is wrong
function infer.text(what, from, brokers, list)
   local is_csv = what == "csv"
   local seen = infer.look(list, is_csv and "csv" or nil)
   local wrong = what == "file" and doubt.of_file(from, first_of(list), seen)
   if wrong then return nil, wrong end
   if what == "topic" and not seen.root.fields[1] then
      seen = look_for_columns(list) or seen
   end
   if not seen.root.fields[1] then return refuse(from, seen, is_csv) end
   return draft.text(seen, from, SOURCES[what](from, brokers))
end

return infer
