"""R4 from Kafka to Kafka: nothing is kept, a row out for each record that is no heartbeat. And the first record of a
process that starts, which such a script lets through at once."""
import json
import os
import time

import bench_broker as broker
import bench_kit as kit
import expect
from bench_kit import Row, check

FIRST_LIMIT_MS = 100
SCRIPT = kit.script("stateless.lua")


class Stateless:
    """`b`: a bench_broker.Bench."""

    def __init__(self, b):
        self.b = b
        self.wanted = kit.answer([kit.program("bench_rides"), "stateless", str(b.count)])
        self.rows = os.path.join(b.folder, "stateless.jsonl")
        with open(self.rows, "wb") as out:
            kit.run([kit.SLUICE, "run", SCRIPT, "--param", "from=file", "--param", "to=file",
                     *kit.sets(source_path=b.path)], out=out)

    def check(self, sink, has_markers=False):
        self.b.check_topic(sink, "check-stateless", self.wanted, has_markers)

    def run(self, **options):
        sink = self.b.fresh_topic(broker.PARTITIONS)
        run = self.b.sluice(SCRIPT, "rides", sink, **options).end()
        run.seconds = run.wall_s
        check("records read", expect.Summary(run.err).source["read"], self.b.count)
        self.check(sink, has_markers=bool(options))
        return run

    def produce(self):
        run, sink = self.b.produce(self.rows)
        self.check(sink)
        return run


def rows(b):
    of = Stateless(b)
    consume, produce, runs, once = kit.rounds(b.options, {
        "consume only": b.consume,
        "produce only": of.produce,
        "R4": of.run,
        "R4, exactly once": lambda: of.run(**b.stored()),
    }).values()
    os.unlink(of.rows)
    speed = lambda run: 1 / run.seconds
    figures = lambda some, count: broker.figures(some, count) + f", {broker.peak_mb(some):.0f} MB"
    of_both = kit.median(zip(consume, produce, runs), lambda one: one[2].cpu_ns / (one[0].cpu_ns + one[1].cpu_ns))
    return [
        Row("ceiling: consume only, in the rounds of R4", figures(consume, b.count)),
        Row("ceiling: produce only, the rows of R4 by the same sink, a row",
            broker.figures(produce, of.wanted["rows"])), # its memory is the mapped file's
        Row(f"**R4 from Kafka to Kafka**, filter and derive, {of.wanted['rows'] / b.count:.2f} rows out a record, "
            "nothing stored", figures(runs, b.count),
            f"{kit.median_ratio(runs, consume, speed):.2f} × the rate of consume only, "
            f"{kit.median_ratio(runs, produce, speed):.2f} × that of produce only, which writes the same rows; "
            f"{of_both:.2f} × the CPU of both"),
        Row("R4, exactly once", figures(once, b.count), f"{kit.median_ratio(once, runs, speed):.2f} × nothing stored"),
    ]


# -- the first record


def first_record(b, topic, ids):
    """ms from the start of the process until its first row can be read from its standard output."""
    came, into = os.pipe()
    run = kit.Run([kit.SLUICE, "run", SCRIPT, "--param", "to=file",
                   *kit.sets(source_topics=topic, trigger="continuous")],
                  out=into, env={"KAFKA_BROKERS": b.broker.bootstrap})
    os.close(into)
    rows = os.read(came, 1 << 16)
    run.ms = (time.time() - run.began) * 1000
    while rows.count(b"\n") < len(ids):
        more = os.read(came, 1 << 16)
        if not more:
            raise kit.Wrong(f"an end behind {len(rows)} bytes of rows")
        rows += more
    os.close(came)
    run.stop()
    check("rides", sorted(json.loads(line)["event_id"] for line in rows.splitlines()), ids)
    return run


def first_rows(b, topic):
    """`topic` has few rides."""
    rides = [record.json() for record in b.client.consume(topic)]
    ids = sorted(ride["event_id"] for ride in rides if ride["event_type"] != "heartbeat")
    (runs,) = kit.rounds(b.options, {"first record": lambda: first_record(b, topic, ids)},
                         max(b.options.pairs, 7)).values()
    ms = kit.median(runs, lambda run: run.ms)
    return [Row("start of the process until the first record has gone through (R4, read from its standard output)",
                f"{ms:.0f} ms ({min(r.ms for r in runs):.0f} to {max(r.ms for r in runs):.0f})",
                **kit.at_most(ms, FIRST_LIMIT_MS, f"{FIRST_LIMIT_MS} ms"))]
