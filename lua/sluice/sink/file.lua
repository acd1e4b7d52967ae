--- A file as a sink: one JSON document a line.
-- @module sluice.sink.file

local common = require "sluice.sink.common"
local options = require "sluice.options"
local path = require "sluice.path"

local file = {}

-- Endings of what is meant to be one file.
local SINGLE = { [".jsonl"] = true, [".json"] = true, [".txt"] = true, [".csv"] = true,
   [".ndjson"] = true, [".log"] = true }

--- The option without which it is no sink.
file.required = "path"

--- Options by name.
file.options = options.merge(common.options, {
   path = path.option,
   append = {
      check = options.flag(), default = false, doc = "one growing file, not one a batch",
      about = "correctness",
      risk = "readers may see lines that a restart takes back; without a checkpoint a "
         .. "failure may leave lines twice",
   },
})

--- How the plan calls it.
-- @tparam table values checked options
-- @treturn string
function file.name(values)
   return type(values.path) == "string" and values.path or table.concat(values.path, ",")
end

--- Say what is wrong between options.
-- @tparam table values checked options
-- @treturn ?string a message
function file.conflict(values)
   local name = values.path or ""
   local wrong = path.refuse_sink(name)
   if wrong then return wrong end
   local extension = name:match "%.%a+$"
   if SINGLE[extension] and not values.append then
      return ("a file a batch goes into the directory `%s`: write append = true for one "
         .. "growing file, or name a directory (path = %q)"):format(name,
         name:sub(1, -#extension - 1))
   end
   return common.conflict(values)
end

--- What it can promise.
-- @tparam table of options in the plan's form
-- @treturn string "by_batch" or "repeats"
-- @treturn string why
function file.kind(of)
   if of.path == path.STREAM then
      return "repeats", "what is written to stdout cannot be taken back"
   end
   return "by_batch", of.append and "what lies behind the last commit is cut off"
      or "a batch done again replaces its file"
end

--- Options as they go into the plan.
-- @tparam table values checked options
-- @treturn table with every default
function file.fill(values)
   return options.filled(file.options, values)
end

return file
