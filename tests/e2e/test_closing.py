"""A window that closes with more groups than a batch emits: batches are bounded, and who is killed in the midst of it,
or goes on with other workers, changes no byte. Without Kafka: files in, files out."""
import json
import os
import shutil

import harness
import kit

CRASHING = os.path.join(kit.ROOT, "build", "crash", "sluice")  # SLUICE_CRASH works in it

SCRIPT = """
local sluice = require "sluice"
return sluice.pipeline {{ name = "closing", checkpoint = "file:./checkpoints",
   trigger = "available-now", flush = true,
   sluice.file {{ path = "in.jsonl", follow = true }}
      :json {{ sluice.string "user" :required(), sluice.int64 "ts" :required() }}
      :event_time("ts", {{ delay = "1 minute" }})
      :group_by "user":window(sluice.{window}):aggregate {{ n = sluice.count() }}
      :to(sluice.file {{ path = "out", mode = "append" }}) }}
"""
SINK = ':to(sluice.file { path = "out", mode = "append" })'

TUMBLING = 'tumbling { size = "1 hour", name = "first" }'
HOPPING = 'hopping { size = "1 hour", every = "30 minutes", name = "first" }'
BEHIND = """:group_by { all = sluice.int64(function(row) return 1 end) }
         :window(sluice.tumbling { size = "1 hour", name = "behind" }):aggregate { users = sluice.count() }
      :to(sluice.file { path = "counts", mode = "append" })"""
USERS, MOST = 130_000, 100_000


class ClosingTest(harness.E2ETest):
    brokers = ""

    def setUp(self):
        super().setUp()
        self.file("in.jsonl", "".join(
            json.dumps({"user": f"user-{i}", "ts": 1_700_000_100_000 + i}) + "\n" for i in range(USERS)))

    def run_once(self, window, *options, **more):
        self.file("p.lua", SCRIPT.format(window=window))
        return self.run_sluice("run", "p.lua", *options, timeout_s=120, **more)

    def parts(self, sink="out"):
        """The lines of each batch that wrote any."""
        folder = os.path.join(self.folder, sink)
        return [harness.read(os.path.join(folder, name)).splitlines()
                for name in sorted(os.listdir(folder)) if not name.startswith(".")]

    def rows(self, sink="out"):
        return [line for part in self.parts(sink) for line in part]

    def begin_anew(self):
        for name in "out", "checkpoints":
            shutil.rmtree(os.path.join(self.folder, name), ignore_errors=True)

    def test_no_batch_has_more_rows_than_the_bound(self):
        for window, times in (TUMBLING, 1), (HOPPING, 2):
            with self.subTest(window):
                self.begin_anew()
                run = self.run_once(window)
                self.assertEqual(run.code, 0, run.err)
                parts = self.parts()
                self.assertEqual(sum(map(len, parts)), USERS * times)
                self.assertEqual(max(map(len, parts)), MOST)
                self.assertEqual(len(set(self.rows())), USERS * times)

    def test_killed_in_the_midst_of_it(self):
        run = self.run_once(HOPPING)
        self.assertEqual(run.code, 0, run.err)
        wanted = self.rows()
        for where in "flow_processed:3", "flow_written:3", "flow_applied:2", "flow_applied:3":
            with self.subTest(where):
                self.begin_anew()
                run = self.run_once(HOPPING, program=CRASHING, env={"SLUICE_CRASH": where})
                self.assertEqual(run.code, -9, run.err)
                run = self.run_once(HOPPING, "--set", "workers=3")
                if run.code == 4:  # a batch that is planned is done by the text that planned it
                    run = self.run_once(HOPPING)
                self.assertEqual(run.code, 0, run.err)
                self.assertTrue(self.rows() == wanted, "the output differs")

    def test_a_stage_that_is_new_in_the_midst_of_it_gets_the_rest(self):
        run = self.run_once(HOPPING, program=CRASHING, env={"SLUICE_CRASH": "flow_applied:2"})
        self.assertEqual(run.code, -9, run.err)
        before = len(self.rows())
        self.file("p.lua", SCRIPT.format(window=HOPPING).replace(SINK, BEHIND))
        run = self.run_sluice("run", "p.lua", timeout_s=120)
        self.assertEqual(run.code, 0, run.err)
        self.assertEqual(before, MOST)
        self.assertEqual(sum(json.loads(row)["users"] for row in self.rows("counts")), 2 * USERS - before)
