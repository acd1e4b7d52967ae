--- A file as a source: one JSON document a line.
-- @module sluice.source.file

local limits = require "sluice.source.limits"
local options = require "sluice.options"
local path = require "sluice.path"

local file = {}

--- The option without which it is no source.
file.required = "path"

--- Options by name.
file.options = options.merge(limits.options, {
   path = path.option,
   follow = { check = options.flag(), default = false,
      doc = "wait for more at the end, for the next file under a name (rotation), and "
         .. "for new files that match",
      about = "latency",
      risk = "without it the pipeline ends at the end of the file",
   },
})

--- How the plan calls it.
-- @tparam table values checked options
-- @treturn string
function file.name(values)
   return type(values.path) == "table" and table.concat(values.path, ",") or values.path
end

--- Say what is wrong between options.
-- @tparam table values checked options
-- @treturn ?string a message
function file.conflict(values)
   local paths = type(values.path) == "table" and values.path or { values.path }
   for _, path_given in ipairs(paths) do
      if path.is_folder(path_given) then
         local folder = path_given:gsub("/*$", "")
         return ("%q is a folder: write its files, as in %q or %q"):format(path_given,
            folder .. "/*.jsonl", folder .. "/*.csv")
      end
   end
   return limits.conflict(values)
end

--- Options as they go into the plan.
-- @tparam table values checked options
-- @treturn table with every default
function file.fill(values)
   local filled = options.filled(file.options, values)
   limits.fill(filled)
   if type(filled.path) == "table" then
      filled.paths, filled.path = filled.path, filled.path[1]
   end
   return filled
end

--- Say whether it ends by itself.
-- @tparam table values checked options
-- @treturn boolean
function file.is_bounded(values)
   return not values.follow
end

return file
