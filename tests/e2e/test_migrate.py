"""A user's aggregate whose state gets other members: what is stored is taken over by `migrate`, at a restart and while
it runs, whoever is killed when; what is refused has changed nothing. The rows are those of an oracle that knows of none
of it."""
import json
import os
import random
import shutil

import harness
import kit

CRASHING = os.path.join(kit.ROOT, "build", "crash", "sluice")  # SLUICE_CRASH works in it
TAKEN, REFUSED = "the script was reloaded", "the changed script is refused, the old one goes on"
BACK = "the new script failed, the old one is back and does the batch again"

SCRIPT = """
local sluice = require "sluice"
local span = sluice.aggregate {{ {state}
   result = function(a, window) return {value} end }}
local rows = {source}
   :json {{ sluice.string "k" :required(), sluice.int64 "n" :required(), sluice.int64 "ts" :required() }}
   :event_time("ts", {{ delay = "{delay}", idle = "never", max_skew = "1 day" }})
return sluice.pipeline {{ name = "{name}", checkpoint = "file:./store", {options} {migrate}
   rows:group_by "k":window(sluice.{window}):aggregate {{ rows = sluice.count(), span = span }}
      :to({sink}) }}
"""

# least and most, as they were called over time; all give the same results
FIRST = ("""state = { lo = math.huge, hi = -math.huge, n = 0 },
   fold = function(a, row) a.lo, a.hi, a.n = math.min(a.lo, row.n), math.max(a.hi, row.n), a.n + 1 end,
   merge = function(a, b) a.lo, a.hi, a.n = math.min(a.lo, b.lo), math.max(a.hi, b.hi), a.n + b.n end,""",
         "(a.hi - a.lo) * 1000 + a.n", "new.lo, new.hi, new.n = old.ends[0], old.ends[1], old.seen")
SECOND = ("""state = { ends = "double[2]", seen = "int32", more = "string(20)" },
   init = function(a) a.ends[0], a.ends[1] = math.huge, -math.huge end,
   fold = function(a, row)
      a.ends[0], a.ends[1] = math.min(a.ends[0], row.n), math.max(a.ends[1], row.n)
      a.seen, a.more = a.seen + 1, row.k:sub(1, 20)
   end,
   merge = function(a, b)
      a.ends[0], a.ends[1] = math.min(a.ends[0], b.ends[0]), math.max(a.ends[1], b.ends[1])
      a.seen, a.more = a.seen + b.seen, b.more
   end,""", "(a.ends[1] - a.ends[0]) * 1000 + a.seen", "new.ends[0], new.ends[1], new.seen = old.lo, old.hi, old.n")
STAGES = ('tumbling { size = "10 seconds" }', "append"), ('running { retain = "forever" }', "update")
THROWS = SECOND[:2] + ("error 'not this one'",)


