--- `sluice.sink { … }`: a sink of the script's own, in Lua, with `io` and `os`.
-- @module sluice.sink.script

local common = require "sluice.sink.common"
local options = require "sluice.options"

local script = {}

--- The option without which it is no sink.
script.required = "write"

--- Options by name.
script.options = options.merge(common.options, {
   name = { check = options.text(), default = "sink",
      doc = "how messages, metrics and `--set` call it",
      about = "access",
      risk = "metrics go by it",
   },
   open = { check = options.fn "a function(system) that returns a handle, or nothing",
      doc = "called once, at the start; `system` has `io`, `os` and `require`",
      about = "access",
      risk = "it can do whatever the process may",
   },
   write = { check = options.fn "a function(rows, batch, handle)",
      doc = "takes the rows of a batch: `row.key`, `row.value` (nil: the row is taken "
         .. "back), `row.headers`; `batch.id`, `batch.time`, `batch.is_last`, and "
         .. "`batch.may_repeat`: it may have come before, under the same id",
      about = "correctness",
      risk = "a batch that failed comes again",
   },
   by_batch = { check = options.flag(), default = false,
      doc = "`write` keeps `batch.id` with the rows, in one atomic act, and passes over "
         .. "a batch that is there already",
      about = "correctness",
      risk = "true, and `write` does not: rows come twice, and nothing tells",
   },
   close = { check = options.fn "a function(handle)",
      doc = "called once, at the end, also of a run that failed",
      about = "correctness",
      risk = "not called when the process is killed",
   },
})

--- How the plan calls it.
-- @tparam table values checked options
-- @treturn string
function script.name(values)
   return values.name or script.options.name.default
end

--- Say what is wrong between options.
-- @tparam table values checked options
-- @treturn ?string a message
function script.conflict(values)
   return common.conflict(values)
end

--- What it can promise.
-- @tparam table of options in the plan's form
-- @treturn string "by_batch" or "repeats"
-- @treturn string why
function script.kind(of)
   if of.by_batch then return "by_batch", "its own code keeps the batch's id" end
   return "repeats", "its own code does not say `by_batch = true`"
end

--- Options as they go into the plan.
-- @tparam table values checked options
-- @treturn table with every default, without the functions
function script.fill(values)
   local filled = options.filled(script.options, values)
   filled.open, filled.write, filled.close = nil, nil, nil
   return filled
end

return script
