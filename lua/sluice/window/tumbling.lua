--- `sluice.tumbling { size = }`: windows of one size that do not overlap, aligned to the
-- epoch.
-- @module sluice.window.tumbling

local common = require "sluice.window.common"

local tumbling = {
   kind = "tumbling", options = common.SIZED, key_bounds = 1,
   needed = { { "size", "1 minute" } },
   mistakes = { every = "windows that overlap are sluice.hopping" },
}

--- What the reference says.
tumbling.doc = "One after the other, without overlap. Key of a row: group and "
   .. "`window_start`."

--- Times of the plan.
-- @tparam table values checked options
-- @treturn table of `common.panes`
function tumbling.plan(values)
   return common.panes(values.size, values.size, values.offset)
end

return tumbling
