--- Windows: their options, and what the plan says of them.

local kit = require "tests.lua.kit"
local sluice = require "sluice"
local window = require "sluice.window"

local refuses = kit.refuses

describe("windows", function()
   it("say what they need, with an example", function()
      refuses(function() sluice.cumulate { size = "1 day" } end,
         "sluice.cumulate: give `every`", 'every = "1 hour"')
      refuses(function() sluice.rolling { every = "1 minute" } end, "give `size`")
      refuses(function() sluice.session {} end, "give `gap`", 'gap = "30 minutes"')
      refuses(function() sluice.running {} end, "give `retain`", 'retain = "forever"')
   end)

   it("take options of their own only", function()
      refuses(function() sluice.session { gap = 1, offset = 1 } end,
         "unknown option `offset`")
      refuses(function() sluice.session { size = 1 } end, "unknown option `size`")
      refuses(function() sluice.running { retain = 1, allowed_lateness = 1 } end,
         "unknown option `allowed_lateness`")
      refuses(function() sluice.running { retain = "for ever" } end, '"forever"')
      refuses(function() sluice.session { gap = 0 } end, "at least 1 ms")
   end)

   it("of steps have a size that is a multiple of every", function()
      for _, kind in ipairs { "cumulate", "rolling" } do
         refuses(function()
            sluice[kind] { size = "90 seconds", every = "1 minute" }
         end, "is not a multiple of `every`", 'write size = "2 minutes"')
         refuses(function() sluice[kind] { size = 1, every = 2 } end,
            "longer than `size`")
      end
      assert.is_true(window.is(sluice.cumulate { size = "1 day", every = "1 hour" }))
   end)

   local function plan(kind, values) return window.plan(kind, values) end

   it("are planned in panes, sessions by their gap, running totals in none", function()
      assert.same({ kind = "cumulate", size_ms = 60, every_ms = 20, offset_ms = 55,
         pane_ms = 20, allowed_lateness_ms = 3 },
         plan("cumulate", { size = 60, every = 20, offset = -5, allowed_lateness = 3 }))
      assert.same({ kind = "rolling", size_ms = 60, every_ms = 20, offset_ms = 15,
         pane_ms = 20, allowed_lateness_ms = 0 },
         plan("rolling", { size = 60, every = 20, offset = -5 }))
      assert.same({ kind = "session", size_ms = 30, every_ms = 30, offset_ms = 0,
         pane_ms = 30, allowed_lateness_ms = 0 }, plan("session", { gap = 30 }))
      assert.same({ kind = "running", size_ms = 30, every_ms = 0, offset_ms = 0,
         pane_ms = 0, allowed_lateness_ms = 0 }, plan("running", { retain = 30 }))
   end)

   it("know their bounds, key, and whether they go by time", function()
      local forever = plan("running", { retain = -1 })
      assert.is_true(window.is_timeless(forever))
      assert.is_false(window.is_timeless(plan("running", { retain = 30 })))
      assert.is_false(window.has_bounds "running")
      assert.is_true(window.has_bounds "rolling")
      assert.same({ 1, 2, 1, 0, 0 }, { window.key_bounds "hopping",
         window.key_bounds "cumulate", window.key_bounds "session",
         window.key_bounds "rolling", window.key_bounds "running" })
   end)

   it("are said in words", function()
      local minute = 60000
      assert.equal("sessions with a gap of 30 minutes, 5 minutes of lateness allowed",
         window.say(plan("session", {
            gap = 30 * minute, allowed_lateness = 5 * minute,
         })))
      assert.equal("running totals, kept for ever",
         window.say(plan("running", { retain = -1 })))
      assert.equal("running totals, kept 1 minute after the last row",
         window.say(plan("running", { retain = minute })))
      assert.equal("cumulate window of 1 hour every 1 minute",
         window.say(plan("cumulate", { size = 60 * minute, every = minute })))
   end)
end)
