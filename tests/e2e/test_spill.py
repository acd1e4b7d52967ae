"""State larger than memory: what comes out is what comes out of a run with memory enough, whatever was
spilled, killed, lost or spoilt in between. Without Kafka: files in, files out."""
import contextlib
import json
import os
import random
import shutil
import time

import harness
import kit

CRASHING = os.path.join(kit.ROOT, "build", "crash", "sluice")  # SLUICE_FAULT works in it

SCRIPT = """
local sluice = require "sluice"
local rows = sluice.file {{ path = "in.jsonl", max_records = 2500, max_time = "1 minute" }}
   :json {{ sluice.string "user" :required(), sluice.double "amount", sluice.int64 "ts" :required() }}
   :event_time("ts", {{ delay = "10 minutes", max_skew = "1 day" }})
local counts = rows:group_by "user":window({window}):aggregate {{
   n = sluice.count(), total = sluice.sum "amount", most = sluice.max "amount",
   first = sluice.first "amount", last = sluice.last "amount", mean = sluice.avg "amount",
   name = sluice.max "user",
}}
return sluice.pipeline {{ name = "spill", checkpoint = "file:./checkpoints", {options},
   counts:to(sluice.file {{ path = "out.jsonl", mode = "append", append = true }}) }}
"""

WINDOWS = {
    "tumbling": 'sluice.tumbling { size = "1 minute" }',
    "hopping": 'sluice.hopping { size = "2 minutes", every = "1 minute" }',
    "cumulate": 'sluice.cumulate { size = "3 minutes", every = "1 minute" }',
}
RECORDS, USERS = 40_000, 8_000
ALL = 'trigger = "available-now", flush = true'
ENOUGH, LITTLE = 'memory = "1 GiB"', 'memory = "2 MiB"'


def records():
    """Late ones, too, so that panes that were spilled get more rows."""
    rolls = random.Random(7)
    for i in range(RECORDS):
        late = int(rolls.random() ** 2 * 240_000)
        amount = rolls.choice([rolls.random() * 100, rolls.random() * 1e-9, rolls.random() * 1e12])
        yield json.dumps({"user": f"user-{rolls.randrange(USERS)}", "amount": amount,
                          "ts": 1_700_000_000_000 + i * 20 - late})


class SpillTest(harness.E2ETest):
    brokers = ""
    wanted = {}

    def setUp(self):
        super().setUp()
        self.file("in.jsonl", "".join(line + "\n" for line in records()))
        self.spilled = 0

    def run_once(self, window, *options, env=None, program=harness.SLUICE, kill_after_s=None):
        self.file("p.lua", SCRIPT.format(window=WINDOWS[window], options=", ".join(options)))
        run = self.start("run", "p.lua", env=env, program=program)
        if kill_after_s:
            time.sleep(kill_after_s)
            run.kill()
        run.code = run.wait(120)
        self.spilled += run.err.count("state spilled")
        return run

    def output(self):
        return harness.read(os.path.join(self.folder, "out.jsonl"))

    def begin_anew(self):
        shutil.rmtree(os.path.join(self.folder, "checkpoints"), ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):
            os.remove(os.path.join(self.folder, "out.jsonl"))
        self.spilled = 0

    def want(self, window):
        """What comes out with memory enough."""
        if window not in self.wanted:
            self.begin_anew()
            run = self.run_once(window, ALL, ENOUGH)
            self.assertEqual((run.code, self.spilled), (0, 0), run.err)
            self.wanted[window] = self.output()
        self.begin_anew()

    def check(self, window):
        self.assertGreater(self.spilled, 3)
        self.assertTrue(self.output() == self.wanted[window], "the output differs")

    def test_nothing_changes_in_what_comes_out(self):
        for window in WINDOWS:
            for workers in 1, 4:
                with self.subTest(window=window, workers=workers):
                    self.want(window)
                    run = self.run_once(window, ALL, LITTLE, f"workers = {workers}")
                    self.assertEqual(run.code, 0, run.err)
                    self.check(window)

    def test_runs_of_a_batch_each(self):
        """Spilled panes stay spilled over a restart, with another number of workers, too."""
        self.want("hopping")
        for i in range(RECORDS // 2500):
            run = self.run_once("hopping", 'trigger = "once"', LITTLE, f"workers = {1 + i % 3}")
            self.assertEqual(run.code, 0, run.err)
        run = self.run_once("hopping", ALL, LITTLE)
        self.check("hopping")

    def test_a_base_that_is_lost_or_spoilt_is_filled_anew(self):
        self.want("tumbling")
        local = os.path.join(self.folder, "checkpoints", ".state", "spill")
        for i in range(RECORDS // 2500):
            run = self.run_once("tumbling", 'trigger = "once"', LITTLE)
            self.assertEqual(run.code, 0, run.err)
            if i % 4 == 1:
                shutil.rmtree(local, ignore_errors=True)
            for name in os.listdir(local) if i % 4 == 3 and os.path.exists(local) else []:
                if name.endswith(".sst"):
                    with open(os.path.join(local, name), "r+b") as file:
                        file.write(b"?" * 500)
        self.run_once("tumbling", ALL, LITTLE)
        self.check("tumbling")

    def test_kills_change_nothing(self):
        self.want("cumulate")
        rolls = random.Random(3)
        for _ in range(12):
            run = self.run_once("cumulate", ALL, LITTLE, kill_after_s=0.1 + rolls.random() * 0.4)
            if run.code == 0:
                break
        if run.code:
            run = self.run_once("cumulate", ALL, LITTLE)
            self.assertEqual(run.code, 0, run.err)
        self.assertTrue(self.output() == self.wanted["cumulate"], "the output differs")

    def test_a_limit_that_fails(self):
        """The batch leaves no trace: with more memory the next run goes on."""
        self.want("tumbling")
        run = self.run_once("tumbling", ALL, LITTLE, 'on_state_limit = "fail"')
        self.assertNotEqual(run.code, 0)
        self.assertIn("MiB, and `memory` allows it 2 MiB (`aggregate aggregate`",
                      run.err)
        self.assertIn("let cold state go to disk: on_state_limit", run.err)
        run = self.run_once("tumbling", ALL, ENOUGH)
        self.assertEqual((run.code, self.spilled), (0, 0), run.err)
        self.assertTrue(self.output() == self.wanted["tumbling"], "the output differs")

    def test_a_full_disk_ends_the_run_and_loses_nothing(self):
        self.assertTrue(os.path.exists(CRASHING), "build it: ./dev test e2e")
        self.want("tumbling")
        for i in range(6):
            run = self.run_once("tumbling", 'trigger = "once"', LITTLE)
            self.assertEqual(run.code, 0, run.err)
        self.assertGreater(self.spilled, 0)
        run = self.run_once("tumbling", ALL, LITTLE, env={"SLUICE_FAULT": "rocks_full"}, program=CRASHING)
        self.assertNotEqual(run.code, 0)
        self.assertIn("No space left on device; part of the state lies there alone", run.err)
        run = self.run_once("tumbling", ALL, LITTLE)
        self.assertEqual(run.code, 0, run.err)
        self.check("tumbling")
