"""YSB, and Nexmark as far as the language reaches. What must come out is counted from the file, here."""
import hashlib
import json
import os
import tempfile
from collections import Counter, defaultdict

import bench_engine as engine
import bench_kit as kit
from bench_kit import Row, check

MOST = 2_000_000 # events: what the oracle counts in some seconds
BID = "auction", "bidder", "price", "channel", "url", "date_time"


def data(kind, count):
    path = os.path.join(kit.CACHE, f"{kind}-{count}.jsonl")
    if not os.path.exists(path):
        kit.run([kit.program("bench_standard"), kind, path + ".new", str(count)])
        os.rename(path + ".new", path)
    return path


def documents(path):
    with open(path) as file:
        yield from map(json.loads, file)


def bids(path):
    return (event for event in documents(path) if event["event_type"] == "bid")


class Rows:
    """Rows in any order, as a number: how many, and the sum of their hashes."""

    def __init__(self, rows):
        self.count = self.sum = 0
        for row in rows:
            self.count += 1
            self.sum = (self.sum + hash(row)) % 2**64

    def __eq__(self, other):
        return (self.count, self.sum) == (other.count, other.sum)

    def __repr__(self):
        return f"{self.count} rows that sum up to {self.sum:016x}"


def picked(rows, *names):
    return Rows(tuple(row[name] for name in names) for row in rows)


# -- YSB


def check_ysb(path, rows):
    wanted = Counter()
    for event in documents(path):
        if event["event_type"] == "view":
            campaign = f"campaign-{int(event['ad_id'][3:]) * 7 % 100:02d}"
            wanted[campaign, event["event_time"] // 10_000 * 10_000] += 1
    check("views", picked(rows, "campaign", "window_start", "views"),
          Rows((*key, count) for key, count in wanted.items()))


# -- Nexmark


def check_q0(path, rows):
    check("bids", picked(rows, *BID), picked(bids(path), *BID))


def check_q1(path, rows):
    wanted = Rows((bid["auction"], bid["bidder"], 0.908 * bid["price"], bid["date_time"]) for bid in bids(path))
    check("bids in euros", Rows((row["auction"], row["bidder"], float(row["euros"]), row["date_time"])
                                for row in rows), wanted)


def check_q2(path, rows):
    check("bids for some auctions", picked(rows, "auction", "price"),
          picked((bid for bid in bids(path) if bid["auction"] % 123 == 0), "auction", "price"))


def check_q5(path, rows):
    """Of auctions that are equally hot any may be named."""
    by_slice = defaultdict(Counter)
    for bid in bids(path):
        by_slice[bid["date_time"] // 2000][bid["auction"]] += 1
    windows = {}
    for start in range(min(by_slice) - 4, max(by_slice) + 1):
        windows[start * 2000] = sum((by_slice[start + i] for i in range(5) if start + i in by_slice), Counter())
    seen = []
    for row in rows:
        counts = windows.get(row["start"], Counter())
        most = max(counts.values(), default=0)
        check(f"bids of the hottest auction from {row['start']}",
              (row["bids"], counts[row["auction"]]), (most, most))
        seen.append(row["start"])
    check("windows", sorted(seen), sorted(windows))


def check_q7(path, rows):
    best = {}
    for bid in bids(path): # in the order of event time: the earliest stays
        start = bid["date_time"] // 10_000 * 10_000
        if start not in best or bid["price"] > best[start]["price"]:
            best[start] = bid
    names = "price", "bidder", "auction"
    check("dearest bids", picked(rows, "window_start", *names),
          Rows((start, *(bid[name] for name in names)) for start, bid in best.items()))


CASES = { # name: file, script, oracle
    "YSB": ("ysb", "ysb.lua", check_ysb, "views by campaign, 10 s, the lookup a table in the script"),
    "q0": ("nexmark", "nexmark.lua", check_q0, "bids as they are"),
    "q1": ("nexmark", "nexmark.lua", check_q1, "prices in euros"),
    "q2": ("nexmark", "nexmark.lua", check_q2, "bids for one auction in 123"),
    "q5": ("nexmark", "nexmark.lua", check_q5, "hottest auction, 10 s every 2 s"),
    "q7": ("nexmark", "nexmark.lua", check_q7, "dearest bid of 10 s"),
}


def case(name, count, core):
    """The first run's rows are checked by the oracle; those of the others must be the same bytes."""
    kind, script, oracle, _ = CASES[name]
    path, digests = data(kind, count), []
    params = ["--param", f"query={name}"] if kind == "nexmark" else []
    line = [kit.SLUICE, "run", kit.script(script), *params, *kit.sets(source_path=path)]

    def way():
        with tempfile.NamedTemporaryFile(dir=kit.CACHE) as out:
            run = kit.run(line, core=core, out=out)
            engine.check_summary(run, count)
            with open(out.name, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").digest()
            if not digests:
                oracle(path, documents(out.name))
                digests.append(digest)
            check(f"{name}: rows are those of the first run", digest, digests[0])
        return run
    return way


def bench(options):
    count, core = min(options.records, MOST), max(os.sched_getaffinity(0))
    results = kit.rounds(options, {name: case(name, count, core) for name in CASES})
    cpu = lambda run: run.cpu_ns / count
    rows = []
    for name, runs in results.items():
        ns = kit.median(runs, cpu)
        what = name if name == "YSB" else f"Nexmark {name}"
        rows.append(Row(f"{what}: {CASES[name][3]}",
                        f"{ns:.0f} ns (best {min(map(cpu, runs)):.0f}), {1e3 / ns:.1f} M/s"))
    return rows
