"""How fast state is back, and what it takes when many groups close, when nothing comes, and for a transaction."""
import glob
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import time

import bench_kit as kit
import bench_state as state
import expect
from bench_kit import Row, check

KEYS, AGAIN = 10_000_000, 100_000
GROUPS, IDLE_S, RELOADS = 1_000_000, 30, 200
CATCH_UP_RATE = 200_000 # records a second that came during the outage


def s3_server():
    sys.path.append(os.path.join(kit.ROOT, "tests", "s3"))
    from server import S3
    return S3(heap_mb=1024)


# -- ten million keys


def keys_back(url, folder, env):
    """Runs that find ten million keys, and records of some of them: from what is here, and from the store alone. That
    the keys are there is seen by these."""
    rows = os.path.join(folder, "rows")
    os.makedirs(rows)
    os.link(state.write_rows(f"keys-{KEYS}.jsonl", state.new_keys(KEYS)), os.path.join(rows, "1.jsonl"))

    def run(out):
        return kit.run([kit.SLUICE, "run", kit.script("keys.lua"), "--param", f"path={rows}/*.jsonl", *kit.sets(
            checkpoint=url, memory="8 GiB", workers=2, source_follow="true", source_max_records=500_000),
            "--set", f"state_dir={folder}/state"], out=out, env=env)

    def again(number):
        with open(os.path.join(rows, f"{number}.jsonl"), "w") as file:
            file.writelines('{"key":"user-%011d","amount":%d,"ts":0}\n' % (key, 100 + number)
                            for key in range(0, KEYS, KEYS // AGAIN))
        with tempfile.TemporaryFile("w+", dir=folder) as out:
            done = run(out)
            out.seek(0)
            found = {row["key"]: (row["rides"], row["dearest"]) for row in map(json.loads, out)}
        right = {f"user-{key:011d}": (number, 100 + number) for key in range(0, KEYS, KEYS // AGAIN)}
        check(f"run {number}: keys, those that are right", (len(found), found == right), (AGAIN, True))
        return done

    with open(os.devnull, "wb") as nowhere:
        run(nowhere)
    here = again(2)
    shutil.rmtree(f"{folder}/state", ignore_errors=True)
    return here, again(3)


def keys_rows():
    rows = []
    with tempfile.TemporaryDirectory(prefix="back-", dir=kit.CACHE) as folder:
        here, _ = keys_back(f"file:{folder}/checkpoints", folder, {})
        rows.append(Row(f"restart with {KEYS:,} keys from a folder: the whole process, {AGAIN:,} records with it",
                        f"{here.wall_s:.1f} s, {here.peak_mb:,.0f} MB", **kit.at_most(here.wall_s, 4, "4 s")))
    with tempfile.TemporaryDirectory(prefix="back-", dir=kit.CACHE) as folder, s3_server() as s3:
        _, alone = keys_back(s3.url("back"), folder, s3.env)
        rows.append(Row("the same from S3 alone, transfer on this machine included",
                        f"{alone.wall_s:.1f} s, {alone.peak_mb:,.0f} MB"))
    return rows


# -- a million groups close


def close_all():
    """A run in which they do, and the ms from one file, which is a batch's, to the next."""
    rows = [(i * 7919 % GROUPS, 1, 0) for i in range(GROUPS)] + [(GROUPS, 1, 3_600_000)] * 120_000
    path = state.write_rows("closing.jsonl", rows)
    with tempfile.TemporaryDirectory(prefix="back-", dir=kit.CACHE) as folder:
        out = os.path.join(folder, "out", "")
        run = kit.run([kit.SLUICE, "run", kit.script("keys.lua"), "--param", "kind=window", "--param",
                       f"path={path}", *kit.sets(checkpoint=f"file:{folder}/checkpoints", sink_path=out)])
        files = sorted(glob.glob(out + "*"))
        keys = set()
        for row in (json.loads(line) for name in files for line in open(name)):
            keys.add(row["key"])
            check(f"{row['key']}: rides, dearest, from", (row["dearest"], row["window_start"]),
                  (1, 3_600_000 if row["key"] == f"user-{GROUPS:011d}" else 0))
            check(f"{row['key']}: rides", row["rides"], 1 if row["window_start"] == 0 else 120_000)
        check("groups", (len(keys), sum(1 for name in files for _ in open(name))), (GROUPS + 1, GROUPS + 1))
        ended = [os.stat(name).st_mtime for name in files]
    run.longest_ms = max(b - a for a, b in zip(ended, ended[1:])) * 1000
    run.batches = len(files)
    return run


def closing_rows(options):
    runs = kit.rounds(options, {"a close": close_all}, min(options.pairs, 3))["a close"]
    longest = kit.median(runs, lambda run: run.longest_ms)
    return [Row(f"{GROUPS:,} groups close at once: the longest batch",
                f"{longest:.0f} ms, {kit.median(runs, lambda run: run.peak_mb):.0f} MB",
                f"{runs[0].batches} batches", **kit.at_most(longest, 200, "200 ms"))]


# -- beside a Kafka


def transaction_rows(b):
    import driver
    driver.PROGRAM = os.path.join(kit.BUILD, "ledger_driver")
    for topic in "txn-in", "txn-out":
        b.client.create_topic(topic, 2)
    with tempfile.TemporaryDirectory(prefix="back-", dir=kit.CACHE) as folder:
        one = driver.Driver(b.broker.bootstrap, os.path.join(folder, "log"))
        one.call("open bench-txn exactly-once 30000 lz4 txn-out")
        for _ in range(4): # the broker compiles its way through
            one.call("measure 300 10 100 p 0 txn-in:0:1 txn-in:1:1")
        _, middle, late = [int(us) / 1000 for us in
                           one.call("measure 500 10 100 p 20 txn-in:0:1 txn-in:1:1")]
        one.kill()
    return [Row("a transaction of 10 rows: p50", f"{middle:.1f} ms", **kit.at_most(middle, 6, "6 ms")),
            Row("p99", f"{late:.1f} ms", **kit.at_most(late, 35, "35 ms"))]


def catch_up_rows(b):
    """A process that was away while all the rides came."""
    run = b.article(state.BATCH, delivery="exactly-once")
    away = b.count / CATCH_UP_RATE
    return [Row(f"{b.count:,} records behind ({away:.0f} s at {CATCH_UP_RATE:,}/s), none late: caught up in",
                f"{run.seconds:.1f} s", f"{run.seconds / away:.2f} × the outage")]


def idle_rows(b):
    b.client.create_topic("silent", 4)
    sink = b.fresh_topic(1)
    run = b.sluice(expect.RIDE_COUNTS, "silent", sink, name="bench-idle", checkpoint=b.url())
    time.sleep(5)
    before = run.ticks()
    time.sleep(IDLE_S)
    ticks = run.ticks() - before
    run.stop()
    ms = ticks * 1000 / os.sysconf("SC_CLK_TCK") * 60 / IDLE_S
    return [Row("idle: memory, CPU a minute", f"{run.peak_mb:.0f} MB, {ms:.0f} ms")]


def save(path, text):
    """As editors do."""
    with open(path + ".new", "w") as out:
        out.write(text)
    os.rename(path + ".new", path)


def drain_reloading(b, trigger, **options):
    """R1 from Kafka to Kafka, its text saved anew all the while: the ms of each exchange, until all rows are out."""
    with open(expect.RIDE_COUNTS) as file:
        text = file.read()
    script, sink = os.path.join(b.folder, "reloaded.lua"), b.fresh_topic(1)
    save(script, text)
    run = b.sluice(script, "rides", sink, source_start="earliest", sink_mode="append", trigger=trigger, **options)
    run.wait_running()
    taken = []
    while sum(b.client.end_offsets(sink).values()) < len(b.wanted):
        save(script, text + f"-- {len(taken)}\n")
        run.process.send_signal(signal.SIGHUP)
        before = len(taken)
        while len(taken) == before:
            run.ticks() # it must live
            time.sleep(0.002)
            taken = re.findall(r"the script was reloaded.* pause_ms=(\d+)", run.so_far())
    run.wait_idle(lambda: True)
    run.stop()
    check("records read", expect.Summary(run.err).source["read"], b.count)
    b.check_rows(b.client.consume(sink), b.wanted)
    b.client.delete_topic(sink)
    return [int(ms) for ms in taken]


def reload_rows(b):
    """Between two batches a text takes over: what waits for it is the next batch."""
    def once(number, **options):
        return drain_reloading(b, state.BATCH, name=f"bench-reload-{number}", checkpoint=b.url(), **options)

    rows = []
    for what, drain in (("no checkpoint", lambda _: drain_reloading(b, "continuous")),
                        ("a checkpoint, exactly once", once)):
        pauses, number = [], 0
        while len(pauses) < RELOADS:
            number += 1
            pauses += drain(number)
        pauses.sort()
        late = pauses[len(pauses) * 99 // 100]
        rows.append(Row(f"pause of a reload while R1 is read from Kafka, {what}: p50, p99, most of {len(pauses)}",
                        f"{pauses[len(pauses) // 2]}, {late}, {pauses[-1]} ms", **kit.at_most(late, 20, "20 ms")))
    return rows


def far_rows(b):
    """Through S3: no goal, its answers are what it takes."""
    with s3_server() as s3:
        got = b.visible(200, url=s3.url("visible"), env=s3.env)
    return [Row("produced to visible, 200 records a second, `s3:` (s3proxy on this machine)",
                f"p50 {got['p50_ms']:.1f}, p99 {got['p99_ms']:.1f}, p99.9 {got['p999_ms']:.1f} ms")]


def bench(options):
    rows = keys_rows() + closing_rows(options)
    b = state.Bench(options)
    try:
        return rows + transaction_rows(b) + reload_rows(b) + catch_up_rows(b) + idle_rows(b) + far_rows(b)
    finally:
        b.close()
