--- Topics of `sluice help` that say how the language is written: stages, formats, fields,
-- helpers, names of other systems.
-- @module sluice.help.language

local comment = require "sluice.help.comment"
local distinct = require "sluice.stage.distinct"
local foreign = require "sluice.foreign"
local format = require "sluice.format"
local group = require "sluice.stage.group"
local helper = require "sluice.helper"
local tables = require "sluice.tables"

local language = {}

-- Stage → the module that makes it, and its function there.
local STAGES = {
   filter = { "transform", "filter" }, derive = { "transform", "derive" },
   select = { "transform", "select" }, group_by = { "group", "group_by" },
   window = { "group", "window" }, flat_map = { "flat_map", "make" },
   distinct = { "distinct", "make" }, union = { "union", "make" },
   to = { "deliver", "to" }, late_to = { "deliver", "late_to" },
   quarantine_to = { "deliver", "quarantine_to" }, rows = { "decode", "rows" },
   event_time = { "decode", "event_time" }, aggregate = { "group", "aggregate" },
}

local OPTIONS = { distinct = distinct.OPTIONS, aggregate = group.OPTIONS }

local EXAMPLES = {
   filter = ":filter(function(ride) return ride.amount and ride.amount > 10 end)",
   derive = ":derive { net = sluice.double(function(ride) return ride.amount end) }",
   select = ':select { "event_id", at = "ts" }',
   group_by = ':group_by { "user_id", day = sluice.int64(function(row) … end) }',
   window = ':window(sluice.tumbling { size = "10 minutes" })',
   aggregate = ':aggregate { rides = sluice.count(), total = sluice.sum "amount" }',
   distinct = ':distinct { "event_id", within = "1 hour" }',
   union = "rides:union(more_rides)", to = ":to(sluice.kafka { topic = \"results\" })",
   late_to = ":late_to(sluice.kafka { topic = \"late\" })",
   quarantine_to = ":quarantine_to(sluice.kafka { topic = \"bad\" })",
   flat_map = ':flat_map({ sluice.string "word" }, function(row, emit) emit { word = '
      .. "row.line } end)",
   rows = ':rows { sluice.string "id" }', event_time = ':event_time("ts", { delay = '
      .. '"10 minutes" })',
   json = ':json { sluice.string "id" :required(), sluice.double "amount" }',
   csv = ':csv { sluice.string "id", sluice.double "amount", header = true }',
   raw = ":raw()",
}

local function function_of(text, name)
   for _, one in ipairs(comment.functions(text)) do
      if one.name == name then return one end
   end
end

--- Say how a stage is written.
-- @tparam table to page
-- @tparam string name of the stage
-- @tparam function text_of (module) → its text or nil
function language.add_stage(to, name, text_of)
   local at = STAGES[name]
   local one = function_of(text_of("sluice.stage." .. at[1]), at[2])
   to:add("", "", ":" .. name)
   to:add("  ", "  ", "", one and one.doc or "")
   to:add("  ", "  ", "", EXAMPLES[name], "dim")
end

local function format_topic(name, options_of)
   local of = format.FORMATS[name]
   return { title = ":" .. name, write = function(to)
      to:add("", "", ":" .. name)
      to:add("  ", "  ", "", (of.doc:gsub("`", "")))
      to:add("  ", "  ", "", EXAMPLES[name], "dim")
      options_of(to, of.OPTIONS or {})
   end }
end

local function functions_topic(title, shown, module)
   return function(text_of)
      return { title = title, write = function(to)
         to:add("", "", title)
         for _, one in ipairs(comment.functions(text_of(module))) do
            if one.usage ~= "" or not shown:find "^:" then
               to:add("  ", "  ", shown .. one.name .. one.arguments, ": " .. one.doc)
               to:add("      ", "      ", "", one.usage, "dim")
            end
         end
      end }
   end
end

local TYPES = "sluice.TYPE(name) makes a field; types: string bool int32 int64 double "
   .. 'timestamp(name, "s" "ms" "us" "ns" or "iso") bytes date decimal(name, precision, '
   .. "scale) list(name, type) map(name, type) struct(name, { fields })"

local function fields_topic(text_of)
   local methods = functions_topic("methods of a field", ":", "sluice.field")(text_of)
   return { title = "fields", write = function(to)
      to:add("", "", "fields: ", TYPES)
      methods.write(to)
   end }
end

local TITLES = { stream = "stages", sluice = "constructors and functions",
   field = "methods of a field", aggregate = "methods of an aggregate",
   value = "words as values" }

local function names_topic(who)
   return { title = "names that " .. who .. " has", write = function(to)
      to:add("", "", who .. "'s names, and what is written here (docs/names.md)")
      for _, context in ipairs(tables.keys(foreign.CONTEXTS)) do
         local title = TITLES[context] or context
         for _, row in ipairs(context == "type" and {} or foreign.CONTEXTS[context]) do
            if row[2]:find(who, 1, true) then
               if title then to:add("", "", title) end
               title = nil
               to:add("  ", "  ", "", (row[1]:gsub(" ", ", ")))
               to:add("      ", "      ", "", (row[4]:gsub("`", "")), "dim")
            end
         end
      end
   end }
end

--- Topics by name, and their names in the order in which they are listed.
-- @tparam function text_of (module) → its text or nil
-- @tparam function options_of (page, options) writes options
-- @treturn table
-- @treturn {string,...}
function language.topics(text_of, options_of)
   local topics, listed = {}, {}
   local function add(name, topic)
      topics[name], listed[#listed + 1] = topic, name
   end
   for _, name in ipairs(tables.keys(format.FORMATS)) do
      add(name, format_topic(name, options_of))
   end
   for _, name in ipairs(tables.keys(STAGES)) do
      add(name, { title = ":" .. name, write = function(to)
         language.add_stage(to, name, text_of)
         if OPTIONS[name] then options_of(to, OPTIONS[name]) end
      end })
   end
   add("fields", fields_topic(text_of))
   for _, name in ipairs(tables.keys(helper.LIBRARIES)) do
      local shown = "sluice." .. name
      add(name, functions_topic(shown, shown .. ".", "sluice.helper." .. name)(text_of))
   end
   add("spark", names_topic "Spark")
   add("flink", names_topic "Flink")
   add("streams", names_topic "Streams")
   return topics, listed
end

return language
