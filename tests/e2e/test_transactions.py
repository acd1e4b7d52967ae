"""The ledger and the sink of Kafka by hand, on a real broker: what a transaction makes visible, who is
shut out, and what a pause, an outage or a tool leads to. Commands: driver.py."""
import contextlib
import os
import signal
import subprocess
import time

import driver
import harness
import kit
from driver import FENCED, REFUSED, Refused

TIMEOUT_S = 10  # the shortest transaction timeout that may be set
WITHOUT_WARM_UP_MS = 900
WITHOUT_REPORTS_MS = 90


class LedgerTest(harness.E2ETest):
    def setUp(self):
        super().setUp()
        self.group = harness.fresh("group")
        self.topic_in, self.out = self.topic(partitions=2), self.topic(partitions=2, name="out")
        self.batches = 0

    def driver(self, delivery="exactly-once", group=None, topics=None, compression="lz4"):
        """A process with its ledger open."""
        one = driver.Driver(self.brokers, os.path.join(self.folder, harness.fresh("driver") + ".log"))
        self.addCleanup(one.kill)
        one.call(f"open {group or self.group} {delivery} {TIMEOUT_S * 1000} {compression} {topics or self.out}")
        return one

    def marks(self, offset):
        return f"{self.topic_in}:0:{offset} {self.topic_in}:1:{offset}"

    def read(self, one):
        """{partition of the input: (offset, pointer)}"""
        words = [word.split(":", 3) for word in one.call("read")]
        return {int(partition): (int(offset), text) for _, partition, offset, text in words}

    def both(self, offset, pointer):
        return {0: (offset, pointer), 1: (offset, pointer)}

    def write(self, one, batch, rows=10, more="", sink=0):
        one.call(f"write {sink} {batch} {rows} 100 {more}")
        return [int(row) for row in one.call(f"flush {sink}")]

    def commit(self, one, batch):
        one.call(f"commit p{batch} {self.marks(batch)}")

    def deliver(self, one, batch, **parts):
        """A whole batch; returns its rejections."""
        one.call("begin")
        rejected = self.write(one, batch, **parts)
        self.commit(one, batch)
        return rejected

    def deliver_until_done(self, one, batch, timeout_s=60, **parts):
        """As flow does it: what failed and may be tried again is aborted and begins again."""
        deadline = time.monotonic() + kit.patience(timeout_s)
        while True:
            try:
                return self.deliver(one, batch, **parts)
            except Refused as e:
                if not e.retriable or time.monotonic() > deadline:
                    raise
                one.call("abort")

    def visible(self, topic=None, **options):
        """The rows as (batch, row), sorted."""
        records = self.client.consume(topic or self.out, **options)
        return sorted(tuple(int(n) for n in r.value.split(b".")[:2]) for r in records)

    def check_batches(self, *batches, rows=10):
        """A commit is answered before the broker has told all partitions of it."""
        wanted = [(batch, row) for batch in batches for row in range(rows)]
        self.assertEqual(self.visible(at_least=len(wanted)), wanted)

    def refused(self, one, command, code=None):
        with self.assertRaises(Refused) as raised:
            one.call(command)
        if code:
            self.assertEqual(raised.exception.code, code, raised.exception)
        return raised.exception


