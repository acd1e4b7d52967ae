--- What `sluice check` prints: the plan as a tree, every option in effect, what is
-- doubtful, what a broker said; for people or as JSON.
-- @module sluice.explain

local audit = require "sluice.check.audit"
local cost = require "sluice.explain.cost"
local delivery = require "sluice.explain.delivery"
local explain_json = require "sluice.explain.json"
local page = require "sluice.explain.page"
local tree = require "sluice.explain.tree"
local warnings = require "sluice.check.warnings"

local explain = {}

explain.live_windows = cost.live_windows

local NAME, VALUE, FROM = 20, 34, 28

local function pad(text, columns)
   return text .. (" "):rep(math.max(1, columns - page.columns(text)))
end

-- One option: name, value, whence, about; what it risks beneath. A long value or place
-- pushes the rest aside.
local function draw_option(to, knob)
   local text = pad(knob.value, VALUE) .. pad(knob.from, FROM) .. knob.about
   if page.columns(text) + 3 + NAME > page.WIDTH then
      to:add("   ", "   ", pad(knob.name, NAME), knob.value)
      to:line("   " .. (" "):rep(NAME) .. pad(knob.from, FROM + VALUE) .. knob.about)
   else
      to:line("   " .. to:paint("head", pad(knob.name, NAME)) .. text)
   end
   if knob.risk then to:add("      ", "      ", "", knob.risk) end
end

local function draw_options(to, knobs)
   to:line ""
   local of
   for _, knob in ipairs(knobs) do
      if knob.of ~= of then
         of = knob.of
         to:add("", "", "options of " .. of)
      end
      draw_option(to, knob)
   end
end

local MARKS = { ok = "good", warning = "warning", error = "error" }

local function draw_connect(to, findings)
   to:line ""
   to:add("", "", "what the brokers say")
   for _, one in ipairs(findings) do
      to:add("   ", "   ", pad(one.level, 9), ("%s: %s%s%s"):format(one.of, one.text,
         one.code and (" [%s %s]"):format(one.code, one.name) or "",
         one.fix and "; " .. one.fix or ""), MARKS[one.level])
   end
end

local function draw_notes(to, list)
   local any = false
   for _, one in ipairs(list) do
      if one.level == "note" then
         if not any then to:line "" end
         any = true
         to:add("", "", "note: ", warnings.say(one), "dim")
      end
   end
end

--- Draw it for people. Warnings are not in it: they go to standard error.
-- @tparam table view `{ graph =, pipeline =, findings = of `warnings.of`, connect = of
--   `sluice.check.connect` or nil, store = of `sluice.explain.delivery` or nil }`
-- @tparam boolean color
-- @treturn string lines, the last one ended
function explain.text(view, color)
   local to = page.new(color)
   tree.draw(to, view.graph, view.store)
   draw_options(to, audit.of(view.graph, view.pipeline))
   if view.connect then draw_connect(to, view.connect) end
   draw_notes(to, view.findings)
   return to:text()
end

local function costs_of(graph)
   local costs = {}
   for i, aggregate in ipairs(graph.aggregates) do
      local one = cost.of(graph, aggregate)
      one.aggregation = aggregate.name
      costs[i] = one
   end
   return costs
end

local function findings_of(list)
   local shown = {}
   for i, one in ipairs(list) do
      shown[i] = { code = one.code, name = one.name, level = one.level, at = one.at,
         text = one.text }
   end
   return shown
end

--- The plan as JSON, the same text for the same script: names in order, no functions, no
-- secrets (they are references). Two loads of one script must agree in it.
-- @tparam table graph from `sluice.analyse`
-- @treturn string
function explain.plan_json(graph)
   return explain_json.encode(explain_json.plan(graph))
end

--- All that `explain.text` shows, and the warnings, as JSON (docs/check.md).
-- @tparam table view as of `explain.text`
-- @treturn string one line, ended
function explain.json(view)
   return explain_json.encode {
      plan = explain_json.plan(view.graph), state = costs_of(view.graph),
      options = audit.of(view.graph, view.pipeline),
      findings = findings_of(view.findings), connect = view.connect,
      checkpoint = delivery.json(view.graph, view.store),
   } .. "\n"
end

return explain
