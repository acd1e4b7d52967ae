-- sluice test scripts/file_to_topic_spec.lua
local test = require "sluice.test"

describe("file_to_topic", function()
   it("sends lines under the user's key, as they are", function()
      local p = test.pipeline "file_to_topic.lua"
      p:batch { { event_id = "e", user_id = "u-1", ts = 5, tip = 3 } }
      local rows = p:output()
      -- undeclared fields are left out, absent ones are null
      assert.are.same_rows({ { event_id = "e", user_id = "u-1", ts = 5 } }, rows)
      assert.are.equal("u-1", test.message(rows[1]).key)
   end)

   it("keeps what is no ride in a file beside", function()
      local p = test.pipeline "file_to_topic.lua"
      p:batch { "no JSON", { event_id = "e", ts = 5 } }
      assert.rows_match({ { offset = 0 }, { field = "user_id" } }, p:quarantined())
      assert.are.equal(2, p:metrics().sinks["file-to-topic-quarantine.jsonl"].rows)
   end)
end)
