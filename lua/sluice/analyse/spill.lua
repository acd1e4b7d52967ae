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

--- Tell whether rows of an aggregation can be folded in parts that are merged in any
-- grouping, in order.
-- @tparam table made of the graph
-- @treturn boolean
function analyse_spill.splits(made)
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
   local parts = made.mode == "append" and analyse_spill.splits(made)
   return { way = parts and "parts" or "cached" }
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

-- Why nothing of a pipeline goes to disk, whatever its stages could; nil: it does.
local function bar_of(of)
   if of.on_state_limit == "fail" then return 'on_state_limit = "fail"' end
   if not of.state_dir then return "there is no state_dir" end
end

--- How `sluice check` says it of a stage.
-- @tparam table spills of a stage
-- @tparam table of the pipeline's options
-- @treturn string
function analyse_spill.say(spills, of)
   local bar = bar_of(of)
   if bar then return ("%s (%s)"):format(analyse_spill.WAYS.none, bar) end
   if spills.way ~= "none" then return "to disk; " .. analyse_spill.WAYS[spills.way] end
   return ("%s: %s; %s could go to disk"):format(analyse_spill.WAYS.none, spills.why,
      spills.instead)
end

-- Names of those that go to disk, and of those that stay.
local function sorted_out(graph)
   local going, staying = {}, {}
   for _, list in ipairs { graph.aggregates, graph.distincts } do
      for _, made in ipairs(list) do
         local names = made.spills.way == "none" and staying or going
         names[#names + 1] = ("`%s`"):format(made.name)
      end
   end
   return going, staying
end

--- How `sluice check` says it of the whole pipeline.
-- @tparam table graph
-- @treturn string what happens beyond `memory`; nil: no stage keeps groups
function analyse_spill.say_all(graph)
   local going, staying = sorted_out(graph)
   local bar = bar_of(graph.options)
   if #going + #staying == 0 then return nil end
   if bar then return ("the run ends (%s)"):format(bar) end
   if #staying == 0 then return "to disk" end
   local stay = table.concat(staying, ", ")
   if #going == 0 then return ("the run ends (%s cannot go to disk)"):format(stay) end
   return ("%s to disk; the run ends when %s, which cannot, is too much alone"):format(
      table.concat(going, ", "), stay)
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
