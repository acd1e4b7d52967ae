--- Prints docs/reference.md from the tables that check scripts and the command line:
--    LUA_PATH='lua/?.lua;lua/?/init.lua;;' luajit tests/docs/reference.lua \
--       > docs/reference.md
-- tests/lua/reference_spec.lua holds the file to it. What a table says is printed; what
-- stands in comments (methods, aggregates) is printed from those.
-- @module tests.docs.reference

local cluster = require "sluice.cluster"
local connector = require "sluice.connector"
local decode = require "sluice.stage.decode"
local distinct = require "sluice.stage.distinct"
local format = require "sluice.format"
local group = require "sluice.stage.group"
local helper = require "sluice.helper"
local later = require "sluice.later"
local limits = require "sluice.source.limits"
local options = require "sluice.options"
local pipeline = require "sluice.pipeline"
local common = require "sluice.sink.common"
local tables = require "sluice.tables"
local user = require "sluice.aggregate.user"
local window = require "sluice.window"

local reference = {}

local HEAD = [[
# Reference

Printed from the tables that check scripts and the command line
(`tests/docs/reference.lua`); a test holds this page to them. How to use it all says
[guide.md](guide.md), what it means [semantics.md](semantics.md).

A duration is text (`"30 seconds"`, `"10 minutes"`, `"500 ms"`, `"7 days"`) or a number of
milliseconds; a size is text (`"64 MiB"`, `"10 kB"`) or a number of bytes. An unknown name
is an error that tells the nearest right one.
]]

local FIELDS = [[
`sluice.TYPE(name)`, where TYPE is `string bool int32 int64 double timestamp bytes date`;
`sluice.timestamp(name, unit)`: unit `"s"`, `"ms"`, `"us"`, `"ns"` (integers) or `"iso"`
(RFC 3339 text), `"ms"` unless said. int64 beyond 2^53 needs `:exact()`.

| type | in JSON | in Lua |
|---|---|---|
| `bytes(name)` | base64 | a string |
| `date(name)` | `"2024-05-01"` | days since 1970-01-01; functions may give text, too |
| `decimal(name, precision, scale)` | a string or number, written as text | a decimal |
| `list(name, type)` | an array | a table from 1; null elements are `sluice.null` |
| `map(name, type)` | an object | a table by name; null values are `sluice.null` |
| `struct(name, { fields })` | an object | a table by field; null is nil |

A `type` is a name (`"string"`), a constructor (`sluice.string`), a type without a name
(`sluice.decimal(10, 2)`, `sluice.list("string")`, `sluice.struct { fields }`), or a
field: its unit and constraints hold for each element, its name means nothing. Types stand
in each other up to 64 deep. `:required`, `:default`, `:range`, `:one_of` work inside of
them, `:from…`, `:matches` and `:check` on fields of the record only.

Decimals add, subtract, multiply (`+ - *`) and compare exactly, also with numbers and text
(`price * "1.19"`); beyond 38 digits it is an error. `x:round(2)` rounds half away from
zero, `tonumber(x)` and `tostring(x)` convert, `sluice.decimal.of "0.19"` makes one. What
a function gives for a decimal column is never rounded: it fits, or it is an error.
]]

local OF_PIPELINE = [[
`checkpoint` is needed too. Behind the options stand the branches, streams that end in
`:to`.
]]

local OF_AGGREGATE = [[
`result` is needed too, and `fold` or `fold_batch`. Types of a member: `double int64 bool
timestamp`; `int8 int16 int32 uint8 uint16 uint32 date` (a number that does not fit is an
error); `"string(32)"`, text of at most so many bytes; arrays of all but bool, such as
`"double[8]"` (places from 0; a place outside is an error).
]]

local NOT_YET = "\nNot yet: `:%s`.\n"

local function read_file(path)
   local file = assert(io.open(path, "rb"))
   local text = file:read "*a"
   file:close()
   return text
end

local Page = {}
Page.__index = Page

