--- What an aggregation keeps: bytes a group and pane from the real size of its state,
-- panes and windows that live at a time.
-- @module sluice.explain.cost

local driver_state = require "sluice.driver.state"
local units = require "sluice.units"

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
-- @tparam table window of the graph
-- @tparam integer delay_ms of the watermark
-- @treturn integer
-- @usage cost.live_windows({ size_ms = 60000, every_ms = 30000, allowed_lateness_ms = 0
--    }, 600000) --> 22
function cost.live_windows(window, delay_ms)
   local held = delay_ms + window.allowed_lateness_ms + window.size_ms
   return math.ceil(held / window.every_ms)
end

-- The same of panes, in which the state is kept.
local function live_panes(window, delay_ms)
   local held = delay_ms + window.allowed_lateness_ms + window.size_ms
   return math.ceil(held / math.max(1, window.pane_ms))
end

-- What parts of a state beside its struct can come to, as their aggregates say it.
local function bounds_of(items)
   local bounds = {}
   for _, item in ipairs(items) do
      local bound = item.spec.bound
      if bound then
         bounds[#bounds + 1] = { name = item.name, text = bound }
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
--   panes or nil, closes_after_ms = or nil, bounds = { { name =, text = }, … } }`
function cost.of(graph, aggregate)
   local state = driver_state.layout(aggregate.items)
   local keys, is_guess = key_bytes(aggregate.group)
   local found = { state_bytes = state.size, key_is_guess = is_guess,
      entry_bytes = HEADER + state.size + keys + SLOTS,
      bounds = bounds_of(aggregate.items) }
   local window, source = aggregate.window, cost.source_of(graph, aggregate)
   local time = source and source.time
   if not time or not time.delay_ms or aggregate.mode == "complete"
      or (window.every_ms or 0) == 0 or (window.size_ms or 0) == 0 then
      return found
   end
   found.windows = cost.live_windows(window, time.delay_ms)
   found.panes = live_panes(window, time.delay_ms)
   found.key_bytes = found.panes * found.entry_bytes
   found.delay_ms = time.delay_ms
   found.closes_after_ms = window.size_ms + time.delay_ms + window.allowed_lateness_ms
   return found
end

local function say_bytes(bytes)
   if bytes < 10240 then return ("%d bytes"):format(bytes) end
   if bytes < 10240 * 1024 then return ("%.0f KiB"):format(bytes / 1024) end
   return ("%.0f MiB"):format(bytes / 1048576)
end

--- The same in words.
-- @tparam table graph
-- @tparam table aggregate of the graph
-- @treturn {string,...} sentences
function cost.say(graph, aggregate)
   local found, window = cost.of(graph, aggregate), aggregate.window
   local entry = ("%d bytes a key%s: %d of state, the rest header, index and key%s")
      :format(found.entry_bytes, found.panes and " and pane" or "", found.state_bytes,
      found.key_is_guess and (" (texts taken as %d bytes)"):format(TEXT) or "")
   local lines = { entry }
   if found.windows then
      local live = "about %d window%s live per key at %s and %s, %s a key"
      table.insert(lines, 1, live:format(found.windows, found.windows == 1 and "" or "s",
         units.say(found.delay_ms), units.say(window.every_ms),
         say_bytes(found.key_bytes)))
   elseif window.kind ~= "none" and aggregate.mode == "complete" then
      table.insert(lines, 1, "no window is ever dropped")
   end
   for _, bound in ipairs(found.bounds) do
      lines[#lines + 1] = ("%s beside it: %s"):format(bound.name, bound.text)
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
