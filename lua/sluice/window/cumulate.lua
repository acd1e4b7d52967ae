--- `sluice.cumulate { size =, every = }`: windows that begin together and end one after
-- the other, up to `size`.
-- @module sluice.window.cumulate

local common = require "sluice.window.common"

local cumulate = {
   kind = "cumulate", key_bounds = 2, merges = true,
   options = common.stepped("how often a window that grows up to `size` gives a result",
      "shorter: more windows at a time for each key, and more results"),
   needed = { { "size", "1 day" }, { "every", "1 hour" } },
   conflict = common.has_steps,
}

--- What the reference says.
cumulate.doc = "They begin together and end one after the other, up to `size`: what the "
   .. "day has brought so far, every hour. Key: group, `window_start` and "
   .. "`window_end`."

--- Times of the plan.
-- @tparam table values checked options
-- @treturn table of `common.panes`; the offset moves where a `size` begins
function cumulate.plan(values)
   return common.panes(values.size, values.every, values.offset, values.size)
end

return cumulate