function Page:line(text, ...)
   self[#self + 1] = select("#", ...) > 0 and text:format(...) or text
end

--- Text in a table: a bar would end the cell.
local function cell(text)
   return (text:gsub("|", "\\|"))
end

local function default_of(entry, required)
   if required then return "needed" end
   if entry.default == nil then return "–" end
   return ("`%s`"):format(options.show(entry.default))
end

--- A table of options, less those of `without`; what comes later is one line behind it.
function Page:options(known, required, without)
   local waiting = {}
   self:line "| option | default | what it says | takes |"
   self:line "|---|---|---|---|"
   for _, name in ipairs(tables.keys(known)) do
      local entry = known[name]
      if entry.later then
         waiting[#waiting + 1] = ("`%s` (%s)"):format(name, entry.doc)
      elseif not (without and without[name]) then
         self:line("| `%s` | %s | %s | %s |", name,
            default_of(entry, entry.needed or name == required),
            cell(assert(entry.doc, name)), cell(entry.check.wanted))
      end
   end
   if #waiting > 0 then
      self:line("\nNot yet: %s.", table.concat(waiting, ", "))
   end
   self:line ""
end

local function merged(...)
   return options.merge(...)
end

local function kinds_of(role)
   local kinds = {}
   for _, kind in ipairs(connector.kinds()) do
      if connector.of(kind, role) then kinds[#kinds + 1] = kind end
   end
   return kinds
end

function Page:sources()
   self:line "## Sources\n"
   self:line "All sources take these options; each kind has more of its own.\n"
   self:options(limits.options)
   for _, kind in ipairs(kinds_of "source") do
      local one = connector.of(kind, "source")
      self:line("### sluice.%s as a source\n", kind)
      if one.instead then
         self:line("`%s`, or `%s`.\n", one.required, one.instead)
      end
      self:options(one.options, one.required, merged(limits.options, cluster.options,
         cluster.reference))
   end
end

function Page:sinks()
   self:line "## Sinks\n"
   self:line "All sinks take these options; each kind has more of its own.\n"
   self:options(common.options)
   for _, kind in ipairs(kinds_of "sink") do
      local one = connector.of(kind, "sink")
      self:line("### sluice.%s as a sink\n", kind)
      self:options(one.options, one.required, merged(common.options, cluster.options,
         cluster.reference))
   end
end

function Page:cluster()
   self:line "## Which Kafka\n"
   self:line "Options of `sluice.kafka` at both ends, or of `sluice.cluster { … }`, which"
   self:line "several share by `cluster = …`.\n"
   self:options(cluster.options)
   self:line "### tls\n"
   self:line "`true`, or a table:\n"
   self:options(cluster.TLS)
   self:line "### sasl\n"
   self:options(cluster.SASL, "username")
end

--- Public functions of a file with their comments: `--- sentence` … `function NAME(…)`.
local function documented(path, pattern)
   local found = {}
   local comment = {}
   for line in (read_file(path) .. "\n"):gmatch "(.-)\n" do
      local more = line:match "^%-%-%-? ?(.*)$"
      if more then
         comment.is_public = comment.is_public or line:find "^%-%-%-" ~= nil
         comment[#comment + 1] = more
      else
         local name, arguments = line:match(pattern)
         if name and #comment > 0 then
            found[#found + 1] = { name = name, arguments = arguments, comment = comment }
         end
         comment = {}
      end
   end
   return found
end

--- The prose of a comment and its usage line.
local function parts_of(comment)
   local prose, usage = {}, {}
   local into = prose
   for _, line in ipairs(comment) do
      if line:find "^@" then
         local first = line:match "^@usage%s+(.*)$"
         into = first and usage or {}
         line = first or line
      end
      into[#into + 1] = (line:gsub("^%s+", ""))
   end
   return table.concat(prose, " "), table.concat(usage, " ")
end

function Page:fields()
   self:line "## Fields\n"
   self:line(FIELDS)
   self:line "| method | what it says | as in |"
   self:line "|---|---|---|"
   local methods = documented("lua/sluice/field.lua",
      "^function methods:([%w_]+)(%b())")
   table.sort(methods, function(a, b) return a.name < b.name end)
   for _, one in ipairs(methods) do
      local prose, usage = parts_of(one.comment)
      self:line("| `:%s%s` | %s | `%s` |", one.name, one.arguments, cell(prose),
         cell(usage))
   end
   self:line ""
end

local STAGES = { "decode", "transform", "flat_map", "distinct", "union", "group",
   "deliver" }

function Page:stages()
   self:line "## Stages\n"
   for _, name in ipairs(tables.keys(format.FORMATS)) do
      self:line("- %s", format.FORMATS[name].doc)
   end
   for _, file in ipairs(STAGES) do
      local path = "lua/sluice/stage/" .. file .. ".lua"
      local pattern = "^function " .. file .. "%.([%w_]+)(%b())"
      for _, one in ipairs(documented(path, pattern)) do
         local prose = parts_of(one.comment)
         if prose:find "^`:" then self:line("- %s", prose) end
      end
   end
   self:line(NOT_YET, table.concat(tables.keys(later.METHODS), "`, `:"))
   for _, name in ipairs(tables.keys(format.FORMATS)) do
      if format.FORMATS[name].OPTIONS then
         self:line("### :%s\n", name)
         self:options(format.FORMATS[name].OPTIONS)
      end
   end
   self:line "### :event_time\n"
   self:options(decode.TIME)
   self:line "### :distinct\n"
   self:options(distinct.OPTIONS, "within")
   self:line "### :aggregate\n"
   self:options(group.OPTIONS)
   for _, kind in ipairs(window.names()) do
      self:line("### sluice.%s\n", kind)
      self:line("%s\n", window.of(kind).doc)
      self:options(window.OPTIONS[kind])
   end
end

function Page:aggregates()
   local aggregate = require "sluice.aggregate"
   self:line "## Aggregates\n"
   self:line "`f` is a field's name or a function of the row; each takes `:where(fn)`.\n"
   for _, name in ipairs(tables.keys(aggregate.constructors)) do
      local text = read_file("lua/sluice/aggregate/" .. name .. ".lua")
      local comment = {}
      for line in text:match("^(.-)%-%- @module"):gmatch "[^\n]+" do
         comment[#comment + 1] = line:match "^%-%-%-? ?(.*)$"
      end
      self:line("- %s", (table.concat(comment, " "):gsub("%s+$", "")))
   end
   self:line "\n### sluice.aggregate\n"
   self:options(user.OPTIONS, "state")
   self:line(OF_AGGREGATE)
end

local OF_KIT = [[
`local test = require "sluice.test"` in a spec, which `sluice test` runs
([testing-pipelines.md](testing-pipelines.md)).
]]

--- Sentence, parameters and usage of a public function, as a list item.
function Page:functions(path, pattern, shown)
   for _, one in ipairs(documented(path, pattern)) do
      if one.comment.is_public then
         local prose, usage = parts_of(one.comment)
         self:line("- `%s%s%s`: %s%s", shown, one.name, one.arguments, prose,
            usage ~= "" and (" As in `%s`."):format(usage) or "")
      end
   end
   self:line ""
end

function Page:values()
   self:line "## Parameters and secrets\n"
   self:functions("lua/sluice/param.lua", "^function param%.(param)(%b())", "sluice.")
   self:functions("lua/sluice/secret.lua",
      "^function secret%.([es][%w_]*[vf][%w_]*)(%b())", "sluice.")
end

function Page:kit()
   self:line "## sluice.test\n"
   self:line(OF_KIT)
   self:functions("lua/sluice/test.lua", "^function test%.([%w_]+)(%b())", "test.")
   self:line "### A pipeline under test\n"
   for _, name in ipairs { "driver", "process" } do
      self:functions(("lua/sluice/test/%s.lua"):format(name),
         "^function Driver:([%w_]+)(%b())", ":")
   end
   self:line "### Assertions\n"
   local text = read_file "lua/sluice/test/matchers.lua"
   for line in text:match("^(.-)%-%- @module"):gmatch "[^\n]+" do
      self:line("%s", (line:gsub("^%-%-%-? ?", "")))
   end
   self:line ""
end

local function c_strings(text)
   local found = {}
   for one in text:gmatch '"(.-)"' do found[#found + 1] = one end
   return found
end

--- Entries `{ "name", … },` of a table in C, as lists of their strings; NULL is dropped.
local function c_table(path, name)
   local body = read_file(path):match(name .. "%[%] = {\n(.-)\n};")
   local rows = {}
   for entry in body:gmatch "%b{}" do
      local row = c_strings(entry)
      row.text = entry
      rows[#rows + 1] = row
   end
   return rows
end

--- Text of a C string that is written in pieces, from where it begins.
local function c_text(path, start)
   local text = read_file(path)
   local from = assert(text:find(start, 1, true), start)
   local whole = text:sub(from):match '^(.-)"%);'
   return (whole:gsub('"%s*"', ""):gsub("\\n", " "):gsub("%s+$", ""))
end

function Page:helpers()
   self:line "## Helpers\n"
   self:line "Functions that filters, derived columns and aggregates may call for each"
   self:line "row: they are compiled with the loop.\n"
   for _, name in ipairs(tables.keys(helper.LIBRARIES)) do
      local path = "lua/sluice/helper/" .. name .. ".lua"
      local pattern = "^function " .. name .. "%.([%w_]+)(%b())"
      for _, one in ipairs(documented(path, pattern)) do
         local prose, usage = parts_of(one.comment)
         self:line("- `sluice.%s.%s%s`: %s `%s`", name, one.name, one.arguments, prose,
            usage)
      end
   end
   local path = "lua/sluice/helper/random.lua"
   for _, one in ipairs(documented(path, "^function random%.(of)(%b())")) do
      local prose, usage = parts_of(one.comment)
      self:line("- `sluice.random%s`: %s `math.random` is the same, of the row that the "
         .. "function is called for. `%s`", one.arguments, prose, usage)
   end
   self:line ""
end

function Page:command_line()
   self:line "## Command line\n"
   self:line "| command | what it does |"
   self:line "|---|---|"
   for _, row in ipairs(c_table("runtime/cli/main.c", "COMMANDS")) do
      local operand = #row == 3 and " " .. row[2] or ""
      self:line("| `sluice %s%s` | %s |", row[1], operand, row[#row])
   end
   self:line "\n| option | of | what it says |"
   self:line "|---|---|---|"
   local waiting = {}
   for _, row in ipairs(c_table("runtime/cli/args.c", "OPTIONS")) do
      local value = #row == 4 and " " .. row[2] or ""
      if row.text:find "NULL }$" then
         waiting[#waiting + 1] = ("`%s`"):format(row[1])
      else
         self:line("| `%s%s` | %s | %s |", row[1], cell(value),
            row[#row - 1]:match "^%s*(.-)%s*$", cell(row[#row]))
      end
   end
   self:line("\nNot yet: %s.", table.concat(waiting, ", "))
   self:line("\n" .. c_text("runtime/cli/args.c", "Exit codes:"))
end

--- The page.
-- @treturn string Markdown
function reference.text()
   local page = setmetatable({}, Page)
   page:line(HEAD)
   page:line "## sluice.pipeline\n"
   page:options(pipeline.OPTIONS, "name")
   page:line(OF_PIPELINE)
   page:sources()
   page:sinks()
   page:cluster()
   page:values()
   page:fields()
   page:stages()
   page:aggregates()
   page:helpers()
   page:kit()
   page:command_line()
   return table.concat(page, "\n") .. "\n"
end

if arg and arg[0] and arg[0]:find "reference%.lua$" then io.write(reference.text()) end

return reference
