"""The system's clock jumps, and time passes that nobody wants to wait for: tests/faults/clock_faults.c is
loaded before libc, and a test moves the clocks of a running process."""
import json
import mmap
import os
import struct
import time

import expect
import harness
import kit
import pipelines

SOURCE = os.path.join(kit.ROOT, "tests", "faults", "clock_faults.c")
HOUR_MS, MINUTE_MS = 3_600_000, 60_000


def library():
    """Compile clock_faults.c, once a run; the path to be preloaded."""
    path = os.path.join(harness.tempfile.tempdir, "clock_faults.so")
    if not os.path.exists(path):
        kit.run_or_fail(["gcc", "-O1", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-shared", "-fPIC", SOURCE, "-o",
                         path, "-ldl", "-lpthread"], "compiling clock_faults.c")
    return path


class ClockTest(harness.E2ETest):
    def setUp(self):
        super().setUp()
        path = self.file("clock", "\0" * 16)
        with open(path, "r+b") as file:
            self.offsets = mmap.mmap(file.fileno(), 16)
        self.addCleanup(self.offsets.close)
        self.env = {"LD_PRELOAD": library(), "SLUICE_CLOCK": path}
        self.topic_in, self.out = self.topic(partitions=2), self.topic(name="out")
        self.sent = 0

    def jump(self, day_ms=0, steady_ms=0):
        """The time of day jumps, or time passes."""
        at = struct.unpack("=qq", self.offsets[:])
        self.offsets[:] = struct.pack("=qq", at[0] + day_ms, at[1] + steady_ms)

    def start_pipeline(self, text, *settings):
        self.file("p.lua", text.replace('checkpoint = "none"', 'checkpoint = "file:./store"'))
        run = self.start("run", "p.lua", *harness.sets("trigger=continuous", *settings), env=self.env)
        self.wait_for("the start", lambda: "message=running" in run.err or not run.running)
        self.assertTrue(run.running, run.err)
        return run

    def start_copy(self, *settings):
        self.name = harness.fresh("clock")
        return self.start_pipeline(pipelines.copy(self.topic_in, self.out, name=self.name), *settings)

    def produce(self, count):
        first, self.sent = self.sent, self.sent + count
        self.client.produce(self.topic_in, [{"value": json.dumps({"n": n}), "partition": n % 2}
                                            for n in range(first, self.sent)])

    def copied(self):
        return sorted(record.json()["n"] for record in self.client.consume(self.out))

    maxDiff = 200

    def wait_for_all(self, run, timeout_s=30):
        self.wait_for("all rows", lambda: not run.running or len(self.copied()) >= self.sent, timeout_s)
        self.assertEqual(self.copied(), list(range(self.sent)), run.err)


