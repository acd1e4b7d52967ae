--- Random pipelines, as text of a script, and random records for them.
local aggregate = require "sluice.aggregate"
local later = require "sluice.later"
local user = require "sluice.aggregate.user"
local window = require "sluice.window"

local random = {}

--- Numbers of a seed: `pick(low, high)`. Source: Park and Miller 1988.
function random.of(seed)
   local state = (seed * 7919 + 12345) % 2147483646 + 1
   local function pick(low, high)
      state = state * 48271 % 2147483647
      return low + math.floor(state / 2147483647 * (high - low + 1))
   end
   for _ = 1, 5 do pick(0, 1) end
   return pick
end

local function one_of(pick, list) return list[pick(1, #list)] end
local function chance(pick, percent) return pick(1, 100) <= percent end

local FIELDS = [[sluice.string "k", sluice.int64 "g", sluice.int64 "n", sluice.double "d",
      sluice.string "v", sluice.int64 "t" :required()]]

local FILTERS = {
   "function(r) return r.n ~= 5 end",
   "function(r) return r.k ~= nil end",
   "function(r) return (r.d or 0) < 8 end",
   "function(r) return r.g == nil or r.g % 2 == 0 end",
}

-- Aggregates by what the library needs for them, and the types they give.
local AGGREGATES = {
   { "count", "sluice.count()" },
   { "count", 'sluice.count "n"' },
   { "count", 'sluice.count():where(function(r) return r.d ~= nil and r.d > 2 end)' },
   { "sum", 'sluice.sum "n"' },
   { "sum", 'sluice.sum "d"' },
   { "sum", "sluice.sum(function(r) return (r.n or 0) + 0.5 end)" },
   { "avg", 'sluice.avg "d"' },
   { "min", 'sluice.min "n"' },
   { "max", 'sluice.max "v"' },
   { "max", 'sluice.max "d"' },
   { "first", 'sluice.first "v"' },
   { "last", 'sluice.last "n"' },
   { "variance", 'sluice.variance "n"' },
   { "stddev", 'sluice.stddev "d"' },
   { "count_distinct", 'sluice.count_distinct "v"' },
   { "count_distinct", 'sluice.count_distinct("n", { exact = true, limit = 1000 })' },
   { "first", 'sluice.first "g"' },
   { "last", 'sluice.last "g"' },
   { "collect", 'sluice.collect("n", 3)' },
   { "collect", 'sluice.collect("g", 50)' },
   { "histogram", 'sluice.histogram("n", { 0, 2.5, 7 })' },
   { "top", 'sluice.top("v", 2)' },
   { "top", 'sluice.top("n", 3)' },
   { "order", [[sluice.aggregate { state = { x = 0 }, order = "event time",
         fold = function(a, r) a.x = a.x * 0.5 + (r.n or 0) end,
         result = function(a) return a.x end }]] },
   { "arg_min", 'sluice.arg_min("v", "n")' },
   { "arg_max", 'sluice.arg_max("n", "d")' },
   { "count", [[sluice.aggregate { state = { lo = math.huge, hi = -math.huge, c = 0 },
         fold = function(a, r)
            if r.n then
               a.lo, a.hi, a.c = math.min(a.lo, r.n), math.max(a.hi, r.n), a.c + 1
            end
         end,
         merge = function(a, b)
            a.lo, a.hi = math.min(a.lo, b.lo), math.max(a.hi, b.hi)
            a.c = a.c + b.c
         end,
         result = function(a) if a.c > 0 then return a.hi - a.lo end end }]] },
}

local KINDS = { "tumbling", "tumbling", "hopping", "hopping", "cumulate", "session",
   "rolling", "running", "none" }

local function add_sizes(pick, kind, every, add)
   if kind == "session" then
      add("gap", one_of(pick, { 1, 3, 8, 20 }))
   elseif kind == "running" then
      add("retain", one_of(pick, { 5, 20, 60 }))
   elseif kind == "tumbling" then
      add("size", every)
   else
      -- now and then of many panes, which are merged in groups of neighbours
      local size = every * (chance(pick, 25) and pick(5, 40) or pick(1, 4))
      if kind == "hopping" and every > 2 then size = size + pick(0, 2) end
      add("size", size)
      add("every", every)
   end
end

local function window_text(pick, kind, name)
   local every = one_of(pick, { 1, 3, 5, 10, 20 })
   local parts = {}
   local function add(option, value)
      parts[#parts + 1] = ("%s = %d"):format(option, value)
   end
   if kind == "running" and chance(pick, 40) then
      return 'sluice.running { retain = "forever" }'
   end
   add_sizes(pick, kind, every, add)
   if kind ~= "session" and kind ~= "running" and chance(pick, 40) then
      add("offset", pick(-15, 15))
   end
   if kind ~= "running" and chance(pick, 40) then add("allowed_lateness", pick(1, 30)) end
   if name then parts[#parts + 1] = ("name = %q"):format(name) end
   return ("sluice.%s { %s }"):format(kind, table.concat(parts, ", "))
end

local MODES = {
   rolling = { "update" }, running = { "update", "update", "complete" },
   none = { "complete" },
}

local function sink_text(pick, kind, forever)
   local mode = one_of(pick, MODES[kind] or { "append", "update", "update", "complete" })
   local parts = { ('topic = "out", mode = %q'):format(mode) }
   if mode == "update" and kind ~= "rolling" and not forever and chance(pick, 40) then
      parts[#parts + 1] = "final = true"
   end
   if mode == "update" and chance(pick, 40) then
      parts[#parts + 1] = "only_if_changed = true"
   end
   return table.concat(parts, ", ")
end

local CLOSES = { tumbling = true, hopping = true, cumulate = true, session = true }

local function aggregates_text(pick, kind)
   local parts, known = {}, aggregate.constructors
   local may_order = CLOSES[kind] and not user.OPTIONS.order.later
   for i = 1, pick(1, 5) do
      local one = one_of(pick, AGGREGATES)
      if known[one[1]] or one[1] == "order" and may_order then
         parts[#parts + 1] = ("a%d = %s"):format(i, one[2])
      end
   end
   parts[#parts + 1] = "rows = sluice.count()"
   return table.concat(parts, ",\n      ")
end

local FLAT_MAP = [[:flat_map({ %s },
      function(r, emit)
         for i = 1, (r.n or 0) %% 3 do
            emit { k = r.k, g = i, n = r.n, d = r.d, v = r.v, t = r.t }
         end
      end)]]

local function is_there(method) return not later.METHODS[method] end

local function distinct_text(pick)
   local within = one_of(pick, { '"forever"', "5", "30", "200" })
   return (":distinct { %s, within = %s }"):format(
      one_of(pick, { '"k"', '"n"', '"k", "n"' }), within)
end

local function stages_text(pick)
   local lines = {}
   if chance(pick, 40) then
      lines[#lines + 1] = (":filter(%s)"):format(one_of(pick, FILTERS))
   end
   if is_there "flat_map" and chance(pick, 20) then
      lines[#lines + 1] = FLAT_MAP:format(FIELDS)
   end
   if is_there "distinct" and chance(pick, 20) then
      lines[#lines + 1] = distinct_text(pick)
   end
   if chance(pick, 40) then
      lines[#lines + 1] = ":derive { "
         .. "w = sluice.double(function(r) return (r.d or 0) * 2 + (r.n or 1) end), "
         .. "n2 = sluice.int64(function(r) return r.n and r.n * 3 end) }"
      if chance(pick, 30) then
         lines[#lines + 1] = ":filter(function(r) return r.w ~= 3 end)"
      end
   end
   return lines
end

local KEYS = { '"k"', '"k"', '"g"', '{ "g", "k" }', '{ "k", "v" }',
   '{ "k", h = sluice.int64(function(r) return r.n and math.floor(r.n / 3) end) }' }

local function kinds_there()
   local list = {}
   for _, kind in ipairs(KINDS) do
      if kind == "none" or window.OPTIONS[kind] then list[#list + 1] = kind end
   end
   return list
end

local CLOSING = { "tumbling", "hopping", "cumulate", "session" }

local function add(lines, format, ...)
   lines[#lines + 1] = format:format(...)
end

-- What stands behind the last aggregation.
local function add_end(pick, lines, kind, forever)
   if kind ~= "none" and not forever then
      add(lines, ':late_to(sluice.kafka { topic = "late" })')
   end
   if chance(pick, 30) then add(lines, ":filter(function(r) return r.rows ~= 2 end)") end
   if chance(pick, 20) then
      add(lines, ":derive { twice = sluice.int64(function(r) return r.rows * 2 end) }")
   end
   add(lines, ":to(sluice.kafka { %s })", sink_text(pick, kind, forever))
end

-- Windows over windows: a second aggregation takes the results of the first.
local function add_second(pick, lines)
   local kind = one_of(pick, { "tumbling", "hopping", "session" })
   if chance(pick, 70) then add(lines, ':group_by "k"') end
   add(lines, ":window(%s)", window_text(pick, kind, "second"))
   add(lines, ':aggregate { total = sluice.sum "rows", rows = sluice.count(), '
      .. 'most = sluice.max "rows", from = sluice.min "window_start" }')
   return kind
end

local function aggregation(pick)
   local has_second = is_there "union" and chance(pick, 25)
   local kind = one_of(pick, has_second and CLOSING or kinds_there())
   local lines, window_line = {}, ""
   local key = has_second and '"k"' or one_of(pick, KEYS)
   if has_second or chance(pick, 85) then add(lines, ":group_by(%s)", key) end
   if kind ~= "none" then
      window_line = (":window(%s)"):format(window_text(pick, kind,
         has_second and "first"))
      lines[#lines + 1] = window_line
   end
   add(lines, ":aggregate {\n      %s }", aggregates_text(pick, kind))
   if has_second then
      if chance(pick, 30) then
         add(lines, ":filter(function(r) return r.rows ~= 3 end)")
      end
      kind = add_second(pick, lines)
   end
   add_end(pick, lines, kind, window_line:find("forever", 1, true) ~= nil)
   return lines
end

local function time_text(pick)
   local time = { ("delay = %d"):format(one_of(pick, { 0, 0, 5, 20, 60 })) }
   if chance(pick, 50) then time[2] = ("idle = %d"):format(pick(1, 60)) end
   if chance(pick, 20) then time[#time + 1] = 'watermark = "max"' end
   return table.concat(time, ", ")
end

local SOURCE = [[local %s = sluice.kafka { topics = %q }
   :json { %s }
   :event_time("t", { %s })
]]

--- The text of a script: sources "in" and perhaps "in2", sinks "out", "late", perhaps
--- "copy"; and the topics of the sources.
function random.script(pick)
   local topics = { "in" }
   local heads = SOURCE:format("rows", "in", FIELDS, time_text(pick))
   local lines = {}
   if is_there "union" and chance(pick, 25) then
      topics[2] = "in2"
      heads = heads .. SOURCE:format("more", "in2", FIELDS, time_text(pick))
      if chance(pick, 30) then add(lines, ":filter(%s)", one_of(pick, FILTERS)) end
      add(lines, ":union(more)")
   end
   for _, line in ipairs(stages_text(pick)) do lines[#lines + 1] = line end
   for _, line in ipairs(aggregation(pick)) do lines[#lines + 1] = line end
   local copy = ""
   if chance(pick, 30) then
      copy = ([[,
   rows:filter(%s):select { "n", value = "v", "t" }:to(sluice.kafka { topic = "copy" })]])
         :format(one_of(pick, FILTERS))
   end
   return ([[local sluice = require "sluice"
%sreturn sluice.pipeline { name = "random", checkpoint = "none",
   rows
   %s%s,
}
]]):format(heads, table.concat(lines, "\n   "), copy), topics
end

local VALUES = { "", "x", "é\"\\", ("long"):rep(20), "y" }

local function row(pick, at)
   local function maybe(value) if not chance(pick, 15) then return value end end
   return {
      k = maybe("k" .. pick(0, 3)), g = maybe(pick(0, 3)), n = maybe(pick(-3, 9)),
      d = maybe(pick(0, 40) / 4), v = maybe(one_of(pick, VALUES)), t = at,
   }
end

--- Batches of records: `{ advance = ms, { topic =, partition =, row = | false }, … }`.
function random.batches(pick, topics)
   local partitions, batches, now = pick(1, 3), {}, pick(-50, 50)
   local disorder = one_of(pick, { 0, 10, 60 })
   for b = 1, pick(2, 6) do
      local batch = { advance = one_of(pick, { 0, 0, 10, 40 }) }
      for i = 1, chance(pick, 10) and 0 or pick(1, 12) do
         now = now + pick(0, 6)
         batch[i] = { topic = one_of(pick, topics), partition = pick(0, partitions - 1),
            row = not chance(pick, 4) and row(pick, now - pick(0, disorder)) }
      end
      batches[b] = batch
   end
   return batches
end

return random
