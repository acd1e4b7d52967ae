--- Helpers of scripts: one file in `helper/` and one line here each. They are tables of
-- functions that may be called for each row: compiled with the loop, no C API, the same
-- result for the same input.
-- @module sluice.helper

local nearest = require "sluice.nearest"
local place = require "sluice.place"
local tables = require "sluice.tables"

local helper = {}

helper.LIBRARIES = {
   hash = require "sluice.helper.hash",
   text = require "sluice.helper.text",
   time = require "sluice.helper.time",
}

--- A library as scripts see it: an unknown member is an error that names the nearest.
-- @tparam string name of `helper.LIBRARIES`
-- @treturn table
function helper.shown(name)
   local shown, names = {}, tables.keys(helper.LIBRARIES[name])
   for member, fn in pairs(helper.LIBRARIES[name]) do shown[member] = fn end
   return setmetatable(shown, { __index = function(_, member)
      place.fail(nil, "there is no `sluice.%s.%s`%s", name, tostring(member),
         nearest.hint(tostring(member), names))
   end })
end

return helper
