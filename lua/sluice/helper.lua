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
   local library = helper.LIBRARIES[name]
   local names = tables.keys(library)
   return setmetatable(tables.copy(library), { __index = function(_, member)
      place.fail(nil, "there is no `sluice.%s.%s`%s", name, tostring(member),
         nearest.hint(tostring(member), names))
   end })
end

return helper
