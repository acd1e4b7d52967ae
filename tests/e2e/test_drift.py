"""What changes in the records while a pipeline runs is told by name. Needs no broker."""
import json
import re

import harness

COPY = """
local sluice = require "sluice"
return sluice.pipeline { name = "drift", checkpoint = "none",
   sluice.file { path = "in.jsonl", max_records = 700 }
      :json { sluice.int64 "n", sluice.double "amount", sluice.string "never",
         sluice.struct("user", { sluice.string "id" }) }
      :to(sluice.file { path = "-" }) }
"""


class DriftTest(harness.E2ETest):
    brokers = "127.0.0.1:1"

    def run_copy(self, records, *settings):
        self.file("in.jsonl", "".join(json.dumps(record) + "\n" for record in records))
        self.file("p.lua", COPY)
        run = self.run_sluice("run", "p.lua", *harness.sets(*settings), timeout_s=30)
        self.assertEqual(run.code, 0, run.err)
        self.logged = run.err
        return re.findall(r'message="(field [^"]*)"', run.err)

    def test_a_field_that_turned_all_null_is_told_once_with_its_place(self):
        records = [{"n": n, "amount": 1} if n < 1234 or n == 4900 else {"n": n} for n in range(5000)]
        want = ["field `amount` is null in every record since in.jsonl/0 @ 1234",
                "field `amount` has values again"]
        self.assertEqual(self.run_copy(records), want)
        self.assertEqual(self.run_copy(records, "workers=3"), want)

    def test_a_field_that_is_sometimes_null_is_not_told(self):
        records = [{"n": n, "amount": 1} if n % 900 == 0 else {"n": n} for n in range(5000)]
        self.assertEqual(self.run_copy(records), [])

    def in_all(self, message):
        """What the end of the log says with this message: field -> (place, count)."""
        found = re.findall(rf'message="{message}, in all" field=(\S+) topic=(\S+) partition=(\d+) '
                           r"offset=(\d+) count=(\d+)", self.logged)
        return {field: (f"{topic}/{p} @ {offset}", int(count))
                for field, topic, p, offset, count in found}

    def test_the_end_says_how_long_a_field_was_null(self):
        self.run_copy([{"n": n, "amount": 1} if n < 500 else {"n": n} for n in range(3000)])
        self.assertEqual(self.in_all("null field"), {"amount": ("in.jsonl/0 @ 500", 2500)})

    def test_a_field_that_has_values_again_is_no_null_field(self):
        told = self.run_copy([{"n": n, "amount": 1} if n < 500 or n >= 2500 else {"n": n}
                              for n in range(3000)])
        self.assertEqual(told, ["field `amount` is null in every record since in.jsonl/0 @ 500",
                                "field `amount` has values again"])
        self.assertEqual(self.in_all("null field"), {})

    def test_unknown_fields_are_told_with_first_place_and_count(self):
        records = [{"n": n} for n in range(2000)]
        for n in range(700, 2000):
            records[n]["tip"] = 1
        records[800]["user"] = {"id": "a", "age": 3, "more": {"x": 1}}
        records[1900]["user"] = {"age": 4}
        want = {"tip": ("in.jsonl/0 @ 700", 1300), "user.age": ("in.jsonl/0 @ 800", 2),
                "user.more": ("in.jsonl/0 @ 800", 1)}
        for settings in [], ["workers=3"]:
            self.run_copy(records, *settings)
            self.assertEqual(self.in_all("unknown field"), want)
            first = re.findall(r'message="unknown field `(\S+)` since ([^"]*)"', self.logged)
            self.assertEqual({name: place for name, place in first},
                             {name: place for name, (place, _) in want.items()})
