"""A pipeline that is exactly-once, on a bad day of its broker or of its neighbours. Who dies where:
tests/torture; the ledger by itself: test_transactions.py."""
import json
import os
import signal
import subprocess
import time

import expect
import harness
import kit

FENCED, REFUSED = 3, 4
TIMEOUT_S = 10  # the shortest transaction timeout that may be set
COPY = """
local sluice = require "sluice"
local brokers = { config = { ["transaction.timeout.ms"] = LIMIT_MS } }
return sluice.pipeline {
   name = "NAME", trigger = "continuous", checkpoint = "file:./store",
   sluice.kafka { topics = "IN", start = "earliest" }
      :json { sluice.int64 "n" :required(), sluice.string "text" }
      :quarantine_to(sluice.kafka { topic = "DEAD" })
      :to(sluice.kafka { topic = "OUT", config = brokers.config, on_error = "quarantine" }),
}
"""


class RunTest(harness.E2ETest):
    def setUp(self):
        super().setUp()
        self.words = {"IN": self.topic(partitions=2, name="in"), "OUT": self.topic(name="out", configs=self.limits),
                      "DEAD": self.topic(name="dead"), "NAME": harness.fresh("copies"),
                      "LIMIT_MS": str(TIMEOUT_S * 1000)}
        text = COPY
        for word, value in self.words.items():
            text = text.replace(word, value)
        self.file("p.lua", text)
        self.sent = 0

    limits = {"max.message.bytes": "100000"}

    def produce(self, count, text="x"):
        first, self.sent = self.sent, self.sent + count
        self.client.produce(self.words["IN"], [{"value": json.dumps({"n": n, "text": text}), "partition": n % 2}
                                               for n in range(first, self.sent)])

    def start_copy(self, env=None):
        run = self.start("run", "p.lua", env=env)
        self.wait_for("the start", lambda: "message=running" in run.err or not run.running)
        self.assertTrue(run.running, run.err)
        return run

    def copied(self, topic="OUT"):
        return sorted(record.json()["n"] for record in self.client.consume(self.words[topic]))

    def wait_for_all(self, run, timeout_s=60):
        self.wait_for("all rows", lambda: not run.running or len(self.copied()) >= self.sent, timeout_s)
        self.assertEqual(self.copied(), list(range(self.sent)), run.err)


class RefusedRowTest(RunTest):
    def test_a_row_that_the_broker_refuses_is_quarantined_and_nothing_comes_twice(self):
        """Random letters: what packs well is none too large."""
        letters = "".join(chr(97 + byte % 26) for byte in os.urandom(300_000))
        run = self.start_copy()
        self.produce(100)
        self.produce(1, letters)
        self.produce(100)
        self.wait_for("the rows", lambda: len(self.copied()) >= 200)
        self.assertEqual(run.stop(), 0)
        self.assertEqual(self.copied(), [n for n in range(201) if n != 100])
        (dead,) = self.client.consume(self.words["DEAD"])
        self.assertEqual(json.loads(dead.value)["n"], 100)
        sink = expect.Summary(run.err).sinks[self.words["OUT"]]
        self.assertEqual((sink["rows"], sink["refused"]), (200, 1))


class OutageTest(RunTest):
    @property
    def broker(self):
        if not hasattr(self, "mine"):
            self.mine = self.own_broker()
        return self.mine

    def check_outage(self, seconds):
        run = self.start_copy()
        self.produce(500)
        self.broker.kill()
        time.sleep(seconds)
        self.wait_for("the line", lambda: expect.messages(run.err, "broker lost"))
        self.broker.start()
        self.produce(500)
        self.wait_for_all(run)
        self.wait_for("the line", lambda: expect.messages(run.err, "broker back"), timeout_s=10)
        self.assertEqual(run.stop(), 0)
        self.assertEqual(self.copied(), list(range(self.sent)))
        expect.check_outages(self, run.err)

    def test_a_broker_that_is_away_for_a_moment(self):
        self.check_outage(3)

    def test_a_broker_that_is_away_beyond_the_timeout(self):
        self.check_outage(TIMEOUT_S + 3)


