--- Streams: what `sluice.kafka { … }` and every method gives. A stream is a handle on a
-- node; nodes form an immutable chain `{ op =, parent =, line =, phase =, schema =, … }`.
-- Each method checks its arguments at once and gives a new stream; the old one stays
-- usable. Two streams made from one node read its source once.
--
-- What may follow what is a table, not code: each node has a phase, each method says in
-- which it can stand.
-- @module sluice.stream

local arity = require "sluice.arity"
local connector = require "sluice.connector"
local decode = require "sluice.stage.decode"
local deliver = require "sluice.stage.deliver"
local distinct = require "sluice.stage.distinct"
local flat_map = require "sluice.stage.flat_map"
local format = require "sluice.format"
local group = require "sluice.stage.group"
local later = require "sluice.later"
local nearest = require "sluice.nearest"
local options = require "sluice.options"
local place = require "sluice.place"
local tables = require "sluice.tables"
local transform = require "sluice.stage.transform"
local union = require "sluice.stage.union"

local stream = {}

local Stream = {}

local ROWS = { decoded = "rows", rows = "rows", results = "results" }
local DECODED = { decoded = "decoded", rows = "rows", results = "results" }

-- Method → how its node is made, and from which phase it leads to which.
local STAGES = {
   rows = { make = decode.rows, phases = { source = "decoded" } },
   event_time = { make = decode.event_time, phases = { decoded = "rows" } },
   filter = { make = transform.filter, phases = ROWS },
   derive = { make = transform.derive, phases = ROWS },
   select = { make = transform.select, phases = ROWS },
   group_by = {
      make = group.group_by,
      phases = { decoded = "grouped", rows = "grouped", results = "grouped" },
   },
   window = { make = group.window,
      phases = {
         decoded = "windowed", rows = "windowed", grouped = "windowed",
         results = "windowed" },
      },
   aggregate = { make = group.aggregate,
      phases = {
         decoded = "results", rows = "results", grouped = "results",
         windowed = "results", results = "results" },
      },
   flat_map = { make = flat_map.make, phases = ROWS },
   distinct = { make = distinct.make, phases = ROWS },
   union = { make = union.make, phases = ROWS },
   to = { make = deliver.to, phases = ROWS },
   late_to = { make = deliver.late_to, phases = ROWS },
   quarantine_to = { make = deliver.quarantine_to, phases = DECODED },
}
for name in pairs(format.FORMATS) do
   STAGES[name] = { make = decode.format(name), phases = { source = "decoded" } }
end

local ONLY_BEHIND_JSON = "`:event_time` stands right behind `:json { … }` or `:rows { … "
   .. "}`: the watermark sees every good record"

-- Why a method cannot stand in a phase, by phase and method; `any` for the rest.
local REASONS = {
   source = {
      any = "a source has no rows yet: write `:json { fields }` (a generator: `:rows { "
      .. "fields }`) first",
   },
   decoded = {
      rows = "the fields are said already: one `:rows { … }` a source",
   },
   grouped = {
      group_by = "the groups are said already: put all fields into one `:group_by { "
         .. "\"a\", \"b\" }`",
      any = "`:%s` cannot stand behind `:group_by`: write `:window(…)` or `:aggregate { "
         .. "… }` next",
   },
   windowed = {
      group_by = "write `:group_by` before `:window`",
      window = "the window is said already: one `:window` an aggregation",
      any = "`:%s` cannot stand behind `:window`: write `:aggregate { … }` next",
   },
   results = {},
}
REASONS.rows = {
   event_time = ONLY_BEHIND_JSON,
   rows = REASONS.decoded.rows,
}
REASONS.results.event_time = ONLY_BEHIND_JSON
REASONS.results.rows = REASONS.decoded.rows
for name in pairs(format.FORMATS) do
   local reason = ("the fields are said already: one `:%s { … }` a source"):format(name)
   for _, phase in ipairs { "decoded", "rows", "results" } do
      REASONS[phase][name] = reason
   end
end

local function refuse_phase(name, phase)
   local reasons = REASONS[phase]
   place.fail(nil, (reasons[name] or reasons.any):gsub("%%s", name))
end

-- Where nodes are noted while a script loads; nil else.
local noted

--- Note every node that is made from now on, until the next call.
-- @tparam ?table list where they go, in order; nil: nowhere
function stream.note(list)
   noted = list
end

local function new(node)
   if noted then noted[#noted + 1] = node end
   return setmetatable({ node = node }, Stream)
end

--- Tell a stream from other values.
-- @param it any
-- @treturn ?table its node, borrowed
function stream.node(it)
   return getmetatable(it) == Stream and rawget(it, "node") or nil
end

local function call(name, self, ...)
   local stage = STAGES[name]
   local parent = stream.node(self)
   if not parent then
      place.fail(nil, "`%s` is a method: write `stream:%s(…)` with a colon", name, name)
   end
   local phase = stage.phases[parent.phase]
   if not phase then refuse_phase(name, parent.phase) end
   local node = { op = name, parent = parent, line = place.here(), phase = phase,
      schema = parent.schema }
   arity.check(("`:%s`"):format(name), arity.of(stage.make) - 1, ...)
   stage.make(node, ...)
   return new(node)
end

local methods = {}
for name in pairs(STAGES) do
   methods[name] = function(self, ...)
      local made = call(name, self, ...)
      return made
   end
end

function Stream.__index(_, name)
   if methods[name] then return methods[name] end
   later.refuse(later.METHODS, name, ":" .. tostring(name))
   place.fail(nil, "a stream has no method `%s`%s", tostring(name),
      nearest.hint(tostring(name), tables.keys(methods), "stream"))
end

function Stream.__newindex(_, name)
   place.fail(nil, "a stream is never changed, got an assignment to `%s`: methods give "
      .. "new streams",
      tostring(name))
end

--- Make the constructor of a connector.
-- @tparam string kind kafka, file, generator
-- @treturn function (options) → stream that can stand at either end
-- @usage sluice.kafka = stream.constructor "kafka"
function stream.constructor(kind)
   return function(given)
      local values = connector.read(kind, given)
      local node = {
         op = "source", connector = kind, values = values, line = place.here(),
         phase = "source",
      }
      if values.events and kind == "generator" then
         local decoded = { op = "decode", parent = node, line = node.line,
            phase = "decoded" }
         decode.library(decoded, values.events)
         new(node)
         return new(decoded)
      end
      return new(node)
   end
end

--- Say what a value is, for a message.
-- @param it any
-- @treturn string
function stream.show(it)
   local node = stream.node(it)
   if not node then return options.show(it) end
   return node.op == "source" and "a sluice." .. node.connector or "a stream"
end

return stream
