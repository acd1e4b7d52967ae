"""Five thousand batches of a record each, every one a transaction, by two pipelines side by side (a transaction is
mostly waiting): nothing is lost or doubled, and neither memory nor what a start has to read grows with them."""
import json
import os

import harness

BATCHES = 2_500  # of each
LONGEST_CHAIN = 100
BEGIN_MS = 1_700_000_000_000

SCRIPT = """
local sluice = require "sluice"
return sluice.pipeline {
   name = "NAME", trigger = "available-now", checkpoint = "file:./store",
   sluice.kafka { topics = "@IN", start = "earliest", max_records = 1 }
      :json { sluice.int64 "n" :required(), sluice.int64 "ts" :required() }
      :event_time("ts", { unit = "ms", delay = 0 })
      :group_by { key = sluice.int64(function(row) return row.n % 7 end) }
      :window(sluice.tumbling { size = "100 ms" })
      :aggregate { rows = sluice.count(), sum = sluice.sum "n" }
      :to(sluice.kafka { topic = "@OUT", mode = "append" }),
}
"""


class SmallBatchesTest(harness.E2ETest):
    def wanted(self):
        """All windows but the last, which nothing closes."""
        groups = {}
        for n in range(BATCHES - 100):
            group = groups.setdefault((BEGIN_MS + n // 100 * 100, n % 7), [])
            group.append(n)
        return sorted((*key, len(group), sum(group)) for key, group in groups.items())

    def begin(self, topic):
        out, name = self.topic(name="out"), harness.fresh("small")
        script = self.file(name + ".lua", SCRIPT.replace("NAME", name).replace("@IN", topic).replace("@OUT", out))
        return self.start("run", os.path.basename(script)), out, script

    def check(self, run, out, script, early_mb):
        self.assertEqual(run.wait(120), 0, run.err)
        self.assertLess(run.peak_mb, early_mb + 10)
        got = sorted((row["window_start"], row["key"], row["rows"], row["sum"]) for row in
                     (record.json() for record in self.client.consume(out)))
        self.assertEqual(got, self.wanted())
        verified = self.run_sluice("checkpoint", "verify", script, "--json")
        found = json.loads(verified.out)
        self.assertEqual((verified.code, found["next_batch"]), (0, BATCHES), verified.err)
        chain = [one for one in found["objects"] if one["role"] in ("current", "needed")]
        self.assertLessEqual(len(chain), LONGEST_CHAIN)

    def test_five_thousand(self):
        topic = self.topic(name="in")
        self.client.produce(topic, [{"value": json.dumps({"n": n, "ts": BEGIN_MS + n}), "partition": 0}
                                    for n in range(BATCHES)])
        begun = [self.begin(topic) for _ in range(2)]
        for run, out, _ in begun:
            self.wait_for("a tenth", lambda: len(self.client.consume(out)) > BATCHES / 100 * 7 / 10, timeout_s=60)
        early_mb = [run.rss_mb() for run, _, _ in begun]
        for one, mb in zip(begun, early_mb):
            self.check(*one, mb)
        self.assertEqual(os.listdir(os.path.join(self.folder, "store", ".tmp")), [])
