--- Expected rows in a file: `test.expect`. `sluice test --update` writes it from what
-- came; then it is read, and looked over like any code.
-- @module sluice.test.expect

local compare = require "sluice.test.compare"
local json = require "sluice.test.json"

local expect = {
   --- Whether files are written anew: `--update`.
   updates = false,
}

-- A row a line, sorted: so a file stays the same whatever the order in which rows come.
local function text_of(rows)
   local lines = {}
   for i, row in ipairs(rows) do lines[i] = json.encode(row) end
   table.sort(lines)
   return #lines > 0 and table.concat(lines, "\n") .. "\n" or ""
end

local function write(path, text)
   local file, problem = io.open(path, "wb")
   if not file then error(("test.expect: %s"):format(problem), 3) end
   file:write(text)
   file:close()
end

local function read(path)
   local file = io.open(path, "rb")
   local text = file and file:read "*a"
   if file then file:close() end
   return text
end

local function rows_of(text, path)
   local rows, number = {}, 0
   for line in text:gmatch "([^\n]*)\n" do
      number = number + 1
      local row, problem = json.decode(line)
      if row == nil then
         local why = problem and ": " .. problem or ""
         error(("%s:%d: no JSON%s"):format(path, number, why), 0)
      end
      rows[number] = row
   end
   return rows
end

--- Compare rows with those of a file, or write it.
-- @tparam string path
-- @tparam {table,...} rows
-- @raise when they differ, or there is no file
function expect.check(path, rows)
   local known = read(path)
   if expect.updates then
      local text = text_of(rows)
      if text ~= known then write(path, text) end
      return
   end
   if not known then
      error(("%s is not there: `sluice test --update` writes it, look at what it says")
         :format(path), 3)
   end
   local problem = compare.sets(rows_of(known, path), rows)
   if problem then
      error(("%s: %s\nIf that is right: sluice test --update"):format(path, problem), 3)
   end
end

return expect
