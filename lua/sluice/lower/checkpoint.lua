--- Where state is kept, as `sl_checkpoint` (runtime/shared/plan.h).
-- @module sluice.lower.checkpoint

local ffi = require "ffi"

local tables = require "sluice.tables"

local lower_checkpoint = {}

local C = ffi.C

local KINDS = { repeats = "SL_SINK_REPEATS", transactional = "SL_SINK_TRANSACTIONAL",
   by_batch = "SL_SINK_BY_BATCH" }
local DELIVERIES = { ["exactly-once"] = "SL_EXACTLY_ONCE",
   ["at-least-once"] = "SL_AT_LEAST_ONCE" }
local LIMITS = { spill = "SL_LIMIT_SPILL", fail = "SL_LIMIT_FAIL" }

--- What a sink can promise.
-- @tparam table sink of the graph
-- @treturn integer sl_sink_kind
function lower_checkpoint.kind(sink)
   return C[KINDS[sink.kind or "repeats"]]
end

-- Options of the store, without what has a member of its own.
local function store_of(kept)
   local store = tables.copy(kept.store)
   store.url = nil
   return store
end

--- Fill in where state is kept; what is filled in counts without a checkpoint, too.
-- @tparam table memory Memory
-- @tparam cdata into sl_checkpoint
-- @tparam table graph
-- @tparam string shape of the state, JSON
function lower_checkpoint.fill(memory, into, graph, shape)
   local options, kept = graph.options, graph.checkpoint
   into.delivery = C[DELIVERIES[options.delivery or "at-least-once"]]
   into.on_state_limit = C[LIMITS[options.on_state_limit or "spill"]]
   into.commit_interval_ms = options.commit_interval_ms or 0
   into.history_ms = options.history_ms or 0
   into.memory_bytes = options.memory_bytes or 1024 * 1024 * 1024
   memory:text(into.state_dir, options.state_dir)
   memory:text(into.shape, shape)
   if not kept then return end
   memory:text(into.url, kept.url)
   memory:text(into.ledger, kept.ledger)
   memory:text(into.group, kept.group)
   memory:text(into.topic, kept.topic)
   into.options = kept.options and memory:value(kept.options) or nil
   into.store = memory:value(store_of(kept))
   into.plans_ahead = kept.plans_ahead and 1 or 0
end

return lower_checkpoint
