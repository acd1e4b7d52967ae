-- sluice test scripts/stdin_counts_spec.lua
local test = require "sluice.test"

local function view(page, at, ms)
   return { page = page, at = "2026-05-01T10:" .. at .. "Z", ms = ms }
end

describe("stdin_counts", function()
   it("counts views by page and minute, slow ones apart", function()
      local p = test.pipeline "stdin_counts.lua"
      p:batch {
         view("/cart", "00:20", 40), view("/cart", "00:59", 12), view("/cart", "01:00"),
         view("/home", "00:00", 31),
      }:finish()
      assert.rows_match({
         { page = "/cart", window_start = "2026-05-01T10:00:00.000Z", views = 2, slow = 1,
            worst_ms = 40 },
         { page = "/cart", window_start = "2026-05-01T10:01:00.000Z", views = 1, slow = 0,
            worst_ms = test.null },
         { page = "/home", views = 1, slow = 1, worst_ms = 31 },
      }, p:output())
   end)

   it("throws out what is no view", function()
      local p = test.pipeline "stdin_counts.lua"
      p:batch { '{"page":"/cart"', { page = "/cart", at = "yesterday" } }:finish()
      assert.are.same({}, p:output())
      assert.has_row({ field = "at", kind = "bad" }, p:quarantined())
      assert.are.equal(2, p:metrics().quarantined)
   end)

   it("does not depend on how views come", function()
      local views = {}
      for i = 0, 59 do
         views[i + 1] = view("/" .. i % 3, ("%02d:%02d"):format(i % 4, i), i)
      end
      table.sort(views, function(a, b) return a.at < b.at end)
      test.check_invariance("stdin_counts.lua", views)
   end)
end)