class JumpTest(ClockTest):
    def test_nothing_is_lost_doubled_or_waited_for(self):
        run = self.start_copy()
        self.produce(100)
        self.wait_for_all(run)
        for day_ms in (50 * MINUTE_MS, -2 * HOUR_MS, *10 * [-5 * MINUTE_MS], 5000, -30 * 24 * HOUR_MS):
            self.produce(100)
            self.jump(day_ms)
            self.produce(10)
            self.wait_for_all(run, timeout_s=15)
        before, began = cpu_s(run), time.monotonic()
        self.jump(-HOUR_MS)
        time.sleep(0.5)
        self.assertLess((cpu_s(run) - before) / (time.monotonic() - began), 0.5)
        self.assertEqual(run.stop(), 0, run.err)
        self.assertEqual(self.copied(), list(range(self.sent)))
        self.assertNotIn("delivering it again", run.err)

    def test_a_clock_that_is_wrong_by_hours(self):
        """Kafka takes no record that is more than an hour ahead of its own clock: the run stops and says so,
        and the next one goes on."""
        run = self.start_copy()
        self.produce(10)
        self.wait_for_all(run)
        self.jump(3 * HOUR_MS)
        self.produce(10)
        self.assertEqual(run.wait(40), 1, run.err)
        self.assertRegex(run.err, "is the clock of this host right")
        self.jump(-3 * HOUR_MS)
        again = self.start("run", "p.lua", "--set", "trigger=continuous", env=self.env)
        self.wait_for_all(again)
        self.assertEqual(again.stop(), 0, again.err)

    def test_intervals_and_commit_intervals_go_on(self):
        for settings in ["trigger=1 second"], ["commit_interval=1 second"]:
            with self.subTest(settings):
                self.setUp()
                run = self.start_copy(*settings)
                for day_ms in (0, HOUR_MS, -2 * HOUR_MS):
                    self.jump(day_ms)
                    self.produce(10)
                    self.wait_for_all(run, timeout_s=15)
                self.assertEqual(run.stop(), 0, run.err)

    def test_a_call_in_which_the_process_was_held_up_is_not_broken_off(self):
        """As by SIGSTOP, or on a machine that has no time for it."""
        stage = """:filter(function(row)
            if row.n * row.n == 49 then
               print "it takes a second"
               for i = 1, 5e8 do if i + row.n < 0 then return false end end
            end
            return true
         end)"""
        text = pipelines.copy(self.topic_in, self.out, name=harness.fresh("clock"), stages=stage)
        run = self.start_pipeline(text)
        self.produce(10)
        self.wait_for("the call", lambda: "it takes a second" in run.err)
        self.jump(0, HOUR_MS)
        self.wait_for_all(run)
        self.assertEqual(run.stop(), 0, run.err)
        self.assertNotIn("has not returned", run.err)

    def test_a_jump_makes_no_partition_idle(self):
        """One partition says nothing for a second: it is not left out, though the clock is an hour on."""
        text = pipelines.count(self.topic_in, self.out, name=harness.fresh("clock"),
                               time='delay = 0, idle = "10 minutes"')
        run = self.start_pipeline(text)
        self.client.produce(self.topic_in, [{"value": json.dumps({"ts": 1}), "partition": p} for p in (0, 1)])
        self.wait_for("the offsets", lambda: expect.messages(run.err, "running"))
        time.sleep(0.5)
        for jumps, day_ms in enumerate((HOUR_MS, -HOUR_MS), 1):
            self.jump(day_ms)
            self.wait_for("the line", lambda: len(expect.messages(run.err, "the system's clock jumped")) == jumps)
            for minute in range(1, 4):
                self.client.produce(self.topic_in, [{"value": json.dumps({"ts": minute * MINUTE_MS}),
                                                     "partition": 0}])
                time.sleep(0.2)
        self.client.produce(self.topic_in, [{"value": json.dumps({"ts": 2}), "partition": 1}])
        time.sleep(0.5)
        self.assertEqual(run.stop(), 0, run.err)
        self.assertEqual(self.client.consume(self.out), [])
        self.assertEqual(expect.Summary(run.err).source["late"], 0)


class OpenTransactionTest(ClockTest):
    def test_somebody_s_open_transaction_is_told_and_waited_for(self):
        run = self.start_copy()
        self.client.produce(self.topic_in, [{"value": '{"n":1}', "partition": 0}], transaction="open")
        self.client.produce(self.topic_in, [{"value": '{"n":0}', "partition": p} for p in (0, 1)])
        self.wait_for("the other partition", lambda: self.copied() == [0])
        time.sleep(1.2)  # longer than between two questions to the leader
        self.assertEqual(expect.messages(run.err, "waiting for an open transaction"), [])

        def is_told():
            """A minute for each look: the leader may not have been asked before the first."""
            self.jump(0, MINUTE_MS)
            time.sleep(0.5)
            return expect.messages(run.err, "waiting for an open transaction")
        (told,) = self.wait_for("the line", is_told)
        self.assertEqual((told["topic"], told["partition"], told["offset"], told["behind_it"]),
                         (self.topic_in, "0", "0", "2"))
        self.client.end_open(commit=True)
        self.wait_for("the rest", lambda: self.copied() == [0, 0, 1])
        self.wait_for("the line", lambda: expect.messages(run.err, "open transaction ended"))
        self.assertEqual(run.stop(), 0, run.err)


class DayTest(ClockTest):
    def test_a_silent_pipeline_commits_daily(self):
        """Else the broker forgets its offsets after offsets.retention.minutes."""
        run = self.start_copy()
        self.produce(10)
        self.wait_for_all(run)
        pointer = self.wait_for("the commit of all", lambda: self.committed() == self.sent and
                                self.client.group_offsets(self.name))
        before = self.commits()
        self.jump(12 * HOUR_MS, 12 * HOUR_MS)
        time.sleep(1.5)  # longer than between two looks at the group
        self.assertEqual(self.commits(), before)
        self.jump(11 * HOUR_MS, 11 * HOUR_MS)
        self.wait_for("a commit", lambda: self.commits() > before)
        self.assertEqual(self.client.group_offsets(self.name), pointer)
        self.assertEqual(run.stop(), 0, run.err)

    def committed(self):
        return sum(offset for offset, _ in self.client.group_offsets(self.name).values())

    def commits(self):
        """The newest for this group."""
        return max(record.offset for record in self.client.consume("__consumer_offsets")
                   if self.name.encode() in record.key)


def cpu_s(run):
    with open(f"/proc/{run.process.pid}/stat") as file:
        words = file.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
