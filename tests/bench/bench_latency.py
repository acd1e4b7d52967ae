"""Latency at a fixed rate that nothing slows down: from when a record was due to the row that counts it."""
import time

import bench_broker
import bench_kit as kit
import bench_state
from bench_kit import Row, check

KEYS = 1000
WARM_S = 25 # at this rate the broker's compilers are busy for so long
# What Kafka's start script sets: with one thread for garbage (the others' figures) all stands still for 30 ms at once.
OWN_COLLECTOR = ("-XX:-UseSerialGC", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
                 "-XX:InitiatingHeapOccupancyPercent=35")
WAYS = { # what: (limit of p99 in ms, options)
    "at least once, continuous": (15, {"delivery": "at-least-once", "trigger": "continuous"}),
    "exactly once, batches of 50 ms": (90, {"delivery": "exactly-once", "trigger": "50 ms"}),
}


class Bench(bench_state.Bench):
    jvm = OWN_COLLECTOR

    def latency(self, rate, seconds, **options):
        self.number += 1
        topics = [f"latency-{way}-{self.number}" for way in ("in", "out")]
        for topic in topics:
            self.client.create_topic(topic, bench_broker.PARTITIONS)
        run = self.sluice(kit.script("latency.lua"), *topics, name=f"latency-{self.number}",
                          checkpoint=self.url(), **options)
        run.wait_running()
        time.sleep(1)
        got = kit.answer([kit.program("bench_visible"), self.broker.bootstrap, *topics, str(rate),
                          str(seconds), str(KEYS)])
        run.stop()
        got["cpu_ns"] = run.cpu_ns / got["sent"]
        check("records counted, counts that went back", (got["back"], got["doubled"]), (got["sent"], 0))
        for topic in topics:
            self.client.delete_topic(topic)
        return got


def bench(options):
    rate, seconds = options.rate, options.seconds
    options.records = min(options.records, 10_000) # rides that nobody reads
    b = Bench(options)
    try:
        kit.say(f"warming up the broker, {WARM_S} s")
        b.latency(rate, WARM_S, **next(iter(WAYS.values()))[1])
        results = kit.rounds(options, {what: lambda how=how: b.latency(rate, seconds, **how[1])
                                       for what, how in WAYS.items()}, min(options.pairs, 3))
    finally:
        b.close()
    rows = []
    for what, (limit, _) in WAYS.items():
        p50, p99, p999, most, cpu = (kit.median(results[what], lambda got, name=name: got[name])
                                     for name in ("p50_ms", "p99_ms", "p999_ms", "max_ms", "cpu_ns"))
        rows.append(Row(f"due to visible, `update`, {rate:,}/s, {KEYS} keys, {what}",
                        f"p50 {p50:.1f}, p99 {p99:.1f}, p99.9 {p999:.1f}, most {most:.1f} ms; {cpu:.0f} ns CPU",
                        **kit.at_most(p99, limit, f"{limit} ms at p99")))
    return rows
