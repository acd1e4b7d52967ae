--- Prints docs/names.md from the table of names that other systems have:
--    LUA_PATH='lua/?.lua;lua/?/init.lua;;' luajit tests/docs/names.lua > docs/names.md
-- tests/lua/foreign_spec.lua holds the file to it.
-- @module tests.docs.names

local foreign = require "sluice.foreign"

local names = {}

local HEAD = [[
# Names: theirs and ours

Printed from the table (`tests/docs/names.lua`) that errors about unknown names are told
by; a test holds this page to it, and the table to the names that there are. Case and
separators do not matter: `startingOffsets`, `starting_offsets`. How things differ say
[from-spark.md](from-spark.md), [from-flink.md](from-flink.md) and
[from-kafka-streams.md](from-kafka-streams.md).
]]

local SECTIONS = {
   { "Stages", "stream" }, { "Constructors and functions", "sluice" },
   { "Fields", "field" }, { "Aggregates", "aggregate" },
   { "Aggregates of one's own: `sluice.aggregate`", "sluice.aggregate" },
   { "Kafka as a source", "sluice.kafka source" },
   { "Kafka as a sink", "sluice.kafka sink" },
   { "Files as a source", "sluice.file source" },
   { "Files as a sink", "sluice.file sink" },
   { "`sluice.generator`", "sluice.generator source" },
   { "`sluice.sink`", "sluice.sink sink" },
   { "`sluice.pipeline`", "sluice.pipeline" },
   { "`:event_time`", ":event_time" }, { "`:csv`", ":csv" }, { "`:json`", ":json" },
   { "`:distinct`", ":distinct" },
   { "`sluice.tumbling`", "sluice.tumbling" }, { "`sluice.hopping`", "sluice.hopping" },
   { "`sluice.cumulate`", "sluice.cumulate" }, { "`sluice.rolling`", "sluice.rolling" },
   { "`sluice.session`", "sluice.session" }, { "`sluice.running`", "sluice.running" },
   { "Words as values", "value" },
}

local SYSTEMS = { Streams = "Kafka Streams" }

local function row_of(row)
   local theirs, whose = {}, {}
   for name in row[1]:gmatch "%S+" do theirs[#theirs + 1] = "`" .. name .. "`" end
   for who in row[2]:gmatch "%S+" do whose[#whose + 1] = SYSTEMS[who] or who end
   return ("| %s | %s | %s |"):format(table.concat(theirs, " "),
      table.concat(whose, ", "), (row[4]:gsub("|", "\\|")))
end

--- The page as text.
-- @treturn string Markdown
function names.text()
   local lines, left = { HEAD }, {}
   for context in pairs(foreign.CONTEXTS) do left[context] = true end
   left.type = nil -- they stand among the constructors
   for _, section in ipairs(SECTIONS) do
      lines[#lines + 1] = ("## %s\n\n| theirs | whose | here |\n|---|---|---|")
         :format(section[1])
      for _, row in ipairs(foreign.CONTEXTS[section[2]]) do
         lines[#lines + 1] = row_of(row)
      end
      lines[#lines + 1] = ""
      left[section[2]] = nil
   end
   assert(next(left) == nil, "no section for " .. tostring(next(left)))
   return table.concat(lines, "\n")
end

if arg and arg[0] and arg[0]:find "names%.lua$" then io.write(names.text()) end

return names
