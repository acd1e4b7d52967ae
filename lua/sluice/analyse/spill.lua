--- How state leaves memory past `memory`: for each stage whether it can, and if not, why
-- and what could. The only place that says so: the runtime does what the plan says,
-- `sluice check` tells it, and the table in docs/operations.md is printed from here.
-- @module sluice.analyse.spill

local window = require "sluice.window"

local analyse_spill = {}

--- What each way means.
analyse_spill.WAYS = {
   parts = "what comes later is another part, merged when the window closes",
   cached = "what a batch touches is brought back before: a sorted look-up a group",
   none = "stays in memory; the run ends when that alone is too much",
}

local function is_kind(kind)
   return function(made) return made.window.kind == kind end
end

local function remembers(made)
   return made.only_if_changed or made.has_retractions
end

local function tells_of_its_end(made)
   return made.window.kind == "running" and not window.is_timeless(made.window)
      and (made.final or remembers(made))
end

-- What stays: the first that holds is what is told.
local STAYS = {
   { what = '`mode = "complete"`', holds = function(made)
      return made.mode == "complete"
   end, why = "every group is sent with every batch", instead = '`mode = "update"`' },
   { what = "sessions", holds = is_kind "session",
      why = "a row can join what lies in several panes",
      instead = "`sluice.tumbling`, `sluice.hopping`" },
   { what = "running totals that `retain` lets go, with `final`, `only_if_changed` or a "
      .. "filter behind them", holds = tells_of_its_end,
      why = "each group has to go at its own time", instead = '`retain = "forever"`' },
   { what = "rolling windows with `only_if_changed` or a filter behind them",
      holds = function(made) return made.window.kind == "rolling" and remembers(made) end,
      why = "what was sent of a group goes with its last pane",
      instead = "`sluice.hopping`" },
}

local function splits(made)
   for _, item in ipairs(made.items) do
      if not item.spec.splits then return false end
   end
   return true
end

--- How the state of an aggregation goes.
-- @tparam table made of the graph, its mode settled
-- @treturn table `{ way = of WAYS, why = or nil, instead = or nil }`
function analyse_spill.of_aggregate(made)
   for _, rule in ipairs(STAYS) do
      if rule.holds(made) then
         return { way = "none", why = rule.why, instead = rule.instead }
      end
   end
   return { way = made.mode == "append" and splits(made) and "parts" or "cached" }
end

--- The same of a distinct.
-- @treturn table
function analyse_spill.of_distinct() return { way = "cached" } end

--- Say it of every stage of a graph.
-- @tparam table graph its modes settled
function analyse_spill.finish(graph)
   for _, made in ipairs(graph.aggregates) do
      made.spills = analyse_spill.of_aggregate(made)
   end
   for _, made in ipairs(graph.distincts) do
      made.spills = analyse_spill.of_distinct(made)
   end
end

--- How `sluice check` says it.
-- @tparam table spills of a stage
-- @treturn string
function analyse_spill.say(spills)
   if spills.way ~= "none" then return "to disk; " .. analyse_spill.WAYS[spills.way] end
   return ("%s: %s; %s could go to disk"):format(analyse_spill.WAYS.none, spills.why,
      spills.instead)
end

local DOCUMENTED = {
   parts = "windows in `append`: count, sum, avg, min, max, first, last, arg_min, "
      .. "arg_max, histogram",
   cached = "windows in `append` with others, and in `update`; running totals; rolling "
      .. "windows; "
      .. "`distinct`",
}

--- The table of the documentation.
-- @treturn string Markdown
function analyse_spill.document()
   local lines = { "| state | past the budget |", "|---|---|" }
   local function add(what, does)
      lines[#lines + 1] = ("| %s | %s |"):format(what, does)
   end
   for _, way in ipairs { "parts", "cached" } do
      add(DOCUMENTED[way], "goes to disk; " .. analyse_spill.WAYS[way])
   end
   for _, rule in ipairs(STAYS) do
      add(rule.what, ("stays: %s; instead: %s"):format(rule.why, rule.instead))
   end
   return table.concat(lines, "\n") .. "\n"
end

return analyse_spill
