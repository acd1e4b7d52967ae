"""A whole pipeline under the thread sanitizer (build/threads): batches run while the one before is
committed, objects are written and removed behind them, workers share the fold, state goes to disk. What the JIT
compiler made of scripts is not looked into, nor are libraries, but their locks (tests/faults/c11_threads.c)."""
import json
import os

import harness
import kit

PROGRAM = os.path.join(kit.ROOT, "build", "threads", "sluice")
ROWS, BATCH, USERS = 30_000, 500, 15_000
# libraries that count references by atomics of their own; and the flag that a signal's handler sets
SUPPRESSED = "race:librdkafka\nrace:librocksdb\nrace:on_signal\n"

SCRIPT = """
local sluice = require "sluice"
return sluice.pipeline {
   name = "NAME", checkpoint = "STORE", trigger = "continuous", workers = 2, commit_interval = 0,
   memory = "1 MiB", state_dir = "./local",
   sluice.kafka { topics = "@IN", start = "earliest", max_records = BATCH }
      :json { sluice.string "user" :required(), sluice.int64 "n" :required(), sluice.int64 "ts" :required() }
      :event_time("ts", { unit = "ms", delay = "1 second" })
      :group_by "user":window(sluice.running { retain = "forever" })
      :aggregate { rows = sluice.count(), sum = sluice.sum "n" }
      :to(sluice.kafka { topic = "@OUT", mode = "update" }),
}
"""


class ThreadsTest(harness.E2ETest):
    def check(self, store, env):
        topic, out = self.topic(partitions=2, name="in"), self.topic(name="out")
        text = SCRIPT.replace("STORE", store).replace("NAME", harness.fresh("threads")).replace("BATCH", str(BATCH))
        self.file("p.lua", text.replace("@IN", topic).replace("@OUT", out))
        options = f"suppressions={self.file('suppressed', SUPPRESSED)} exitcode=66"
        run = self.start("run", "p.lua", program=PROGRAM, env=dict(env, TSAN_OPTIONS=options))
        for first in range(0, ROWS, ROWS // 6):
            self.client.produce(topic, [
                {"value": json.dumps({"user": f"user-{n * 7919 % USERS:030}", "n": n, "ts": 1_700_000_000_000 + n}),
                 "partition": n % 2} for n in range(first, first + ROWS // 6)])
        last = {}

        def is_done():
            last.update((record.key, record.json()["rows"]) for record in self.client.consume(out))
            return not run.running or sum(last.values()) == ROWS
        self.wait_for("all rows", is_done, timeout_s=90)
        code = run.stop(60)
        self.assertNotIn("ThreadSanitizer", run.err, run.err[-20000:])
        self.assertEqual((code, sum(last.values())), (0, ROWS), run.err)
        self.assertIn("state spilled", run.err)

    def test_a_folder(self):
        self.check("file:./store", {})

    def test_s3(self):
        self.check(harness.shared_s3().url(harness.fresh("threads")), harness.shared_s3().env)
