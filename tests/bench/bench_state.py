"""State that survives: what it costs while all goes well, and how fast it is back."""
import hashlib
import itertools
import json
import os
import random
import shutil
import subprocess
import tempfile
import time

import bench_broker
import bench_engine as engine
import bench_kit as kit
import expect
from bench_kit import Row, check

BATCH = "100 ms"
BATCH_BYTES = "64 MiB"
KEYS = 10_000_000


class Bench(bench_broker.Bench):
    def visible(self, rate, seconds=10, url=None, env=None):
        """Produced to readable, through a pipeline that passes records on."""
        self.number += 1
        topics = [f"visible-{way}-{self.number}" for way in ("in", "out")]
        for topic in topics:
            self.client.create_topic(topic, bench_broker.PARTITIONS)
        run = self.sluice(kit.script("visible.lua"), *topics, env, name=f"visible-{self.number}",
                          checkpoint=url or self.url())
        run.wait_running()
        time.sleep(1)
        got = kit.answer([kit.program("bench_visible"), self.broker.bootstrap, *topics, str(rate),
                          str(seconds)])
        run.stop()
        check("rows back", (got["back"], got["doubled"]), (got["sent"], 0))
        for topic in topics:
            self.client.delete_topic(topic)
        return got

    # -- restart

    def restart(self, script, source, **options):
        """ms from the second start of a pipeline to its first committed row."""
        sink, url = self.fresh_topic(1), self.url()
        options.update(name=f"restart-{self.number}", checkpoint=url)
        first = self.sluice(script, source, sink, source_start="earliest", **options)
        first.wait_idle(lambda: sum(self.client.end_offsets(sink).values()) > 0)
        first.stop()
        before = self.client.end_offsets(sink)
        self.client.generate_rides(source, bench_broker.START_RECORDS,
                                   partitions=bench_broker.PARTITIONS)
        run = self.sluice(script, source, sink, source_start="earliest", **options)
        run.wait_idle(lambda: self.client.end_offsets(sink) != before)
        run.stop()
        run.ms = min(r.timestamp for r in self.client.consume(sink)
                     if r.offset >= before[0]) - run.began * 1000
        return run


def delivery_rows(b):
    """With room for a batch that is as long as the trigger; by default max_bytes cuts one of R1 off after some 25 ms:
    such are those of the section kafka."""
    once, least, none = kit.rounds(b.options, {
        "exactly once": lambda: b.article(BATCH, delivery="exactly-once", source_max_bytes=BATCH_BYTES),
        "at least once": lambda: b.article(BATCH, delivery="at-least-once", source_max_bytes=BATCH_BYTES),
        "none": lambda: b.drain(BATCH, source_max_bytes=BATCH_BYTES),
    }).values()
    speed = lambda run: 1 / run.seconds
    share = kit.median_ratio(once, least, speed)
    return [
        Row(f"R1f from Kafka to Kafka, batches of {BATCH}, no checkpoint",
            bench_broker.figures(none, b.count)),
        Row("the same, at least once", bench_broker.figures(least, b.count),
            f"{kit.median_ratio(least, none, speed):.2f} × no checkpoint"),
        Row("**the same, exactly once**", bench_broker.figures(once, b.count),
            f"{share:.2f} × at least once", **kit.at_least(share, 0.95, "0.95 × at least once")),
    ]


def visible_rows(b):
    limit = 1 / kit.median(kit.rounds(b.options, {"most": lambda: b.article(BATCH)}, 1)["most"],
                           lambda run: run.seconds / b.count)
    rows = []
    for what, rate in (("200 records a second", 200), ("50 % of R1's rate", limit * 0.5),
                       ("80 % of R1's rate", limit * 0.8)):
        rate = int(min(rate, 250_000)) # what one producer beside the broker gives here
        got = b.visible(rate)
        rows.append(Row(f"produced to visible, {what} ({rate:,}/s)",
                        f"p50 {got['p50_ms']:.1f}, p99 {got['p99_ms']:.1f}, "
                        f"p99.9 {got['p999_ms']:.1f} ms"))
    return rows


