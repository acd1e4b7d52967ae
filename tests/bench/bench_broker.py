"""From Kafka to Kafka, with a real broker on the same machine."""
import json
import os
import shutil
import subprocess
import tempfile
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
FEW = "few" # a topic of so many
START_LIMIT_MS = 400
INTERVAL_SHARE = 0.9
GOAL_M, GOAL_NS = 4.5, 200 # records a second, CPU a record
OLD_GOAL_M, OLD_GOAL_NS = 2.6, 400 # by librdkafka
CONSUME_SHARE, ONCE_SHARE = 0.85, 0.95 # of consume only, of at least once
USERS_NS, USERS_MB = 1200, 2**30 / 1e6


class Bench:
    """A broker with the rides in it, the right answers, and a folder for checkpoints."""

    jvm = () # more of Java's options for the broker

    def __init__(self, options):
        self.path, self.answers = engine.data(options.records)
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
        self.windows = expect.ride_rows(oracle)
        self.folder = tempfile.mkdtemp(prefix="state-", dir=kit.CACHE)

    def close(self):
        self.broker.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self):
        """A place of its own for a checkpoint."""
        return "file:" + tempfile.mkdtemp(dir=self.folder)

    def make_few(self):
        self.client.create_topic(FEW, PARTITIONS)
        self.client.generate_rides(FEW, START_RECORDS, partitions=PARTITIONS)

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

    def drain(self, trigger, mode="append", **options):
        """The article's query until the last row is committed; then the run is stopped."""
        sink = self.fresh_topic(1)
        run = self.sluice(expect.RIDE_COUNTS, "rides", sink, source_start="earliest",
                          sink_mode=mode, trigger=trigger, **options)
        is_done = {
            "append": lambda: sum(self.client.end_offsets(sink).values()) >= len(self.wanted),
            "update": lambda: counted(self.client.consume(sink)) >= counted_of(self.windows),
        }[mode]
        run.wait_idle(is_done)
        run.stop()
        summary = expect.Summary(run.err)
        check("records read", summary.source["read"], self.count)
        check("records late, quarantined, skipped",
              [summary.source[name] for name in ("late", "quarantined", "skipped")], [0, 0, 0])
        records = self.client.consume(sink)
        if mode == "append":
            self.check_rows(records, self.wanted)
        else:
            self.check_updates(records)
        run.seconds = max(record.timestamp for record in records) / 1000 - run.began
        self.client.delete_topic(sink)
        return run

    def article(self, trigger, **options):
        """The same with its state stored."""
        return self.drain(trigger, **self.stored(), **options)

    def check_updates(self, records):
        """Each row of a window counts more than the one before, the last one all."""
        last = {}
        for record in records:
            count = record.json()["event_count"]
            before = last[record.key].json()["event_count"] if record.key in last else 0
            if count <= before:
                raise kit.Wrong(f"{record.key}: {count} rides behind {before}")
            last[record.key] = record
        self.check_rows(last.values(), self.windows)

    def check_rows(self, records, wanted):
        check("rows committed", sorted(r.key for r in records), sorted(wanted))
        for record in records:
            row, window = record.json(), wanted[record.key]
            check(f"{record.key}: count", row["event_count"], window["count"])
            engine.near(f"{record.key}: revenue", row["revenue"], window["sum"])
            engine.near(f"{record.key}: spread", row["spread"], window["max"] - window["min"])

    def stored(self):
        """Options of a run that begins anew and keeps its state."""
        self.number += 1
        return {"name": f"bench-{self.number}", "checkpoint": self.url()}

    def start(self, **options):
        """ms from the start of the process to the first row in the output topic, few records there."""
        sink = self.fresh_topic(1)
        run = self.sluice(expect.RIDE_COUNTS, FEW, sink, source_start="earliest",
                          sink_mode="update", trigger="continuous", **options)
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
        self.check_users(sink, has_markers=bool(options.get("checkpoint")))
        return run

    def produce(self, rows):
        """A file of rows into a new topic, by the runtime's Kafka sink, and nothing else."""
        sink = self.fresh_topic(PARTITIONS)
        run = kit.run([kit.program("bench_sink"), self.broker.bootstrap, sink, rows])
        check("written by librdkafka", "librdkafka" in run.err, False)
        run.seconds = run.wall_s
        return run, sink

    def produce_users(self, rows):
        run, sink = self.produce(rows)
        self.check_users(sink)
        return run

    def check_users(self, sink, has_markers=False):
        """Its rows are those of R2; then it goes."""
        self.check_topic(sink, "check", self.answers["users_closed"], has_markers)

    def check_topic(self, sink, way, wanted, has_markers):
        """By a checksum of all rows, one `way` of bench_rides; then the topic goes. `has_markers`: of transactions."""
        if not has_markers:
            check("offsets in the topic", sum(self.client.end_offsets(sink).values()), wanted["rows"])
        command = [kit.program("bench_source"), "kafka", self.broker.bootstrap, sink, str(wanted["rows"]), "print"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as source:
            done = subprocess.run([kit.program("bench_rides"), way], stdin=source.stdout,
                                  stdout=subprocess.PIPE, check=True)
        check("rows in the topic", json.loads(done.stdout), wanted)
        self.client.delete_topic(sink)

    def users_file(self):
        """R2's rows in a file, from a file of the same events."""
        path = os.path.join(self.folder, "users.jsonl")
        with open(path, "wb") as out:
            kit.run([kit.SLUICE, "run", kit.script("users.lua"),
                     *kit.sets(source_path=self.path, source_follow="true")], out=out)
        return path


def counted(records):
    """Records in the last rows of all windows."""
    return sum({record.key: record.json()["event_count"] for record in records}.values())


def counted_of(windows):
    return sum(window["count"] for window in windows.values())


def peak_mb(runs):
    return max(run.peak_mb for run in runs)


def goals(runs, count, share, least, of):
    rate = kit.median(runs, lambda run: count / run.seconds) / 1e6
    cpu = kit.median(runs, lambda run: run.cpu_ns / count)
    return {"target": f"≥ {GOAL_M} M/s, ≤ {GOAL_NS} ns, ≥ {least} × {of}",
            "met": rate >= GOAL_M and cpu <= GOAL_NS and share >= least}


def old_goals(runs, count):
    rate = kit.median(runs, lambda run: count / run.seconds) / 1e6
    cpu = kit.median(runs, lambda run: run.cpu_ns / count)
    return {"target": f"≥ {OLD_GOAL_M} M/s, ≤ {OLD_GOAL_NS} ns", "met": rate >= OLD_GOAL_M and cpu <= OLD_GOAL_NS}


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
        "at least once": lambda: b.article("continuous", delivery="at-least-once"),
        "exactly once": lambda: b.article("continuous"),
        "update": lambda: b.drain("continuous", "update"),
        "continuous, by librdkafka": lambda: b.drain("continuous", source_fetch="librdkafka"),
        "exactly once, by librdkafka": lambda: b.article("continuous", source_fetch="librdkafka",
                                                         sink_produce="librdkafka"),
        "every 30 seconds": lambda: b.drain("30 seconds"),
    })
    consume, consume_old, continuous, least, once, update, continuous_old, once_old, interval = results.values()
    speed = lambda run: 1 / run.seconds
    cpu = lambda run: run.cpu_ns
    share = kit.median_ratio(interval, continuous, speed)
    of_consume = kit.median_ratio(continuous, consume, speed)
    of_least = kit.median_ratio(once, least, speed)
    peak = peak_mb(continuous + interval + least + once + update)
    both = lambda runs: figures(runs, b.count) + f", {peak_mb(runs):.0f} MB"
    return [
        Row("ceiling: consume only, the same source", both(consume)),
        Row("the same by librdkafka", figures(consume_old, b.count),
            f"{kit.median_ratio(consume_old, consume, cpu):.2f} × the CPU"),
        Row("**R1f from Kafka to Kafka** (`append`), continuous, nothing stored", both(continuous),
            f"{of_consume:.2f} × the rate, {kit.median_ratio(continuous, consume, cpu):.2f} × the CPU",
            **goals(continuous, b.count, of_consume, CONSUME_SHARE, "consume only")),
        Row("the same, state stored, at least once", both(least),
            f"{kit.median_ratio(least, continuous, speed):.2f} × nothing stored"),
        Row("**the same, exactly once, as by default**", both(once),
            f"{of_least:.2f} × at least once", **goals(once, b.count, of_least, ONCE_SHARE, "at least once")),
        Row("R1 (`update`), continuous, nothing stored", both(update),
            f"{kit.median_ratio(update, continuous, speed):.2f} × append, "
            f"{kit.median_ratio(update, consume, speed):.2f} × consume only"),
        Row("R1f, nothing stored, trigger of 30 seconds", figures(interval, b.count),
            f"{share:.2f} × continuous",
            **kit.at_least(share, INTERVAL_SHARE, f"{INTERVAL_SHARE} × continuous")),
        Row("all of these, `append` and `update`: peak memory", f"{peak:.0f} MB",
            f"{peak / LIMIT_MB:.2f} × the limit",
            **kit.at_most(peak, LIMIT_MB, f"{LIMIT_MB:.0f} MB (60 MB + 2 × max_bytes)")),
        Row("R1f continuous, nothing stored, read by librdkafka", figures(continuous_old, b.count),
            f"{kit.median_ratio(continuous_old, continuous, cpu):.2f} × the CPU of our own reading"),
        Row("R1f exactly once, read and written by librdkafka", figures(once_old, b.count),
            f"{kit.median_ratio(once_old, consume_old, speed):.2f} × the rate of its consume only",
            **old_goals(once_old, b.count)),
    ]


