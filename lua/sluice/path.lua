--- The option `path` of files.
-- @module sluice.path

local options = require "sluice.options"

local path = {}

--- Standard input or output.
path.STREAM = "-"

-- Folders can be opened, and not be read.
local EISDIR = 21

local WANTED = 'a path, a pattern as in "logs/*.jsonl", a list of them, or "-"'

local function is_text(value)
   return type(value) == "string" and value ~= "" and not value:find "%z"
end

local function check(value)
   local rest = type(value) == "string" and value:match "^file:/*(/.*)$"
   if rest then return nil, ("a path without `file:`: write %q"):format(rest) end
   if is_text(value) then return value end
   if type(value) ~= "table" or #value == 0 then return nil end
   local list, seen = {}, {}
   for i, one in ipairs(value) do
      if not is_text(one) or seen[one] or one == path.STREAM then return nil end
      list[i], seen[one] = one, true
   end
   return list
end

--- The option.
path.option = { check = options.checker(WANTED, check),
   doc = "a path; a source: also a pattern (`*`, `?`, `[a-z]`) or a list of paths, each "
      .. "file a partition, `.gz` and `.zst` unpacked; `-`: stdin, stdout",
   about = "access", risk = "what is read, or where rows go" }

--- Whether a path is a folder that is there.
-- @tparam string value
-- @treturn boolean
function path.is_folder(value)
   if value == path.STREAM then return false end
   local opened = io.open(value, "rb")
   if not opened then return value:find "/$" ~= nil end
   local _, _, code = opened:read(1)
   opened:close()
   return code == EISDIR
end

--- Why a path is none of a sink.
-- @tparam string|table value checked
-- @treturn ?string a message
function path.refuse_sink(value)
   if type(value) == "table" then
      return "a sink writes one file or folder, got a list of paths"
   end
   if value:find "[*?%[]" then
      return ("a sink writes one file or folder, got the pattern %q"):format(value)
   end
   if value:find "%.gz$" or value:find "%.zst$" then
      return ("a sink writes plain files: take the ending off %q, and pack them later")
         :format(value)
   end
end

return path