def restart_rows(b):
    b.client.create_topic("again", bench_broker.PARTITIONS)
    b.client.generate_rides("again", bench_broker.START_RECORDS, partitions=bench_broker.PARTITIONS)
    runs = kit.rounds(b.options, {"restart": lambda: b.restart(
        expect.RIDE_COUNTS, "again", sink_mode="update", trigger="continuous")}, 3)["restart"]
    ms = kit.median(runs, lambda run: run.ms)
    return [Row("restart to the first row committed, little state", f"{ms:.0f} ms",
                **kit.at_most(ms, 500, "500 ms"))]


# -- without Kafka: the state alone


def write_rows(name, rows):
    path = os.path.join(kit.CACHE, name)
    if not os.path.exists(path):
        with open(path + ".new", "w") as out:
            out.writelines('{"key":"user-%011d","amount":%d,"ts":%d}\n' % row for row in rows)
        os.rename(path + ".new", path)
    return path


def new_keys(count):
    return ((i * 7919 % count, i % 100, i % 60_000) for i in range(count))


def keys(core, count, out):
    """As many rows as keys, from a file: made by Lua they took longer than all that is done with them."""
    path = write_rows(f"keys-{count}.jsonl", new_keys(count))
    return kit.run([kit.SLUICE, "run", kit.script("keys.lua"), "--param", f"path={path}", *kit.sets(
        memory="8 GiB", source_max_records=500_000)], core=core, out=out) # as by default


def check_keys(core, count):
    with tempfile.TemporaryFile(dir=kit.CACHE) as rows:
        keys(core, count, rows)
        rows.seek(0)
        done = subprocess.run([kit.program("bench_rides"), "check-keys"], stdin=rows,
                              stdout=subprocess.PIPE, check=True)
    check("rows by key", json.loads(done.stdout),
          kit.answer([kit.program("bench_rides"), "keys", str(count)]))


def engine_rows(options):
    """A commit a second: as many records in a batch as a second brings."""
    path, answers = engine.data(options.records)
    core, count = max(os.sched_getaffinity(0)), answers["records"]
    folder = tempfile.mkdtemp(prefix="state-", dir=kit.CACHE)
    wanted = {"article.lua": len(answers["types"]), "users.lua": answers["users"]["rows"]}

    def way(name, records, checkpoint):
        def one():
            url = "file:" + tempfile.mkdtemp(dir=folder) if checkpoint else "none"
            command = [kit.SLUICE, "run", kit.script(name), *kit.sets(
                source_path=path, source_follow="false", checkpoint=url, source_max_bytes="2 GiB",
                source_max_records=records)]
            with open(os.devnull, "wb") as nowhere:
                run = kit.run(command, core=core, out=nowhere)
            shutil.rmtree(url.partition(":")[2], ignore_errors=True)
            engine.check_summary(run, count, wanted[name])
            return run
        return one

    ways = {f"{name} {what}": way(f"{name}.lua", records, what == "on")
            for name, records in (("article", 6_000_000), ("users", 1_500_000))
            for what in ("off", "on")}
    try:
        results = kit.rounds(options, ways)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    rows = []
    for name, what, least in (("article", "R1", 0.97), ("users", "R2, a million groups a second", 0.9)):
        on, off = results[f"{name} on"], results[f"{name} off"]
        share = kit.median_ratio(on, off, lambda run: 1 / run.wall_s)
        rows.append(Row(f"{what}, engine, a commit a second, `file:`",
                        f"{kit.median(on, lambda run: run.wall_s * 1e9 / count):.0f} ns",
                        f"{share:.2f} × without", **kit.at_least(share, least, f"{least} × without")))
    return rows


def keys_rows(options):
    core, count = max(os.sched_getaffinity(0)), min(KEYS, options.records)
    check_keys(core, count)
    with open(os.devnull, "wb") as nowhere:
        few, many = kit.rounds(options, {
            "1,000 keys": lambda: keys(core, 1000, nowhere),
            f"{count:,} keys": lambda: keys(core, count, nowhere),
        }).values()
    peak = lambda run: run.peak_mb
    per_key = (kit.median(many, peak) - kit.median(few, peak)) * 1e6 / count
    ns = kit.median(many, lambda run: run.cpu_ns / count)
    return [Row(f"{count:,} keys of 16 bytes (dense), state of 40: memory a key", f"{per_key:.0f} bytes",
                **kit.at_most(per_key, 112, "112 bytes")),
            Row("the same, `update`, each record of a file a new key and a row: CPU",
                f"{ns:.0f} ns, {1e3 / ns:.1f} M/s a core", **kit.at_least(1e3 / ns, 1.5, "1.5 M/s a core"))]


