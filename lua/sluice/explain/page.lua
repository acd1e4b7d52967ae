--- Lines of text for people: wrapped to a width, painted only where that is wanted.
-- @module sluice.explain.page

local page = {}

--- Columns of a page.
page.WIDTH = 100

local ESCAPE, OFF = "\27[", "\27[0m"
local STYLES = { head = "1", dim = "2", warning = "33", error = "31", good = "32" }

local Page = {}
Page.__index = Page

--- Begin a page.
-- @tparam boolean color paint heads and levels
-- @treturn table Page
function page.new(color)
   return setmetatable({ lines = {}, color = color or false }, Page)
end

--- Columns that a text takes: one a character of UTF-8.
-- @tparam string text
-- @treturn integer
function page.columns(text)
   local _, continued = text:gsub("[\128-\191]", "")
   return #text - continued
end

--- Break a text at blanks.
-- @tparam string text
-- @tparam integer room columns of a line, at least 1
-- @treturn {string,...} lines; a word longer than a line has one of its own
function page.wrap(text, room)
   local lines, line = {}, nil
   for word in text:gmatch "%S+" do
      if not line then
         line = word
      elseif page.columns(line) + 1 + page.columns(word) <= room then
         line = line .. " " .. word
      else
         lines[#lines + 1] = line
         line = word
      end
   end
   lines[#lines + 1] = line or ""
   return lines
end

--- Paint a text, if the page is painted.
-- @tparam string style a word of STYLES
-- @tparam string text
-- @treturn string
function Page:paint(style, text)
   if not self.color or text == "" then return text end
   return ESCAPE .. STYLES[style] .. "m" .. text .. OFF
end

--- Add lines: a head, then text that is wrapped beneath its own beginning.
-- @tparam string first what the first line begins with: the branches of a tree
-- @tparam string rest what the others begin with, as wide
-- @tparam string head painted
-- @tparam ?string text
-- @tparam ?string style of the head, "head" when absent
function Page:add(first, rest, head, text, style)
   local gap = (text or ""):match "^%s*"
   local indent = page.columns(head) + #gap
   local room = math.max(20, page.WIDTH - page.columns(first) - indent)
   local wrapped = page.wrap(text or "", room)
   local painted = self:paint(style or "head", head) .. gap
   self.lines[#self.lines + 1] = ((first .. painted .. wrapped[1]):gsub("%s+$", ""))
   for i = 2, #wrapped do
      self.lines[#self.lines + 1] = rest .. (" "):rep(indent) .. wrapped[i]
   end
end

--- Add a line as it is.
-- @tparam string text
function Page:line(text)
   self.lines[#self.lines + 1] = text
end

--- The text, the last line ended.
-- @treturn string
function Page:text()
   return table.concat(self.lines, "\n") .. "\n"
end

return page
