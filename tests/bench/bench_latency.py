"""Latency at a fixed rate that nothing slows down: from when a record was due to the row that counts it."""
import time

import bench_broker
import bench_kit as kit
import bench_state
from bench_kit import Row, check

KEYS = 1000
FIGURES = "p50_ms", "p99_ms", "p999_ms", "max_ms", "cpu_ns"
WARM_S = 40 # at this rate the broker's compilers are busy for so long
# What Kafka's start scripts set, the heap's first size with it: a smaller one is collected twice as often. With one
# thread for garbage (the others' figures) all stands still for 30 ms at once.
OWN_COLLECTOR = ("-XX:-UseSerialGC", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
                 "-XX:InitiatingHeapOccupancyPercent=35", f"-Xms{bench_broker.kafka.MEASURE_HEAP_MB}m")
DIRECT = "ceiling: through one topic, nothing between"
WAYS = { # what: (limit of p99 in ms, options)
    "at least once, continuous": (15, {"delivery": "at-least-once", "trigger": "continuous"}),
    "exactly once, batches of 50 ms": (90, {"delivery": "exactly-once", "trigger": "50 ms"}),
}


class Bench(bench_state.Bench):
    jvm = OWN_COLLECTOR

    def direct(self, rate, seconds):
        """The same records through one topic, nothing between who produces and who reads."""
        self.number += 1
        topic = f"latency-direct-{self.number}"
        self.client.create_topic(topic, bench_broker.PARTITIONS)
        got = kit.answer([kit.program("bench_visible"), self.broker.bootstrap, topic, topic, str(rate),
                          str(seconds)])
        check("records read back", (got["back"], got["doubled"]), (got["sent"], 0))
        self.client.delete_topic(topic)
        return got

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


def told(got):
    return (f"p50 {got['p50_ms']:.1f}, p99 {got['p99_ms']:.1f}, p99.9 {got['p999_ms']:.1f}, "
            f"most {got['max_ms']:.1f} ms")


def bench(options):
    rate, seconds = options.rate, options.seconds
    options.records = min(options.records, 10_000) # rides that nobody reads
    b = Bench(options)
    try:
        kit.say(f"warming up the broker, {WARM_S} s")
        b.latency(rate, WARM_S, **next(iter(WAYS.values()))[1])
        ways = {what: lambda how=how: b.latency(rate, seconds, **how[1]) for what, how in WAYS.items()}
        ways[DIRECT] = lambda: b.direct(rate, seconds)
        results = kit.rounds(options, ways)
    finally:
        b.close()
    got = {what: {name: kit.median(runs, lambda run, name=name: run.get(name, 0)) for name in FIGURES}
           for what, runs in results.items()}
    rows = [Row(f"{DIRECT}, {rate:,}/s", told(got[DIRECT]))]
    for what, (limit, _) in WAYS.items():
        p99 = got[what]["p99_ms"]
        rows.append(Row(f"due to visible, `update`, {rate:,}/s, {KEYS} keys, {what}",
                        f"{told(got[what])}; {got[what]['cpu_ns']:.0f} ns CPU",
                        f"{p99 / got[DIRECT]['p99_ms']:.1f} × the p99 of the ceiling",
                        **kit.at_most(p99, limit, f"{limit} ms at p99")))
    return rows
