--- `sluice schema infer`: from records to the draft of a script.
-- @module sluice.infer

local csv = require "sluice.infer.csv"
local draft = require "sluice.infer.draft"
local json = require "sluice.infer.json"
local node = require "sluice.infer.node"

local infer = {}

local MOST_ODD, MOST_TEXT = 3, 80

-- How a file of CSV is read, by its first line; whether that is its header.
local function style_of(line)
   local file = { delimiter = csv.delimiter(line), names = {} }
   local cells = csv.cells(line, file.delimiter) or {}
   file.has_header = csv.is_header(cells)
   for i, cell in ipairs(cells) do
      file.names[i] = file.has_header and cell.text or ("c%d"):format(i)
   end
   return file
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

--- Look at records.
-- @tparam {string,...} list where each lies and its value, in turns; "" for no value
-- @tparam ?boolean is_csv lines of CSV, the first line of the file among them, not JSON
-- @treturn table as `draft.text` takes it
function infer.look(list, is_csv)
   local seen = { root = node.new(), count = #list / 2, nulls = 0, odd = {},
      odd_count = 0 }
   for i = 1, is_csv and #list or 0, 2 do
      if list[i]:find ":0$" then seen.csv = seen.csv or style_of(list[i + 1]) end
   end
   for i = 1, #list, 2 do
      local where, text = list[i], list[i + 1]
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

--- Draft a script; for C.
-- @tparam string what "topic", "file" or "csv": a file of CSV
-- @tparam string from topic or path
-- @tparam string brokers "" where the default is meant
-- @tparam {string,...} list as for `look`
-- @treturn ?string nil when no record is a JSON object
-- @treturn ?string what is wrong
function infer.text(what, from, brokers, list)
   local is_csv = what == "csv"
   local seen = infer.look(list, is_csv)
   if not seen.root.fields[1] then
      local first = seen.odd[1]
      return nil, ("%s: none of %d records is %s%s"):format(from, seen.count,
         is_csv and "a line of CSV with values" or seen.root.objects > 0
            and "a JSON object with anything in it" or "a JSON object",
         first and (": %s at %s: %s"):format(first.what, first.where, first.text) or "")
   end
   return draft.text(seen, from, SOURCES[what](from, brokers))
end

return infer
