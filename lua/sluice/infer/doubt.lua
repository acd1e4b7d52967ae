--- What is no sample of records, line by line: files of other forms, and headers that
-- name nothing. Pure.
-- @module sluice.infer.doubt

local doubt = {}

local MARK = "\239\187\191"

--- A text without the byte-order mark in front of it.
-- @tparam string text
-- @treturn string
-- @treturn boolean whether there was one
function doubt.without_mark(text)
   if text:sub(1, #MARK) ~= MARK then return text, false end
   return text:sub(#MARK + 1), true
end

-- As a shell takes it for one word.
local function word(path)
   if path:find "^[%w_./-]+$" then return path end
   return "'" .. path:gsub("'", "'\\''") .. "'"
end

local function as_lines(from)
   return word((from:gsub("%.[^./]*$", "")) .. "-lines.jsonl")
end

local LIST = "%s holds a list of JSON documents, a record is one document a line: "
   .. "`jq -c '.[]' %s > %s` makes it so"
local SPREAD = "%s holds JSON documents over several lines, a record is one document a "
   .. "line: `jq -c . %s > %s` makes it so"

--- Why nothing can be drafted from a file of JSON as it is; nil: it can.
-- @tparam string from the path
-- @tparam ?string first its first line; nil: it is not among the sample
-- @tparam table seen as `infer.look` gives it
-- @treturn ?string
function doubt.of_file(from, first, seen)
   if seen.count == 0 then return from .. " is empty: there is nothing to draft from" end
   if not first or 2 * (seen.count - seen.odd_count) >= seen.count then return nil end
   if first:find "^%s*%[" then return LIST:format(from, word(from), as_lines(from)) end
   if first:find "^%s*{" then return SPREAD:format(from, word(from), as_lines(from)) end
end

local MARKED = "-- The file begins with a byte-order mark, which makes its first %s "
   .. "bad: take it away,\n-- sed -i '1s/^\\xEF\\xBB\\xBF//' %s\n"
local TWICE = "-- The first line has %q twice, so it is taken for a record like the "
   .. "others: if it names\n-- the columns, give each a name of its own.\n"

--- What is to be said of the whole sample, as lines of comment.
-- @tparam string from topic or path
-- @tparam table seen as `infer.look` gives it
-- @treturn string
function doubt.comments(from, seen)
   local lines = {}
   if seen.is_marked then
      lines[1] = MARKED:format(seen.csv and "column's name" or "record", word(from))
   end
   if seen.csv and seen.csv.twice then
      lines[#lines + 1] = TWICE:format(seen.csv.twice)
   end
   if seen.is_taken_for_csv then
      lines[#lines + 1] = "-- They are no JSON, and are taken for CSV, without names of "
         .. "columns.\n"
   end
   return table.concat(lines)
end

return doubt
