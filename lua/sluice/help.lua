--- `sluice help TOPIC`: options, windows, aggregates and codes, from the tables that
-- check scripts.
-- @module sluice.help

local aggregate = require "sluice.aggregate"
local cluster = require "sluice.cluster"
local codes = require "sluice.check.codes"
local comment = require "sluice.help.comment"
local connector = require "sluice.connector"
local decode = require "sluice.stage.decode"
local foreign = require "sluice.foreign"
local language = require "sluice.help.language"
local luacats = require "sluice.help.luacats"
local nearest = require "sluice.nearest"
local options = require "sluice.options"
local page = require "sluice.explain.page"
local pipeline = require "sluice.pipeline"
local tables = require "sluice.tables"
local user = require "sluice.aggregate.user"
local window = require "sluice.window"

local help = {}

local function add_option(to, name, entry)
   if entry.later then
      to:add("  ", "  ", name, ": not yet; " .. (entry.doc or ""))
      return
   end
   local default = entry.default ~= nil and "; default " .. options.show(entry.default)
      or entry.needed and "; needed" or ""
   to:add("  ", "  ", name, ": " .. entry.doc .. default)
   to:add("      ", "      ", "takes ", entry.check.wanted, "dim")
   local risk = type(entry.risk) == "string" and entry.risk or entry.risk(nil, nil)
   to:add("      ", "      ", entry.about .. ": ", risk, "dim")
end

local function add_options(to, known)
   for _, name in ipairs(tables.keys(known)) do add_option(to, name, known[name]) end
end

local function options_topic(title, known)
   return { title = title, write = function(to)
      to:add("", "", title)
      add_options(to, known)
   end }
end

local function add_code(to, entry)
   to:add("", "", ("%s %s"):format(entry.code, entry.name), (" (%s)"):format(entry.level))
   to:add("  ", "  ", "", entry.doc)
end

local function add_aggregate(to, name, text_of)
   local doc = comment.head(text_of("sluice.aggregate." .. name))
   local signature, rest = doc:match "^(%b())(.*)$"
   if not signature then signature, rest = doc:match("^" .. name .. "(%b())(.*)$") end
   to:add("  ", "  ", name, (signature or "") .. (rest or ""))
end

-- "kafka-source", "kafka-sink", …, and its options, of every end.
local function ends()
   local list = {}
   for _, kind in ipairs(connector.kinds()) do
      for _, role in ipairs { "source", "sink" } do
         local one = connector.of(kind, role)
         if one then
            list[#list + 1] = { name = kind == role and kind or kind .. "-" .. role,
               title = ("sluice.%s as a %s"):format(kind, role), options = one.options }
         end
      end
   end
   return list
end

-- A page behind another one.
local function join(first, second)
   if not second then return first end
   return { title = first.title, write = function(to)
      first.write(to)
      second.write(to)
   end }
end

-- "kafka": what stands at both ends.
local function add_connectors(topics)
   for _, kind in ipairs(connector.kinds()) do
      local source, sink = topics[kind .. "-source"], topics[kind .. "-sink"]
      if source or sink then topics[kind] = join(source or sink, source and sink) end
   end
end

local function all_topics(text_of)
   local topics = {
      pipeline = options_topic("sluice.pipeline", pipeline.OPTIONS),
      event_time = options_topic(":event_time", decode.TIME),
      cluster = options_topic("sluice.cluster", cluster.options),
      tls = options_topic("tls", cluster.TLS),
      sasl = options_topic("sasl", cluster.SASL),
      aggregate = options_topic("sluice.aggregate", user.OPTIONS),
      aggregates = { title = "the aggregates", write = function(to)
         for _, name in ipairs(tables.keys(aggregate.constructors)) do
            add_aggregate(to, name, text_of)
         end
      end },
      codes = { title = "what sluice check tells, by code", write = function(to)
         for _, entry in ipairs(codes.LIST) do add_code(to, entry) end
      end },
   }
   for kind, known in pairs(window.OPTIONS) do
      topics[kind] = options_topic("sluice." .. kind, known)
   end
   for name in pairs(aggregate.constructors) do
      topics[name] = { title = "sluice." .. name, write = function(to)
         add_aggregate(to, name, text_of)
      end }
   end
   for _, entry in ipairs(codes.LIST) do
      local topic = { title = entry.code, write = function(to) add_code(to, entry) end }
      topics[entry.code], topics[entry.name] = topic, topic
   end
   for _, one in ipairs(ends()) do
      topics[one.name] = options_topic(one.title, one.options)
   end
   add_connectors(topics)
   local stages = language.topics(text_of, add_options)
   for name, topic in pairs(stages) do topics[name] = join(topic, topics[name]) end
   return topics
end

-- Topics that are listed: not each code and aggregate.
local LISTED = { "pipeline", "event_time", "cluster", "tls", "sasl", "aggregate",
   "aggregates", "codes" }

local function list_of(text_of)
   local list = {}
   for _, name in ipairs(LISTED) do list[#list + 1] = name end
   for _, name in ipairs(tables.keys(window.OPTIONS)) do list[#list + 1] = name end
   for _, one in ipairs(ends()) do list[#list + 1] = one.name end
   for _, kind in ipairs { "kafka", "file" } do list[#list + 1] = kind end
   local seen = {}
   for _, name in ipairs(list) do seen[name] = true end
   local _, names = language.topics(text_of, add_options)
   for _, name in ipairs(names) do
      if not seen[name] then list[#list + 1] = name end
   end
   return list
end

-- For editors, not for people.
local LUACATS = { luacats = true, ["luacats-test"] = true }

--- The page of a topic.
-- @tparam string topic as typed; `topics` lists them
-- @tparam boolean color
-- @tparam function text_of (module) → its text or nil
-- @treturn ?string lines, the last one ended
-- @treturn ?string what is meant instead, when there is no such topic
function help.text(topic, color, text_of)
   if LUACATS[topic] then return luacats.text(topic, text_of) end
   local to = page.new(color)
   if topic == "topics" then
      to:add("", "", "topics: ", table.concat(list_of(text_of), ", ")
         .. "; each aggregate, and each code, as in `sluice help W01`;"
         .. " luacats and luacats-test print definitions for editors")
      return to:text()
   end
   local topics = all_topics(text_of)
   local found = topics[(topic:gsub("^sluice%.", ""):gsub("^:", ""))]
   if not found then
      local other = foreign.hint("stream", topic) or foreign.hint("sluice", topic)
      if other then return nil, other end
      return nil, nearest.hint(topic, nearest.find(topic, tables.keys(topics))
         and tables.keys(topics) or list_of(text_of))
   end
   found.write(to)
   return to:text()
end

return help
