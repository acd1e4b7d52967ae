-- sluice test scripts/sessions_spec.lua
local sluice = require "sluice"
local test = require "sluice.test"

local MINUTE = 60000

local function click(user, minute, page)
   return { user_id = user, page = page or "/", at = sluice.time.format(minute * MINUTE) }
end

describe("sessions", function()
   it("puts clicks less than half an hour apart together", function()
      local p = test.pipeline "sessions.lua"
      p:batch { click("u", 0, "/home"), click("u", 10, "/cart"), click("u", 39, "/home") }
      p:finish()
      assert.are.same_rows({
         { user_id = "u", window_start = 0, window_end = 69 * MINUTE, clicks = 3,
            pages = 2, entry = "/home", exit = "/home", seconds = 39 * 60 },
      }, p:output())
   end)

   it("joins two sessions by a click between them that comes later", function()
      local p = test.pipeline "sessions.lua"
      p:batch {
         [0] = { click("u", 0, "/a"), click("u", 50, "/b") },
         [1] = { click("v", 1) },
      }
      p:batch { [1] = { click("u", 25, "/c") } }
      p:finish()
      assert.has_row({ user_id = "u", clicks = 3, entry = "/a", exit = "/b" }, p:output())
   end)

   it("sends a session once nothing more can belong to it", function()
      local p = test.pipeline "sessions.lua"
      p:batch { click("u", 0) }:batch { click("v", 30) }
      assert.are.same({}, p:output())
      p:batch { click("v", 31) }
      assert.rows_match({ { user_id = "u", clicks = 1, seconds = 0 } }, p:output())
   end)

   it("does not depend on how clicks arrive", function()
      local clicks = {}
      for i = 1, 60 do
         local minute = i * 11 + (i % 4) / 5
         clicks[i] = click("u" .. i % 3, minute, "/" .. i % 5)
      end
      test.check_invariance("sessions.lua", clicks)
   end)
end)