class TransactionTest(LedgerTest):
    def test_outputs_offsets_and_pointer_become_visible_together(self):
        one = self.driver()
        self.assertEqual(self.read(one), {})
        one.call("begin")
        self.write(one, 1)
        self.assertEqual(self.visible(), [])
        self.assertEqual(self.client.group_offsets(self.group), {})
        self.commit(one, 1)
        self.check_batches(1)
        self.assertEqual(self.read(one), self.both(1, "p1"))
        # what lag tools see
        self.assertEqual(self.client.group_offsets(self.group),
                         {(self.topic_in, 0): (1, "p1"), (self.topic_in, 1): (1, "p1")})

    def test_an_abort_leaves_nothing(self):
        one = self.driver()
        self.deliver(one, 1)
        one.call("begin")
        self.write(one, 2)
        one.call("abort")
        self.deliver(one, 3)
        self.check_batches(1, 3)
        self.assertEqual(self.read(one), self.both(3, "p3"))
        self.assertEqual(len(self.client.consume(self.out, read_committed=False)), 30)

    def test_reading_right_behind_a_commit_gives_the_new_pointer(self):
        """Asked for all of a group, a broker gives the old one and says nothing."""
        one = self.driver()
        for batch in range(1, 30):
            one.call("begin")
            self.commit(one, batch)
            self.assertEqual(self.read(one), self.both(batch, f"p{batch}"))

    def test_a_killed_process_leaves_nothing_and_the_next_goes_on_at_once(self):
        one = self.driver()
        self.deliver(one, 1)
        one.call("begin")
        self.write(one, 2)
        one.kill()
        began = time.monotonic()
        one = self.driver()
        self.assertEqual(self.read(one), self.both(1, "p1"))
        one.call(f"claim p1 {self.marks(1)}")
        self.deliver(one, 3)
        self.assertLess(time.monotonic() - began, harness.within(TIMEOUT_S / 2))
        self.check_batches(1, 3)

    def test_a_large_batch_is_larger_than_the_queue(self):
        one = self.driver(compression="none")
        rows = 250_000
        one.call("begin")
        self.write(one, 1, rows=rows, more="7:2000000")
        self.commit(one, 1)
        self.assertEqual(sum(self.client.end_offsets(self.out).values()), rows + 2)  # and markers

    def test_two_sinks_are_one_transaction(self):
        second = self.topic(name="out")
        one = self.driver(topics=f"{self.out},{second}")
        for batch, end in (1, "abort"), (2, "commit"):
            one.call("begin")
            self.write(one, batch)
            self.write(one, batch, rows=3, sink=1)
            one.call("abort") if end == "abort" else self.commit(one, batch)
        self.check_batches(2)
        self.assertEqual(self.visible(second), [(2, row) for row in range(3)])

    def test_what_it_costs(self):
        """Bounds that a second's wait for metadata would break, not more: a lean broker beside other
        tests is no place to measure."""
        one = self.driver()
        self.deliver(one, 0)
        one.call("begin")
        one.call("abort")  # makes a new handle
        first, middle, _ = [int(us) / 1000 for us in one.call(f"measure 100 10 100 p 5 {self.marks(1)}")]
        self.assertLess(first, harness.within(WITHOUT_WARM_UP_MS))
        self.assertLess(middle, harness.within(WITHOUT_REPORTS_MS))

    def test_at_least_once_commits_the_same_pointer(self):
        one = self.driver("at-least-once")
        self.deliver(one, 1)
        one.call("begin")
        self.write(one, 2)
        one.kill()
        one = self.driver("at-least-once")
        self.assertEqual(self.read(one), self.both(1, "p1"))
        one.call(f"claim p1 {self.marks(1)}")
        self.deliver(one, 2)
        self.assertEqual(self.read(one), self.both(2, "p2"))
        self.assertEqual(set(self.visible()), {(b, r) for b in (1, 2) for r in range(10)})


class RefusedRowTest(LedgerTest):
    def setUp(self):
        super().setUp()
        self.out = self.topic(partitions=1, name="out", configs={"max.message.bytes": "100000"})

    def test_a_row_that_is_too_large_is_found_and_the_others_come_once(self):
        one = self.driver()
        self.assertEqual(self.deliver_until_done(one, 1, more="7:200000"), [7])
        self.assertEqual(self.deliver_until_done(one, 2), [])
        self.assertEqual(self.visible(), [(1, n) for n in range(10) if n != 7] + [(2, n) for n in range(10)])

    def test_rows_that_are_only_too_large_together_are_none(self):
        one = self.driver(compression="none")
        self.assertEqual(self.deliver_until_done(one, 1, rows=5000), [])
        self.assertEqual(self.visible(), [(1, n) for n in range(5000)])

    def test_rows_without_a_key_in_a_compacted_topic(self):
        self.out = self.topic(name="out", configs={"cleanup.policy": "compact"})
        one = self.driver()
        self.assertEqual(self.deliver_until_done(one, 1, more="no-keys"), list(range(0, 10, 2)))
        self.assertEqual(self.visible(), [(1, n) for n in range(1, 10, 2)])


