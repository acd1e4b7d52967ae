--- A function as a source: row i is what it returns for i.
-- @module sluice.source.generator

local limits = require "sluice.source.limits"
local options = require "sluice.options"

local generator = {}

--- The option without which it is no source.
generator.required = "row"

--- Options by name.
generator.options = options.merge(limits.options, {
   row = {
      check = options.fn "a function(i, random) that returns a row",
      doc = "makes row i, from 0",
      about = "access",
      risk = "made up: no real data",
   },
   rate = {
      check = options.number(0, math.huge, true),
      doc = "rows a second; else as fast as it goes",
      about = "latency",
      risk = "without it rows come as fast as the pipeline takes them",
   },
   count = { check = options.integer(0), doc = "how many rows; else without end",
      about = "access",
      risk = "without it the source never ends, and its last windows never close",
   },
   seed = {
      check = options.integer(0), default = 1, doc = "of `random`, together with i",
      about = "correctness",
      risk = "another seed gives other rows",
   },
})

--- How the plan calls it.
-- @treturn string
function generator.name()
   return "generator"
end

--- Say what is wrong between options.
-- @tparam table values checked options
-- @treturn ?string a message
function generator.conflict(values)
   return limits.conflict(values)
end

--- Options as they go into the plan.
-- @tparam table values checked options
-- @treturn table with every default, without the function
function generator.fill(values)
   local filled = options.filled(generator.options, values)
   filled.row = nil
   limits.fill(filled)
   return filled
end

--- Say whether it ends by itself.
-- @tparam table values checked options
-- @treturn boolean
function generator.is_bounded(values)
   return values.count ~= nil
end

return generator
