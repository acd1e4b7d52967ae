"""Where reading begins, how far it goes, and what lies in a topic beside records."""
import json
import signal
import time

import expect
import harness
import pipelines


def numbers(first, last, partition=0, **more):
    """Records {"n": first} … {"n": last - 1}."""
    return [dict({"value": json.dumps({"n": n, "ts": n}), "partition": partition}, **more)
            for n in range(first, last)]


class SourceTest(harness.E2ETest):
    def setUp(self):
        super().setUp()
        self.out = self.topic(name="out")

    def run_copy(self, topics, *settings, code=0, **parts):
        self.file("p.lua", pipelines.copy(topics, self.out, **parts))
        run = self.run_sluice("run", "p.lua", *harness.sets(*settings), timeout_s=30)
        self.assertEqual(run.code, code, run.err)
        return run

    def copied(self):
        """The numbers that came out, in their order."""
        return [record.json()["n"] for record in self.client.consume(self.out)]


class StartTest(SourceTest):
    def test_earliest(self):
        topic = self.topic()
        self.client.produce(topic, numbers(0, 10))
        self.run_copy(topic)
        self.assertEqual(self.copied(), list(range(10)))

    def test_latest_gets_what_comes_after_the_start(self):
        topic = self.topic(partitions=2)
        self.client.produce(topic, numbers(0, 10) + numbers(10, 20, partition=1))
        self.file("p.lua", pipelines.copy(topic, self.out, source='start = "latest"'
                                          ).replace('start = "earliest", ', ""))
        run = self.start("run", "p.lua", "--set", "trigger=continuous")
        self.wait_for("the start", lambda: "message=running" in run.err)
        self.client.produce(topic, numbers(20, 25) + numbers(25, 30, partition=1))
        self.wait_for("10 records", lambda: len(self.copied()) >= 10)
        self.assertEqual(run.stop(), 0)
        self.assertEqual(sorted(self.copied()), list(range(20, 30)))

    def test_a_timestamp_finds_the_first_record_at_or_after_it(self):
        topic = self.topic(partitions=3)
        for n in range(10):
            self.client.produce(topic, numbers(n, n + 1, timestamp=1_700_000_000_000 + n * 1000))
            self.client.produce(topic, numbers(100 + n, 101 + n, partition=1,
                                               timestamp=1_700_000_000_000 + n * 10))
        self.run_copy(topic, "source.start=1700000004500")
        self.assertEqual(self.copied(), [5, 6, 7, 8, 9])  # partition 1 ends before, 2 is empty
        self.assertEqual(self.run_copy(topic, "source.start=2023-11-14T22:13:29Z").code, 0)
        self.assertEqual(self.copied(), [5, 6, 7, 8, 9, 9])

    def test_a_table_of_offsets(self):
        topic = self.topic(partitions=3)
        self.client.produce(topic, numbers(0, 5) + numbers(10, 15, 1) + numbers(20, 25, 2))
        table = f'start = {{ ["{topic}"] = {{ [0] = 3, [1] = "latest", [2] = "earliest" }} }}'
        script = pipelines.copy(topic, self.out).replace('start = "earliest"', table)
        self.file("p.lua", script)
        self.assertEqual(self.run_sluice("run", "p.lua").code, 0)
        self.assertEqual(self.copied(), [3, 4, 20, 21, 22, 23, 24])

    def test_a_table_that_leaves_out_a_partition_is_refused(self):
        topic = self.topic(partitions=2)
        table = f'start = {{ ["{topic}"] = {{ [0] = 0 }} }}'
        self.file("p.lua", pipelines.copy(topic, self.out).replace('start = "earliest"', table))
        run = self.run_sluice("run", "p.lua")
        self.assertEqual(run.code, 2, run.err)
        self.assertRegex(run.err, f"{topic} partition 1 is not named")

    def test_only_the_partitions_that_are_named(self):
        topic = self.topic(partitions=3)
        for partition in range(3):
            self.client.produce(topic, numbers(10 * partition, 10 * partition + 5,
                                               partition=partition))
        self.run_copy(topic, source="partitions = { 0, 2 }")
        self.assertEqual(self.copied(), [0, 1, 2, 3, 4, 20, 21, 22, 23, 24])
        run = self.run_copy(topic, source="partitions = { 3 }", code=2)
        self.assertIn("has no partition 3: it has 3", run.err)

    def test_several_topics_in_the_order_of_the_script(self):
        topics = [self.topic(partitions=2) for _ in range(3)]
        for at, topic in enumerate(topics):
            self.client.produce(topic, numbers(at * 10, at * 10 + 3) + numbers(at * 10 + 5, at * 10 + 8, 1))
        self.run_copy([topics[2], topics[0], topics[1]])
        self.assertEqual(self.copied(), [20, 21, 22, 25, 26, 27, 0, 1, 2, 5, 6, 7, 10, 11, 12, 15, 16, 17])

    def test_nothing_is_committed_and_a_restart_begins_anew(self):
        topic = self.topic()
        self.client.produce(topic, numbers(0, 10))
        for _ in range(2):
            run = self.run_copy(topic, name="restarted")
            (running,) = expect.messages(run.err, "running")
            self.assertRegex(running["checkpoint"], "none: nothing is committed.*`start`.*at-least-once")
        self.assertEqual(self.copied(), 2 * list(range(10)))
        self.assertEqual(self.client.group_offsets("restarted"), {})

    def test_group_offsets_of_others_do_not_matter(self):
        topic = self.topic()
        self.client.produce(topic, numbers(0, 4))
        self.client.set_group_offsets("busy", topic, {0: 3})
        self.run_copy(topic, name="busy")
        self.assertEqual(self.copied(), [0, 1, 2, 3])
        self.assertEqual(self.client.group_offsets("busy"), {(topic, 0): (3, "")})

    def test_an_empty_topic_is_done_at_once(self):
        began = time.monotonic()
        run = self.run_copy(self.topic(partitions=4))
        self.assertLess(time.monotonic() - began, harness.within(3))
        self.assertEqual(expect.Summary(run.err).source["read"], 0)


