--- The members of a JSON object as a sink writes it, without blanks.
-- @module sluice.answer.members

local members = {}

-- The place behind the string that begins at `at`.
local function skip_string(text, at)
   at = at + 1
   while at <= #text do
      local char = text:sub(at, at)
      if char == '"' then return at + 1 end
      at = at + (char == "\\" and 2 or 1)
   end
   return at
end

local DEPTHS = { ["{"] = 1, ["["] = 1, ["}"] = -1, ["]"] = -1 }

-- The place of the comma or bracket behind the value that begins at `at`.
local function skip_value(text, at)
   local depth = 0
   while at <= #text do
      local char = text:sub(at, at)
      if depth == 0 and (char == "," or char == "}") then return at end
      depth = depth + (DEPTHS[char] or 0)
      at = char == '"' and skip_string(text, at) or at + 1
   end
   return at
end

--- Split an object; values stay as written, since numbers may be larger than Lua's.
-- @tparam string text one value, whole
-- @treturn ?table names in order, each also name → text of its value; nil: no object
-- @usage members.of '{"a":1}' --> { "a", a = "1" }
function members.of(text)
   if text:sub(1, 1) ~= "{" then return nil end
   local found, at = {}, 2
   while text:sub(at, at) == '"' do
      local behind = skip_string(text, at)
      local name, stop = text:sub(at + 1, behind - 2), skip_value(text, behind + 1)
      found[#found + 1] = name
      found[name] = text:sub(behind + 1, stop - 1)
      at = stop + 1
   end
   return found
end

return members
