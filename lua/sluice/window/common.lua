--- What kinds of window share: options, and the arithmetic of panes.
-- @module sluice.window.common

local options = require "sluice.options"
local risk = require "sluice.risk"
local units = require "sluice.units"

local common = {}

--- The option that all kinds take.
common.NAME = {
   name = {
      check = options.text(), doc = "of the state, where a pipeline has two aggregations",
      about = "access",
      risk = "state goes by it: renamed, it starts empty",
   },
}

--- Options of kinds that close.
common.LATENESS = options.merge(common.NAME, {
   allowed_lateness = { check = options.duration(0), default = 0,
      doc = "how long after its end, by the watermark, a window still takes rows",
      about = "memory",
      risk = risk.lateness,
   },
})

--- Where boundaries lie.
common.OFFSET = {
   offset = { check = options.duration(-units.LONGEST_MS), default = 0,
      doc = "moves the boundaries, which else start at the epoch",
      about = "correctness",
      risk = "readers must expect the same boundaries",
   },
}

--- Options of windows of a size.
common.SIZED = options.merge(options.merge(common.LATENESS, common.OFFSET), {
   size = { check = options.duration(1), doc = "how long a window is", needed = true,
      about = "latency",
      risk = "in mode append no result comes sooner than this",
   },
})

--- These, and `every`.
-- @tparam string doc of `every`
-- @tparam string text its risk
-- @treturn table options
function common.stepped(doc, text)
   return options.merge(common.SIZED, {
      every = { check = options.duration(1), doc = doc, needed = true,
         about = "memory", risk = text },
   })
end

--- Say why `every` cannot be longer than `size`.
-- @tparam table values checked options
-- @tparam ?string more what that would mean
-- @treturn ?string a message
function common.is_longer(values, more)
   if values.every <= values.size then return nil end
   return ("`every` (%s) is longer than `size` (%s)%s")
      :format(units.say(values.every), units.say(values.size), more or "")
end

--- Say why a window that moves on by steps has a size of whole ones.
-- @tparam table values checked options
-- @treturn ?string a message
function common.has_steps(values)
   local longer = common.is_longer(values)
   if longer or values.size % values.every == 0 then return longer end
   return ("`size` (%s) is not a multiple of `every` (%s): write size = %q")
      :format(units.say(values.size), units.say(values.every),
      units.say(math.ceil(values.size / values.every) * values.every))
end

local function greatest_divisor(a, b)
   while b ~= 0 do a, b = b, a % b end
   return a
end

--- Times of the plan for windows that time alone cuts: they are runs of panes.
-- @tparam number size in ms
-- @tparam number every in ms
-- @tparam ?number offset in ms
-- @tparam ?number phase after which boundaries come again; `every`
-- @treturn table `{ size_ms =, every_ms =, offset_ms =, pane_ms = }`
function common.panes(size, every, offset, phase)
   return {
      size_ms = size, every_ms = every, pane_ms = greatest_divisor(size, every),
      offset_ms = (offset or 0) % (phase or every),
   }
end

return common
