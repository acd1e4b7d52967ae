-- sluice test scripts/topic_to_file_spec.lua
local test = require "sluice.test"

describe("topic_to_file", function()
   it("shows counts with their place in the topic, times readable", function()
      local p = test.pipeline "topic_to_file.lua"
      p:batch { [1] = {
         { event_type = "ride_started", window_start = 1777629600000, event_count = 3 },
      } }
      assert.are.same_rows({ { partition = 1, offset = 0, event_type = "ride_started",
         window_start = "2026-05-01T10:00:00.000Z", event_count = 3 } }, p:output())
   end)

   it("keeps retractions out: they have no value", function()
      local p = test.pipeline "topic_to_file.lua"
      p:batch { { key = "gone" } }
      assert.are.same({}, p:output())
      assert.are.equal(1, #p:quarantined())
   end)
end)
