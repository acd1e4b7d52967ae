--- `sluice help luacats`: a definition file for editors (LuaCATS, `---@meta`), from the
-- tables and comments from which docs/reference.md is printed.
-- @module sluice.help.luacats

local aggregate = require "sluice.aggregate"
local cluster = require "sluice.cluster"
local comment = require "sluice.help.comment"
local connector = require "sluice.connector"
local decode = require "sluice.stage.decode"
local distinct = require "sluice.stage.distinct"
local format = require "sluice.format"
local group = require "sluice.stage.group"
local helper = require "sluice.helper"
local options = require "sluice.options"
local pipeline = require "sluice.pipeline"
local schema = require "sluice.schema"
local tables = require "sluice.tables"
local types = require "sluice.help.types"
local user = require "sluice.aggregate.user"
local window = require "sluice.window"

local luacats = {}

local HEAD = [[
---@meta sluice
-- Definitions for editors, printed by `sluice help luacats`.

---@alias sluice.Duration string|number "30 seconds", or milliseconds
---@alias sluice.Size string|number "64 MiB", or bytes
---@alias sluice.Row table<string, any> a row: its columns by name; null is nil
---@class sluice.Secret
---@class sluice.Connector a source or a sink
---@class sluice.Window
---@class sluice.Pipeline

---@class sluice
---@field null any null in lists and maps
local sluice = {}
]]

local Page = {}
Page.__index = Page

local function new_page(text_of)
   return setmetatable({ text_of = text_of }, Page)
end

