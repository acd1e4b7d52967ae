--- Options of every source: how much a batch may hold, what becomes of bad records.
-- @module sluice.source.limits

local options = require "sluice.options"

local limits = {}

local DEFAULT_MAX_DELAY_MS = 60000

--- Options by name.
limits.options = {
   max_records = {
      check = options.integer(1), default = 500000, doc = "most records a batch",
      about = "memory",
      risk = "a batch holds as many in memory; too few, and a batch no longer takes "
         .. "what comes between two triggers",
   },
   max_bytes = {
      check = options.size(1), default = "16 MiB", doc = "most bytes a batch",
      about = "memory",
      risk = "a batch holds as much in memory, and its output beside it",
   },
   max_time = { check = options.duration(1), default = "1 second", as = "max_time_ms",
      doc = "how long fetching may take before the batch is cut at what has come",
      about = "latency",
      risk = "a broker that is slow ends batches early: more and smaller ones",
   },
   max_rate = {
      check = options.number(0, math.huge, true), doc = "most records a second",
      about = "latency",
      risk = "below the rate of the input the backlog grows without end, until the "
         .. "broker deletes it unread",
   },
   min_records = {
      check = options.integer(1), doc = "wait for as many, but not beyond max_delay",
      about = "latency",
      risk = "results wait until as many records have come, or for `max_delay`",
   },
   max_delay = { check = options.duration(1), as = "max_delay_ms",
      doc = "longest wait for min_records, since the last batch with records; 1 minute",
      about = "latency",
      risk = "the longest that few records wait",
   },
   bad_records = { check = options.word { "quarantine", "fail", "skip" },
      default = "quarantine",
      doc = "what becomes of a record that cannot be decoded",
      about = "correctness",
      risk = "what cannot be decoded is missing in every result",
   },
   max_bad_share = { check = options.number(0, 1), default = 0.5,
      doc = "a larger share of bad ones in a batch of 1,000 or more fails it",
      about = "correctness",
      risk = "below this share, bad records are set aside without stopping anything",
   },
}

--- Say what is wrong between options.
-- @tparam table values checked, without defaults
-- @treturn ?string a message
function limits.conflict(values)
   local most = values.max_records or limits.options.max_records.default
   if values.min_records and values.min_records > most then
      return ("min_records %d is above max_records %d: no batch could be large enough")
         :format(values.min_records, most)
   end
   if values.max_delay and not values.min_records then
      return "`max_delay` says how long to wait for `min_records`: give that too, or "
         .. "leave it out"
   end
end

--- Fill in what depends on other options.
-- @tparam table filled options, changed in place
function limits.fill(filled)
   if filled.min_records and not filled.max_delay_ms then
      filled.max_delay_ms = DEFAULT_MAX_DELAY_MS
   end
end

return limits
