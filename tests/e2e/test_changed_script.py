"""A script that changes between two runs: aggregates come and go and the others keep their state, other windows
are refused and nothing is touched."""
import json
import os

import harness

SCRIPT = """
local sluice = require "sluice"
local all = sluice.file {{ path = "in.jsonl", follow = true }}
   :json {{ sluice.string "k" :required(), sluice.int64 "n" :required(), sluice.int64 "ts" :required() }}
   :event_time("ts", {{ delay = 0, max_skew = "1 day" }})
local own = sluice.aggregate {{ state = {{ sum = 0, seen = "int32" }},
   fold = function(a, row) a.sum, a.seen = a.sum + row.n, a.seen + 1 end,
   result = function(a) return a.sum / a.seen end }}
return sluice.pipeline {{ name = "changed", checkpoint = "file:./checkpoints", trigger = "available-now",
   all:group_by "k":window(sluice.tumbling {{ size = "{size}" }}):aggregate {{ {items} }}
   :to(sluice.file {{ path = "out.jsonl", append = true, mode = "append" }}) }}
"""

OLD = ('rows = sluice.count(), sum = sluice.sum "n", middle = sluice.quantile("n", 0.5), '
       'all = sluice.collect("n", 9), mean = own')
NEW = ('all = sluice.collect("n", 9), most = sluice.max "n", kinds = sluice.count_distinct "n", mean = own, '
       'middle = sluice.quantile("n", 0.5), rows = sluice.count()')


class ChangedScriptTest(harness.E2ETest):
    brokers = "127.0.0.1:1"

    def run_with(self, items, *rows, size="1 minute", code=0):
        self.file("p.lua", SCRIPT.format(items=items, size=size))
        with open(os.path.join(self.folder, "in.jsonl"), "a") as file:
            file.writelines(json.dumps({"k": k, "n": n, "ts": ts}) + "\n" for k, n, ts in rows)
        run = self.run_sluice("run", "p.lua")
        self.assertEqual(run.code, code, run.err)
        return run

    def rows(self):
        return [json.loads(line) for line in harness.read(os.path.join(self.folder, "out.jsonl")).splitlines()]

    def test_aggregates_come_and_go(self):
        self.run_with(OLD, ("a", 1, 0), ("a", 5, 1), ("b", 7, 2))
        run = self.run_with(NEW, ("a", 3, 3))
        for told in "`most` is new and starts empty", "`kinds` is new", "`sum` is gone":
            self.assertIn(told, run.err)
        self.assertRegex(run.err, 'level=warn message="the script has changed, part of its stored state is lost" changes='
                                  '".*`sum` is gone, and with it its state: state goes by name; if it was only renamed')
        run = self.run_with(NEW, ("a", 3, 4), ("c", 0, 60_000))
        self.assertNotIn("is new", run.err)  # it was told
        rows = {row["k"]: row for row in self.rows()}
        self.assertEqual(rows["a"]["all"], [1, 5, 3, 3])
        self.assertEqual((rows["a"]["rows"], rows["a"]["mean"], rows["a"]["middle"]), (4, 3, 3))
        self.assertEqual((rows["a"]["most"], rows["a"]["kinds"]), (3, 1))
        self.assertEqual((rows["b"]["rows"], rows["b"]["all"], rows["b"]["most"]), (1, [7], None))
        self.assertEqual(sorted(rows), ["a", "b"])

    def test_states_before_and_behind_a_change_are_compared(self):
        """By the members that both have; the others are named."""
        self.run_with(OLD, ("a", 1, 0), ("b", 5, 1), ("c", 7, 1))
        self.run_with(NEW, ("a", 3, 3), ("d", 1, 3))
        run = self.run_sluice("state", "diff", "p.lua", "1", "2", "--json")
        self.assertEqual(run.code, 0, run.err)
        it = json.loads(run.out)
        [layout] = it["layouts"]
        self.assertEqual(layout["operator"], "aggregate aggregate")
        self.assertEqual({name.split(".")[0] for name in layout["only_from"]}, {"sum"})
        self.assertEqual({name.split(".")[0] for name in layout["only_to"]}, {"most", "kinds"})
        changes = {change["key"]["k"]: change for change in it["changes"]}
        self.assertEqual({k: change["is"] for k, change in changes.items()}, {"a": "changed", "d": "new"})
        self.assertEqual(changes["a"]["members"]["rows.n"], [1, 2])
        self.assertEqual(changes["a"]["members"]["mean.sum"], [1, 4])
        self.assertIn("most.best", changes["d"]["members"])
        run = self.run_sluice("state", "diff", "p.lua", "1", "2")
        self.assertRegex(run.out, "^aggregate aggregate: laid out anew between the two; not compared: of the first "
                                  "`sum.*`, of the second `kinds.part`, `most.best`")

    def test_a_function_that_changed_is_told(self):
        told = "the script has changed, its stored state goes on under the new text"
        run = self.run_with(OLD, ("a", 1, 0))
        self.assertNotIn(told, run.err)
        run = self.run_with(OLD + ", odd = sluice.count():where(function(row) return row.n > 4 end)", ("a", 2, 1))
        self.assertIn("`odd` is new", run.err)
        self.assertNotIn("level=warn", run.err)  # nothing is lost
        run = self.run_with(OLD + ", odd = sluice.count():where(function(row) return row.n > 5 end)", ("a", 5, 1))
        self.assertIn(told, run.err)
        run = self.run_with(OLD + ", odd = sluice.count():where(function(row) return row.n > 5 end)", ("a", 5, 2))
        self.assertNotIn(told, run.err)

    def test_what_does_not_fit_is_refused_and_nothing_is_touched(self):
        self.run_with(OLD, ("a", 1, 0))
        run = self.run_with(OLD, size="2 minutes", code=4)
        self.assertIn("the window of aggregate aggregate was tumbling window of 1 minute, and is tumbling "
                      "window of 2 minutes", run.err)
        run = self.run_with(OLD.replace('sum "n"', 'avg "n"'), code=4)
        self.assertIn("`sum` of aggregate aggregate was sum(int64)", run.err)
        self.assertIn("another name", run.err)
        self.run_with(OLD, ("a", 2, 1), ("c", 0, 60_000))
        self.assertEqual([(row["k"], row["sum"]) for row in self.rows()], [("a", 3)])
