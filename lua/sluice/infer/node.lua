--- What was seen in one place of many JSON documents: kinds of values, how often each,
-- the first of them with where they stood, and what texts and numbers look like.
-- @module sluice.infer.node

local node = {}

local MOST_EXAMPLES, MOST_DISTINCT, MOST_TEXT = 3, 20, 40
-- Digits of the largest: what a Lua number, and int64 on either side, keep exactly.
local EXACT, HIGHEST, LOWEST = "9007199254740992", "9223372036854775807",
   "9223372036854775808"

local Node = {}
Node.__index = Node

--- Make one that has seen nothing.
-- @treturn table Node: `total` values, `counts` by kind, `examples` by kind, `fields` in
--  the order of their first sight, `by_name`, `items` (of arrays), `objects`
function node.new()
   return setmetatable({ total = 0, counts = {}, examples = {}, fields = {}, by_name = {},
      objects = 0, distinct = {}, distinct_count = 0, texts = {}, low = math.huge,
      high = -math.huge, digits = 0, scale = 0, whole = 0, longest = 0 }, Node)
end

-- What a text looks like; texts that look like several are the first.
local function look_of(text)
   if text:match "^%d%d%d%d%-%d%d%-%d%d[Tt ]%d%d:%d%d:%d%d%.?%d*[Zz]$"
      or text:match "^%d%d%d%d%-%d%d%-%d%d[Tt ]%d%d:%d%d:%d%d%.?%d*[+-]%d%d:%d%d$" then
      return "time"
   end
   if text:match "^%d%d%d%d%-%d%d%-%d%d$" then return "date" end
   if text:match "^%-?%d+%.%d+$" then return "decimal" end
   if text:match "^%-?%d+$" then return "digits" end
   return "words"
end

function Node:see_text(text)
   local look = look_of(text)
   self.texts[look] = (self.texts[look] or 0) + 1
   self.longest = math.max(self.longest, #text)
   if look == "decimal" then
      local whole, part = text:match "^%-?(%d+)%.(%d+)$"
      self.digits = math.max(self.digits, #whole)
      self.scale = math.max(self.scale, #part)
   elseif look == "digits" then
      self.digits = math.max(self.digits, #text:match "%d+")
   end
   if not self.distinct[text] and self.distinct_count <= MOST_DISTINCT then
      self.distinct[text] = true
      self.distinct_count = self.distinct_count + 1
   end
end

-- By the digits: 2^53 + 1 as a number is 2^53.
local function is_beyond(digits, most)
   if #digits ~= #most then return #digits > #most end
   return digits > most
end

function Node:see_number(raw)
   local value = tonumber(raw)
   self.low, self.high = math.min(self.low, value), math.max(self.high, value)
   local sign, digits = raw:match "^([-+]?)0*(%d+)$"
   if not digits then return end
   self.whole = math.max(self.whole, #digits)
   if is_beyond(digits, EXACT) then self.is_large = true end
   if is_beyond(digits, sign == "-" and LOWEST or HIGHEST) then self.is_huge = true end
end

--- Take note of a value.
-- @tparam string kind "text", "integer", "number", "bool", "null", "object", "array"
-- @tparam string raw as it stands there
-- @tparam string where the record lies
function Node:see(kind, raw, where)
   self.total = self.total + 1
   self.counts[kind] = (self.counts[kind] or 0) + 1
   local examples = self.examples[kind] or {}
   self.examples[kind] = examples
   if #examples < MOST_EXAMPLES then
      local short = #raw > MOST_TEXT and raw:sub(1, MOST_TEXT) .. "…" or raw
      examples[#examples + 1] = { raw = short, where = where }
   end
   if kind == "text" then self:see_text(raw) end
   if kind == "integer" or kind == "number" then self:see_number(raw) end
   if kind == "object" then self.objects = self.objects + 1 end
end

--- The member called `name`.
-- @tparam string name
-- @treturn Node
function Node:field(name)
   local found = self.by_name[name]
   if not found then
      found = node.new()
      found.name = name
      self.by_name[name] = found
      self.fields[#self.fields + 1] = found
   end
   return found
end

--- The elements of arrays.
-- @treturn Node
function Node:elements()
   self.items = self.items or node.new()
   return self.items
end

--- Take over what another one has seen: its values stand in this place, too.
-- @tparam Node other
function Node:add(other)
   self.total, self.objects = self.total + other.total, self.objects + other.objects
   for name, count in pairs(other.counts) do
      self.counts[name] = (self.counts[name] or 0) + count
      self.examples[name] = self.examples[name] or other.examples[name]
   end
   for look, count in pairs(other.texts) do
      self.texts[look] = (self.texts[look] or 0) + count
   end
   for _, field in ipairs(other.fields) do self:field(field.name):add(field) end
   if other.items then self:elements():add(other.items) end
   self.low, self.high = math.min(self.low, other.low), math.max(self.high, other.high)
   self.is_large = self.is_large or other.is_large
   self.is_huge = self.is_huge or other.is_huge
   self.whole = math.max(self.whole, other.whole)
   self.digits = math.max(self.digits, other.digits)
   self.scale = math.max(self.scale, other.scale)
end

--- The kind that most values are of, null left out; numbers are one kind.
-- @treturn ?string "text", "integer", "number", "bool", "object", "array"; nil: all null
function Node:main_kind()
   local best, best_count
   local counts = {}
   for kind, count in pairs(self.counts) do counts[kind] = count end
   if counts.number then
      counts.number = counts.number + (counts.integer or 0)
      counts.integer = nil
   end
   for _, kind in ipairs { "text", "number", "integer", "bool", "object", "array" } do
      if counts[kind] and (not best or counts[kind] > best_count) then
         best, best_count = kind, counts[kind]
      end
   end
   return best
end

return node
