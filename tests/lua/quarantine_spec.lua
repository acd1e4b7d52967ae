local sluice = require "sluice"

local function graph(branch, values)
   values = values or {}
   values.name, values.checkpoint = "q", "none"
   values[1] = branch
   return require("sluice.analyse").graph(sluice.pipeline(values))
end

describe("what is thrown out", function()
   it("goes to a topic of the pipeline's name on the source's brokers", function()
      local from = sluice.kafka { topics = "t", brokers = "b:1" }
         :json { sluice.string "a" }
      local made = graph(from:to(sluice.kafka { topic = "out" }))
      local sink = made.sinks[made.sources[1].quarantine]
      assert.equal("q-quarantine", sink.options.topic)
      assert.equal("b:1", sink.options.brokers)
      assert.is_true(sink.options.create)
      assert.is_true(sink.is_side)
   end)

   it("goes to a growing file when the source is one", function()
      local from = sluice.file { path = "in.jsonl" }:json { sluice.string "a" }
      local made = graph(from:to(sluice.file { path = "-" }))
      local sink = made.sinks[made.sources[1].quarantine]
      assert.equal("q-quarantine.jsonl", sink.options.path)
      assert.is_true(sink.options.append)
   end)

   it("has no place made for it when nothing is quarantined", function()
      local from = sluice.file { path = "in.jsonl", bad_records = "skip" }
         :json { sluice.string "a" }
      local made = graph(from:to(sluice.file { path = "-" }), { on_error = "fail" })
      assert.is_nil(made.sources[1].quarantine)
      assert.equal(1, #made.sinks)
   end)

   it("stays where the script sends it", function()
      local to = sluice.file { path = "bad.jsonl", append = true }
      local from = sluice.file { path = "in.jsonl" }:json { sluice.string "a" }
      local made = graph(from:quarantine_to(to):to(sluice.file { path = "-" }))
      assert.equal("bad.jsonl", made.sinks[made.sources[1].quarantine].name)
      assert.equal(2, #made.sinks)
   end)

   it("may be read again, but not round and round", function()
      local function redrive(values, to)
         local from = sluice.kafka { topics = { "t", "q-quarantine" } }
            :json { sluice.string "a" }
         if to then from = from:quarantine_to(sluice.kafka { topic = to }) end
         return graph(from:to(sluice.kafka { topic = "out" }), values)
      end
      assert.error_matches(function() redrive() end,
         "reads its own quarantine `q%-quarantine`.*available%-now")
      assert.error_matches(function() redrive({ trigger = "1 minute" }, "t") end,
         "reads its own quarantine `t`")
      redrive { trigger = "available-now" }
      redrive({}, "dead")
   end)
end)
