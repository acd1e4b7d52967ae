--- What Spark, Flink, Kafka, Kafka Streams and SQL call things, and what they are called
-- here: for errors about unknown names, and for docs/names.md.
--
-- Names stand by context: what messages call the table of options (`sluice.pipeline`,
-- `:csv`), with the end for connectors (`sluice.kafka source`), or `stream`, `field`,
-- `aggregate` (their methods), `sluice` (constructors), `type`, `value`. A row is `{
-- names, who calls it so, what it is here, what to write }`. What it is here are names
-- that exist: an option of the context, `:method`, `sluice.NAME`, or `pipeline.OPTION`,
-- `source.OPTION` and so on; a spec holds the table to that. What to write is code
-- between backticks, or says why there is nothing.
-- @module sluice.foreign

local foreign = {}

--- Context → rows.
foreign.CONTEXTS = {}
for _, part in ipairs { require "sluice.foreign.connect",
   require "sluice.foreign.language" } do
   for context, rows in pairs(part) do foreign.CONTEXTS[context] = rows end
end

local WHOSE = { Spark = "Spark's", Flink = "Flink's", Kafka = "Kafka's",
   Streams = "Kafka Streams'", SQL = "SQL's" }

--- A name without case and separators: `maxRecords`, `max.records` and `max_records` are
-- one.
-- @tparam string name
-- @treturn string
function foreign.plain(name)
   return (name:lower():gsub("[%s._%-]", ""))
end

-- Context → plain name → row, made when first asked for.
local INDEX = setmetatable({}, { __index = function(index, context)
   local by_name = {}
   for _, row in ipairs(foreign.CONTEXTS[context] or {}) do
      for name in row[1]:gmatch "%S+" do by_name[foreign.plain(name)] = row end
   end
   rawset(index, context, by_name)
   return by_name
end })

--- Find what a name of another system is here.
-- @tparam ?string context
-- @tparam string name as written
-- @treturn ?table row
function foreign.find(context, name)
   return context and INDEX[context][foreign.plain(name)]
end

--- Who calls it so.
-- @tparam table row
-- @treturn string as in "Spark's and Flink's"
function foreign.whose(row)
   local parts = {}
   for who in row[2]:gmatch "%S+" do parts[#parts + 1] = WHOSE[who] end
   local last = table.remove(parts)
   if #parts == 0 then return last end
   return table.concat(parts, ", ") .. " and " .. last
end

--- The end of a message about such a name.
-- @tparam ?string context
-- @tparam string name as written
-- @treturn ?string nil when no other system is known to call anything so
-- @usage foreign.hint("sluice.pipeline", "queryName")
--   --> ": that is Spark's, Flink's and Kafka Streams' name, write `name = \"rides\"`"
function foreign.hint(context, name)
   local row = foreign.find(context, name)
   if not row then return nil end
   local write = row[4]
   return (": that is %s name%s%s"):format(foreign.whose(row),
      write:find "^`" and ", write " or "; here: ", write)
end

return foreign
