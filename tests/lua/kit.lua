--- What specs of the language share.
local analyse = require "sluice.analyse"
local pipeline = require "sluice.pipeline"
local sluice = require "sluice"

local kit = {}

--- The message that a call raises; fails when it raises none.
function kit.message(fn, ...)
   local done, message = pcall(fn, ...)
   assert(not done, "nothing was raised")
   return message
end

--- Assert that a call raises a message with a line of the specs and each of the texts.
function kit.refuses(fn, ...)
   local message = kit.message(fn)
   assert(message:find "^%.?/?tests/lua/[%w_]+%.lua:%d+: ", "no FILE:LINE: " .. message)
   for _, text in ipairs { ... } do
      assert(message:find(text, 1, true), ("%q is not in %q"):format(text, message))
   end
   return message
end

--- The rides of the article, without event time.
function kit.rides()
   return sluice.kafka { topics = "ride_events" }
      :json {
         sluice.string "event_id" :required(),
         sluice.string "event_type",
         sluice.double "amount",
         sluice.int64 "ts" :required(),
      }
end

--- The rides with event time and watermark.
function kit.timed()
   return kit.rides():event_time("ts", { delay = "10 minutes" })
end

--- Rides counted by type and minute.
function kit.counts(options)
   local windows = sluice.tumbling { size = "1 minute", name = options and options.name }
   return kit.timed():group_by "event_type":window(windows)
      :aggregate { rows = sluice.count() }
end

--- A sink for tests.
function kit.sink(mode, topic)
   return sluice.kafka { topic = topic or "out", mode = mode }
end

--- A pipeline of branches.
function kit.pipeline(...)
   return sluice.pipeline { name = "test", checkpoint = "none", ... }
end

--- The graph of branches.
function kit.graph(...)
   return analyse.graph(kit.pipeline(...))
end

--- The graph of branches with `--set`; nil and a message when a setting is refused.
function kit.set(settings, ...)
   local made, message = pipeline.override(kit.pipeline(...), settings)
   if not made then return nil, message end
   return analyse.graph(made)
end

--- Names of columns.
function kit.names(columns)
   local names = {}
   for i, column in ipairs(columns) do names[i] = column.name end
   return table.concat(names, " ")
end

return kit
