--- What Lua says of a script that it cannot read, with what was meant in the words of
-- other languages.
-- @module sluice.syntax

local syntax = {}

-- What stands in the line, and what Lua has for it; the first that fits.
local MEANT = {
   { "!=", "~=" }, { "&&", "and" }, { "||", "or" }, { "+=", "x = x + 1" },
   { "-=", "x = x - 1" }, { "++", "x = x + 1" }, { "!", "not" }, { "//", "-- a comment" },
}

local function line_of(text, wanted)
   local number = 0
   for line in (text .. "\n"):gmatch "([^\n]*)\n" do
      number = number + 1
      if number == wanted then return line end
   end
   return ""
end

--- Add what was meant to a message of Lua's.
-- @tparam string problem "FILE:LINE: … near 'TOKEN'"
-- @tparam string text of the script
-- @treturn string
-- @usage syntax.explain("p.lua:1: 'then' expected near '!'", "if a != b then end")
function syntax.explain(problem, text)
   local called = problem:match ":(%d+): function arguments expected near"
   if called then
      local method = line_of(text, tonumber(called)):match ":([%a_]%w*)%s*[,;}%)]"
      return ("%s (a method is called: `:%s()`)"):format(problem, method or "required")
   end
   if problem:find "'}' expected" and problem:find "near '[%a_]" then
      return problem .. " (is a comma missing before it?)"
   end
   local number, token = problem:match ":(%d+): .* near '([^']+)'$"
   if not number then return problem end
   local line = line_of(text, tonumber(number))
   for _, entry in ipairs(MEANT) do
      local at = line:find(entry[1], 1, true)
      if at and entry[1]:sub(1, #token) == token or at and entry[1]:sub(2) == token then
         return ("%s (in Lua: `%s`)"):format(problem, entry[2])
      end
   end
   return problem
end

return syntax
