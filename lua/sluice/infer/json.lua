--- Walks a JSON text and notes what stands where. The text has been checked: what is not
-- well formed does not come here. Numbers are seen as they are written, which a decoder
-- would lose.
-- @module sluice.infer.json

local cjson = require "cjson"

local json = {}

local see

local function skip(text, at)
   return text:find("[^ \t\r\n]", at) or #text + 1
end

-- The text that begins at a quote, and where it ends.
local function read_text(text, at)
   local plain, behind = text:match('^"([^"\\]*)"()', at)
   if plain then return plain, behind end
   local i = at + 1
   while true do
      local found = text:find('["\\]', i)
      if text:byte(found) == 34 then
         return cjson.decode("[" .. text:sub(at, found) .. "]")[1], found + 1
      end
      i = found + 2
   end
end

local function see_object(text, at, node, where)
   at = skip(text, at + 1)
   while text:byte(at) ~= 125 do
      local name
      name, at = read_text(text, at)
      at = skip(text, skip(text, at) + 1) -- behind the colon
      at = skip(text, see(text, at, node:field(name), where))
      if text:byte(at) == 44 then at = skip(text, at + 1) end
   end
   return at + 1
end

local function see_array(text, at, node, where)
   at = skip(text, at + 1)
   while text:byte(at) ~= 93 do
      at = skip(text, see(text, at, node:elements(), where))
      if text:byte(at) == 44 then at = skip(text, at + 1) end
   end
   return at + 1
end

local function see_rest(text, at, node, where)
   local word, behind = text:match("^(%a+)()", at)
   if word then
      node:see(word == "null" and "null" or "bool", word, where)
      return behind
   end
   word, behind = text:match("^([-+%d.eE]+)()", at)
   node:see(word:find "[.eE]" and "number" or "integer", word, where)
   return behind
end

-- Note the value that begins at `at`; gives where it ends.
function see(text, at, node, where)
   local first = text:byte(at)
   if first == 123 then
      node:see("object", text:sub(at, at + 60), where)
      return (see_object(text, at, node, where))
   elseif first == 91 then
      node:see("array", text:sub(at, at + 60), where)
      return (see_array(text, at, node, where))
   elseif first == 34 then
      local value, behind = read_text(text, at)
      node:see("text", value, where)
      return behind
   end
   return (see_rest(text, at, node, where))
end

--- Note a document.
-- @tparam string text of a JSON object
-- @tparam Node root
-- @tparam string where the record lies
-- @treturn ?string what is wrong: it is no JSON object
function json.see(text, root, where)
   cjson.decode_invalid_numbers(false)
   local fine, value = pcall(cjson.decode, text)
   if not fine then return "no JSON" end
   local first = text:match "^[ \t\r\n]*(.)"
   if type(value) ~= "table" or first ~= "{" then return "no JSON object" end
   see(text, skip(text, 1), root, where)
end

return json
