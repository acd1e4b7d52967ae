--- All that `sluice check` knows of a script: its functions are looked at when it loads,
-- the rest only when somebody asks.
-- @module sluice.check.view

local explain = require "sluice.explain"
local facts = require "sluice.check.facts"
local inspect = require "sluice.check.inspect"
local probe = require "sluice.check.probe"
local warnings = require "sluice.check.warnings"

local view = {}

local function one_line(text)
   return (text:gsub("%s*\n%s*", " "))
end

-- "FILE:LINE: text" apart.
local function split(text)
   local at, rest = text:match "^(.-:%d+): (.*)$"
   return at, rest or text
end

--- Look at every user function.
-- @tparam table list from `functions.of`
-- @tparam table globals of the script
-- @tparam table found from `warnings.new`: what is doubtful goes there
-- @tparam function trying is told "filter at FILE:LINE" before it is run, nil behind all
-- @treturn {string,...} what is refused, in the order of the functions
function view.check_functions(list, globals, found, trying)
   local refused = {}
   for _, entry in ipairs(list) do
      local problems = inspect.check(entry.fn, { globals = globals, what = entry.what,
         args = entry.args, must_give = entry.gives ~= nil, once = entry.once,
         add = found.add })
      for _, problem in ipairs(problems) do refused[#refused + 1] = problem end
      if #problems == 0 then
         trying(("%s at %s"):format(entry.what, entry.line))
         local problem, warning, name = probe.check(entry)
         refused[#refused + 1] = problem
         if warning then
            found.add(name or "function-throws", split(one_line(warning)))
         end
      end
   end
   trying(nil)
   return refused
end

local View = {}
View.__index = View

--- Begin a view.
-- @tparam table graph from `sluice.analyse`
-- @tparam sluice.pipeline.Pipeline pipeline of the graph
-- @tparam table found from `warnings.new`, with what loading found
-- @treturn table View
function view.new(graph, pipeline, found)
   return setmetatable({ graph = graph, pipeline = pipeline, found = found }, View)
end

--- What is doubtful, once.
function View:look()
   if not self.findings then self.findings = warnings.of(self.graph, self.found) end
   return self.findings
end

--- Warnings (no notes), a line each.
-- @treturn string
function View:warnings()
   local lines = {}
   for _, one in ipairs(self:look()) do
      if one.level == "warning" then lines[#lines + 1] = warnings.say(one) end
   end
   return table.concat(lines, "\n")
end

--- How many warnings and errors there are, those of brokers included.
-- @treturn string "WARNINGS ERRORS"
function View:verdict()
   local counts = { warning = 0, error = 0, note = 0, ok = 0 }
   for _, list in ipairs { self:look(), self.connect or {} } do
      for _, one in ipairs(list) do counts[one.level] = counts[one.level] + 1 end
   end
   return ("%d %d"):format(counts.warning, counts.error)
end

--- What `sluice check` prints.
-- @tparam boolean json
-- @tparam boolean color
-- @tparam ?string said what brokers said, JSON
-- @tparam ?number put_ms what a put into the checkpoint's store takes; nil: not known
-- @tparam ?boolean is_charged whether it is billed
-- @treturn string
function View:explain(json, color, said, put_ms, is_charged)
   self:look()
   self.store = put_ms and { put_ms = put_ms, is_charged = is_charged } or nil
   self.connect = said and facts.judge(self.graph, said) or nil
   return json and explain.json(self) or explain.text(self, color)
end

return view
