--- The sources of a graph as `sl_source` (runtime/shared/source.h).
-- @module sluice.lower.source

local ffi = require "ffi"

local constraint = require "sluice.constraint"

local lower_source = {}

local C = ffi.C

local function constants(words)
   return setmetatable(words, {
      __index = function(_, word)
         error("no such word in a plan: " .. tostring(word), 0)
      end,
   })
end

local FROM = constants {
   value = "SL_FROM_VALUE", key = "SL_FROM_KEY", key_path = "SL_FROM_KEY_PATH",
   header = "SL_FROM_HEADER", metadata = "SL_FROM_METADATA",
}
local METADATA = constants {
   topic = "SL_META_TOPIC", partition = "SL_META_PARTITION", offset = "SL_META_OFFSET",
   kafka_time = "SL_META_KAFKA_TIME", kafka_time_type = "SL_META_KAFKA_TIME_TYPE",
   processing_time = "SL_META_PROCESSING_TIME",
}
local UNITS = constants {
   s = "SL_UNIT_S", ms = "SL_UNIT_MS", us = "SL_UNIT_US", ns = "SL_UNIT_NS",
   iso = "SL_UNIT_ISO",
}
local BAD = constants {
   quarantine = "SL_BAD_QUARANTINE", fail = "SL_BAD_FAIL", skip = "SL_BAD_SKIP",
}
local SKEW = constants {
   quarantine = "SL_SKEW_QUARANTINE", accept = "SL_SKEW_ACCEPT", skip = "SL_SKEW_SKIP",
}
local RULES = constants { min = "SL_WATERMARK_MIN", max = "SL_WATERMARK_MAX" }

-- Options with a member of their own, and what stands there when they are absent.
local LIMITS = {
   max_bad_share = 0.5, max_records = 500000, max_bytes = 16 * 1024 * 1024,
   max_time_ms = 1000, max_rate = 0, min_records = 0, max_delay_ms = 0,
}

local function flag(value) return value and 1 or 0 end

local function place_of(memory, into, from, name)
   from = from or { kind = "value" }
   into.from = C[FROM[from.kind]]
   if from.metadata then into.metadata = C[METADATA[from.metadata]] end
   local path = from.path
   if from.kind == "value" and not (path and #path > 0) then path = { name } end
   path = path or {}
   local texts = memory:array("sl_string", #path)
   for i, key in ipairs(path) do memory:text(texts[i - 1], key) end
   into.path, into.path_count = texts, #path
end

local function fields_of(memory, into, source, layout)
   local fields = memory:array("sl_field", #source.fields)
   for slot, field in ipairs(source.fields) do
      local one = fields[slot - 1]
      memory:column(one.column, layout, slot, field.name)
      place_of(memory, one, field.from, field.name)
      memory:constraints(one, field)
   end
   into.fields, into.field_count = fields, #source.fields
end

local function checks_of(memory, into, source, driver)
   local list = constraint.list(source.fields)
   local checks = memory:array("sl_check", #list)
   for i, one in ipairs(list) do
      checks[i - 1].field = one.slot - 1
      memory:text(checks[i - 1].refusal, one.check.refusal)
   end
   into.checks, into.check_count, into.checks_driver = checks, #list, driver or 0
end

local function slot_of(source, name)
   for slot, field in ipairs(source.fields) do
      if field.name == name then return slot end
   end
   error("no field for the event time: " .. tostring(name), 0)
end

local function time_of(memory, into, source, layout, driver)
   local time = source.time
   if not time then return end
   into.unit = C[UNITS[time.unit or "ms"]]
   if time.fn then
      into.kind, into.driver = C.SL_TIME_FUNCTION, driver
   else
      into.kind = C.SL_TIME_FIELD
      memory:column(into.column, layout, slot_of(source, time.field), time.field)
   end
   into.has_watermark, into.delay_ms = flag(time.delay_ms), time.delay_ms or 0
   into.wall_clock, into.skew_given = flag(time.wall_clock), flag(time.skew_given)
   into.rule = C[RULES[time.rule or "min"]]
   into.on_skew = C[SKEW[time.on_skew or "quarantine"]]
   into.idle_ms, into.max_skew_ms = time.idle_ms or 30000, time.max_skew_ms or 300000
end

--- Fill in a source.
-- @tparam table memory Memory
-- @tparam cdata into sl_source
-- @tparam table source of the graph
-- @tparam table layout of its rows
-- @tparam table drivers `{ time = number|nil, rows = number|nil, checks = number|nil }`
function lower_source.fill(memory, into, source, layout, drivers)
   memory:text(into.name, source.name)
   memory:text(into.connector, source.connector)
   memory:text(into.at, source.line or "")
   memory:text(into.format, source.format)
   into.options = memory:value(source.options)
   if source.format_options then
      into.format_options = memory:value(source.format_options)
   end
   into.has_header = flag(source.has_header)
   fields_of(memory, into, source, layout)
   checks_of(memory, into, source, drivers.checks)
   into.row_size, into.null_words = layout.size, layout.null_words
   into.step = source.step - 1
   into.on_bad = C[BAD[source.options.bad_records or "quarantine"]]
   into.quarantine = source.quarantine and source.quarantine - 1 or -1
   into.rows_driver, into.bounded = drivers.rows or 0, flag(source.bounded)
   for name, default in pairs(LIMITS) do into[name] = source.options[name] or default end
   time_of(memory, into.time, source, layout, drivers.time)
end

return lower_source