# -- more keys than memory

WINDOWS, OF_WINDOW, CLOSING = 10, 1_000_000, 60_000 # rows; as many as a batch of keys.lua has
BEFORE, HITTING = 2_000_000, 2_000_000
IN_MEMORY = "16 GiB"


def windows_file():
    """Windows of new keys, all open at once; then rows of one key that let one after the other close."""
    count = WINDOWS * OF_WINDOW
    new = ((i * 7919 % count, i % 100, i // OF_WINDOW * 60_000) for i in range(count))
    last = ((count, 1, 660_000 + i // CLOSING * 60_000) for i in range(WINDOWS * CLOSING))
    return write_rows("windows.jsonl", itertools.chain(new, last))


def hits_file(percent):
    """Keys, then rows of which so many percent have one of them; None: the keys alone."""
    rolls, fresh = random.Random(7), itertools.count(BEFORE)
    key = lambda: rolls.randrange(BEFORE) if rolls.random() * 100 < percent else next(fresh)
    rows = itertools.chain(((i * 7919 % BEFORE, 1, 0) for i in range(BEFORE)),
                           ((key(), 1, 0) for _ in range(HITTING if percent is not None else 0)))
    return write_rows(f"hits-{percent}.jsonl", rows)


def keep_keys(kind, path, memory, out):
    with tempfile.TemporaryDirectory(prefix="state-", dir=kit.CACHE) as folder:
        command = [kit.SLUICE, "run", kit.script("keys.lua"), "--param", f"kind={kind}", "--param",
                   f"path={path}", *kit.sets(checkpoint="file:" + folder, memory=memory)]
        run = kit.run(command, out=out)
    check("spilled", "state spilled" in run.err, memory != IN_MEMORY)
    return run


def digest(kind, path, memory):
    """A checksum of the rows, in a run of its own."""
    with tempfile.TemporaryFile(dir=kit.CACHE) as rows:
        keep_keys(kind, path, memory, rows)
        rows.seek(0)
        return hashlib.file_digest(rows, "blake2b").hexdigest()


def spilled(kind, path, memory):
    """What goes to disk and comes back gives the bytes that it gives in memory."""
    check("checksum of the rows", digest(kind, path, memory), digest(kind, path, IN_MEMORY))
    with open(os.devnull, "wb") as nowhere:
        return keep_keys(kind, path, memory, nowhere)


def spilled_rows(_options):
    """CPU of all threads: a base beside the batches is a core's work, too."""
    run = spilled("window", windows_file(), "200 MiB")
    ns = run.cpu_ns / (WINDOWS * OF_WINDOW)
    rows = [Row(f"{WINDOWS * OF_WINDOW:,} new keys under 200 MiB, `append`, with the rows at the close",
                f"{ns:.0f} ns of CPU, {run.peak_mb:.0f} MB",
                **kit.at_least(1e3 / ns, 0.8, "0.8 M rows/s a core"))]
    for kind, memory in ("update", "64 MiB"), ("forever", "48 MiB"):
        before = spilled(kind, hits_file(None), memory).cpu_ns
        ns = [(spilled(kind, hits_file(hits), memory).cpu_ns - before) / HITTING for hits in (0, 50, 99)]
        what = "`distinct`" if kind == "forever" else "`update`"
        rows.append(Row(f"{what} under {memory}, {BEFORE:,} keys before, 0 / 50 / 99 % hits",
                        " / ".join(f"{one:.0f}" for one in ns) + " ns of CPU"))
    return rows


def bench(options):
    rows = engine_rows(options) + keys_rows(options) + spilled_rows(options)
    b = Bench(options)
    try:
        return rows + delivery_rows(b) + visible_rows(b) + restart_rows(b)
    finally:
        b.close()
