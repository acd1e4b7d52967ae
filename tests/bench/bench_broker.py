"""From Kafka to Kafka, with a real broker on the same machine."""
import json
import os
import subprocess
import time

import bench_engine as engine
import bench_kit as kit
import broker as kafka
import expect
from bench_kit import Row, check

PARTITIONS = 4
STAMPED = {"message.timestamp.type": "LogAppendTime"} # so the broker says when a row was committed
LIMIT_MB = 60 + 2 * 16 * 2**20 / 1e6
START_RECORDS = 1000
START_LIMIT_MS = 150
INTERVAL_SHARE = 0.9


class Bench:
    """A broker with the rides in it, and the right answers."""

    jvm = () # more of Java's options for the broker

    def __init__(self, options):
        _, self.answers = engine.data(options.records)
        self.count = options.records
        self.options = options
        self.broker = kafka.Broker(measure=True).start(jvm=self.jvm)
        self.client = self.broker.client
        self.number = 0
        kit.say(f"producing {self.count} rides, lz4, {PARTITIONS} partitions")
        self.client.create_topic("rides", PARTITIONS)
        made = self.client.generate_rides("rides", self.count, partitions=PARTITIONS)
        check("bytes of the rides", made["bytes"], self.answers["bytes"])
        kit.say("asking the oracle")
        oracle = self.client.oracle("rides")
        check("records that the oracle read", (oracle["records"], oracle["bad"]), (self.count, 0))
        watermark = min(oracle["high_ms"].values()) - expect.RIDE_DELAY_MS
        self.wanted = expect.ride_rows(oracle, closed_by=watermark)

    def close(self):
        self.broker.close()

    def fresh_topic(self, partitions):
        self.number += 1
        name = f"out-{self.number}"
        self.client.create_topic(name, partitions, STAMPED)
        return name

    def sluice(self, script, source, sink, env=None, checkpoint="none", **options):
        return kit.Run([kit.SLUICE, "run", script, *kit.sets(
            source_topics=source, sink_topic=sink, checkpoint=checkpoint, **options)],
                       env={"KAFKA_BROKERS": self.broker.bootstrap, **(env or {})})

    # -- ways to read 10 million rides

    def consume(self, way="kafka"):
        """The runtime's Kafka source, and nothing done with what it brings; `way`: or "librdkafka"."""
        run = kit.run([kit.program("bench_source"), way, self.broker.bootstrap, "rides",
                       str(self.count)])
        got = json.loads(run.out)
        check("records consumed", (got["records"], got["bytes"]), (self.count, self.answers["bytes"]))
        run.seconds = got["last_ms"] / 1000 - run.began
        return run

    def drain(self, trigger, **options):
        """The article's query until the last row is committed; then the run is stopped."""
        sink = self.fresh_topic(1)
        run = self.sluice(expect.RIDE_COUNTS, "rides", sink, source_start="earliest",
                          sink_mode="append", trigger=trigger, **options)
        run.wait_idle(lambda: sum(self.client.end_offsets(sink).values()) >= len(self.wanted))
        run.stop()
        summary = expect.Summary(run.err)
        check("records read", summary.source["read"], self.count)
        check("records late, quarantined, skipped",
              [summary.source[name] for name in ("late", "quarantined", "skipped")], [0, 0, 0])
        records = self.client.consume(sink)
        self.check_rows(records)
        run.seconds = max(record.timestamp for record in records) / 1000 - run.began
        self.client.delete_topic(sink)
        return run

    def check_rows(self, records):
        check("rows committed", sorted(r.key for r in records), sorted(self.wanted))
        for record in records:
            row, window = record.json(), self.wanted[record.key]
            check(f"{record.key}: count", row["event_count"], window["count"])
            engine.near(f"{record.key}: revenue", row["revenue"], window["sum"])
            engine.near(f"{record.key}: spread", row["spread"], window["max"] - window["min"])

    def start(self):
        """ms from the start of the process to the first row in the output topic, few records there."""
        sink = self.fresh_topic(1)
        run = self.sluice(expect.RIDE_COUNTS, "few", sink, source_start="earliest",
                          sink_mode="update", trigger="continuous")
        run.wait_idle(lambda: sum(self.client.end_offsets(sink).values()) > 0)
        run.stop()
        check("records read", expect.Summary(run.err).source["read"], START_RECORDS)
        run.ms = min(r.timestamp for r in self.client.consume(sink)) - run.began * 1000
        self.client.delete_topic(sink)
        return run

    def users(self, **options):
        """R2; each row is checked by its part of a checksum."""
        sink = self.fresh_topic(PARTITIONS)
        began = time.time()
        run = self.sluice(kit.script("users_kafka.lua"), "rides", sink, **options).end()
        run.seconds = time.time() - began
        rows = self.answers["users_closed"]["rows"]
        command = [kit.program("bench_source"), "kafka", self.broker.bootstrap, sink, str(rows), "print"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as source:
            done = subprocess.run([kit.program("bench_rides"), "check"], stdin=source.stdout,
                                  stdout=subprocess.PIPE, check=True)
        check("rows by user", json.loads(done.stdout), self.answers["users_closed"])
        self.client.delete_topic(sink)
        return run


def figures(runs, count):
    rate = kit.median(runs, lambda run: count / run.seconds)
    cpu = kit.median(runs, lambda run: run.cpu_ns / count)
    best = max(count / run.seconds for run in runs)
    return f"{rate / 1e6:.2f} M/s (best {best / 1e6:.2f}), {cpu:.0f} ns CPU"


def drain_rows(b):
    results = kit.rounds(b.options, {
        "consume only": b.consume,
        "consume only, by librdkafka": lambda: b.consume("librdkafka"),
        "continuous": lambda: b.drain("continuous"),
        "continuous, by librdkafka": lambda: b.drain("continuous", source_fetch="librdkafka"),
        "every 30 seconds": lambda: b.drain("30 seconds"),
    })
    consume, consume_old, continuous, continuous_old, interval = results.values()
    speed = lambda run: 1 / run.seconds
    cpu = lambda run: run.cpu_ns
    share = kit.median_ratio(interval, continuous, speed)
    peak = max(run.peak_mb for run in continuous + interval)
    return [
        Row("ceiling: consume only, the same source", figures(consume, b.count)
            + f", {max(run.peak_mb for run in consume):.0f} MB"),
        Row("the same by librdkafka", figures(consume_old, b.count),
            f"{kit.median_ratio(consume_old, consume, cpu):.2f} × the CPU"),
        Row("**R1 from Kafka to Kafka**, continuous", figures(continuous, b.count),
            f"{kit.median_ratio(continuous, consume, speed):.2f} × the rate, "
            f"{kit.median_ratio(continuous, consume, cpu):.2f} × the CPU"),
        Row("the same, trigger of 30 seconds", figures(interval, b.count),
            f"{share:.2f} × continuous",
            **kit.at_least(share, INTERVAL_SHARE, f"{INTERVAL_SHARE} × continuous")),
        Row("the same, peak memory", f"{peak:.0f} MB",
            f"{peak / LIMIT_MB:.2f} × the limit",
            **kit.at_most(peak, LIMIT_MB, f"{LIMIT_MB:.0f} MB (60 MB + 2 × max_bytes)")),
        Row("R1 continuous, read by librdkafka", figures(continuous_old, b.count),
            f"{kit.median_ratio(continuous_old, continuous, cpu):.2f} × the CPU of our own reading"),
    ]


def start_rows(b):
    b.client.create_topic("few", PARTITIONS)
    b.client.generate_rides("few", START_RECORDS, partitions=PARTITIONS)
    runs = kit.rounds(b.options, {"start": b.start}, max(b.options.pairs, 7))["start"]
    ms = kit.median(runs, lambda run: run.ms)
    return [Row("start of the process to the first row committed",
                f"{ms:.0f} ms ({min(r.ms for r in runs):.0f} to {max(r.ms for r in runs):.0f})",
                **kit.at_most(ms, START_LIMIT_MS, f"{START_LIMIT_MS} ms"))]


def users_rows(b):
    runs, old = kit.rounds(b.options, {
        "R2": b.users,
        "R2, written by librdkafka": lambda: b.users(sink_produce="librdkafka"),
    }, min(b.options.pairs, 3)).values()
    rows = b.answers["users_closed"]["rows"] / b.count
    share = kit.median_ratio(old, runs, lambda run: run.cpu_ns)
    return [Row(f"**R2 from Kafka to Kafka**, {rows:.2f} rows out a record", figures(runs, b.count)),
            Row("the same, peak memory", f"{kit.median(runs, lambda run: run.peak_mb):.0f} MB"),
            Row("R2, written by librdkafka", figures(old, b.count),
                f"{share:.2f} × the CPU of our own writing")]


def bench(options):
    b = Bench(options)
    try:
        rows = start_rows(b) + drain_rows(b)
        return rows if options.skip_users else rows + users_rows(b)
    finally:
        b.close()
