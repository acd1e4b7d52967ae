"""YSB, and Nexmark as far as the language reaches. What must come out is counted from the file of events."""
import hashlib
import os
import tempfile
from collections import Counter

import bench_engine as engine
import bench_kit as kit
import bench_nexmark as nexmark
from bench_kit import Row, check
from bench_rows import Rows, documents, picked

MOST = 2_000_000 # events: what the oracle counts in some seconds


def data(kind, count):
    path = os.path.join(kit.CACHE, f"{kind}-{count}.jsonl")
    if not os.path.exists(path):
        kit.run([kit.program("bench_standard"), kind, path + ".new", str(count)])
        os.rename(path + ".new", path)
    return path


# -- YSB


def check_ysb(path, rows):
    wanted = Counter()
    for event in documents(path):
        if event["event_type"] == "view":
            campaign = f"campaign-{int(event['ad_id'][3:]) * 7 % 100:02d}"
            wanted[campaign, event["event_time"] // 10_000 * 10_000] += 1
    check("views", picked(rows, "campaign", "window_start", "views"),
          Rows((*key, count) for key, count in wanted.items()))


YSB = "YSB"
QUERIES = { # of Nexmark
    "q0": "bids as they are",
    "q1": "prices in euros",
    "q2": "bids for one auction in 123",
    "q5": "hottest auction, 10 s every 2 s",
    "q7": "dearest bid of 10 s",
    "q11": "bids by bidder, sessions of 10 s",
    "q12": "bids by bidder, 10 s of processing time",
    "q14": "bids of some prices, time of day, letters of the url",
    "q17": "bids by auction and day, eight aggregates, `update`",
    "q18": "last bid by bidder and auction, `update`",
    "q19": "ten dearest bids by auction, an aggregate in Lua, `update`",
}
BY_THE_CLOCK = {"q12"} # each run gives other rows


def case(name, count, core):
    """The first run's rows are checked by the oracle; those of the others must be the same bytes."""
    path, digests = data("ysb" if name == YSB else "nexmark", count), []
    script, params = ("ysb.lua", []) if name == YSB else ("nexmark.lua", ["--param", f"query={name}"])
    oracle = check_ysb if name == YSB else getattr(nexmark, f"check_{name}")
    line = [kit.SLUICE, "run", kit.script(script), *params, *kit.sets(source_path=path)]

    def way():
        with tempfile.NamedTemporaryFile(dir=kit.CACHE) as out:
            run = kit.run(line, core=core, out=out)
            engine.check_summary(run, count)
            with open(out.name, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").digest()
            if not digests or name in BY_THE_CLOCK:
                oracle(path, documents(out.name))
                digests[:] = [digest]
            check(f"{name}: rows are those of the first run", digest, digests[0])
        return run
    return way


def bench(options):
    count, core = min(options.records, MOST), max(os.sched_getaffinity(0))
    results = kit.rounds(options, {name: case(name, count, core) for name in (YSB, *QUERIES)})
    cpu = lambda run: run.cpu_ns / count
    rows = []
    for name, runs in results.items():
        ns = kit.median(runs, cpu)
        what = f"Nexmark {name}: {QUERIES[name]}" if name in QUERIES else (
            "YSB: views by campaign, 10 s, the lookup a table in the script")
        rows.append(Row(what,
                        f"{ns:.0f} ns (best {min(map(cpu, runs)):.0f}), {1e3 / ns:.1f} M/s"))
    return rows
