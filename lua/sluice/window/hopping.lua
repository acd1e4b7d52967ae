--- `sluice.hopping { size =, every = }`: windows of one size that begin every so often
-- and overlap.
-- @module sluice.window.hopping

local common = require "sluice.window.common"

local hopping = {
   kind = "hopping", key_bounds = 1, merges = true,
   options = common.stepped("how often a window begins",
      "shorter: more windows at a time for each key, and more results"),
   needed = { { "size", "1 minute" }, { "every", "30 seconds" } },
}

--- What the reference says.
hopping.doc = "They begin every so often and overlap: a row is in each that covers its "
   .. "time. Key: group and `window_start`."

--- Say what is wrong between options.
-- @tparam table values checked options
-- @treturn ?string a message
function hopping.conflict(values)
   return common.is_longer(values, ": rows between two windows would be lost")
end

--- Times of the plan.
-- @tparam table values checked options
-- @treturn table of `common.panes`
function hopping.plan(values)
   return common.panes(values.size, values.every, values.offset)
end

return hopping
