--- `:csv { fields, … }`: each record is a line of comma-separated values (RFC 4180).
--
-- A line is a record: a quoted line break is read where a record can hold one (Kafka),
-- and refused in files, where the quote ends on its line or the line is bad. So one stray
-- quote costs one record, not the rest of the file.
-- @module sluice.format.csv

local options = require "sluice.options"
local tables = require "sluice.tables"

local csv = {}

--- What the reference says.
csv.doc = "`:csv { fields, header = true }`: each record is a line of comma-separated "
   .. "values (RFC 4180). Columns are found by the header line of a file, by "
   .. "`columns`, or else stand in the order of the fields. Every line has all columns. "
   .. "A line of a file is a record: a quote ends on its line. A bool is `true t yes y "
   .. "1` or `false f no n 0`, in any case; a quoted column is never null."

local function byte(wanted, none)
   return options.checker(wanted, function(value)
      if value == none then return value end
      local right = type(value) == "string" and #value == 1 and not value:find "[\r\n%z]"
         and value:byte() < 128
      return right and value or nil
   end)
end

local function check_names(value)
   if type(value) ~= "table" or #value == 0 then return nil end
   local seen = {}
   for i, name in ipairs(value) do
      if type(name) ~= "string" then return nil end
      if seen[name] and name ~= "" then
         return nil, ("each name once: %q stands twice"):format(name)
      end
      seen[name], seen[i] = true, name
   end
   return value
end

--- Options beside the fields.
csv.OPTIONS = {
   header = { check = options.flag(), default = false, about = "correctness",
      risk = "a first line of data is taken for names, or the other way round",
      doc = "the first line of a file names the columns" },
   columns = {
      check = options.checker('names of all columns in order, as { "id", "", "at" }',
         check_names),
      about = "correctness", risk = "a wrong order puts values into wrong fields",
      doc = "names of the columns, where no header line has them; \"\" for one that "
         .. "nothing reads",
   },
   delimiter = { check = byte("one ASCII character"), default = ",",
      about = "correctness", risk = "with another one all lines are bad",
      doc = "what stands between columns" },
   quote = { check = byte('one ASCII character, or "" for no quoting', ""),
      default = '"', about = "correctness",
      risk = "with another one columns that hold delimiters make their lines bad",
      doc = "what stands around a column" },
   null = {
      check = options.checker("text", function(value)
         if type(value) == "string" then return value end
      end),
      default = "", about = "correctness",
      risk = "a column that holds this text is null",
      doc = "text that means null, where it stands without quotes",
   },
}

local UNFIT = {
   list = "a CSV column holds no list: take it as sluice.string, or write `:json`",
   map = "a CSV column holds no map: take it as sluice.string, or write `:json`",
   struct = "a CSV column holds no struct: take it as sluice.string, or write `:json`",
   bytes = "a CSV column holds text: write sluice.string",
}

--- Say why a field cannot be read.
-- @tparam table field its spec
-- @tparam table given options
-- @treturn ?string a message
function csv.problem(field, given)
   local from = field.from
   if from and from.kind == "key_path" then
      return "a key that is JSON is read beside `:json` only: write `:from_key()` for "
         .. "all of the key"
   end
   if from and from.kind ~= "value" then return nil end
   if UNFIT[field.type] then return UNFIT[field.type] end
   if not from or given.header or given.columns then return nil end
   return "columns are taken in order, so `:from` finds nothing: write header = true or "
      .. "columns = { … }"
end

-- The column of a field: a path with dots is a name with dots.
local function column_of(field)
   return field.from and table.concat(field.from.path, ".") or field.name
end

-- Fields are a script's, and may stand in other schemas, too.
local function placed(field, name)
   local copy = tables.copy(field)
   copy.from = { kind = "value", path = { name } }
   return copy
end

local function has(names, wanted)
   for _, name in ipairs(names) do
      if name == wanted then return true end
   end
   return false
end

local function conflict(given)
   if given.header and given.columns then
      return "`header` and `columns` both name the columns: leave one out"
   end
   if given.delimiter == given.quote then
      return "`delimiter` and `quote` are the same"
   end
end

--- Options as they go into the plan, and whether the first record is a header.
-- @tparam {table,...} fields specs; those of columns get a path of one name
-- @tparam table given options as read
-- @tparam string connector of the source
-- @treturn ?table
-- @treturn boolean|string has a header; a message when the first result is nil
function csv.fill(fields, given, connector)
   local filled = options.filled(csv.OPTIONS, given)
   local wrong = conflict(filled)
   if wrong then return nil, wrong end
   if filled.header and connector ~= "file" then
      return nil, ("a header line is the first of a file, and sluice.%s has none: write "
         .. "columns = { … }"):format(connector)
   end
   local names = {}
   for i, field in ipairs(fields) do
      if not field.from or field.from.kind == "value" then
         local name = column_of(field)
         if filled.columns and not has(filled.columns, name) then
            return nil, ("field `%s`: `columns` has no %q"):format(field.name, name)
         end
         fields[i] = placed(field, name)
         names[#names + 1] = name
      end
   end
   local header = filled.header
   filled.header = nil
   if not header then filled.columns = filled.columns or names end
   return filled, header
end

--- Write a line.
-- @tparam table source of the graph
-- @tparam table values name of a column → text, nil for null
-- @treturn string without a line break
function csv.encode(source, values)
   local style, cells = source.format_options, {}
   for i, name in ipairs(style.columns) do
      local text = values[name]
      local quote, plain = style.quote, text or style.null
      local odd = plain:find("[\r\n]") or plain:find(style.delimiter, 1, true)
         or (quote ~= "" and plain:find(quote, 1, true))
      if text and (odd or plain == style.null) then
         plain = quote .. plain:gsub(quote:gsub("%p", "%%%0"), quote .. quote) .. quote
      end
      cells[i] = plain
   end
   return table.concat(cells, style.delimiter)
end

return csv