class NeighbourTest(RunTest):
    def test_a_pause_beyond_the_timeout(self):
        run = self.start_copy()
        for _ in range(5):
            self.produce(500)
            time.sleep(0.05)
        run.send(signal.SIGSTOP)
        time.sleep(TIMEOUT_S + 2)
        self.produce(500)
        run.send(signal.SIGCONT)
        self.wait_for_all(run)
        self.assertEqual(run.stop(), 0)

    def test_a_second_process_takes_over_whoever_is_idle(self):
        first = self.start_copy()
        self.produce(100)
        self.wait_for_all(first)
        second = self.start_copy(env=harness.elsewhere())
        self.produce(100)
        self.assertEqual(first.wait(20), FENCED, first.err)
        self.wait_for_all(second)
        self.assertEqual(second.stop(), 0)

    def test_a_zombie_ends_itself(self):
        first = self.start_copy()
        self.produce(100)
        self.wait_for_all(first)
        self.produce(2000)
        first.send(signal.SIGSTOP)
        second = self.start_copy(env=harness.elsewhere())
        self.wait_for_all(second)
        time.sleep(TIMEOUT_S)
        first.send(signal.SIGCONT)
        self.produce(100)
        self.assertEqual(first.wait(20), FENCED, first.err)
        self.wait_for_all(second)
        self.assertEqual(second.stop(), 0)

    def test_a_group_that_others_live_in_is_left_alone(self):
        self.produce(10)
        log = os.path.join(self.folder, "member.log")
        with open(log, "wb") as file:
            member = subprocess.Popen(["kcat", "-b", self.brokers, "-G", self.words["NAME"], "-X",
                                       "enable.auto.commit=false", self.words["IN"]], stdin=subprocess.DEVNULL,
                                      stdout=file, stderr=file, preexec_fn=harness.kafka.die_with_parent)
        try:
            self.wait_for("the member", lambda: "assigned" in harness.read(log))
            run = self.run_sluice("run", "p.lua")
            self.assertEqual(run.code, FENCED, run.err)
            self.assertIn("has live members", run.err)
            self.assertEqual(self.client.group_offsets(self.words["NAME"]), {})
        finally:
            member.kill()
            member.wait()

    def test_a_transaction_that_holds_the_group_s_offsets_is_told_and_waited_for(self):
        run = self.start_copy()
        self.produce(10)
        self.wait_for_all(run)
        self.assertEqual(run.stop(), 0)
        self.client.produce(self.words["IN"], [], transaction="open", group=self.words["NAME"])
        run = self.start("run", "p.lua")
        self.wait_for("the line", lambda: expect.messages(run.err, "waiting for stable offsets"))
        self.assertEqual(expect.messages(run.err, "running"), [])
        self.client.end_open(commit=False)
        self.produce(10)
        self.wait_for_all(run)
        self.assertEqual(run.stop(), 0)

    def test_kafka_s_own_tool_shows_the_lag(self):
        run = self.start_copy()
        self.produce(10)
        self.wait_for_all(run)
        self.assertEqual(run.stop(), 0)
        self.produce(6)
        said = subprocess.run(kit.tool(kit.GROUP_COMMAND, self.brokers, "--describe", "--group", self.words["NAME"]),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300).stdout
        rows = [line.split()[1:6] for line in said.splitlines() if line.startswith(self.words["NAME"])]
        self.assertEqual(sorted(rows), [[self.words["IN"], str(p), "5", "8", "3"] for p in (0, 1)], said)

    def test_a_tool_that_works_on_the_group_is_found(self):
        for tool in "delete", "reset":
            with self.subTest(tool):
                self.setUp()
                run = self.start_copy()
                self.produce(100)
                self.wait_for_all(run)
                time.sleep(1.5)
                if tool == "delete":
                    self.client.delete_group(self.words["NAME"])
                else:
                    self.client.set_group_offsets(self.words["NAME"], self.words["IN"], {0: 0, 1: 0})
                self.assertEqual(run.wait(10), REFUSED, run.err)
                self.assertIn("checkpoint recover", run.err)
