--- What modules say of their functions in comments, for `sluice help`.
-- @module sluice.help.comment

local comment = {}

-- Sentence and usage of a block of comment lines.
local function parse(block)
   local doc, usage, at = {}, {}, nil
   for _, line in ipairs(block) do
      local tag, rest = line:match "^@(%a+)%s?(.*)$"
      at = tag or at
      if not at then doc[#doc + 1] = line end
      if at == "usage" then usage[#usage + 1] = rest or line end
   end
   return (table.concat(doc, " "):gsub("`", "")), table.concat(usage, " ")
end

--- The documented functions of a module, in its order.
-- @tparam ?string text of the module
-- @treturn table list of `{ name = "filter", arguments = "(node, fn)", doc =, usage =,
-- is_method = }`
-- @usage comment.functions("--- Adds.\nfunction m.add(a, b)\n")[1].doc --> "Adds."
function comment.functions(text)
   local found, block = {}, nil
   for line in (text or ""):gmatch "([^\n]*)\n" do
      local first, more = line:match "^%-%-%- ?(.*)$", line:match "^%-%- ?(.*)$"
      local mark, name, arguments = line:match "^function [%w_]+([.:])([%w_]+)(%b())"
      if first then
         block = { first }
      elseif block and more then
         block[#block + 1] = more
      else
         if block and name then
            local doc, usage = parse(block)
            found[#found + 1] = { name = name, arguments = arguments, doc = doc,
               usage = usage, is_method = mark == ":" }
         end
         block = nil
      end
   end
   return found
end

--- The first comment of a module, without its marks.
-- @tparam ?string text of the module
-- @treturn string
function comment.head(text)
   local lines = {}
   for line in (text or ""):gmatch "([^\n]*)\n" do
      local words = line:match "^%-%-%-? ?(.*)$"
      if not words or words:find "^@" then break end
      lines[#lines + 1] = words
   end
   return (table.concat(lines, " "):gsub("`", ""))
end

return comment
