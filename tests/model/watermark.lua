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

-- The lowest (rule max: highest) high that counts; nil: there is none yet.
function Source:lowest(now_ms)
   local found, waits, any_live = nil, false, false
   local pick = self.time.rule == "max" and math.max or math.min
   for _, p in pairs(self.partitions) do
      if self.time.rule == "max" then
         if p.high then found = math.max(found or p.high, p.high) end
      elseif not self:is_idle(p, now_ms) then
         any_live = true
         if p.high then found = pick(found or p.high, p.high) else waits = true end
      end
   end
   if self.time.rule == "max" then return found end
   if waits then return nil end
   if any_live then return found end
   if self.now then return nil end -- all idle: it stands still
   for _, p in pairs(self.partitions) do
      if p.high then found = math.min(found or p.high, p.high) end
   end
   return found
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

return watermark