class RivalTest(LedgerTest):
    def test_a_second_process_shuts_the_first_out(self):
        one = self.driver()
        self.deliver(one, 1)
        two = self.driver()
        self.assertEqual(self.read(two), self.both(1, "p1"))
        two.call(f"claim p1 {self.marks(1)}")
        self.deliver(two, 2)
        one.call("begin")
        with self.assertRaises(Refused) as raised:
            self.write(one, 3)
            self.commit(one, 3)
        self.assertTrue(raised.exception.retriable)  # nobody knows yet why
        e = self.refused(one, "abort", FENCED)
        self.assertIn("offset 2 with `p2`, committed last was offset 1 with `p1`", e.message)
        self.deliver(two, 4)
        self.check_batches(1, 2, 4)

    def test_of_two_that_both_begin_one_goes_on(self):
        """Neither has moved the pointer: who registers last goes on, the other sees it moved."""
        one = self.driver()
        self.deliver(one, 1)
        two = self.driver()
        self.read(two)
        self.deliver_until_done(one, 2)  # shuts two out again
        two.call("begin")
        with self.assertRaises(Refused):
            self.write(two, 3)
            self.commit(two, 3)
        self.refused(two, "abort", FENCED)
        self.check_batches(1, 2)

    def check_fresh_rivals(self, step):
        """Of two first runs at once the one that commits first goes on: to the other, which comes to `step`,
        its pointer is another's, though nothing was committed before."""
        one, two = self.driver(), self.driver()
        self.assertEqual([self.read(one), self.read(two)], [{}, {}])
        self.deliver(two, 1)
        one.call("begin")
        with self.assertRaises(Refused):
            step(one, 2)
        self.refused(one, "abort", FENCED)
        self.assertEqual(self.read(two), self.both(1, "p1"))

    def test_two_fresh_ones_do_not_both_begin(self):
        self.check_fresh_rivals(self.commit)

    def test_a_fresh_one_that_is_shut_out_before_it_names_a_partition(self):
        """What it has to look for is known from the group alone."""
        self.check_fresh_rivals(self.write)

    def test_a_zombie_stops_and_leaves_its_successor_alone(self):
        one = self.driver()
        self.deliver(one, 1)
        for batch in (2, 4):
            one.call("begin")
            self.write(one, batch)
            one.signal(signal.SIGSTOP)
            two = self.driver()
            self.assertEqual(self.read(two), self.both(batch - 1, f"p{batch - 1}"))
            two.call(f"claim p{batch - 1} {self.marks(batch - 1)}")
            self.deliver(two, batch)
            time.sleep(TIMEOUT_S + 2 if batch == 2 else 0)  # once beyond its timeout
            one.signal(signal.SIGCONT)
            self.assertTrue(self.refused(one, f"commit zombie {self.marks(9)}").retriable)
            self.assertIn("another process works", self.refused(one, "abort", FENCED).message)
            self.deliver(two, batch + 1)
            one = two
        self.check_batches(*range(1, 6))

    def test_a_pause_beyond_the_timeout_with_nobody_else_goes_on(self):
        one = self.driver()
        self.deliver(one, 1)
        one.call("begin")
        self.write(one, 2)
        one.signal(signal.SIGSTOP)
        self.wait_for("its end by the broker", lambda: self.client.end_offsets(self.out, read_committed=True)
                      == self.client.end_offsets(self.out))
        one.signal(signal.SIGCONT)
        e = self.refused(one, f"commit p2 {self.marks(2)}", driver.BROKER)
        self.assertTrue(e.retriable)
        one.call("abort")
        self.deliver(one, 2)
        self.deliver(one, 3)
        self.check_batches(1, 2, 3)

    def test_a_group_with_live_members_is_refused(self):
        self.client.produce(self.topic_in, [{"value": "1"}])
        log = os.path.join(self.folder, "member.log")
        with open(log, "wb") as file:
            member = subprocess.Popen(["kcat", "-b", self.brokers, "-G", self.group, "-X",
                                       "client.id=somebody", self.topic_in],
                                      stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                                      preexec_fn=harness.kafka.die_with_parent)
        try:
            self.wait_for("the member", lambda: "assigned" in harness.read(log))
            one = self.driver()
            e = self.refused(one, f"claim p0 {self.marks(0)}", FENCED)
            self.assertIn("live members (somebody at /127.0.0.1)", e.message)
        finally:
            member.kill()
            member.wait()


