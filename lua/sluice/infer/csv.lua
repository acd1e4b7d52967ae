--- Walks lines of CSV and notes what stands in their columns: the kinds of JSON, as far
-- as text says them.
-- @module sluice.infer.csv

local csv = {}

-- Tried in this order where they are as frequent.
local DELIMITERS = { ",", ";", "\t", "|" }

local function without_end(line) return (line:gsub("\r?\n?$", "")) end

-- A quoted column: its text, and where it ends; nil: it does not.
local function quoted_cell(line, at)
   local parts = {}
   repeat
      local part, behind = line:match('^"([^"]*)"()', at)
      if not part then return nil end
      parts[#parts + 1], at = part, behind
   until line:byte(at) ~= 34
   return table.concat(parts, '"'), at
end

--- The columns of a line (RFC 4180).
-- @tparam string line
-- @tparam string delimiter
-- @treturn ?table `{ { text =, quoted = }, … }`; nil: it is not well formed
function csv.cells(line, delimiter)
   local cells, at = {}, 1
   line = without_end(line)
   while true do
      local text, behind
      local is_quoted = line:byte(at) == 34
      if is_quoted then
         text, behind = quoted_cell(line, at)
         if not text then return nil end
      else
         behind = line:find(delimiter, at, true) or #line + 1
         text = line:sub(at, behind - 1)
      end
      cells[#cells + 1] = { text = text, quoted = is_quoted }
      if behind > #line then return cells end
      if line:sub(behind, behind) ~= delimiter then return nil end
      at = behind + 1
   end
end

--- What stands between the columns: the most frequent one outside of quotes.
-- @tparam string line
-- @treturn string
function csv.delimiter(line)
   local plain, best, most = line:gsub('"[^"]*"', ""), ",", 0
   for _, one in ipairs(DELIMITERS) do
      local _, count = plain:gsub(one == "|" and "%|" or one, "")
      if count > most then best, most = one, count end
   end
   return best
end

local BOOLS = { ["true"] = true, ["false"] = true }

-- Digits behind a zero are a name (a postal code), no number.
local function kind_of(cell)
   local text = cell.text
   if text == "" and not cell.quoted then return "null" end
   if BOOLS[text:lower()] then return "bool" end
   if text:find "^[-+]?0%d" then return "text" end
   if text:find "^[-+]?%d+$" then return "integer" end
   if text:find "^[-+]?%d+%.%d+$" or text:find "^[-+]?%d+%.?%d*[eE][-+]?%d+$" then
      return "number"
   end
   return "text"
end

--- Whether a first line names the columns: texts, each once.
-- @tparam table cells
-- @treturn boolean
-- @treturn ?string a text that is there twice, where nothing else speaks against it
function csv.is_header(cells)
   local seen, twice = {}, nil
   for _, cell in ipairs(cells) do
      local is_name = cell.text ~= "" and kind_of(cell) == "text"
      if not is_name then return false end
      if seen[cell.text] then twice = twice or cell.text end
      seen[cell.text] = true
   end
   return not twice, twice
end

--- Note a line.
-- @tparam string line
-- @tparam table file `{ delimiter =, names = { … } }`
-- @tparam Node root
-- @tparam string where the record lies
-- @treturn ?string what is wrong
function csv.see(line, file, root, where)
   local cells = csv.cells(line, file.delimiter)
   if not cells then return "quotes that do not end" end
   if #cells ~= #file.names then
      return ("%d columns, wanted %d"):format(#cells, #file.names)
   end
   root:see("object", line, where)
   for i, cell in ipairs(cells) do
      local field, kind = root:field(file.names[i]), kind_of(cell)
      field:see(kind, kind == "bool" and cell.text:lower() or cell.text, where)
      if kind == "text" and cell.text:find "^[-+]?0%d" then field.has_zeros = true end
   end
end

--- Columns in which some texts of digits are no numbers hold texts.
-- @tparam Node root
function csv.finish(root)
   for _, field in ipairs(root.fields) do
      local counts = field.counts
      if field.has_zeros and counts.integer then
         counts.text = (counts.text or 0) + counts.integer
         field.texts.digits = (field.texts.digits or 0) + counts.integer
         field.examples.text = field.examples.text or field.examples.integer
         counts.integer = nil
      end
   end
end

return csv
