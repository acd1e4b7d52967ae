--- `:json { fields }`: each record is a JSON object.
-- @module sluice.format.json

local json = {}

--- What the reference says.
json.doc = "`:json { fields }`: each record is a JSON object."

local LISTED = "; for a key that really is called so: %s"

-- Keys between dots, of a path in the way of JSONPath, JSON Pointer or an array's place.
local function plain(text)
   local keys = text:gsub("^%$", ""):gsub("%[[^%]]*%]", ""):gsub("/", ".")
   return (keys:gsub("^%.+", ""):gsub("%.+$", ""))
end

-- What of a path is no key: what it is, for the message.
local function odd(text)
   if text:find "%[" then
      return "an element of a list has no path: declare the list, as in sluice.list"
         .. '("items", "string"), and take row.items[1] in a function'
   end
   if text:find "^%$" or text:find "/" then
      return ("keys stand between dots, without `$` and `/`: write %q")
         :format(plain(text))
   end
end

--- Say why a field cannot be read: its path or name would be taken for one key, which is
-- never there.
-- @tparam table field its spec
-- @treturn ?string a message
function json.problem(field)
   local from = field.from
   if from and from.text then
      local why = odd(from.text)
      return why and ("`:from` %q: %s%s"):format(from.text, why,
         LISTED:format((":from { %q }"):format(from.text)))
   end
   if from or not field.name:find "%." then return nil end
   local last = field.name:match "([^.]+)%.*$" or "name"
   return ("its name holds a dot, and would be looked up as one key: write sluice.%s(%q)"
      .. " :from %q%s"):format(field.type, last, field.name,
      LISTED:format((":from { %q }"):format(field.name)))
end

return json
