"""A catch-up loses nothing: event time runs with the slowest partition, whatever the number of
workers. (Kafka Streams with two threads loses half of the windows here, Spark's maximum as well.)"""
import json
import time
from collections import Counter

import expect
import harness
import pipelines

MINUTE = 60_000
START = 1_700_000_040_000  # a full minute


def write_rides(path, first, last, step):
    """Events from minute `first` to `last`, every `step` ms; returns how many each minute has."""
    counts = Counter()
    with open(path, "w") as file:
        for time_ms in range(START + first * MINUTE, START + last * MINUTE, step):
            file.write(json.dumps({"n": 1, "ts": time_ms}) + "\n")
            counts[time_ms // MINUTE * MINUTE] += 1
    return counts


class CatchUpTest(harness.E2ETest):
    def fill(self, spans):
        """A topic; partition i has events of minutes `spans[i]`, (first, last, step in ms)."""
        topic, wanted = self.topic(partitions=len(spans)), Counter()
        for partition, span in enumerate(spans):
            path = self.file("rides.jsonl", "")
            wanted += write_rides(path, *span)
            self.client.produce_lines(topic, path, partition)
        return topic, wanted

    def check(self, topic, wanted, *settings, delay="2 seconds"):
        """Every event is in its window, none is late, each window comes out once."""
        counts = self.topic(name="counts")
        self.file("p.lua", pipelines.count(topic, counts, time=f'delay = "{delay}"'))
        run = self.run_sluice("run", "p.lua", *harness.sets("flush=true", *settings))
        self.assertEqual(run.code, 0, run.err)
        source = expect.Summary(run.err).source
        self.assertEqual((source["late"], source["late_windows"]), (0, 0))
        rows = [record.json() for record in self.client.consume(counts)]
        self.assertEqual(len(rows), len(wanted))
        self.assertEqual({row["window_start"]: row["count"] for row in rows}, dict(wanted))
        return run

    def test_30_minutes_over_4_partitions(self):
        topic, wanted = self.fill([(0, 30, 80)] * 4)
        for workers in 1, 2, 4:
            for batch in 3_000, 500_000:
                with self.subTest(workers=workers, batch=batch):
                    self.check(topic, wanted, f"workers={workers}", f"source.max_records={batch}")

    def test_a_partition_an_hour_behind(self):
        topic, wanted = self.fill([(60, 90, 50)] * 3 + [(0, 90, 150)])
        for workers in 1, 2, 4:
            with self.subTest(workers=workers):
                self.check(topic, wanted, f"workers={workers}", "source.max_records=4000")

    def test_partitions_of_unequal_length(self):
        topic, wanted = self.fill([(0, 30, 20), (0, 30, 2_000), (0, 1, 1_000), (29, 30, 100)])
        self.check(topic, wanted, "source.max_records=5000", "workers=2")

    def test_an_empty_partition_does_not_hold_a_bounded_run_up(self):
        topic, wanted = self.fill([(0, 30, 500), (0, 0, 1)])
        began = time.monotonic()
        run = self.check(topic, wanted, "source.max_records=500")
        self.assertLess(time.monotonic() - began, harness.within(5))
        self.assertGreater(expect.Summary(run.err).batches, 5)

    def test_two_topics_of_which_one_is_behind(self):
        (ahead, more), (behind, less) = self.fill([(60, 90, 100)]), self.fill([(0, 90, 300)])
        self.check([ahead, behind], more + less, "source.max_records=1000", "workers=2")

    def test_the_negative_control(self):
        """With the fastest partition's clock events are lost: this test can tell."""
        topic, wanted = self.fill([(60, 90, 50)] * 3 + [(0, 90, 150)])
        with self.assertRaises(AssertionError):
            self.check(topic, wanted, "source.max_records=4000",
                       delay='2 seconds", watermark = "max')

    def test_a_slow_script_does_not_stall_the_consumer(self):
        """librdkafka 2.0.2 rests a partition for a second when its queue is full: with a microsecond
        of work a record it falls to 150,000 records a second, if nothing is done about it."""
        topic, rides = self.topic(partitions=4), 800_000
        self.client.generate_rides(topic, rides)
        script = harness.read(expect.RIDE_COUNTS).replace(
            'return ride.event_type ~= "heartbeat"',
            "local x = ride.ts for i = 1, 1200 do x = x * 1.0000001 + 1 end "
            'return ride.event_type ~= "heartbeat" and x > 0')
        rates = {}
        for name, text in ("plain", harness.read(expect.RIDE_COUNTS)), ("busy", script):
            self.file(name + ".lua", text)
            began = time.monotonic()
            run = self.run_sluice("run", name + ".lua", *harness.sets(
                "source.topics=" + topic, "sink.topic=" + self.topic(name="counts"),
                "trigger=available-now", "source.start=earliest", "name=" + harness.fresh(name)))
            rates[name] = rides / (time.monotonic() - began)
            self.assertEqual(run.code, 0, run.err)
            self.assertEqual(expect.Summary(run.err).source["read"], rides)
        self.assertGreater(rates["busy"], 100_000 / harness.within(1))
        self.assertGreater(rates["busy"], rates["plain"] / harness.within(10))
