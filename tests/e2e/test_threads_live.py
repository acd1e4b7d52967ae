"""A pipeline that is changed while it runs, under the thread sanitizer (build/threads): a shadow does its batches
beside it, what is new is filled by a thread that reads old records, texts take over, one fails in its first batch.
Rows leave in a thread of their own, or in that of the commit. What the sanitizer does not see: test_threads.py."""
import json
import os

import harness
from test_threads import PROGRAM, SUPPRESSED

SLICE, KEYS, BATCH = 200, 50, 100
TAKEN, FILLED = "the script was reloaded", "what is new is filled"
BACK, BEGUN = "the new script failed, the old one is back", "another script does the next batches on shadow"

SCRIPT = """
local sluice = require "sluice"
return sluice.pipeline {{
   name = "{name}", checkpoint = "file:./store", workers = 2, delivery = "{delivery}",
   script_timeout = "{timeout}",
   sluice.kafka {{ topics = "{source}", start = "earliest", min_records = 50, max_records = {batch} }}
      :json {{ sluice.string "k" :required(), sluice.int64 "n" :required(), sluice.int64 "ts" :required() }}
      :event_time("ts", {{ unit = "ms", delay = "1 second" }})
      :filter(function(row) {fails} return true end)
      :group_by "k":window(sluice.tumbling {{ size = "1 hour" }})
      :aggregate({{ rows = sluice.count(), sum = sluice.sum "n" {more} }}, {{ backfill = "1 hour" }})
      :to(sluice.kafka {{ topic = "{out}", mode = "update" }}),
}} -- {words}
"""
PLAIN = {"fails": "", "more": "", "words": "", "batch": BATCH, "timeout": "10 seconds"}
LOOP = "while row.n == 3 do end"   # an old record
MORE = ', again = sluice.count(), all = sluice.collect("n", 2000)'


class LiveTest(harness.E2ETest):
    def test_exactly_once(self):
        self.check("exactly-once")

    def test_at_least_once(self):
        self.check("at-least-once")

    def check(self, delivery):
        self.words = {"name": harness.fresh("live"), "delivery": delivery,
                      "source": self.topic(partitions=2, name="in"), "out": self.topic(name="out")}
        self.sent, self.last = 0, {}
        self.save("p.lua")
        options = f"suppressions={self.file('suppressed', SUPPRESSED)} exitcode=66"
        run = self.start("run", "p.lua", "--no-watch", program=PROGRAM, env={"TSAN_OPTIONS": options})
        self.produce()
        self.read_all(run)
        self.save("beside.lua", words="the same")
        asked = self.ask("--script", "beside.lua", "--shadow", "3", "--json")
        self.assertEqual(json.loads(asked.out)["is_same"], True, asked.out)
        self.save("p.lua", more=MORE, fails=LOOP, timeout="1 second")
        self.ask(code=4)
        self.save("p.lua", more=MORE)
        self.ask()
        self.assertIn(FILLED, run.err)
        self.save("p.lua", more=MORE, fails="error 'never'")
        self.ask(code=4)
        self.assertIn(BACK, run.err)
        self.save("p.lua", more=MORE, words="for good")
        self.ask()
        self.read_all(run)
        code = run.stop(60)
        self.assertNotIn("ThreadSanitizer", run.err, run.err[-20000:])
        self.assertEqual(code, 0, run.err)
        self.check_rows()

    def save(self, name, **words):
        self.file(name + ".new", SCRIPT.format(**{**PLAIN, **self.words, **words}))
        os.replace(os.path.join(self.folder, name + ".new"), os.path.join(self.folder, name))

    def produce(self):
        numbers = range(self.sent, self.sent + SLICE)
        self.client.produce(self.words["source"], [
            {"value": json.dumps({"k": f"k{n % KEYS}", "n": n, "ts": 1_700_000_000_000 + n}), "partition": n % 2}
            for n in numbers])
        self.sent += SLICE

    def ask(self, *more, code=0):
        """Records come until it is answered."""
        asked = self.start("reload", self.words["name"], *more)
        while asked.running:
            before = self.client.end_offsets(self.words["out"])
            self.produce()
            self.wait_for("a batch, or the answer", lambda: not asked.running or
                          self.client.end_offsets(self.words["out"]) != before)
        self.assertEqual(asked.wait(), code, asked.out + asked.err)
        return asked

    def total(self):
        for record in self.client.consume(self.words["out"]):
            self.last[record.key] = record.json()
        return sum(row["rows"] for row in self.last.values())

    def read_all(self, run):
        self.wait_for("all rows", lambda: not run.running or self.total() == self.sent, timeout_s=90)

    def check_rows(self):
        """The last one of each group has all, in the columns that came later, too."""
        self.total()
        wanted = {f"k{key}": list(range(key, self.sent, KEYS)) for key in range(KEYS)}
        self.assertEqual({row["k"]: (row["rows"], row["sum"], row["again"], row["all"]) for row in self.last.values()},
                         {key: (len(numbers), sum(numbers), len(numbers), numbers) for key, numbers in wanted.items()})
