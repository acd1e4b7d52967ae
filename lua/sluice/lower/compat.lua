--- What became of stored state, as `sl_compat` (runtime/shared/compat.h).
-- @module sluice.lower.compat

local ffi = require "ffi"

local compat = require "sluice.compat"
local lower_value = require "sluice.lower.value"

local lower_compat = {}

local C = ffi.C

local VERDICTS = { same = "SL_COMPAT_SAME", accepted = "SL_COMPAT_ACCEPTED",
   refused = "SL_COMPAT_REFUSED" }
local FATES = { same = "SL_FATE_SAME", mapped = "SL_FATE_MAPPED", gone = "SL_FATE_GONE" }

local function fill_change(memory, into, change)
   memory:text(into.section, change.section)
   into.fate = C[FATES[change.fate]]
   local count = #change.runs
   local from, to = memory:array("uint32_t", count), memory:array("uint32_t", count)
   local sizes = memory:array("uint32_t", count)
   for i, run in ipairs(change.runs) do
      from[i - 1], to[i - 1], sizes[i - 1] = run.from, run.to, run.size
   end
   into.run_count, into.from, into.to, into.sizes = count, from, to, sizes
   local parts = memory:array("int32_t", #change.parts)
   for i, part in ipairs(change.parts) do parts[i - 1] = part end
   into.part_count, into.parts = #change.parts, parts
   into.migrates = change.migrates and 1 or 0
end

local function fill_fill(memory, into, fill)
   into.aggregate, into.is_whole = fill.aggregate, fill.is_whole and 1 or 0
   local count = #fill.runs
   local at, sizes = memory:array("uint32_t", count), memory:array("uint32_t", count)
   for i, run in ipairs(fill.runs) do at[i - 1], sizes[i - 1] = run.at, run.size end
   into.run_count, into.at, into.sizes = count, at, sizes
   local parts = memory:array("uint32_t", #fill.parts)
   for i, part in ipairs(fill.parts) do parts[i - 1] = part end
   into.part_count, into.parts = #fill.parts, parts
end

-- Where in the script what is compared stands.
local function places_of(graph)
   local places = { pipeline = graph.line }
   for i, source in ipairs(graph.sources or {}) do
      places["source " .. i] = source.line
   end
   for _, kind in ipairs { "aggregate", "distinct" } do
      for _, one in ipairs(graph[kind .. "s"] or {}) do
         places[kind .. " " .. one.name] = one.line
      end
   end
   return places
end

--- Compare a stored shape with a script's.
-- @tparam string stored JSON
-- @tparam string own JSON
-- @tparam table migrates as for `compat.compare`
-- @tparam ?table graph of the script; its aggregations stand in the order of the shape's
-- @treturn cdata sl_compat *
-- @treturn table what keeps it alive
-- @treturn table as of `compat.compare`
function lower_compat.compare(stored, own, migrates, graph)
   local wants, memory = {}, lower_value.new()
   for _, aggregate in ipairs(graph and graph.aggregates or {}) do
      wants[aggregate.name] = aggregate.backfill_ms
   end
   local found = compat.compare(stored, own, migrates, wants, places_of(graph or {}))
   local into = memory:array("sl_compat", 1)
   into[0].verdict = C[VERDICTS[found.verdict]]
   into[0].loses = found.loses and 1 or 0
   memory:text(into[0].message, table.concat(found.messages, "\n"))
   memory:text(into[0].ways_out, found.ways_out)
   local changes = memory:array("sl_table_change", #found.changes)
   for i, change in ipairs(found.changes) do
      fill_change(memory, changes[i - 1], change)
   end
   local fills = found.fills or {}
   local filled = memory:array("sl_fill", #fills)
   for i, one in ipairs(fills) do fill_fill(memory, filled[i - 1], one) end
   into[0].fills, into[0].fill_count = filled, #fills
   into[0].changes, into[0].change_count = changes, #found.changes
   return into + 0, memory.anchors, found
end

return lower_compat
