--- `sluice.rolling { size =, every = }`: for each group the last `size`, up to its newest
-- rows.
-- @module sluice.window.rolling

local common = require "sluice.window.common"

local rolling = {
   kind = "rolling", key_bounds = 0, merges = true, is_open = true,
   options = common.stepped("the step in which the window moves on",
      "shorter: more panes for each key, and more to merge for each result"),
   needed = { { "size", "1 hour" }, { "every", "1 minute" } },
   conflict = common.has_steps,
   no_mode = {
      append = "a rolling window moves on with each row, and mode \"append\" sends what "
         .. "is done: write mode = \"update\", or a sluice.hopping window",
      complete = "a rolling window gives what a batch touched, and mode \"complete\" "
         .. "sends everything: write mode = \"update\"",
   },
}

--- What the reference says.
rolling.doc = "The last `size` of a group, up to its newest rows, one row for each group "
   .. "that a batch touched; mode `update` only. Key: the group alone."

--- Times of the plan.
-- @tparam table values checked options
-- @treturn table of `common.panes`
function rolling.plan(values)
   return common.panes(values.size, values.every, values.offset)
end

--- What has no last row that `final` could mark.
-- @treturn string
function rolling.no_final() return "a rolling window" end

return rolling
