-- What goes to disk past `memory`, as the plan, `sluice check` and the documentation say.
local analyse = require "sluice.analyse"
local analyse_spill = require "sluice.analyse.spill"
local delivery = require "sluice.explain.delivery"
local page = require "sluice.explain.page"
local sluice = require "sluice"
local tree = require "sluice.explain.tree"

local rows = sluice.kafka { topics = "rides", brokers = "b" }
   :json { sluice.string "user", sluice.int64 "n", sluice.int64 "ts" }
   :event_time("ts", { delay = "10 minutes" })

local function graph_of(stages, sink)
   sink.topic, sink.brokers = "out", "b"
   return analyse.graph(sluice.pipeline { name = "p", checkpoint = "file:./c",
      stages:to(sluice.kafka(sink)) })
end

local function way(stages, sink)
   local graph = graph_of(stages, sink)
   return (graph.aggregates[1] or graph.distincts[1]).spills.way
end

local function drawn(graph)
   local to = page.new(false)
   tree.draw(to, graph)
   return to:text()
end

local minutes = sluice.tumbling { size = "1 minute" }

local function count(window)
   return rows:group_by "user":window(window):aggregate { n = sluice.count() }
end

local function middle(window)
   return rows:group_by "user":window(window)
      :aggregate { n = sluice.quantile("n", 0.5) }
end

describe("what goes to disk", function()
   it("goes in parts where aggregates merge, else cached", function()
      assert.equal("parts", way(count(minutes), { mode = "append" }))
      assert.equal("cached", way(middle(minutes), { mode = "append" }))
      assert.equal("cached", way(count(minutes), { mode = "update", final = true }))
      assert.equal("cached", way(count(minutes), { mode = "update",
         only_if_changed = true }))
      assert.equal("cached", way(rows:distinct { "user", within = "1 hour" }, {}))
      assert.equal("cached", way(rows:distinct { "user", within = "forever" }, {}))
      local rolling = sluice.rolling { size = "1 hour", every = "1 minute" }
      assert.equal("cached", way(count(rolling), { mode = "update" }))
      local forever = sluice.running { retain = "forever" }
      assert.equal("cached", way(count(forever), { mode = "update" }))
      local a_day = sluice.running { retain = "1 day" }
      assert.equal("cached", way(count(a_day), { mode = "update" }))
   end)

   it("stays where a group is more than its entry", function()
      assert.equal("none", way(count(sluice.running { retain = "1 day" }),
         { mode = "update", final = true }))
      assert.equal("none", way(count(minutes), { mode = "complete" }))
      assert.equal("none", way(count(sluice.session { gap = "1 minute" }),
         { mode = "append" }))
      local rolling = sluice.rolling { size = "1 hour", every = "1 minute" }
      assert.equal("none", way(count(rolling), { mode = "update",
         only_if_changed = true }))
   end)

   it("is what `sluice check` says", function()
      local function lines(graph)
         return (drawn(graph):gsub("%s+│?%s*", " "))
      end
      assert.truthy(lines(graph_of(count(minutes), { mode = "append" })):find(
         "past memory: to disk; what comes later is another part", 1, true))
      local sessions = count(sluice.session { gap = "1 minute" })
      assert.truthy(lines(graph_of(sessions, { mode = "append" })):find(
         "`sluice.tumbling`, `sluice.hopping` could go to disk", 1, true))
      local fails = analyse.graph(sluice.pipeline { name = "p", checkpoint = "file:./c",
         on_state_limit = "fail", count(minutes):to(sluice.kafka { topic = "out",
            brokers = "b", mode = "append" }) })
      assert.truthy(lines(fails):find('past memory: stays in memory; the run ends when '
         .. 'that alone is too much (on_state_limit = "fail")', 1, true))
   end)

   it("is what the head of `sluice check` says, too", function()
      local function head(options, ...)
         options.name, options.checkpoint = "p", options.checkpoint or "file:./c"
         for i, branch in ipairs { ... } do options[i] = branch end
         local to = page.new(false)
         delivery.draw(to, analyse.graph(sluice.pipeline(options)))
         return (to:text():gsub("%s+", " "):match "state: [^;]*; (.-); kept for")
      end
      local function out(stages, mode)
         return stages:to(sluice.kafka { topic = "out", brokers = "b", mode = mode })
      end
      local goes, stays = out(count(minutes), "append"), out(count(minutes), "complete")
      assert.equal("at most 1 GiB in memory, then to disk; local copy: ./c/.state/p",
         head({}, goes))
      assert.equal('at most 1 GiB in memory, then the run ends (on_state_limit = "fail")'
         .. "; local copy: ./c/.state/p", head({ on_state_limit = "fail" }, goes))
      assert.equal("at most 1 GiB in memory, then the run ends (`aggregate` cannot go to "
         .. "disk); local copy: ./c/.state/p", head({}, stays))
      local function named(name, mode)
         return out(count(sluice.tumbling { size = "1 minute", name = name }), mode)
      end
      assert.equal("at most 1 GiB in memory, then `some` to disk; the run ends when "
         .. "`all`, which cannot, is too much alone; local copy: ./c/.state/p",
         head({}, named("some", "append"), named("all", "complete")))
      assert.equal("no stage keeps groups", head({}, out(rows)))
   end)

   it("is what docs/operations.md says", function()
      local file = assert(io.open "docs/operations.md")
      local text = file:read "*a"
      file:close()
      assert.truthy(text:find(analyse_spill.document(), 1, true),
         "print analyse_spill.document() into docs/operations.md")
   end)
end)
