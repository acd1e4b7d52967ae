"""What changes in the records while a pipeline runs is told by name. Needs no broker."""
import json
import re

import harness

COPY = """
local sluice = require "sluice"
return sluice.pipeline { name = "drift", checkpoint = "none",
   sluice.file { path = "in.jsonl", max_records = 700 }
      :json { sluice.int64 "n", sluice.double "amount", sluice.string "never" }
      :to(sluice.file { path = "-" }) }
"""


class DriftTest(harness.E2ETest):
    brokers = "127.0.0.1:1"

    def run_copy(self, records, *settings):
        self.file("in.jsonl", "".join(json.dumps(record) + "\n" for record in records))
        self.file("p.lua", COPY)
        run = self.run_sluice("run", "p.lua", *harness.sets(*settings), timeout_s=30)
        self.assertEqual(run.code, 0, run.err)
        return re.findall(r'message="(field [^"]*)"', run.err)

    def test_a_field_that_turned_all_null_is_told_once_with_its_place(self):
        records = [{"n": n, "amount": 1} if n < 1234 or n == 4900 else {"n": n} for n in range(5000)]
        want = ["field `amount` is null in every record since in.jsonl/0 @ 1234"]
        self.assertEqual(self.run_copy(records), want)
        self.assertEqual(self.run_copy(records, "workers=3"), want)

    def test_a_field_that_is_sometimes_null_is_not_told(self):
        records = [{"n": n, "amount": 1} if n % 900 == 0 else {"n": n} for n in range(5000)]
        self.assertEqual(self.run_copy(records), [])
