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
   :json {{ sluice.string "user" :required(), sluice.double "amount" :required(),
      sluice.int64 "ts" :required() }}
   :event_time("ts", {{ delay = "{delay}", max_skew = "1 day" }})
local mean = sluice.aggregate {{ state = {{ mean = 0, seen = 0 }},
   fold = function(a, row)
      a.seen = a.seen + 1
      a.mean = a.mean + (row.amount - a.mean) / a.seen
   end,
   merge = function(a, b)
      a.mean = (a.mean * a.seen + b.mean * b.seen) / (a.seen + b.seen)
      a.seen = a.seen + b.seen
   end,
   result = function(a) return a.mean end }}
{stages}
return sluice.pipeline {{ name = "spill", checkpoint = "file:./checkpoints", {options},
   out:to(sluice.file {{ path = "out.jsonl", {mode} append = true }}) }}
"""

SPLITS = """aggregate { n = sluice.count(), total = sluice.sum "amount", most = sluice.max "amount",
   first = sluice.first "amount", last = sluice.last "amount", average = sluice.avg "amount",
   name = sluice.max "user" }"""
OTHERS = """aggregate { n = sluice.count(), total = sluice.sum "amount", mean = mean,
   variance = sluice.variance "amount", middle = sluice.quantile("amount", 0.5),
   name = sluice.max "user" }"""
LONG = """local out = rows:group_by { key = sluice.string(function(row) return ("k"):rep(150) .. row.user end) }
   :window(sluice."""
GROUPS = 'local out = rows:group_by "user":window(sluice.'

# Spilled in parts, and brought back before they are touched.
APPEND = {
    "tumbling": GROUPS + 'tumbling { size = "1 minute" }):' + SPLITS,
    "hopping": GROUPS + 'hopping { size = "2 minutes", every = "1 minute" }):' + SPLITS,
    "cumulate": GROUPS + 'cumulate { size = "3 minutes", every = "1 minute" }):' + SPLITS,
}
MEANS = """aggregate { n = sluice.count(), mean = mean, middle = sluice.quantile("amount", 0.5),
   name = sluice.max "user" }"""
TUMBLING = GROUPS + 'tumbling { size = "1 minute" }):'
FIRST = GROUPS + 'tumbling { size = "1 minute", name = "ahead" }):'
BEHIND = """:group_by { kind = sluice.string(function(row) return row.user:sub(1, 6) end) }
   :window(sluice.tumbling { size = "2 minutes", name = "behind" })
   :aggregate { n = sluice.sum "n", first = sluice.first "name", last = sluice.last "user" }"""
APPEND.update({
    "others": TUMBLING + MEANS,
    "hopping others": GROUPS + 'hopping { size = "2 minutes", every = "1 minute" }):' + MEANS,
    "onward": FIRST + SPLITS + BEHIND,
    "others onward": FIRST + MEANS + BEHIND,
})
CACHED = {
    "hopping update": GROUPS + 'hopping { size = "2 minutes", every = "1 minute" }):' + OTHERS,
    "long keys": LONG + 'hopping { size = "2 minutes", every = "1 minute" }):' + OTHERS,
    "rolling": GROUPS + 'rolling { size = "2 minutes", every = "1 minute" }):' + OTHERS,
    "running": GROUPS + 'running { retain = "forever" }):' + OTHERS,
    "running out": GROUPS + 'running { retain = "1 minute" }):' + OTHERS,
    "final": TUMBLING + OTHERS,
    "only if changed": TUMBLING + 'aggregate { most = sluice.max "amount" }',
    "retractions": TUMBLING + MEANS + ":filter(function(row) return row.n < 3 end)",
}
LONG = """local out = rows:derive { key = sluice.string(function(row)
   return row.user .. ("."):rep(60) end) }:distinct { "key", within = """
DISTINCT = {"distinct": LONG + '"forever" }', "distinct within": LONG + '"40 seconds" }'}
STAGES = {**APPEND, **CACHED, **DISTINCT}
SINK = {name: 'mode = "append",' for name in APPEND} | {name: 'mode = "update",' for name in CACHED} | {
    name: "" for name in DISTINCT}
SINK["final"] += " final = true,"
SINK["only if changed"] += " only_if_changed = true,"
BOTH = "tumbling", "hopping", "hopping update", "distinct within"
LITTLE_OF = {"hopping update": "6 MiB", "rolling": "6 MiB", "running": "3 MiB", "running out": "2 MiB", "distinct": "1 MiB",
             "distinct within": "1 MiB"}

RECORDS, USERS = 40_000, 12_000
ALL = 'trigger = "available-now", flush = true'
ENOUGH, LITTLE = 'memory = "1 GiB"', 'memory = "2 MiB"'


def little(stages):
    return f'memory = "{LITTLE_OF.get(stages, "2 MiB")}"'


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

    def run_once(self, stages, *options, env=None, program=harness.SLUICE, kill_after_s=None):
        self.file("p.lua", SCRIPT.format(
            stages=STAGES[stages], options=", ".join(options), mode=SINK[stages],
            delay="4 minutes" if stages == "running out" else "10 minutes"))
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

    def want(self, stages):
        """What comes out with memory enough."""
        if stages not in self.wanted:
            self.begin_anew()
            run = self.run_once(stages, ALL, ENOUGH)
            self.assertEqual((run.code, self.spilled), (0, 0), run.err)
            self.wanted[stages] = self.output()
        self.begin_anew()

    def check(self, stages):
        self.assertGreater(self.spilled, 1)
        self.assertTrue(self.output() == self.wanted[stages], "the output differs")

    def test_nothing_changes_in_what_comes_out(self):
        for stages in STAGES:
            for workers in (1, 4) if stages in BOTH else (3,):
                with self.subTest(stages=stages, workers=workers):
                    self.want(stages)
                    run = self.run_once(stages, ALL, little(stages), f"workers = {workers}")
                    self.assertEqual(run.code, 0, run.err)
                    self.check(stages)

    def test_runs_of_a_batch_each(self):
        """Spilled panes stay spilled over a restart, with another number of workers, too."""
        for stages in "hopping", "distinct within":
            with self.subTest(stages=stages):
                self.want(stages)
                for i in range(RECORDS // 2500):
                    run = self.run_once(stages, 'trigger = "once"', little(stages),
                                        f"workers = {1 + i % 3}")
                    self.assertEqual(run.code, 0, run.err)
                run = self.run_once(stages, ALL, little(stages))
                self.check(stages)

    def test_a_base_that_is_lost_or_spoilt_is_filled_anew(self):
        self.want("tumbling")
        local = os.path.join(self.folder, "checkpoints", ".state", "spill")
        for i in range(RECORDS // 2500):
            run = self.run_once("tumbling", 'trigger = "once"', LITTLE)
            self.assertEqual(run.code, 0, run.err)
            if i % 4 == 1:
                shutil.rmtree(local, ignore_errors=True)
            if i % 4 == 2 and os.path.exists(local):  # one that is behind, or not of the chain by now
                if os.path.exists(local + "-old"):
                    shutil.rmtree(local)
                    os.rename(local + "-old", local)
                else:
                    shutil.copytree(local, local + "-old")
            for name in os.listdir(local) if i % 4 == 3 and os.path.exists(local) else []:
                if name.endswith((".sst", ".run")):
                    with open(os.path.join(local, name), "r+b") as file:
                        file.write(b"?" * 500)
        self.run_once("tumbling", ALL, LITTLE)
        self.check("tumbling")

    def test_what_is_left_on_disk_is_looked_for_after_a_restart(self):
        """A third of the runs begin on a machine that has nothing of it."""
        self.want("long keys")
        for i in range(RECORDS // 2500):
            run = self.run_once("long keys", 'trigger = "once"', LITTLE, f'state_dir = "machine-{i // 3}"')
            self.assertEqual(run.code, 0, run.err)
        self.run_once("long keys", ALL, LITTLE)
        self.check("long keys")

    def test_a_budget_that_was_lowered(self):
        """What is loaded is more than the budget, and the base has nothing of it yet."""
        self.want("tumbling")
        for _ in range(8):
            run = self.run_once("tumbling", 'trigger = "once"', ENOUGH)
            self.assertEqual(run.code, 0, run.err)
        for memory in LITTLE, ENOUGH, LITTLE:
            run = self.run_once("tumbling", 'trigger = "once"', memory)
            self.assertEqual(run.code, 0, run.err)
        run = self.run_once("tumbling", ALL, LITTLE)
        self.assertEqual(run.code, 0, run.err)
        self.check("tumbling")

    def test_kills_change_nothing(self):
        rolls = random.Random(3)
        for stages in "cumulate", "hopping update", "running out", "distinct within":
            with self.subTest(stages=stages):
                self.want(stages)
                for _ in range(8):
                    run = self.run_once(stages, ALL, little(stages),
                                        kill_after_s=0.1 + rolls.random() * 0.4)
                    if run.code == 0:
                        break
                if run.code:
                    run = self.run_once(stages, ALL, little(stages))
                    self.assertEqual(run.code, 0, run.err)
                self.assertTrue(self.output() == self.wanted[stages], "the output differs")

    def test_a_limit_that_fails(self):
        """The batch leaves no trace: with more memory the next run goes on."""
        self.want("tumbling")
        run = self.run_once("tumbling", ALL, LITTLE, 'on_state_limit = "fail"')
        self.assertNotEqual(run.code, 0)
        self.assertIn("MiB, and `memory` allows it 2 MiB (`aggregate aggregate`",
                      run.err)
        self.assertIn("let cold state go to disk: on_state_limit", run.err)
        run = self.run_sluice("run", "p.lua", *harness.sets("memory=1 GiB"))
        self.assertEqual((run.code, self.spilled), (0, 0), run.err)
        self.assertTrue(self.output() == self.wanted["tumbling"], "the output differs")

    def test_whole_states_are_made_in_parts_that_fit_a_small_memory(self):
        """Three parts are in memory while one is made: of 64 MB they would be more than all the rest."""
        state, rows = os.path.join(self.folder, "checkpoints", "spill", "state"), 0
        while rows < 1_000_000 and not (rows and any(".full." in name for name in os.listdir(state))):
            with open(os.path.join(self.folder, "in.jsonl"), "a" if rows else "w") as file:
                file.writelines(f'{{"user":"user-{n:040}","amount":1,"ts":{1_700_000_000_000 + n // 1000}}}\n'
                                for n in range(rows, rows + 100_000))
            rows += 100_000
            run = self.run_once("tumbling", 'trigger = "available-now"', 'memory = "8 MiB"')
            self.assertEqual(run.code, 0, run.err)
        sizes = {name: os.path.getsize(os.path.join(state, name)) for name in os.listdir(state) if ".full" in name}
        self.assertIn(True, [".full." in name for name in sizes], sizes)
        self.assertLess(max(sizes.values()), 6 << 20)
        self.assertEqual(self.run_sluice("checkpoint", "verify", "p.lua").code, 0)
        run = self.run_once("tumbling", ALL, 'memory = "8 MiB"')
        self.assertEqual(run.code, 0, run.err)
        self.assertEqual(self.output().count("\n"), rows)

    def test_a_lost_base_is_filled_part_by_part(self):
        """What is in the objects is many times the budget."""
        with open(os.path.join(self.folder, "in.jsonl"), "w") as file:
            file.writelines(f'{{"user":"{n:040}","amount":1,"ts":1700000000000}}\n' for n in range(600_000))
        for _ in range(2):
            run = self.run_once("distinct", 'trigger = "available-now"', 'memory = "8 MiB"')
            self.assertEqual(run.code, 0, run.err)
            shutil.rmtree(os.path.join(self.folder, "checkpoints", ".state", "spill"))
        state = os.path.join(self.folder, "checkpoints", "spill", "state")
        size = sum(os.path.getsize(os.path.join(state, name)) for name in os.listdir(state)) >> 20
        self.assertGreater(size, 80)
        self.assertLess(run.peak_mb, 110)

    def test_a_state_dir_that_is_full_from_the_start_is_what_ends_the_run(self):
        """The last line says so itself: what it warned of stands far above by then."""
        self.want("tumbling")
        run = self.run_once("tumbling", ALL, LITTLE, env={"SLUICE_FAULT": "rocks_full"}, program=CRASHING)
        self.assertEqual(run.code, 1, run.err)
        self.assertIn("local state is given up", run.err)
        self.assertRegex(run.err.splitlines()[-1], r"nothing could go to disk: .*No space left on device.*make room there")

    def test_a_full_disk_ends_the_run_and_loses_nothing(self):
        self.assertTrue(os.path.exists(CRASHING), "build it: ./dev test e2e")
        self.want("tumbling")
        for _ in range(12):
            run = self.run_once("tumbling", 'trigger = "once"', LITTLE)
            self.assertEqual(run.code, 0, run.err)
        self.assertGreater(self.spilled, 0)
        for fault, found in ("run_file_full", "No space left on device; part of the state lies there alone"),\
                ("rocks_full", "No space left on device"):  # by now at the start, catching up
            run = self.run_once("tumbling", ALL, LITTLE, env={"SLUICE_FAULT": fault}, program=CRASHING)
            self.assertNotEqual(run.code, 0)
            self.assertIn(found, run.err)
        run = self.run_once("tumbling", ALL, LITTLE)
        self.assertEqual(run.code, 0, run.err)
        self.check("tumbling")
