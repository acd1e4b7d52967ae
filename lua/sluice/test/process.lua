--- A pipeline under test whose process stops, or dies, and another one that goes on.
-- @module sluice.test.process

local host = require "sluice.test.host"
local nearest = require "sluice.nearest"
local settings = require "sluice.test.settings"
local tables = require "sluice.tables"

local process = {}

local UNMET = "it was to die at `%s`, and no batch has run since"

local Driver = {}

-- Drivers that were told to die and have run no batch since: step and place of that.
local waiting = {}

--- Its methods for specs.
process.methods = Driver

--- Open it again from its checkpoint.
-- @tparam sluice.test.driver self
-- @tparam integer level of the error
-- @raise when it cannot go on
function process.reopen(self, level)
   local done, problem = host.restart(self.opened, self.handle)
   if done then return end
   self.ended = "failed: " .. problem
   error(problem, level + 1)
end

--- A batch runs: it dies, or says that it did not come there.
-- @tparam sluice.test.driver self
function process.begins(self)
   waiting[self] = nil
end

--- What is wrong with a case that has ended: it let something die that never ran.
-- @treturn ?string
function process.unmet()
   local _, one = next(waiting)
   waiting = {}
   return one and one.place .. ": " .. UNMET:format(one.step)
end

local function check_met(self, method)
   if waiting[self] then
      error((":%s: " .. UNMET):format(method, waiting[self].step), 3)
   end
end

--- Stop between two batches and go on as a new process does: from the checkpoint, in the
-- same topics, by the same clock. What was fed and not read is still there; counters
-- begin anew, as does the idle clock. The checkpoint is in memory, whatever the script's
-- is. `{ script = PATH }`: another text of the script goes on.
-- @tparam ?table given `workers`: so many from now on; `script`: another text goes on,
--  by its path, or a pipeline
-- @treturn Driver itself
-- @raise what `sluice run` would say: what was flushed takes nothing more, what is stored
--  does not fit the script
function Driver:restart(given)
   self:check_open "restart"
   check_met(self, "restart")
   given = given or {}
   for name in pairs(given) do
      if name ~= "workers" and name ~= "script" then
         error((":restart: there is no option `%s`: it takes `workers` and `script`")
            :format(tostring(name)), 2)
      end
   end
   local merged, of = tables.copy(self.given), given.script or self.of
   merged.workers = given.workers or merged.workers
   local wrong, read = settings.read(of, merged)
   if wrong then error(wrong, 2) end
   self.given, self.opened, self.of = merged, read, of
   process.reopen(self, 2)
   self:follow()
   return self
end

--- Let another text of the script take over between two batches, as `sluice run` does
-- when the file was saved: state, positions and what is open stay. If the next batch
-- fails under it, the old one is back and does that batch.
-- @tparam string|sluice.pipeline.Pipeline of path of the script, or a pipeline
-- @treturn Driver itself
-- @raise when it is refused, with the reason: the old one goes on
-- @usage p:batch(rows):reload "scripts/ride_counts_2.lua":batch(more)
function Driver:reload(of)
   self:check_open "reload"
   check_met(self, "reload")
   local wrong, read = settings.read(of, self.given)
   if wrong then error(wrong, 2) end
   local done, problem = host.reload(read, self.handle)
   if not done then error(problem, 2) end
   self.of, self.opened = of, read
   self:follow()
   return self
end

--- Let the next batch die at a step (`test.steps`), as by kill -9; the pipeline goes on
-- from its checkpoint, and does again what was not committed.
-- @tparam string step
-- @treturn Driver itself
-- @raise later, when the batch does not come there; when no batch runs at all
-- @usage p:crash "committed":batch(rows)
function Driver:crash(step)
   self:check_open "crash"
   check_met(self, "crash")
   for _, known in ipairs(host.steps) do
      if known == step then
         local info = debug.getinfo(2, "Sl")
         waiting[self] = { step = step,
            place = ("%s:%d"):format(info.short_src, info.currentline) }
         host.crash(self.handle, step)
         return self
      end
   end
   error((":crash: a batch has no step `%s`%s; its steps are %s"):format(tostring(step),
      nearest.hint(tostring(step), host.steps), table.concat(host.steps, ", ")), 2)
end

return process
