--- Arguments that a function does not take: Lua drops them without a word.
-- @module sluice.arity

local options = require "sluice.options"
local place = require "sluice.place"
local util = require "jit.util"

local arity = {}

local NUMBERS = { [0] = "no argument", "one argument", "two arguments" }

--- Refuse what stands behind the arguments that are taken.
-- @tparam string what is called, for the message: "`:filter`"
-- @tparam integer most so many are taken
-- @param ... arguments as given
-- @raise when there are more that are not nil
function arity.check(what, most, ...)
   for i = most + 1, select("#", ...) do
      local extra = select(i, ...)
      if extra ~= nil then
         place.fail(nil, "%s takes %s, got %s beyond: leave it out", what,
            NUMBERS[most] or most .. " arguments", options.show(extra))
      end
   end
end

--- How many arguments a function of the library takes.
-- @tparam function fn
-- @treturn integer
function arity.of(fn)
   local info = util.funcinfo(fn)
   return info.isvararg and math.huge or info.params
end

return arity
