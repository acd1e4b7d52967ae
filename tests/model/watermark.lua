--- Event time of one source by semantics, section 3: highs of partitions, idleness.
local watermark = {}

local Source = {}
Source.__index = Source

--- `time`: of the graph's source (`delay_ms`, `idle_ms`, `rule`), or nil.
function watermark.new(time)
   return setmetatable({ time = time, partitions = {}, now = nil, ended = false }, Source)
end

function Source:discover(number, now_ms)
   if not self.partitions[number] then
      self.partitions[number] = { moved_ms = now_ms }
   end
end

--- Another process goes on: its idle clock starts anew.
function Source:restart(now_ms)
   for _, p in pairs(self.partitions) do p.moved_ms = now_ms end
end

--- A good record of a partition, in a batch at `now_ms`.
function Source:see(number, time, now_ms)
   local p = self.partitions[number]
   p.high = math.max(p.high or time, time)
   p.moved_ms = now_ms
end

function Source:is_idle(p, now_ms)
   local idle = self.time.idle_ms
   return idle >= 0 and now_ms - p.moved_ms >= idle
end

-- The lowest or highest of the highs of partitions that `counts` takes; whether one of
-- these has none yet; whether there was one at all.
local function survey(partitions, pick, counts)
   local found, waits, any = nil, false, false
   for _, p in pairs(partitions) do
      if counts(p) then
         any = true
         if p.high then found = pick(found or p.high, p.high) else waits = true end
      end
   end
   return found, waits, any
end

local function has_high(p) return p.high ~= nil end

-- The high that the watermark goes by; nil: none yet, or it stands still.
function Source:lowest(now_ms)
   if self.time.rule == "max" then
      return (survey(self.partitions, math.max, has_high))
   end
   local found, waits, any_live = survey(self.partitions, math.min, function(p)
      return not self:is_idle(p, now_ms)
   end)
   if waits then return nil end
   if any_live then return found end
   if self.now then return nil end -- all idle: it stands still
   return (survey(self.partitions, math.min, has_high))
end

--- The watermark that a batch at `now_ms` ends with: it never goes back.
function Source:preview(now_ms)
   if not self.time or not self.time.delay_ms or self.ended then return self.now end
   local low = self:lowest(now_ms)
   return low and math.max(self.now or -math.huge, low - self.time.delay_ms) or self.now
end

--- The batch ends.
function Source:settle(now_ms)
   self.now = self:preview(now_ms)
end

--- Whether all partitions are idle: other inputs do not wait for it.
function Source:all_idle(now_ms)
   if not self.time or not self.time.delay_ms then return false end
   for _, p in pairs(self.partitions) do
      if not self:is_idle(p, now_ms) then return false end
   end
   return next(self.partitions) ~= nil
end

function Source:finish()
   self.ended, self.now = true, math.huge
end

local function is_waited_for(input)
   return not input.is_left_out and input.time ~= math.huge
end

-- The lowest time of the inputs that count; nil: one has none yet, or none counts.
local function lowest_of(inputs)
   local found
   for _, input in ipairs(inputs) do
      if is_waited_for(input) then
         if not input.time then return nil end
         found = math.min(found or input.time, input.time)
      end
   end
   return found
end

local function all(inputs, holds)
   for _, input in ipairs(inputs) do
      if not holds(input) then return false end
   end
   return true
end

--- Where several inputs `{ time =, is_left_out = }` meet, `current` before: the same.
function watermark.combine(inputs, current)
   local time
   local has_ended = all(inputs, function(input) return input.time == math.huge end)
   if #inputs == 1 or has_ended then
      time = inputs[1].time
   else
      time = lowest_of(inputs)
   end
   return { time = time and math.max(time, current or -math.huge) or current,
      is_left_out = all(inputs, function(input) return input.is_left_out end) }
end

return watermark
