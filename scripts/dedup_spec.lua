-- sluice test scripts/dedup_spec.lua
local test = require "sluice.test"

local MINUTE = 60000

local function ride(id, minute)
   return { event_id = id, user_id = "u", ts = minute * MINUTE }
end

describe("dedup", function()
   it("lets the first of an id pass, and counts its repeats", function()
      local p = test.pipeline "dedup.lua"
      p:batch { ride("a", 0), ride("b", 0), ride("a", 1) }:batch { ride("a", 2) }
      assert.rows_match({ { event_id = "a", ts = 0 }, { event_id = "b" } }, p:output())
      assert.are.equal(2, p:metrics().duplicate)
   end)

   it("forgets an id an hour of event time later", function()
      local p = test.pipeline "dedup.lua"
      p:batch { ride("a", 0) }:batch { ride("z", 70) }
      p:batch { ride("a", 71) }
      assert.rows_match({ { ts = 0 }, { event_id = "z" }, { ts = 71 * MINUTE } },
         p:output())
   end)

   it("cannot judge what is older than it remembers: late", function()
      local p = test.pipeline "dedup.lua"
      p:batch { ride("z", 200) }:batch { ride("a", 1) }
      assert.are.equal(1, p:metrics().late)
   end)
end)
