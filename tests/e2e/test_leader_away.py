"""The only broker of one partition is away for five minutes: the others are read on, the watermark waits,
and nothing of that partition is late when it comes back."""
import json

import expect
import harness
import test_clock

MINUTE_MS = 60_000
SCRIPT = """
local sluice = require "sluice"
local all = sluice.kafka { topics = "in", start = "earliest" }
   :json { sluice.int64 "ts" :required() }
   :event_time("ts", { delay = 0, idle = "2 minutes" })
return sluice.pipeline {
   name = "away", checkpoint = "file:./store",
   all:to(sluice.kafka { topic = "rows" }),
   all:window(sluice.tumbling { size = "1 minute" })
      :aggregate { count = sluice.count() }
      :to(sluice.kafka { topic = "counts", mode = "append" }),
}
"""


class LeaderAwayTest(harness.OnQuorum, test_clock.ClockTest):
    def produce(self, partition, *minutes):
        self.client.produce("in", [{"value": json.dumps({"ts": m * MINUTE_MS}), "partition": partition}
                                   for m in minutes])
        self.sent += len(minutes)

    def rows(self):
        return len(self.client.consume("rows"))

    def wait_for_rows(self, run):
        self.wait_for("all rows", lambda: self.rows() == self.sent or not run.running)
        self.assertTrue(run.running, run.err)

    def test_nothing_is_late_and_the_others_go_on(self):
        self.sent = 0
        self.client.create_topic("in", brokers=[1, 2])
        for name in "rows", "counts", "away-quarantine":
            self.client.create_topic(name)
        self.file("p.lua", SCRIPT)
        run = self.start("run", "p.lua", env=self.env)
        self.produce(0, 0)
        self.produce(1, 0)
        self.wait_for_rows(run)
        self.quorum.kill(1)
        self.jump(5 * MINUTE_MS, 5 * MINUTE_MS)
        for minute in range(1, 4):
            self.produce(0, minute)
            self.wait_for_rows(run)
        self.wait_for("the line", lambda: expect.messages(run.err, "broker lost"))
        self.assertEqual(self.client.consume("counts"), [])
        self.quorum.start_again(1)
        self.wait_for("the line", lambda: expect.messages(run.err, "broker back"))
        for minute in 4, 5:  # batches in which the leader says that nothing is there yet
            self.produce(0, minute)
            self.wait_for_rows(run)
        self.produce(1, 1, 2, 3)
        self.wait_for_rows(run)
        self.wait_for("the windows", lambda: len(self.client.consume("counts")) == 3)
        self.assertEqual(run.stop(), 0, run.err)
        self.assertEqual([r.json()["count"] for r in self.client.consume("counts")], [2, 2, 2])
        self.assertEqual(expect.Summary(run.err).source["late"], 0)
