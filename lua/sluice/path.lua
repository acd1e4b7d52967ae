--- The option `path` of files.
-- @module sluice.path

local options = require "sluice.options"

local path = {}

local WANTED = 'a path, or "-" for stdin or stdout'

local function check(value)
   if type(value) ~= "string" or value == "" then return nil end
   if value:find "[*?%[]" then
      return nil, "the path of one file; not yet: patterns come with a later release"
   end
   if value:find "%.gz$" or value:find "%.zst$" then
      return nil, "the path of a plain file; not yet: compressed files come with a later "
         .. "release"
   end
   return value
end

--- The option.
path.option = { check = options.checker(WANTED, check), doc = WANTED,
   about = "access", risk = "what is read, or where rows go" }

return path
