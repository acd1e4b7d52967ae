--- Random pipelines, as text of a script, and random records for them.
local aggregate = require "sluice.aggregate"
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
   "function(r) return r.g == nil or r.g %% 2 == 0 end",
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

local function window_text(pick, kind)
   local every = one_of(pick, { 1, 3, 5, 10, 20 })
   local parts = {}
   local function add(name, value) parts[#parts + 1] = ("%s = %d"):format(name, value) end
   if kind == "session" then
      add("gap", one_of(pick, { 1, 3, 8, 20 }))
   elseif kind == "running" then
      if chance(pick, 40) then return 'sluice.running { retain = "forever" }' end
      add("retain", one_of(pick, { 5, 20, 60 }))
   elseif kind == "tumbling" then
      add("size", every)
   else
      local size = every * pick(1, 4)
      if kind == "hopping" and every > 2 then size = size + pick(0, 2) end
      add("size", size)
      add("every", every)
   end
   if kind ~= "session" and kind ~= "running" and chance(pick, 40) then
      add("offset", pick(-15, 15))
   end
   if kind ~= "running" and chance(pick, 40) then add("allowed_lateness", pick(1, 30)) end
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

local function aggregates_text(pick)
   local parts, known = {}, aggregate.constructors
   for i = 1, pick(1, 5) do
      local one = one_of(pick, AGGREGATES)
      if known[one[1]] then parts[#parts + 1] = ("a%d = %s"):format(i, one[2]) end
   end
   parts[#parts + 1] = "rows = sluice.count()"
   return table.concat(parts, ",\n      ")
end

local function stages_text(pick)
   local lines = {}
   if chance(pick, 40) then
      lines[#lines + 1] = (":filter(%s)"):format(one_of(pick, FILTERS))
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

local function aggregation(pick)
   local kind = one_of(pick, kinds_there())
   local lines = {}
   if chance(pick, 85) then
      lines[#lines + 1] = (":group_by(%s)"):format(one_of(pick, KEYS))
   end
   local window_line
   if kind ~= "none" then
      window_line = (":window(%s)"):format(window_text(pick, kind))
      lines[#lines + 1] = window_line
   end
   lines[#lines + 1] = (":aggregate {\n      %s }"):format(aggregates_text(pick))
   local forever = window_line and window_line:find("forever", 1, true)
   if kind ~= "none" and not forever then
      lines[#lines + 1] = ':late_to(sluice.kafka { topic = "late" })'
   end
   if chance(pick, 30) then
      lines[#lines + 1] = ":filter(function(r) return r.rows ~= 2 end)"
   end
   if chance(pick, 20) then
      lines[#lines + 1] = ":derive { twice = sluice.int64(function(r) return r.rows * 2 "
         .. "end) }"
   end
   lines[#lines + 1] = (":to(sluice.kafka { %s })"):format(sink_text(pick, kind, forever))
   return lines
end

--- The text of a script: source "in", sinks "out", "late", perhaps "copy".
function random.script(pick)
   local time = { ("delay = %d"):format(one_of(pick, { 0, 0, 5, 20, 60 })) }
   if chance(pick, 50) then time[2] = ("idle = %d"):format(pick(1, 60)) end
   if chance(pick, 20) then time[#time + 1] = 'watermark = "max"' end
   local lines = stages_text(pick)
   for _, line in ipairs(aggregation(pick)) do lines[#lines + 1] = line end
   local copy = ""
   if chance(pick, 30) then
      copy = ([[,
   rows:filter(%s):select { "n", value = "v", "t" }:to(sluice.kafka { topic = "copy" })]])
         :format(one_of(pick, FILTERS))
   end
   return ([[local sluice = require "sluice"
local rows = sluice.kafka { topics = "in" }
   :json { %s }
   :event_time("t", { %s })
return sluice.pipeline { name = "random", checkpoint = "none",
   rows
   %s%s,
}
]]):format(FIELDS, table.concat(time, ", "), table.concat(lines, "\n   "), copy)
      :gsub("%%%%", "%%")
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
function random.batches(pick)
   local partitions, batches, now = pick(1, 3), {}, pick(-50, 50)
   local disorder = one_of(pick, { 0, 10, 60 })
   for b = 1, pick(2, 6) do
      local batch = { advance = one_of(pick, { 0, 0, 10, 40 }) }
      for i = 1, chance(pick, 10) and 0 or pick(1, 12) do
         now = now + pick(0, 6)
         batch[i] = { topic = "in", partition = pick(0, partitions - 1),
            row = not chance(pick, 4) and row(pick, now - pick(0, disorder)) }
      end
      batches[b] = batch
   end
   return batches
end

return random
