"""`sluice test` as a process: what a spec cannot say of itself."""
import harness

SPEC = """
local sluice = require "sluice"
local test = require "sluice.test"
local numbers = sluice.pipeline { name = "numbers", checkpoint = "none",
   sluice.kafka { topics = "numbers" }:json { sluice.int64 "n" }:to(sluice.kafka { topic = "out" }) }

it("lets something die", function()
   local p = test.pipeline(numbers):crash "saved"
   p:batch { { n = 1 } }
   assert.equal(1, #p:output())
end)

it("forgets to", function()
   local p = test.pipeline(numbers):batch { { n = 1 } }:crash "saved"
   assert.equal(1, #p:output())
end)

it("is another one", function() test.pipeline(numbers):batch {} end)
"""


class KitTest(harness.E2ETest):
    brokers = "localhost:1"

    def test_what_was_to_die_and_never_ran_fails_its_case(self):
        self.file("p_spec.lua", SPEC)
        run = self.run_sluice("test", "-o", "plainTerminal", "p_spec.lua")
        self.assertEqual(run.code, 1, run.out + run.err)
        self.assertRegex(run.out, r"2 successes / 0 failures / 1 error")
        self.assertRegex(run.out, r"p_spec\.lua:14: it was to die at `saved`, and no batch has run since")
