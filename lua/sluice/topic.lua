--- Names of topics.
-- @module sluice.topic

local options = require "sluice.options"

local topic = {}

local function is_name(value)
   return type(value) == "string" and #value <= 249 and value:find "^[%w._-]+$"
      and value ~= "." and value ~= ".."
end

local NAME = "a topic's name (letters, digits, `.`, `_`, `-`)"

--- Checker for one topic, or a function that names one for each row.
-- @treturn table checker
function topic.name()
   return options.checker(NAME .. ", or a function(row) that gives one", function(value)
      return (type(value) == "function" or is_name(value)) and value or nil
   end)
end

--- Checker for one topic or a list of them; in the plan a list.
-- @treturn table checker
function topic.names()
   return options.checker(NAME .. " or a list of them", function(value)
      local list = type(value) == "table" and value or { value }
      if type(value) == "table" and value.pattern ~= nil then
         return nil, NAME .. ("; write pattern = %q, without `topics`"):format(
            tostring(value.pattern))
      end
      local names, seen = {}, {}
      for i, name in ipairs(list) do
         if not is_name(name) or seen[name] then return nil end
         names[i], seen[name] = name, true
      end
      return #names > 0 and names or nil
   end, function(text)
      local list = {}
      for name in text:gmatch "[^,]+" do list[#list + 1] = name end
      return list
   end)
end

--- Checker for a pattern of topics' names.
-- @treturn table checker
function topic.pattern()
   return options.checker('a regular expression (POSIX extended), as in "rides_.*"',
      function(value)
      local right = type(value) == "string" and value ~= "" and not value:find "[%z\n]"
      return right and value or nil
   end)
end

--- A name that matches a pattern, if it is a simple one: what `--embedded` feeds.
-- @tparam string pattern
-- @treturn string a topic's name
-- @usage topic.example "rides_.*" --> "rides_1"
function topic.example(pattern)
   local name = pattern:gsub("%[[^%]]*%][*+]?", "1"):gsub("%.[*+?]?", "1")
   name = name:gsub("%((%w+)|[^)]*%)", "%1"):gsub("[^%w_-]", "")
   return name == "" and "topic" or name
end

return topic