function Page:line(text, ...)
   self[#self + 1] = select("#", ...) > 0 and text:format(...) or text
end

-- A comment: one line, whatever was written.
local function prose(text)
   return (text:gsub("%s+", " "):gsub("^%s", ""):gsub("%s$", ""))
end

-- A class of options; `first`: fields that are not options.
function Page:class(name, known, parent)
   self:line("---@class %s%s", name, parent and ": " .. parent or "")
   for _, option in ipairs(tables.keys(known)) do
      local entry = known[option]
      if not entry.later then
         local default = entry.default ~= nil
            and " (default " .. options.show(entry.default) .. ")" or ""
         self:line("---@field %s%s %s %s%s", option, entry.needed and "" or "?",
            types.of_wanted(entry.check.wanted), prose(entry.doc), default)
      end
   end
   self:line ""
end

local KEYWORDS = { ["end"] = true, ["function"] = true, ["or"] = true, ["and"] = true }

-- "(a, b, ...)" → lines for each, and the list.
function Page:arguments(list)
   local names = {}
   for name in list:gmatch "[%w_.]+" do
      if not KEYWORDS[name] then
         names[#names + 1] = name
         if name ~= "self" then
            self:line("---@param %s%s %s", name, name == "..." and "" or "?",
               name == "..." and "any" or types.of_argument(name))
         end
      end
   end
   return table.concat(names, ", ")
end

-- A function: what it says, its arguments, what it gives.
function Page:fn(shown, doc, list, gives, usage)
   self:line("---%s", prose(doc))
   if usage and usage ~= "" then self:line("---`%s`", prose(usage)) end
   local names = self:arguments(list)
   if gives then self:line("---@return %s", gives) end
   self:line("function %s(%s) end\n", shown, names)
end

function Page:sources_and_sinks()
   for _, kind in ipairs(connector.kinds()) do
      local parts = {}
      for _, role in ipairs { "source", "sink" } do
         local one = connector.of(kind, role)
         if one then
            local name = ("sluice.%s.%s"):format(kind, role)
            self:class(name, one.options)
            parts[#parts + 1] = name
         end
      end
      self:line("---sluice.%s: `sluice help %s` lists its options.", kind, kind)
      self:line("---@param options %s", table.concat(parts, "|"))
      self:line "---@return sluice.Stream"
      self:line("function sluice.%s(options) end\n", kind)
   end
end

function Page:windows()
   for _, kind in ipairs(window.names()) do
      self:class("sluice." .. kind .. ".options", window.OPTIONS[kind])
      self:line("---%s", prose(window.of(kind).doc))
      self:line("---@param options sluice.%s.options", kind)
      self:line "---@return sluice.Window"
      self:line("function sluice.%s(options) end\n", kind)
   end
end

-- What stands behind the name of a type.
local MORE = { timestamp = ', unit?: "s"|"ms"|"us"|"ns"|"iso"',
   decimal = ", precision: integer, scale: integer", list = ", type: any",
   map = ", type: any", struct = ", fields: sluice.Field[]" }

function Page:fields()
   self:line "---@class sluice.Field a field of a schema, or a column"
   self:line "local Field = {}\n"
   for _, one in ipairs(comment.functions(self.text_of "sluice.field")) do
      if one.usage ~= "" then
         self:fn("Field:" .. one.name, one.doc, one.arguments, "sluice.Field", one.usage)
      end
   end
   for _, kind in ipairs(tables.keys(schema.TYPES)) do
      self:line("---A field of type %s; of a function: a column.", kind)
      self:line("---@type fun(name: string|function%s): sluice.Field", MORE[kind] or "")
      self:line("sluice.%s = nil\n", kind)
   end
end

-- Stage → the module that makes it, its function there, and the arguments in a script.
local STAGES = {
   { "event_time", "decode", "event_time", "(f, options)" },
   { "rows", "decode", "rows", "(fields)" },
   { "filter", "transform", "filter", "(fn)" },
   { "derive", "transform", "derive", "(columns)" },
   { "select", "transform", "select", "(columns)" },
   { "flat_map", "flat_map", "make", "(fields, fn)" },
   { "distinct", "distinct", "make", "(keys)" }, { "union", "union", "make", "(...)" },
   { "group_by", "group", "group_by", "(keys)" }, { "window", "group", "window", "(w)" },
   { "aggregate", "group", "aggregate", "(columns, options)" },
   { "to", "deliver", "to", "(sink)" }, { "late_to", "deliver", "late_to", "(sink)" },
   { "quarantine_to", "deliver", "quarantine_to", "(sink)" },
}

function Page:stream()
   self:line "---@class sluice.Stream"
   self:line "local Stream = {}\n"
   for _, name in ipairs(tables.keys(format.FORMATS)) do
      self:fn("Stream:" .. name, format.FORMATS[name].doc, "(fields)", "sluice.Stream")
   end
   for _, stage in ipairs(STAGES) do
      local name, module, own, arguments = unpack(stage)
      for _, one in ipairs(comment.functions(self.text_of("sluice.stage." .. module))) do
         if one.name == own then
            self:fn("Stream:" .. name, one.doc, arguments, "sluice.Stream", one.usage)
         end
      end
   end
   self:class("sluice.event_time.options", decode.TIME)
   self:class("sluice.distinct.options", distinct.OPTIONS)
   self:class("sluice.aggregate.options", group.OPTIONS)
   for _, name in ipairs(tables.keys(format.FORMATS)) do
      local known = format.FORMATS[name].OPTIONS
      if known then self:class(("sluice.%s.options"):format(name), known) end
   end
end

function Page:aggregates()
   self:line "---@class sluice.Aggregate"
   self:line "local Aggregate = {}\n"
   self:fn("Aggregate:where", "Only rows for which the function gives true.", "(fn)",
      "sluice.Aggregate")
   for _, name in ipairs(tables.keys(aggregate.constructors)) do
      local doc = comment.head(self.text_of("sluice.aggregate." .. name))
      local list = doc:match "^[%w_]*(%b())" or "()"
      self:fn("sluice." .. name, doc, list, "sluice.Aggregate")
   end
   self:class("sluice.aggregate.options", user.OPTIONS)
   self:line "---An aggregate of one's own."
   self:line "---@param options sluice.aggregate.options"
   self:line "---@return sluice.Aggregate"
   self:line "function sluice.aggregate(options) end\n"
end

-- Documented functions of a module, under a name.
function Page:functions(module, shown, wanted, gives)
   for _, one in ipairs(comment.functions(self.text_of(module))) do
      if not wanted or wanted[one.name] then
         self:fn(shown .. (wanted and wanted[one.name] or one.name), one.doc,
            one.arguments, gives or "any", one.usage)
      end
   end
end

function Page:helpers()
   for _, name in ipairs(tables.keys(helper.LIBRARIES)) do
      self:line("sluice.%s = {}\n", name)
      self:functions("sluice.helper." .. name, ("sluice.%s."):format(name))
   end
   self:functions("sluice.helper.random", "sluice.", { of = "random" }, "number")
   self:functions("sluice.param", "sluice.", { param = "param" })
   self:functions("sluice.secret", "sluice.",
      { env = "env", secret_file = "secret_file" }, "sluice.Secret")
end

function Page:whole()
   self:line(HEAD)
   self:class("sluice.pipeline.options", pipeline.OPTIONS)
   self:line "---What a script returns: options, and behind them branches that end in :to"
   self:line "---@param options sluice.pipeline.options"
   self:line "---@return sluice.Pipeline"
   self:line "function sluice.pipeline(options) end\n"
   self:sources_and_sinks()
   self:class("sluice.tls.options", cluster.TLS)
   self:class("sluice.sasl.options", cluster.SASL)
   self:class("sluice.cluster.options", cluster.options)
   self:line "---Which Kafka, for several ends: `cluster = …`."
   self:line "---@param options sluice.cluster.options"
   self:line "function sluice.cluster(options) end\n"
   self:fields()
   self:stream()
   self:windows()
   self:aggregates()
   self:helpers()
   self:line "return sluice"
end

local TEST_HEAD = [[
---@meta sluice.test
-- Definitions for editors, printed by `sluice help luacats-test`.

---@class sluice.test.Driver a pipeline under test
local Driver = {}

---@class sluice.test
local test = {}
]]

-- Assertions, as the head of their module lists them: "assert.x(a, b)".
function Page:assertions()
   local head = self.text_of "sluice.test.matchers":match "^(.-)%-%- @module"
   self:line "assert.are = {}"
   for name, list in head:gmatch "(assert[%w_.]+)(%b())" do
      self:fn(name, "See `sluice help`, and docs/testing-pipelines.md.", list)
   end
end

function Page:kit()
   self:line(TEST_HEAD)
   self:functions("sluice.test", "test.", nil, "sluice.test.Driver")
   for _, name in ipairs { "driver", "process" } do
      for _, one in ipairs(comment.functions(self.text_of("sluice.test." .. name))) do
         if one.is_method then
            self:fn("Driver:" .. one.name, one.doc, one.arguments, "any", one.usage)
         end
      end
   end
   self:assertions()
   self:line "return test"
end

--- The definitions.
-- @tparam string topic "luacats", or "luacats-test" for the kit
-- @tparam function text_of (module) → its text or nil
-- @treturn string
function luacats.text(topic, text_of)
   local page = new_page(text_of)
   if topic == "luacats-test" then
      page:kit()
   else
      page:whole()
   end
   return table.concat(page, "\n") .. "\n"
end

return luacats
