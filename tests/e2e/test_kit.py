"""`sluice test` as a process: what a spec cannot say of itself."""
import os

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

    def test_expected_rows_in_a_file(self):
        os.mkdir(os.path.join(self.folder, "specs"))
        spec = SPEC.split("it(")[0] + '''
it("is as it was", function()
   local p = test.pipeline(numbers):batch { { n = 20 }, { n = N }, { n = 3 } }
   test.expect("rows.jsonl", p:output())
end)
'''
        self.file("specs/p_spec.lua", spec.replace("N }", "1 }"))
        run = self.run_sluice("test", "specs")
        self.assertEqual(run.code, 1, run.out + run.err)
        self.assertIn("specs/rows.jsonl is not there: `sluice test --update` writes it", run.out)
        self.assertEqual(self.run_sluice("test", "--update", "specs").code, 0)
        path = os.path.join(self.folder, "specs", "rows.jsonl")
        self.assertEqual(harness.read(path), '{"n":1}\n{"n":20}\n{"n":3}\n')
        self.assertEqual(self.run_sluice("test", "specs").code, 0)
        self.file("specs/p_spec.lua", spec.replace("N }", "2 }"))
        run = self.run_sluice("test", "specs")
        self.assertEqual(run.code, 1)
        self.assertIn("rows.jsonl: The rows differ (in any order)", run.out)
        self.assertIn("If that is right: sluice test --update", run.out)
        self.assertEqual(self.run_sluice("test", "--update", "specs").code, 0)
        self.assertEqual(harness.read(path), '{"n":20}\n{"n":2}\n{"n":3}\n')
