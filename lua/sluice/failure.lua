--- What is told of a throw beside message and traceback: the line of the script, the row
-- or the states, a hint. Called only when something has thrown.
-- @module sluice.failure

local ffi = require "ffi"
local hint = require "sluice.hint"
local tables = require "sluice.tables"

local failure = {}

-- Made of odd pieces and called rarely: LuaJIT 2.1.0-beta3 crashed recording it.
jit.off(true, true)

local MOST_FIELDS, MOST_BYTES, MOST_MEMBERS = 8, 40, 4
local MOST_LINE = 160
local MOST_KNOWN = 256

-- Cut text at a character's beginning.
local function shorten(text, most)
   if #text <= most then return text end
   local cut = text:sub(1, most)
   while cut ~= "" and text:byte(#cut + 1) >= 128 and text:byte(#cut + 1) < 192 do
      cut = cut:sub(1, -2)
   end
   return cut .. "…"
end

-- Whole numbers are ids as often as not: all of their digits.
local function number_text(value)
   local is_whole = value == math.floor(value) and math.abs(value) < 2 ^ 63
   return (is_whole and "%.0f" or "%.14g"):format(value)
end

-- The first members of a list, a map or a struct.
local function members_of(of)
   local parts, names = {}, #of > 0 and of or tables.keys(of)
   for i = 1, math.min(#names, MOST_MEMBERS) do
      local value = #of > 0 and failure.show(of[i], true)
         or ("%s = %s"):format(names[i], failure.show(of[names[i]], true))
      parts[i] = value
   end
   if #names > MOST_MEMBERS then parts[#parts + 1] = "…" end
   return #parts > 0 and "{ " .. table.concat(parts, ", ") .. " }" or "{}"
end

--- How a field's value looks in messages.
-- @param value any
-- @tparam ?boolean is_inside it is part of another one: tables are not opened
-- @treturn string
function failure.show(value, is_inside)
   if value == nil then return "null" end
   if type(value) == "number" then return number_text(value) end
   if type(value) == "string" then
      local safe = shorten(value, MOST_BYTES):gsub("%c", function(c)
         return ("\\x%02x"):format(c:byte())
      end)
      return '"' .. safe .. '"'
   end
   if type(value) == "table" then return is_inside and "{…}" or members_of(value) end
   if ffi.istype("int64_t", value) or ffi.istype("uint64_t", value) then
      return (tostring(value):gsub("U?LL$", ""))
   end
   return shorten(tostring(value), MOST_BYTES)
end

local Teller = {}
Teller.__index = Teller

--- Lines of a file of the script; empty when it cannot be read.
function Teller:lines_of(path)
   if self.files[path] then return self.files[path] end
   local lines, text = {}, self.texts[path]
   if not text then
      local file = io.open(path, "rb")
      text = file and file:read "*a" or ""
      if file then file:close() end
   end
   for line in (text .. "\n"):gmatch "([^\n]*)\n" do lines[#lines + 1] = line end
   self.files[path] = lines
   return lines
end

-- The place of the function that was called, from its driver's title.
local function place_of(description, node)
   local number = -1
   for line in ((description and description.title or "") .. "\n"):gmatch "([^\n]*)\n" do
      if number == node then return line:match "(%S+):(%d+)$" end
      number = number + 1
   end
end

-- The line where it threw: by the message, else by the innermost frame; else where the
-- function begins that gave a wrong value.
function Teller:line_of(message, frames, description)
   local path, number = message:match "^(.-):(%d+): "
   if not path or not self:lines_of(path)[tonumber(number)] then
      path, number = frames:match "^(.-):(%d+): "
   end
   if not path then path, number = place_of(description, self.v.node) end
   local line = path and self:lines_of(path)[tonumber(number)]
   if not line then return nil end
   return shorten(line:match "^%s*(.-)%s*$", MOST_LINE), ("%s:%s"):format(path, number)
end

-- The row that was being worked on, by name.
function Teller:row(sees)
   local v = self.v
   local schema = sees and (sees.schemas[v.node + 1] or sees.schema)
   if not schema or v.rows == nil or v.pos >= v.count then return {}, {} end
   -- each ffi.typeof makes a type anew, and there are only so many
   local kind = self.pointers[schema] or ffi.typeof("$ **", sees.step:view(schema))
   self.pointers[schema] = kind
   local pointers = ffi.cast(kind, v.rows)
   if pointers[v.pos] == nil then return {}, {} end
   local row, values = pointers[v.pos][0], {}
   for _, column in ipairs(schema.columns) do
      values[column.name] = row[column.name]
   end
   return schema, values
end

-- Whose function threw: whether it merges, which aggregate's it is, and what the user
-- wrote; nil where it was given a row.
function Teller:aggregate_of(sees)
   local v, items = self.v, sees.state.items
   local merges = v.node >= sees.first_merge
   local k = v.node + 1 - (merges and sees.first_merge or 0)
   local of = items[k] and items[k].spec.user
   if of and of.order and (merges or v.ordered ~= nil) then return merges, k, nil end
   return merges, k, of
end

-- The states that a user's `merge` or `result` got: one line of what it is called each,
-- and the members. Nothing of other functions.
function Teller:states(sees)
   local v, state = self.v, sees and sees.state
   if not state or v.states == nil or v.pos >= v.count then return {} end
   local merges, k, of = self:aggregate_of(sees)
   if not of then return {} end
   local list = { members = of.members }
   if of.order then
      list[1] = { "state", state.folded[k] }
      return list
   end
   local pointer = self.pointers[state] or ffi.typeof("$ **", state.ctype)
   self.pointers[state] = pointer
   local function state_at(of_all, i) return ffi.cast(pointer, of_all)[i]["m" .. k] end
   list[1] = { merges and "state a" or "state", state_at(v.states, v.pos) }
   if merges then list[2] = { "state b", state_at(v.parts, v.part) } end
   return list
end

-- The members of a state by name; of arrays as many places as are shown, and one more.
local function members_at(members, state)
   local values = {}
   for _, member in ipairs(members) do
      local value = state[member.name]
      values[member.name] = value
      if member.count then
         local shown, most = {}, math.min(member.count, MOST_MEMBERS + 1)
         for i = 1, most do shown[i] = value[i - 1] end
         values[member.name] = shown
      end
   end
   return values
end

-- Fields to show: those that the line names come first.
local function order_of(schema, line)
   local first, others = {}, {}
   for _, column in ipairs(schema.columns or {}) do
      local named = line and line:find("%f[%w_]" .. column.name:gsub("%W", "%%%0")
         .. "%f[^%w_]")
      local list = named and first or others
      list[#list + 1] = column.name
   end
   for _, name in ipairs(others) do first[#first + 1] = name end
   return first
end

local function say_row(order, values)
   local parts = {}
   for i = 1, math.min(#order, MOST_FIELDS) do
      parts[i] = order[i] .. " = " .. failure.show(values[order[i]])
   end
   if #order > MOST_FIELDS then parts[MOST_FIELDS + 1] = "…" end
   return table.concat(parts, ", ")
end

-- What is the same for all rows that throw the same at one place; kept, since a typing
-- error may throw for every record.
function Teller:known(driver, message, frames, schema)
   local key = ("%d %d %s\n%s"):format(driver, self.v.node, message, frames)
   local known = self.cache[key]
   if not known then
      if self.cached == MOST_KNOWN then self.cache, self.cached = {}, 0 end
      local line, at = self:line_of(message, frames, self.descriptions[driver])
      known = { line = line or "", order = order_of(schema, line), hints = {},
         shown = line and ("%s | %s"):format(at, line) or nil }
      self.cache[key], self.cached = known, self.cached + 1
   end
   return known
end

-- A hint depends on which fields are null.
local function hint_of(known, message, schema, values)
   local nulls = {}
   for i, name in ipairs(known.order) do nulls[i] = values[name] == nil and "0" or "1" end
   local key = table.concat(nulls)
   if known.hints[key] == nil then
      known.hints[key] = hint.of { message = message, line = known.line,
         columns = schema.by_name or {}, values = values } or false
   end
   return known.hints[key]
end

local function say_states(lines, states, known)
   if not states.members then return end
   local order = order_of({ columns = states.members }, known.line)
   for _, one in ipairs(states) do
      local values = members_at(states.members, one[2])
      lines[#lines + 1] = one[1] .. ": " .. say_row(order, values)
   end
end

--- Tell more of what a driver threw.
-- @tparam integer driver its number, from 1
-- @tparam string message what was thrown, with FILE:LINE where Lua gave one
-- @tparam string frames the user's frames, innermost first
-- @treturn string lines; "" when nothing more is known
function Teller:tell(driver, message, frames)
   local description = self.descriptions[driver]
   local schema, values = self:row(description and description.sees)
   local known = self:known(driver, message, frames, schema)
   local lines = { known.shown }
   local text = hint_of(known, message, schema, values)
   if text then lines[#lines + 1] = "hint: " .. text end
   local row = say_row(known.order, values)
   if row ~= "" then lines[#lines + 1] = "row: " .. row end
   say_states(lines, self:states(description and description.sees), known)
   return table.concat(lines, "\n")
end

--- Make the teller of a script.
-- @tparam cdata v the script's vector
-- @tparam table descriptions of the drivers
-- @tparam table texts path → text of files that are known
-- @treturn table with `tell(driver, message, frames)`
function failure.new(v, descriptions, texts)
   return setmetatable({ v = v, descriptions = descriptions, texts = texts, files = {},
      pointers = {}, cache = {}, cached = 0 },
      Teller)
end

return failure