class ToolTest(LedgerTest):
    """Somebody works on the group with Kafka's tools while the process runs."""

    def alarm(self, one, code):
        deadline = time.monotonic() + kit.patience(10)
        while time.monotonic() < deadline:
            try:
                one.call("check")
            except Refused as e:
                self.assertEqual(e.code, code, e)
                return e
            time.sleep(0.1)
        self.fail("no alarm")

    def quiet(self, one, seconds=2.5):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            one.call("check")
            time.sleep(0.1)

    def test_the_alarm_is_quiet_while_nobody_does_anything(self):
        one = self.driver()
        one.call("check")
        for batch in range(1, 200):
            one.call("begin")
            self.commit(one, batch)
            one.call("check")
        self.quiet(one)

    def test_a_deleted_group(self):
        for delivery in "exactly-once", "at-least-once":
            with self.subTest(delivery):
                one = self.driver(delivery)
                self.deliver(one, 1)
                self.client.delete_group(self.group)
                self.assertIn("checkpoint recover", self.alarm(one, REFUSED).message)

    def test_reset_offsets(self):
        one = self.driver()
        self.deliver(one, 1)
        self.quiet(one, 0.5)
        self.client.set_group_offsets(self.group, self.topic_in, {1: 0})
        e = self.alarm(one, REFUSED)
        self.assertIn(f"topic {self.topic_in} partition 1 has offset 0 with ``", e.message)
        one.kill()
        self.assertEqual(self.read(self.driver()), {0: (1, "p1"), 1: (0, "")})

    def test_a_topic_that_is_written_is_deleted(self):
        one = self.driver()
        self.deliver(one, 1)
        self.client.delete_topic(self.out)
        with self.assertRaises(Refused) as raised:
            self.deliver_until_done(one, 2)
        self.assertIn(f"writing to topic {self.out}: it is gone", raised.exception.message)

    def test_a_topic_that_is_read_is_deleted(self):
        one = self.driver()
        self.deliver(one, 1)
        self.client.delete_topic(self.topic_in)
        e = self.alarm(one, REFUSED)
        self.assertIn(f"topic {self.topic_in} partition 0 has nothing", e.message)

    def test_somebody_else_s_offsets_are_told_as_they_are(self):
        self.client.set_group_offsets(self.group, self.topic_in, {0: 5})
        self.assertEqual(self.read(self.driver()), {0: (5, "")})


class CoordinatorTest(harness.OnQuorum, LedgerTest):
    """Nodes live on, and another one answers for the group."""
    quorum_settings = {"auto.leader.rebalance.enable": "false"}

    def test_the_one_that_has_taken_over_is_asked(self):
        one = self.driver()
        self.deliver(one, 1)
        self.assertEqual(self.read(one), self.both(1, "p1"))
        for _ in range(2):
            self.quorum.move_leaders()
            self.assertEqual(self.read(one), self.both(1, "p1"))
        self.deliver_until_done(one, 2)
        self.assertEqual(self.read(one), self.both(2, "p2"))


class OutageTest(LedgerTest):
    """The broker goes away within a batch; each test has its own."""

    @property
    def broker(self):
        if not hasattr(self, "mine"):
            self.mine = self.own_broker()
        return self.mine

    def finish(self, one, batch):
        """The commit's answer, and the batch again if it must be; the same batch cannot be there twice."""
        with contextlib.suppress(Refused):
            one.answer()
            return
        one.call("abort")
        self.deliver_until_done(one, batch)

    def check_outage(self, seconds):
        one = self.driver()
        self.deliver(one, 1)
        one.call("begin")
        self.write(one, 2)
        self.broker.kill()
        one.send(f"commit p2 {self.marks(2)}")
        time.sleep(seconds)
        self.broker.start()
        self.finish(one, 2)
        self.deliver_until_done(one, 3)
        self.check_batches(1, 2, 3)
        self.assertEqual(self.read(one), self.both(3, "p3"))

    def test_a_broker_that_dies_with_the_outputs_written(self):
        self.check_outage(1)

    def test_a_broker_that_is_away_beyond_the_timeout(self):
        self.check_outage(TIMEOUT_S + 3)

    def test_a_broker_that_dies_before_the_outputs_are_written(self):
        one = self.driver()
        self.deliver(one, 1)
        self.broker.kill()
        one.send("begin")
        with contextlib.suppress(Refused):
            one.answer()
        one.send("write 0 2 10 100")
        time.sleep(2)
        self.broker.start()
        with contextlib.suppress(Refused):
            one.answer()
        one.call("abort")
        self.deliver_until_done(one, 2)
        self.check_batches(1, 2)

    def test_a_commit_that_is_cut_off_at_once(self):
        """In the moment of the commit: its outcome is unknown, and asked for until it is known."""
        one = self.driver()
        self.deliver(one, 1)
        for batch, delay in enumerate((0, 0.001, 0.002, 0.003), 2):
            one.call("begin")
            self.write(one, batch)
            one.send(f"commit p{batch} {self.marks(batch)}")
            time.sleep(delay)
            self.broker.kill()
            self.broker.start()
            self.finish(one, batch)
        self.check_batches(*range(1, 6))
