--- Arguments of the library's helpers that stand in a script as constants: what is wrong
-- with one would throw with every record.
-- @module sluice.check.helpers

local clock = require "sluice.helper.clock"
local helper = require "sluice.helper"

local helpers = {}

local time = helper.LIBRARIES.time

local function zone(value)
   return select(2, clock.zone(value))
end

local function unit(value)
   if clock.CALENDAR[value] then return nil end
   return select(2, clock.span(value))
end

-- By function: its name, and by place of an argument what is wrong with it.
local CHECKS = {
   [time.floor] = { name = "sluice.time.floor", [2] = unit, [3] = zone },
   [time.parse] = { name = "sluice.time.parse", [2] = clock.format_problem, [3] = zone },
   [time.format] = { name = "sluice.time.format", [2] = clock.format_problem,
      [3] = zone },
}

--- Say what is wrong with an argument.
-- @param fn what is called
-- @tparam integer at place of the argument, from 1
-- @param value constant
-- @treturn ?string a message
function helpers.problem(fn, at, value)
   local check = CHECKS[fn] and CHECKS[fn][at]
   local problem = check and check(value)
   return problem and ("%s: %s"):format(CHECKS[fn].name, problem)
end

--- Whether arguments of a function are looked at.
-- @param fn any
-- @treturn boolean
function helpers.has(fn)
   return CHECKS[fn] ~= nil
end

return helpers
