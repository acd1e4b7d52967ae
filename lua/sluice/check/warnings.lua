--- What is doubtful in a plan but no error. Each finder of a code looks at the graph and
-- says what it found; texts of the codes stand in `sluice.check.codes`.
-- @module sluice.check.warnings

local codes = require "sluice.check.codes"
local of_aggregates = require "sluice.check.warn.aggregates"
local of_keeping = require "sluice.check.warn.keeping"
local of_sinks = require "sluice.check.warn.sinks"
local of_sources = require "sluice.check.warn.sources"

local warnings = {}

local FINDERS = { of_keeping, of_sources, of_aggregates, of_sinks }

local LEVELS = { warning = 1, note = 2 }

--- Collect what was found: name of the code, place, text.
-- @treturn table Found: `list` and `add(name, at, text, …)`; `add` takes `"NAME!"` for a
--   warning and `"NAME~"` for a note where that differs from the code's level
function warnings.new()
   local found = { list = {} }
   function found.add(name, at, text, ...)
      local mark = name:match "[!~]$"
      local entry = codes.BY_NAME[(name:gsub("[!~]$", ""))]
         or error("no code is called " .. name)
      if select("#", ...) > 0 then text = text:format(...) end
      found.list[#found.list + 1] = { code = entry.code, name = entry.name, at = at,
         level = mark == "!" and "warning" or mark == "~" and "note" or entry.level,
         text = text, order = #found.list }
   end
   return found
end

--- Warnings first, then notes; each kind in the order of the codes, then as found.
-- @tparam table list of found
-- @treturn table the same, sorted
function warnings.sort(list)
   table.sort(list, function(a, b)
      if a.level ~= b.level then return LEVELS[a.level] < LEVELS[b.level] end
      if a.code ~= b.code then return a.code < b.code end
      return a.order < b.order
   end)
   return list
end

--- Look through a plan.
-- @tparam table graph from `sluice.analyse`
-- @tparam ?table found to add to
-- @treturn table list of `{ code = "W01", name =, level = "warning"|"note", at =
--   "FILE:LINE" or nil, text = }`
function warnings.of(graph, found)
   found = found or warnings.new()
   for _, finder in ipairs(FINDERS) do finder.find(graph, found.add) end
   return warnings.sort(found.list)
end

--- One line of a warning: "FILE:LINE: text [W01 name]".
-- @tparam table one of a list
-- @treturn string
function warnings.say(one)
   return ("%s%s [%s %s]"):format(one.at and one.at .. ": " or "", one.text, one.code,
      one.name)
end

return warnings
