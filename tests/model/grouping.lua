--- One `:aggregate` node at run time: keeps every row of every open group, and computes
--- what comes out of a batch anew (semantics, sections 4 and 5).
local aggregates = require "tests.model.aggregates"
local compare = require "sluice.test.compare"
local windows = require "tests.model.windows"

local grouping = {}

local Stage = {}
Stage.__index = Stage

--- `options`: `mode`, `final`, `only_if_changed` of its sinks.
function grouping.new(node, options)
   return setmetatable({
      node = node, window = windows.read(node.window_node), keys = node.keys,
      options = options, groups = {}, late = {}, watermark = nil,
   }, Stage)
end

local function text_of(values)
   local parts = {}
   for i = 1, values.n do
      local value = values[i]
      parts[i] = value == nil and "-" or type(value) .. ":" .. #tostring(value) .. ":"
         .. tostring(value)
   end
   return table.concat(parts, "|")
end

grouping.text_of = text_of

function Stage:key_of(row)
   local key = { n = #self.keys }
   for i, name in ipairs(self.keys) do key[i] = row[name] end
   return key
end

function Stage:is_closed(stop, watermark)
   if self.options.mode == "complete" or not watermark then return false end
   return stop + self.window.lateness <= watermark
end

-- The entry of a group and window, made if it is new.
function Stage:entry(key, bounds)
   local id = text_of(key) .. "@" .. (bounds.start or "") .. "@" .. (bounds.stop or "")
   local found = self.groups[id]
   if not found then
      found = { id = id, key = key, start = bounds.start, stop = bounds.stop, rows = {} }
      self.groups[id] = found
   end
   return found
end

local function touch(entry, row)
   entry.rows[#entry.rows + 1] = row
   entry.touched = true
end

-- Windows that a row is too late for, and those it gets into.
function Stage:add_to_windows(key, row)
   local taken = false
   for _, bounds in ipairs(windows.of(self.window, row.time)) do
      if bounds.stop and self:is_closed(bounds.stop, self.watermark) then
         self:note_late(row, bounds.start, bounds.stop)
      else
         touch(self:entry(key, bounds), row)
         taken = true
      end
   end
   return taken
end

function Stage:note_late(row, start, stop)
   self.late[#self.late + 1] = { row = row, window_start = start, window_end = stop,
      watermark = self.watermark }
end

-- A row of a session: by its own window late or not, then joined with all it touches.
function Stage:add_to_session(key, row)
   local start, stop = row.time, row.time + self.window.gap
   if self:is_closed(stop, self.watermark) then
      self:note_late(row, start, stop)
      return false
   end
   local text, rows, gone = text_of(key), { row }, {}
   for id, entry in pairs(self.groups) do
      if text_of(entry.key) == text and entry.start <= stop and start <= entry.stop then
         gone[#gone + 1] = entry
         self.groups[id] = nil
      end
   end
   local lo, hi = start, stop
   table.sort(gone, function(a, b) return a.start < b.start end)
   for _, entry in ipairs(gone) do
      lo, hi = math.min(lo, entry.start), math.max(hi, entry.stop)
      for _, one in ipairs(entry.rows) do rows[#rows + 1] = one end
   end
   table.sort(rows, function(a, b) return a.number < b.number end)
   local made = self:entry(key, { start = lo, stop = hi })
   made.rows, made.touched = rows, true
   self:inherit(made, gone)
   return true
end

-- What was sent of sessions that are gone: under the same start it goes on, others are
-- taken back.
function Stage:inherit(made, gone)
   for _, entry in ipairs(gone) do
      if entry.sent and entry.start == made.start then
         made.sent = entry.sent
      elseif entry.sent then
         self.taken_back[#self.taken_back + 1] = entry.sent
      end
      for _, sent in ipairs(entry.older or {}) do
         self.taken_back[#self.taken_back + 1] = sent
      end
   end
end

function Stage:add_to_rolling(key, row)
   local w = self.window
   local pane = windows.floor_to(row.time, w.every, w.offset)
   if self.watermark and pane + w.size + w.lateness <= self.watermark then
      self:note_late(row, pane, pane + w.size)
      return false
   end
   local entry = self:entry(key, {})
   row = setmetatable({ pane = pane }, { __index = row })
   touch(entry, row)
   entry.stop = math.max(entry.stop or -math.huge, pane + w.every)
   entry.start = entry.stop - w.size
   return true
end

function Stage:add_to_running(key, row)
   local retain = self.window.retain
   local may_be_late = retain > 0 and self.watermark and self.options.mode ~= "complete"
   if may_be_late and row.time + retain <= self.watermark then
      self:note_late(row, nil, nil)
      return false
   end
   local entry = self:entry(key, {})
   touch(entry, row)
   entry.last = math.max(entry.last or row.time, row.time)
   return true
end

--- A batch begins, judged by `watermark` (nil: none yet).
function Stage:begin(watermark)
   self.watermark, self.late, self.taken_back, self.reached = watermark, {}, {}, false
end

--- Add a row `{ values =, time =, place =, number = }`; false: it was late for all.
function Stage:add(row)
   self.reached = true
   local key = self:key_of(row.values)
   if self.window.kind == "session" then return self:add_to_session(key, row) end
   if self.window.kind == "rolling" then return self:add_to_rolling(key, row) end
   if self.window.kind == "running" then return self:add_to_running(key, row) end
   return self:add_to_windows(key, row)
end

local function rows_in(entry)
   if not entry.rows[1] or not entry.rows[1].pane then return entry.rows end
   local found = {}
   for _, row in ipairs(entry.rows) do
      local is_in = row.pane >= entry.start and row.pane < entry.stop
      if is_in then found[#found + 1] = row end
   end
   return found
end

-- The result row of a group.
function Stage:result(entry)
   local values = {}
   for i, name in ipairs(self.keys) do values[name] = entry.key[i] end
   values.window_start, values.window_end = entry.start, entry.start and entry.stop
   local bounds = entry.start and { start = entry.start, stop = entry.stop } or nil
   local results = aggregates.results(self.node.items, rows_in(entry), bounds)
   for name, value in pairs(results) do values[name] = value end
   return values
end

-- What of a row stands in its key.
function Stage:key_columns(entry)
   local key, kind = {}, self.window.kind
   for i, name in ipairs(self.keys) do key[name] = entry.key[i] end
   if entry.start and kind ~= "rolling" then key.window_start = entry.start end
   if kind == "cumulate" then key.window_end = entry.stop end
   return key
end

function Stage:closes(entry, watermark)
   if self.options.mode == "complete" or not watermark then return false end
   local w = self.window
   if w.kind == "running" then
      return w.retain > 0 and entry.last + w.retain <= watermark
   end
   if w.kind == "rolling" then return false end
   return entry.stop ~= nil and self:is_closed(entry.stop, watermark)
end

-- Entries in the order of their windows.
function Stage:sorted()
   local list = {}
   for _, entry in pairs(self.groups) do list[#list + 1] = entry end
   table.sort(list, function(a, b)
      local first, second = a.stop or 0, b.stop or 0
      if first ~= second then return first < second end
      first, second = a.start or 0, b.start or 0
      if first ~= second then return first < second end
      return a.id < b.id
   end)
   return list
end

-- Whether an entry gives a row in this batch, and whether that is its last.
function Stage:gives(entry, closes)
   local mode = self.options.mode
   if mode == "append" then return closes, false end
   if mode == "complete" then return self.reached, false end
   if closes and self.options.final then return true, true end
   return entry.touched or false, false
end

-- Panes of a rolling window that nothing needs any more; nothing left: the group goes.
function Stage:drop_panes(entry, watermark)
   local w, kept = self.window, {}
   for _, row in ipairs(entry.rows) do
      if row.pane + w.size + w.lateness > watermark then kept[#kept + 1] = row end
   end
   entry.rows = kept
   if #kept == 0 then self.groups[entry.id] = nil end
end

--- Whether a row would come out, or something held would go, at `watermark`.
function Stage:is_due(watermark)
   local w = self.window
   for _, entry in pairs(self.groups) do
      if self:closes(entry, watermark) then return true end
      if w.kind == "rolling" and watermark then
         for _, row in ipairs(entry.rows) do
            if row.pane + w.size + w.lateness <= watermark then return true end
         end
      end
   end
   return false
end

--- The batch ends at `watermark`. `emit(values, key, final)` passes a result through what
--- stands behind, and says whether it was sent; `retract(key)` takes one back.
function Stage:finish(watermark, emit, retract)
   for _, sent in ipairs(self.taken_back) do retract(sent.key) end
   for _, entry in ipairs(self:sorted()) do
      local closes = self:closes(entry, watermark)
      local gives, is_last = self:gives(entry, closes)
      if gives then self:send(entry, is_last, emit, retract) end
      entry.touched = false
      if closes then
         self.groups[entry.id] = nil
      elseif self.window.kind == "rolling" and watermark then
         self:drop_panes(entry, watermark)
      end
   end
end

function Stage:send(entry, is_last, emit, retract)
   local values, key = self:result(entry), self:key_columns(entry)
   local before = entry.sent
   if self.options.only_if_changed and before and not is_last
      and compare.is_equal(before.values, values) then
      return
   end
   local final
   if self.options.final then final = is_last end
   if emit(values, key, final) then
      entry.sent = { values = values, key = key }
   elseif before then
      entry.sent = nil
      retract(key)
   end
end

return grouping