class BatchTest(SourceTest):
    def test_max_records_cuts_batches_and_loses_nothing(self):
        topic = self.topic(partitions=3)
        self.client.produce(topic, numbers(0, 100) + numbers(100, 110, 1) + numbers(200, 201, 2))
        run = self.run_copy(topic, "source.max_records=10")
        self.assertEqual(sorted(self.copied()), [*range(110), 200])
        self.assertEqual(expect.Summary(run.err).batches, 12)

    def test_max_bytes_cuts_batches_and_loses_nothing(self):
        topic = self.topic(partitions=2)
        padding = "x" * 10_000
        for partition in range(2):
            self.client.produce(topic, [{"value": json.dumps({"n": n, "pad": padding}),
                                         "partition": partition} for n in range(50)])
        run = self.run_copy(topic, "source.max_bytes=100000")
        self.assertEqual(sorted(self.copied()), sorted(2 * list(range(50))))
        self.assertGreaterEqual(expect.Summary(run.err).batches, 10)

    def test_once_is_one_batch(self):
        topic = self.topic()
        self.client.produce(topic, numbers(0, 100))
        run = self.run_copy(topic, "trigger=once", "source.max_records=30")
        self.assertEqual(self.copied(), list(range(30)))
        self.assertEqual(expect.Summary(run.err).batches, 1)

    def test_max_rate_is_held(self):
        topic = self.topic()
        self.client.produce(topic, numbers(0, 3000))
        began = time.monotonic()
        self.run_copy(topic, "source.max_rate=1000")
        self.assertTrue(1.5 < time.monotonic() - began < harness.within(6))
        self.assertEqual(self.copied(), list(range(3000)))

    def test_an_interval_paces_results(self):
        topic = self.topic()
        self.client.produce(topic, numbers(0, 10))
        self.file("p.lua", pipelines.copy(topic, self.out))
        run = self.start("run", "p.lua", "--set", "trigger=2 seconds")
        self.wait_for("the first batch, at once", lambda: len(self.copied()) == 10, timeout_s=10)
        self.client.produce(topic, numbers(10, 20))
        self.wait_for("the second", lambda: len(self.copied()) == 20, timeout_s=5)
        self.assertEqual(run.stop(), 0)
        times = sorted({r.timestamp for r in self.client.consume(self.out)})
        self.assertEqual(len(times), 2)
        self.assertGreater(times[1] // 2000, times[0] // 2000)  # aligned to the epoch

    def test_records_are_read_while_it_runs(self):
        topic = self.topic(partitions=2)
        self.file("p.lua", pipelines.copy(topic, self.out))
        run = self.start("run", "p.lua", "--set", "trigger=continuous")
        delays = []
        for n in range(20):
            sent = time.monotonic()
            self.client.produce(topic, numbers(n, n + 1, partition=n % 2))
            self.wait_for(f"record {n}", lambda: self.client.end_offsets(self.out)[0] > n)
            delays.append(time.monotonic() - sent)
        self.assertLess(sorted(delays)[10], harness.within(1))
        self.assertEqual(run.stop(), 0)
        self.assertEqual(self.copied(), list(range(20)))


class PartitionsTest(SourceTest):
    def test_a_partition_added_while_it_runs_is_read_from_its_beginning(self):
        topic = self.topic()
        self.client.produce(topic, numbers(0, 5))
        self.file("p.lua", pipelines.copy(topic, self.out).replace('"earliest"', '"latest"'))
        run = self.start("run", "p.lua", "--set", "trigger=continuous")
        self.wait_for("the start", lambda: "message=running" in run.err)
        self.client.add_partitions(topic, 2)
        self.client.produce(topic, numbers(10, 15, partition=1))
        self.wait_for("the new partition", lambda: len(self.copied()) >= 5, timeout_s=15)
        self.client.produce(topic, numbers(5, 7))
        self.wait_for("the old one", lambda: len(self.copied()) >= 7)
        self.assertEqual(run.stop(), 0)
        self.assertEqual(sorted(self.copied()), [5, 6, 10, 11, 12, 13, 14])
        (new,) = expect.messages(run.err, "new partition")
        self.assertEqual(new["partition"], "1")


class TransactionsTest(SourceTest):
    def test_aborted_records_are_never_seen(self):
        topic = self.topic(partitions=2)
        for at in range(5):
            ends = "commit" if at % 2 == 0 else "abort"
            self.client.produce(topic, numbers(at * 10, at * 10 + 5) + numbers(at * 10 + 5, at * 10 + 10, 1),
                                transaction=ends)
        run = self.run_copy(topic, "source.max_records=7")
        self.assertEqual(sorted(self.copied()), [*range(10), *range(20, 30), *range(40, 50)])
        self.assertEqual(expect.Summary(run.err).source["read"], 30)

    def test_read_uncommitted_sees_them_all(self):
        topic = self.topic()
        self.client.produce(topic, numbers(0, 3), transaction="abort")
        self.run_copy(topic, "source.isolation=read_uncommitted")
        self.assertEqual(self.copied(), [0, 1, 2])

    def test_markers_at_the_tail_are_no_backlog(self):
        """Nothing but markers and aborted records lies at the end: available-now must still end."""
        topic = self.topic(partitions=3)
        self.client.produce(topic, numbers(0, 3), transaction="commit")
        self.client.produce(topic, numbers(3, 6, partition=1), transaction="abort")
        began = time.monotonic()
        run = self.run_copy(topic)
        self.assertLess(time.monotonic() - began, harness.within(4))
        self.assertEqual(self.copied(), [0, 1, 2])
        self.assertEqual(expect.Summary(run.err).source["read"], 3)

    def test_markers_under_a_limit_of_one_record(self):
        topic = self.topic(partitions=2)
        for at in range(4):
            self.client.produce(topic, numbers(at, at + 1, partition=at % 2), transaction="commit")
        self.run_copy(topic, "source.max_records=1")
        self.assertEqual(sorted(self.copied()), [0, 1, 2, 3])

    def test_an_open_transaction_holds_its_partition_back(self):
        topic = self.topic()
        self.client.produce(topic, numbers(0, 3))
        self.client.produce(topic, numbers(3, 6), transaction="open")
        self.client.produce(topic, numbers(6, 9))
        began = time.monotonic()
        self.run_copy(topic)
        self.assertLess(time.monotonic() - began, harness.within(8))
        self.assertEqual(self.copied(), [0, 1, 2])
        (told,) = expect.messages(self.processes[-1].err, "an open transaction held the rest back")
        self.assertEqual((told["topic"], told["partition"], told["offset"]), (topic, "0", "3"))

    def test_a_partition_with_an_open_transaction_is_not_idle(self):
        """Its records are older than what the other partition has: counted once it is committed, late
        if the partition had been left out of the watermark."""
        minute = 60_000
        topic, counts = self.topic(partitions=2), self.topic(name="counts")
        self.client.produce(topic, [{"value": json.dumps({"ts": 1}), "partition": 0}])
        self.client.produce(topic, [{"value": json.dumps({"ts": 2}), "partition": 0}], transaction="open")
        self.client.produce(topic, [{"value": json.dumps({"ts": t * minute}), "partition": 1}
                                    for t in range(10)])
        self.file("p.lua", pipelines.count(topic, counts, time='delay = 0, idle = "500 ms"'))
        run = self.start("run", "p.lua", "--set", "trigger=continuous")
        self.wait_for("the start", lambda: "message=running" in run.err)
        time.sleep(2.5)
        self.client.produce(topic, [{"value": json.dumps({"ts": 11 * minute}), "partition": 1}])
        time.sleep(1)
        self.assertEqual(self.client.consume(counts), [])
        self.assertEqual(run.stop(), 0)

    def test_an_idle_partition_holds_nothing_back(self):
        """The counterpart: without the transaction the windows close."""
        minute = 60_000
        topic, counts = self.topic(partitions=2), self.topic(name="counts")
        self.client.produce(topic, [{"value": json.dumps({"ts": 1}), "partition": 0}])
        self.client.produce(topic, [{"value": json.dumps({"ts": t * minute}), "partition": 1}
                                    for t in range(10)])
        self.file("p.lua", pipelines.count(topic, counts, time='delay = 0, idle = "500 ms"'))
        run = self.start("run", "p.lua", "--set", "trigger=continuous")
        self.wait_for("the start", lambda: "message=running" in run.err)
        time.sleep(1.5)
        self.client.produce(topic, [{"value": json.dumps({"ts": 11 * minute}), "partition": 1}])
        self.wait_for("windows", lambda: len(self.client.consume(counts)) == 10, timeout_s=10)
        self.assertEqual(run.stop(), 0)
        rows = [r.json() for r in self.client.consume(counts)]
        self.assertEqual([row["count"] for row in rows], [2] + 9 * [1])


class LossTest(SourceTest):
    def test_deleted_records_before_the_start_do_not_matter(self):
        topic = self.topic()
        self.client.produce(topic, numbers(0, 10))
        self.client.delete_records(topic, {0: 4})
        self.run_copy(topic)
        self.assertEqual(self.copied(), [4, 5, 6, 7, 8, 9])

    def test_an_offset_that_is_gone_fails_the_start(self):
        topic = self.topic()
        self.client.produce(topic, numbers(0, 10))
        self.client.delete_records(topic, {0: 4})
        table = f'start = {{ ["{topic}"] = {{ [0] = 2 }} }}'
        self.file("p.lua", pipelines.copy(topic, self.out).replace('start = "earliest"', table))
        run = self.run_sluice("run", "p.lua")
        self.assertEqual(run.code, 1, run.err)
        self.assertRegex(run.err, f"{topic}.*2.*4.*on_data_loss")
        run = self.run_sluice("run", "p.lua", "--set", "source.on_data_loss=continue")
        self.assertEqual(run.code, 0, run.err)
        (lost,) = expect.messages(run.err, "data lost")
        self.assertEqual((lost["wanted"], lost["earliest"], lost["lost"]), ("2", "4", "2"))
        self.assertEqual(expect.Summary(run.err).source["lost"], 2)
        self.assertEqual(self.copied(), [4, 5, 6, 7, 8, 9])

    def lose_while_it_runs(self, *settings):
        """Records come and vanish while sluice is stopped."""
        topic = self.topic()
        self.client.produce(topic, numbers(0, 10))
        self.file("p.lua", pipelines.copy(topic, self.out))
        run = self.start("run", "p.lua", *harness.sets("trigger=continuous", *settings))
        self.wait_for("the first batch", lambda: len(self.copied()) == 10)
        run.send(signal.SIGSTOP)
        self.client.produce(topic, numbers(10, 11))  # a fetch that is under way comes back with this one
        time.sleep(0.5)
        self.client.produce(topic, numbers(11, 100))
        self.client.delete_records(topic, {0: 90})
        run.send(signal.SIGCONT)
        return run

    def test_records_that_vanish_fail_the_run(self):
        run = self.lose_while_it_runs()
        self.assertEqual(run.wait(15), 1, run.err)
        self.assertRegex(run.err, "data lost.*on_data_loss")

    def test_records_that_vanish_are_counted_and_passed(self):
        run = self.lose_while_it_runs("source.on_data_loss=continue")
        self.wait_for("the rest", lambda: len(self.copied()) >= 20, timeout_s=15)
        self.assertEqual(run.stop(), 0)
        had = 10 + (10 in self.copied())
        self.assertEqual(self.copied(), [*range(had), *range(90, 100)])
        (lost,) = expect.messages(run.err, "data lost")
        self.assertEqual(lost["lost"], str(90 - had))
        self.assertEqual(expect.Summary(run.err).source["lost"], 90 - had)

    def test_compaction_holes(self):
        topic = self.topic(configs={"cleanup.policy": "compact", "segment.ms": "100",
                                    "min.cleanable.dirty.ratio": "0.0", "max.compaction.lag.ms": "100",
                                    "segment.bytes": "1048576"})
        for turn in range(3):
            self.client.produce(topic, [dict(record, key=f"k{at}") for at, record in
                                        enumerate(numbers(turn * 50, turn * 50 + 50))])
            time.sleep(0.2)
        self.client.produce(topic, numbers(500, 501, key="last"))
        self.wait_for("compaction", lambda: len(self.client.consume(topic)) <= 51, timeout_s=40)
        left = [record.json()["n"] for record in self.client.consume(topic)]
        run = self.run_copy(topic, "source.max_records=20")
        self.assertEqual(self.copied(), left)
        self.assertEqual(expect.Summary(run.err).source["read"], len(left))
