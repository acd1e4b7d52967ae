--- Names of fields for the keys of objects, and texts as they stand in a draft.
-- @module sluice.infer.names

local schema = require "sluice.schema"

local names = {}

local MOST_NAME = 40

--- A text as a script writes it, in one line; bytes that would not show are escaped.
-- @tparam string text
-- @treturn string with its quotes
function names.quoted(text)
   local escaped = text:gsub('[%c"\\\127]', function(c)
      if c == '"' or c == "\\" then return "\\" .. c end
      if c == "\n" then return "\\n" end
      return ("\\%03d"):format(c:byte())
   end)
   return '"' .. escaped .. '"'
end

--- Whether a key can be a field's name as it is.
-- @tparam string key
-- @treturn boolean
function names.fits(key) return schema.bad_name(key) == nil end

-- What is left of a key when all that no name holds is gone.
local function cleaned(key)
   local name = key:gsub("[^%w_]+", "_"):gsub("^_+", ""):gsub("_+$", ""):sub(1, MOST_NAME)
   return name ~= "" and name or "field"
end

--- A name for each key of an object: the key, or where that is none, another one.
-- @tparam {string,...} keys
-- @treturn table key → name
function names.of(keys)
   local used, by_key = {}, {}
   for _, key in ipairs(keys) do
      if names.fits(key) then by_key[key], used[key] = key, true end
   end
   for _, key in ipairs(keys) do
      if not by_key[key] then
         local base, n = cleaned(key), 1
         local name = base
         while used[name] or not names.fits(name) do
            n = n + 1
            name = ("%s_%d"):format(base, n)
         end
         by_key[key], used[name] = name, true
      end
   end
   return by_key
end

return names