def start_rows(b):
    results = kit.rounds(b.options, {
        "nothing stored": b.start,
        "exactly once, state stored": lambda: b.start(**b.stored()),
    }, max(b.options.pairs, 7))
    rows = []
    for how, runs in results.items():
        ms = kit.median(runs, lambda run: run.ms)
        rows.append(Row(f"start of the process to the first row committed, {how}",
                        f"{ms:.0f} ms ({min(r.ms for r in runs):.0f} to {max(r.ms for r in runs):.0f})",
                        **kit.at_most(ms, START_LIMIT_MS, f"{START_LIMIT_MS} ms")))
    return rows


def users_rows(b):
    file, rows = b.users_file(), b.answers["users_closed"]["rows"]
    produced, runs, once, old = kit.rounds(b.options, {
        "produce only": lambda: b.produce_users(file),
        "R2": b.users,
        "R2, exactly once": lambda: b.users(**b.stored()),
        "R2, written by librdkafka": lambda: b.users(sink_produce="librdkafka"),
    }).values()
    cpu = lambda run: run.cpu_ns
    speed = lambda run: 1 / run.seconds
    ns = kit.median(runs, cpu) / b.count
    peak = kit.median(runs, lambda run: run.peak_mb)
    return [Row("ceiling: produce only, the rows of R2 by the same sink, a row",
                figures(produced, rows)),
            Row(f"**R2 from Kafka to Kafka**, {rows / b.count:.2f} rows out a record, nothing stored",
                figures(runs, b.count), f"{kit.median_ratio(runs, produced, speed):.2f} × the rate of produce only",
                **kit.at_most(ns, USERS_NS, f"{USERS_NS:,} ns")),
            Row("the same, peak memory", f"{peak:.0f} MB", **kit.at_most(peak, USERS_MB, f"{USERS_MB:.0f} MB")),
            Row("R2, exactly once", figures(once, b.count) + f", {peak_mb(once):.0f} MB",
                f"{kit.median_ratio(once, runs, speed):.2f} × nothing stored"),
            Row("R2, nothing stored, written by librdkafka", figures(old, b.count),
                f"{kit.median_ratio(old, runs, cpu):.2f} × the CPU of our own writing")]
