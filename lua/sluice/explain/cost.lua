--- What an aggregation keeps: bytes a group and pane from the real size of its state,
-- panes and windows that live at a time.
-- @module sluice.explain.cost

local driver_state = require "sluice.driver.state"
local units = require "sluice.units"
local window = require "sluice.window"

local cost = {}

-- state/README.md: header of an entry; a slot of the index is 8 bytes, and half of them
-- are in use on the average between two growths.
local HEADER, SLOTS = 32, 16
-- A text in a key: its length is not known, a short name or id is assumed.
local TEXT = 16
local FIXED = 8

local function padded(bytes)
   return math.ceil(bytes / 8) * 8
end

-- Bytes of a key as runtime/operator/key.c writes it.
local function key_bytes(group)
   local bytes, has_text = 0, false
   for i, column in ipairs(group) do
      local is_fixed = column.type ~= "string" and column.type ~= "bytes"
      has_text = has_text or not is_fixed
      bytes = bytes + 1 + (is_fixed and FIXED or TEXT + (i < #group and 4 or 0))
   end
   return padded(bytes), has_text
end

--- How many windows of a key are open at a time, about.
-- @tparam table of window of the graph
-- @tparam integer delay_ms of the watermark
-- @treturn integer
-- @usage cost.live_windows({ size_ms = 60000, every_ms = 30000, allowed_lateness_ms = 0
--    }, 600000) --> 22
function cost.live_windows(of, delay_ms)
   local held = delay_ms + of.allowed_lateness_ms + of.size_ms
   return math.ceil(held / of.every_ms)
end

-- The same of panes, in which the state is kept.
local function live_panes(of, delay_ms)
   local held = delay_ms + of.allowed_lateness_ms + of.size_ms
   return math.ceil(held / math.max(1, of.pane_ms))
end

-- Parts of a state beside its struct: `bound` of the aggregate says what they come to at
-- most, else it is one value (a text, a list).
local function bounds_of(state, items)
   local bounds = {}
   for k, item in ipairs(items) do
      local spec, has_part = item.spec, false
      for _, member in ipairs(spec.members or {}) do
         has_part = has_part or member.type == "sl_part"
      end
      if has_part and not state:is_shared(k) then
         bounds[#bounds + 1] = { name = item.name, most = spec.bound or "its value" }
      end
   end
   return bounds
end

-- Sources in front of steps.
local function sources_of(graph, steps)
   local list = {}
   for _, index in ipairs(steps or {}) do
      local input = graph.steps[index].input
      if input.kind == "source" then list[#list + 1] = input.index end
   end
   return list
end

--- The source by whose event time an aggregation or distinct goes: the one with the
-- longest delay.
-- @tparam table graph
-- @tparam table stage aggregate or distinct of the graph
-- @treturn ?table source
function cost.source_of(graph, stage)
   local found
   local function delay_of(source) return source.time and source.time.delay_ms or -1 end
   for _, index in ipairs(stage.sources or sources_of(graph, stage.input)) do
      local source = graph.sources[index]
      if not found or delay_of(source) > delay_of(found) then found = source end
   end
   return found
end

--- What an aggregation costs.
-- @tparam table graph
-- @tparam table aggregate of the graph
-- @treturn table `{ state_bytes =, entry_bytes = with header, index and key, key_is_guess
--   = flag, windows = live ones of a key or nil: no end, panes =, key_bytes = of all its
--   panes or nil, closes_after_ms = or nil, bounds = { { name =, most = }, … } }`
function cost.of(graph, aggregate)
   local state = driver_state.layout(aggregate.items,
      window.keeps_span(aggregate.window))
   local keys, is_guess = key_bytes(aggregate.group)
   local found = { state_bytes = state.size, key_is_guess = is_guess,
      entry_bytes = HEADER + state.size + keys + SLOTS,
      bounds = bounds_of(state, aggregate.items) }
   local of, source = aggregate.window, cost.source_of(graph, aggregate)
   local time = source and source.time
   if not time or not time.delay_ms or aggregate.mode == "complete"
      or (of.every_ms or 0) == 0 or (of.size_ms or 0) <= 0 then
      return found
   end
   found.windows = cost.live_windows(of, time.delay_ms)
   found.panes = live_panes(of, time.delay_ms)
   found.key_bytes = found.panes * found.entry_bytes
   found.delay_ms = time.delay_ms
   found.closes_after_ms = of.size_ms + time.delay_ms + of.allowed_lateness_ms
   return found
end

local function say_bytes(bytes)
   if bytes < 10240 then return ("%d bytes"):format(bytes) end
   if bytes < 10240 * 1024 then return ("%.0f KiB"):format(bytes / 1024) end
   return ("%.0f MiB"):format(bytes / 1048576)
end

-- What stays how long.
local function say_live(found, of, mode)
   if not found.windows then
      return window.has_bounds(of.kind) and mode == "complete"
         and "no window is ever dropped" or nil
   end
   if of.kind == "session" then
      return ("a pane a gap: a session holds one for each %s it lasts, until %s after "
         .. "its last "
         .. "row"):format(units.say(of.size_ms), units.say(found.closes_after_ms))
   end
   return ("about %d window%s live per key at %s and %s, %s a key"):format(found.windows,
      found.windows == 1 and "" or "s", units.say(found.delay_ms), units.say(of.every_ms),
      say_bytes(found.key_bytes))
end

--- The same in words.
-- @tparam table graph
-- @tparam table aggregate of the graph
-- @treturn {string,...} sentences
function cost.say(graph, aggregate)
   local found, of = cost.of(graph, aggregate), aggregate.window
   local entry = ("%d bytes a key%s: %d of state, the rest header, index and key%s")
      :format(found.entry_bytes, found.panes and " and pane" or "", found.state_bytes,
      found.key_is_guess and (" (texts taken as %d bytes)"):format(TEXT) or "")
   local lines = { say_live(found, of, aggregate.mode) }
   lines[#lines + 1] = entry
   for _, bound in ipairs(found.bounds) do
      lines[#lines + 1] = ("beside it %s at most for `%s`"):format(bound.most, bound.name)
   end
   return lines
end

--- What a distinct keeps, in words.
-- @tparam table graph
-- @tparam table distinct of the graph
-- @tparam table output that feeds it, with the key's columns
-- @treturn {string,...} sentences
function cost.say_distinct(graph, distinct, output)
   local keys, is_guess = key_bytes(output.columns)
   local lines = { ("%d bytes a key%s"):format(HEADER + FIXED + keys + SLOTS,
      is_guess and (" (texts taken as %d bytes)"):format(TEXT) or "") }
   local source = cost.source_of(graph, distinct)
   local delay_ms = source and source.time and source.time.delay_ms
   if distinct.within_ms and delay_ms then
      lines[#lines + 1] = ("a key stays %s: within + delay"):format(
         units.say(distinct.within_ms + delay_ms))
   end
   return lines
end

return cost