class MigrateTest(harness.E2ETest):
    def save(self, version, migrates=True, **words):
        migrate = "migrate = { span = function(old, new) %s end }," % version[2] if migrates else ""
        self.file("p.new", SCRIPT.format(state=version[0], value=version[1], migrate=migrate, **{**self.words, **words}))
        os.replace(os.path.join(self.folder, "p.new"), os.path.join(self.folder, "p.lua"))

    def row(self, n):
        return {"k": f"k{n % 5}", "n": n * 7919 % 1000, "ts": 1_700_000_000_000 + n * 100}

    def oracle(self, count):
        """By key and window: rows and span."""
        found = {}
        for n in range(count):
            row = self.row(n)
            found.setdefault((row["k"], row["ts"] // 10_000 * 10_000), []).append(row["n"])
        return {key: (len(all_), (max(all_) - min(all_)) * 1000 + len(all_)) for key, all_ in found.items()}


class KafkaTest(MigrateTest):
    """Exactly once."""

    def setUp(self):
        super().setUp()
        self.topics = self.topic(partitions=2, name="in"), self.topic(name="out")
        self.words = {"name": harness.fresh("migrates"), "delay": "1 second", "options": "", "window": 'tumbling { size = "10 seconds" }',
                      "source": f'sluice.kafka {{ topics = "{self.topics[0]}", start = "earliest", max_records = 60 }}',
                      "sink": f'sluice.kafka {{ topic = "{self.topics[1]}", mode = "append" }}'}
        self.sent = 0

    def produce(self, count):
        first, self.sent = self.sent, self.sent + count
        self.client.produce(self.topics[0], [{"value": json.dumps(self.row(n)), "partition": n % 2}
                                             for n in range(first, self.sent)])

    def run_once(self, code=0, **more):
        run = self.run_sluice("run", "p.lua", *harness.sets("trigger=available-now"), **more)
        if code is not None:
            self.assertEqual(run.code, code, run.err)
        return run

    def check(self):
        """Each window that has closed is out once, and right."""
        wanted, found = self.oracle(self.sent), {}
        for record in self.client.consume(self.topics[1]):
            row = record.json()
            key = row["k"], row["window_start"]
            self.assertNotIn(key, found)
            found[key] = row["rows"], row["span"]
        last = max(start for _, start in wanted)
        self.assertEqual(found, {key: row for key, row in wanted.items() if key[1] < last - 10_000
                                 or key in found})

    def test_kills_around_a_restart_that_migrates(self):
        self.assertTrue(os.path.exists(CRASHING), "build it: ./dev test e2e")
        self.save(FIRST, migrates=False)
        self.produce(250)
        self.run_once()
        self.save(SECOND, migrates=False)
        self.assertIn("migrate = { span = function(old, new)", self.run_once(code=4).err)
        self.save(THROWS)
        run = self.run_once(code=4)
        self.assertIn("p.lua:17: not this one", run.err)
        self.assertIn("while migrating `span`, whose old state is hi = ", run.err)
        for version in SECOND, FIRST, SECOND:
            self.save(version)
            self.produce(250)
            for point in "delta_durable", "offsets_sent", "txn_committed", "delta_durable:2":
                run = self.run_once(code=None, env={"SLUICE_CRASH": point}, program=CRASHING)
                self.assertLess(run.code, 0, run.err)
            self.run_once()
        self.assertEqual(self.run_sluice("checkpoint", "verify", "p.lua").code, 0)
        self.assertNotIn("is migrated", self.run_once().err)
        self.check()

    def test_a_change_while_it_runs_and_a_kill_behind_it(self):
        self.save(FIRST, migrates=False)
        self.produce(200)
        self.run_once()
        for version, refused in (SECOND, THROWS), (FIRST, FIRST[:2] + ("new.n = old.nothing",)):
            run = self.start("run", "p.lua")
            self.wait_for("its start", lambda: "message=running" in run.err)
            self.produce(100)
            self.save(refused)
            self.wait_for("a refusal", lambda: REFUSED in run.err)
            self.save(version)
            self.wait_for("the change", lambda: TAKEN in run.err)
            self.assertIn("`span` is migrated", run.err)
            self.produce(100)
            run.kill()  # before the first batch of the new text, in it, or behind
        self.produce(200)
        self.run_once()
        self.check()


class SpilledTest(MigrateTest):
    """Part of the state is on disk when it changes. Without Kafka."""
    brokers = ""
    USERS, RECORDS = 10_007, 30_000
    OPTIONS = 'trigger = "available-now", flush = %s, memory = "1 MiB", workers = %d,'

    def row(self, n):
        return {"k": f"user-{n * 7 % self.USERS:030}", "n": n * 7919 % 1000, "ts": 1_700_000_000_000 + n % 3 * 10_000}

    def begin(self, window, mode):
        for name in "store", "in.jsonl", "out.jsonl":
            path = os.path.join(self.folder, name)
            if os.path.isdir(path):
                shutil.rmtree(path)
            elif os.path.exists(path):
                os.remove(path)
        self.words = {"name": "spilled", "delay": "1 hour", "window": window,
                      "source": 'sluice.file { path = "in.jsonl", follow = true, max_records = 2500 }',
                      "sink": f'sluice.file {{ path = "out.jsonl", append = true, mode = "{mode}" }}'}

    def feed(self, first, last):
        with open(os.path.join(self.folder, "in.jsonl"), "a") as file:
            file.writelines(json.dumps(self.row(n)) + "\n" for n in range(first, last))

    def run_part(self, first, last, version, flush, workers=2):
        self.feed(first, last)
        self.save(version, options=self.OPTIONS % (flush, workers))
        run = self.run_sluice("run", "p.lua", timeout_s=120)
        self.assertEqual(run.code, 0, run.err)
        return run.err

    def test_what_is_spilled_is_migrated_by_a_restart(self):
        for window, mode in STAGES:
            with self.subTest(window=window):
                self.begin(window, mode)
                self.assertIn("state spilled", self.run_part(0, 15_000, FIRST, "false"))
                told = self.run_part(15_000, 22_500, SECOND, "false", workers=1)
                self.assertIn("is migrated", told)
                self.assertIn("state spilled", told)
                self.assertNotIn("is migrated", self.run_part(22_500, self.RECORDS, SECOND, "true", workers=3))
                self.check(mode)

    def test_a_restart_reads_no_more_than_memory_bears(self):
        self.begin(*STAGES[1])
        draw = random.Random(7)
        self.row = lambda n: {"k": draw.randbytes(1000).hex(), "n": 1, "ts": 1_700_000_000_000}
        self.assertIn("state spilled", self.run_part(0, 15_000, FIRST, "false"))
        before = self.rows_out()
        self.save(SECOND, options=self.OPTIONS % ("false", 2))
        run = self.run_sluice("run", "p.lua", timeout_s=120)
        self.assertEqual(run.code, 4, run.err)
        self.assertRegex(run.err, r"is read whole for that: some \d+ MiB, more than 4 times `memory`: give it more")
        self.assertEqual(self.rows_out(), before)
        self.feed(15_000, 15_001)
        run = self.run_sluice("run", "p.lua", "--set", "memory=256 MiB", timeout_s=120)
        self.assertEqual(run.code, 0, run.err)
        self.assertEqual(self.rows_out(), before + 1)

    def rows_out(self):
        return sum(1 for _ in open(os.path.join(self.folder, "out.jsonl"), "rb"))

    def test_what_is_spilled_is_migrated_while_it_runs(self):
        """A throw leaves what is on disk as it is; so does a text that fails in its first batch."""
        running = 'memory = "1 MiB", workers = 2,'
        fails = SECOND[0], "error 'no result'", SECOND[2]
        for window, mode in STAGES:
            with self.subTest(window=window):
                self.begin(window, mode)
                self.assertIn("state spilled", self.run_part(0, 15_000, FIRST, "false"))
                self.save(FIRST, options=running)
                run = self.start("run", "p.lua")
                self.wait_for("its start", lambda: "message=running" in run.err)
                self.save(THROWS, options=running)
                self.wait_for("a refusal", lambda: "not this one" in run.err)
                if mode == "update":
                    self.save(fails, options=running)
                    self.wait_for("the text that fails", lambda: run.err.count(TAKEN) == 1)
                    self.feed(15_000, 16_000)
                    self.wait_for("the old text", lambda: BACK in run.err)
                    self.wait_for("its rows", lambda: self.rows_out() >= 16_000)
                before = run.err.count(TAKEN)
                self.save(SECOND, options=running)
                self.wait_for("the change", lambda: run.err.count(TAKEN) == before + 1)
                self.assertIn("`span` is migrated", run.err)
                self.feed(16_000 if mode == "update" else 15_000, 22_500)
                self.wait_for("what is spilled anew", lambda: "state spilled" in run.err[run.err.rindex(TAKEN):])
                run.kill()
                # the batch that it was in is the same text's to end
                again = self.run_sluice("run", "p.lua", *harness.sets("trigger=available-now"))
                self.assertEqual(again.code, 0, again.err)
                self.assertNotIn("is migrated", self.run_part(22_500, self.RECORDS, SECOND, "true"))
                self.check(mode)

    def check(self, mode):
        found, wanted = {}, self.oracle(self.RECORDS) if mode == "append" else self.totals()
        for line in harness.read(os.path.join(self.folder, "out.jsonl")).splitlines():
            row = json.loads(line)
            key = row["k"], row.get("window_start")
            self.assertFalse(mode == "append" and key in found, line)
            found[key] = row["rows"], row["span"]
        self.assertTrue(found == wanted, "the output differs")

    def totals(self):
        found = {}
        for n in range(self.RECORDS):
            row = self.row(n)
            found.setdefault((row["k"], None), []).append(row["n"])
        return {key: (len(all_), (max(all_) - min(all_)) * 1000 + len(all_)) for key, all_ in found.items()}
