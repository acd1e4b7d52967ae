"""The article's pipeline against a real Kafka: what the oracle counts is what comes out, in every
mode and with every number of workers. SLUICE_E2E_RECORDS sets how many rides (10 million take
about two minutes)."""
import os
import time

import expect
import harness

RECORDS = int(os.environ.get("SLUICE_E2E_RECORDS", 300_000))
PARTITIONS = 4


class ArticleTest(harness.E2ETest):
    @classmethod
    def setUpClass(cls):
        client = harness.shared_broker().client
        cls.rides = "article-rides"
        client.create_topic(cls.rides, PARTITIONS)
        client.generate_rides(cls.rides, RECORDS, partitions=PARTITIONS)
        cls.answer = client.oracle(cls.rides)
        cls.watermark = min(cls.answer["high_ms"].values()) - expect.RIDE_DELAY_MS

    @classmethod
    def tearDownClass(cls):
        harness.shared_broker().client.delete_topic(cls.rides)

    def count_rides(self, mode, *settings):
        """Run the script over all rides; returns what came out, by partition and offset."""
        counts = self.topic(partitions=3, name=mode)
        settings = ["name=" + harness.fresh("article"), "trigger=available-now",
                    "source.start=earliest", "source.topics=" + self.rides,
                    "sink.topic=" + counts, "sink.mode=" + mode, *settings]
        began = time.time()
        run = self.run_sluice("run", expect.RIDE_COUNTS, *harness.sets(*settings),
                              timeout_s=60 + RECORDS / 50_000)
        took = time.time() - began
        self.assertEqual(run.code, 0, run.err)
        summary = expect.Summary(run.err)
        self.assertEqual(summary.source, {
            "read": RECORDS, "passed": RECORDS - self.answer["excluded"], "late_windows": 0,
            "filtered": self.answer["excluded"], "duplicate": 0, "late": 0, "quarantined": 0,
            "skipped": 0, "partly_quarantined": 0, "lost": 0})
        if "SLUICE_E2E_RECORDS" in os.environ:
            print(f"{mode} {' '.join(settings[6:])}: {took:.2f} s, {RECORDS / took:,.0f} rec/s, "
                  f"at most {run.peak_mb:.0f} MB")
        records = self.client.consume(counts)
        self.assertEqual(summary.sinks[counts]["rows"], len(records))
        for record in records:
            self.assertEqual(record.partition, expect.partition_of(record.key, 3))
            self.assertTrue(began * 1000 - 1 <= record.timestamp <= time.time() * 1000)
        return records

    def check_last(self, records, wanted):
        """The last row of each key is the oracle's, and there is no other key."""
        last = {record.key: record for record in records}
        self.assertEqual(sorted(last), sorted(wanted))
        for key, record in last.items():
            expect.check_ride(self, record, wanted[key])

    def test_append_gives_each_closed_window_once(self):
        wanted = expect.ride_rows(self.answer, closed_by=self.watermark)
        self.assertGreater(len(wanted), 200)
        runs = {}
        for workers in 1, 2, 4:
            with self.subTest(workers=workers):
                records = self.count_rides("append", f"workers={workers}")
                self.assertEqual(len(records), len(wanted))
                self.check_last(records, wanted)
                runs[workers] = [(r.partition, r.key) for r in records]
        self.assertEqual(runs[1], runs[2])
        self.assertEqual(runs[1], runs[4])

    def test_append_with_flush_gives_every_window_once(self):
        wanted = expect.ride_rows(self.answer)
        records = self.count_rides("append", "flush=true")
        self.assertEqual(len(records), len(wanted))
        self.check_last(records, wanted)

    def test_append_goes_by_window_end_in_each_partition(self):
        records = self.count_rides("append", "flush=true", "workers=2")
        for partition in range(3):
            ends = [r.json()["window_end"] for r in records if r.partition == partition]
            self.assertEqual(ends, sorted(ends))

    def test_last_update_of_each_key_is_right(self):
        wanted = expect.ride_rows(self.answer)
        for workers in 1, 2, 4:
            with self.subTest(workers=workers):
                records = self.count_rides("update", f"workers={workers}", "source.max_records="
                                           f"{max(RECORDS // 20, 1000)}")
                self.assertGreater(len(records), len(wanted))
                self.check_last(records, wanted)

    def test_complete_gives_all_at_the_end(self):
        wanted = expect.ride_rows(self.answer)
        for workers in 1, 2, 4:
            with self.subTest(workers=workers):
                records = self.count_rides("complete", f"workers={workers}")
                self.check_last(records, wanted)

    def test_workers_change_no_byte(self):
        """Batches cut by records alone are the same in each run."""
        settings = [f"source.max_records={max(RECORDS // 10, 1000)}", "source.max_bytes=1 GiB",
                    "source.max_time=1 minute"]
        runs = [[(r.partition, r.key, r.value)
                 for r in self.count_rides("update", f"workers={workers}", *settings)]
                for workers in (1, 4)]
        self.assertEqual(runs[0], runs[1])
