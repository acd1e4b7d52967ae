"""The engine over data of other shapes: two workers, an own aggregate, windows of many panes, skew."""
import json
import math
import os
import subprocess
import tempfile

import bench_engine as engine
import bench_kit as kit
from bench_kit import Row, check

MANY, FEW = 100_000, 8
PER_KEY = 1000 # events of a key in 90 s: 11 in each pane of a second
EVERY_S = 60, 30, 5, 1


def split(path, second_percent):
    """The events as two partitions, so many percent of them in the second; as a pattern."""
    pattern = path.replace(".jsonl", f"-{second_percent}-[01].jsonl")
    if not os.path.exists(pattern.replace("[01]", "1")):
        program = "NR * p % 100 < p { print > two; next } { print > one }"
        parts = [pattern.replace("[01]", number) for number in "01"]
        subprocess.run(["awk", "-v", f"p={second_percent}", "-v", f"one={parts[0]}",
                        "-v", f"two={parts[1]}.new", program, path], check=True)
        os.rename(parts[1] + ".new", parts[1])
    return pattern


def command(script, path, params=(), **options):
    params = [word for name, value in dict(params).items() for word in ("--param", f"{name}={value}")]
    return [kit.SLUICE, "run", kit.script(script), *params, *kit.sets(source_path=path, **options)]


def checksum(rows):
    rows.seek(0)
    return json.loads(subprocess.run([kit.program("bench_rides"), "check"], stdin=rows,
                                     stdout=subprocess.PIPE, check=True).stdout)


def by_user(line, count, wanted):
    """Every run's rows are written to a file, and checked."""
    def way(core=None):
        with tempfile.TemporaryFile(dir=kit.CACHE) as rows:
            run = kit.run(line, core=core, out=rows)
            check("rows by user", checksum(rows), wanted)
        engine.check_summary(run, count, wanted["rows"])
        return run
    return way


def article(path, answers, workers):
    line = command("article.lua", path, workers=workers)

    def way():
        run = kit.run(line)
        engine.check_summary(run, answers["records"])
        engine.check_types(run.out.splitlines(), answers, True)
        return run
    return way


# -- an aggregate of one's own


def windows(answers):
    """{(type, start): [count, cents, squares, bins]} of windows of two panes."""
    wanted = {}
    for pane in answers["panes"]:
        for start in pane["start"], pane["start"] - 30_000:
            total = wanted.setdefault((pane["event_type"], start), [0, 0, 0, [0] * 100])
            for i, name in enumerate(("count", "cents", "squares")):
                total[i] += pane[name]
            total[3] = [a + b for a, b in zip(total[3], pane["bins"])]
    return wanted


def check_moments(lines, wanted, kind):
    check("rows of R3", len(lines), len(wanted))
    seen = set()
    for row in map(json.loads, lines):
        key = row["event_type"], row["window_start"]
        if key not in wanted or key in seen:
            raise kit.Wrong(f"{key}: not wanted, or there twice")
        n, cents, squares, bins = wanted[key]
        seen.add(key)
        own = kind == "own"
        got = {name: row["amount_" + name if own else name] for name in ("n", "sum", "deviation")}
        check(f"{key} n", got["n"], n)
        engine.near(f"{key} sum", got["sum"], cents / 100)
        spread = (n * squares - cents * cents) / 1e4 # exact up to here
        if own or n > 1:
            engine.near(f"{key} deviation", got["deviation"], math.sqrt(spread / n / (n if own else n - 1)))
        if own:
            p95, below = 0, 0
            while below < n * 0.95:
                below, p95 = below + bins[p95], p95 + 1
            check(f"{key} p95", row["amount_p95"], p95)
        else:
            check(f"{key} bins", row["bins"], bins)


def moments(path, answers, kind, core):
    """`own`, `builtin`, or `c`: the script of `own`, its fold and merge those of own_fold.c."""
    env = None
    if kind == "c":
        kind, env = "own", {"SLUICE_LUA": kit.script("own_in_c"), "OWN_FOLD": kit.program("libown_fold.so")}
    line, wanted = command("own.lua", path, {"kind": kind}), windows(answers)

    def way():
        run = kit.run(line, core=core, env=env)
        engine.check_summary(run, answers["records"])
        check_moments(run.out.splitlines(), wanted, kind)
        return run
    return way


# -- the table


def own_rows(options, core):
    path, answers = engine.data(options.records)
    kinds = "own", "c", "builtin"
    results = kit.rounds(options, {kind: moments(path, answers, kind, core) for kind in kinds})
    cpu = lambda run: run.cpu_ns / options.records
    ns = {kind: f"{kit.median(runs, cpu):.0f} ns (best {min(map(cpu, runs)):.0f})" for kind, runs in results.items()}
    share = {kind: kit.median_ratio(results[kind], results["own"], cpu) for kind in kinds}
    return [
        Row("**R3**: count, sum, deviation, histogram in Lua", ns["own"], f"{share['c']:.2f} × the rate in C",
            **kit.at_least(share["c"], 0.9, "0.9 × C")),
        Row("the same fold and merge in C, called once a vector", ns["c"]),
        Row("the same by builtin aggregates", ns["builtin"], f"R3 has {share['builtin']:.2f} × its rate",
            **kit.at_least(share["builtin"], 0.9, "0.9 × builtin")),
    ]


def worker_rows(options):
    count = options.records
    path, answers = engine.data(count)
    hot, hot_answers = engine.data(count, MANY, "skewed")
    even, skewed = split(path, 50), split(path, 90)
    hot_even = split(hot, 50)
    cases = {
        "R1, two partitions": lambda workers: article(even, answers, workers),
        "R1, 90 % in one partition": lambda workers: article(skewed, answers, workers),
        "R1, one key has 90 %": lambda workers: article(hot_even, hot_answers, workers),
        f"by {MANY:,} users, one has 90 %": lambda workers: by_user(
            command("users.lua", hot_even, workers=workers), count, hot_answers["users"]),
    }
    results = kit.rounds(options, {f"{name}: {n}": case(n) for name, case in cases.items() for n in (1, 2)})
    wall, cpu = (lambda run: run.wall_s * 1e9 / count), (lambda run: run.cpu_ns / count)
    rows = []
    for name in cases:
        one, two = results[f"{name}: 1"], results[f"{name}: 2"]
        gain = kit.median_ratio(one, two, wall)
        target = kit.at_least(gain, 1.5, "1.5 × one") if name == "R1, two partitions" else {}
        rows.append(Row(f"{name}: 1 and 2 workers",
                        f"{kit.median(one, wall):.0f} and {kit.median(two, wall):.0f} ns (CPU "
                        f"{kit.median(one, cpu):.0f} and {kit.median(two, cpu):.0f})",
                        f"{gain:.2f} × the rate of one", **target))
    return rows


def hop_rows(options, core):
    rows = []
    steady = max(FEW, options.records // PER_KEY)
    for users, shape in (FEW, "dense"), (MANY, "dense"), (steady, "steady"):
        path, answers = engine.data(options.records, users, shape)
        ways = {every: by_user(command("hops.lua", path, {"every": every}, source_follow="true"),
                               options.records, answers[f"every_{every}"]) for every in EVERY_S}
        results = kit.rounds(options, {every: lambda way=way: way(core) for every, way in ways.items()})
        cpu = lambda run: run.cpu_ns / options.records
        for every, runs in results.items():
            per_record = answers[f"every_{every}"]["rows"] / options.records
            share = kit.median_ratio(results[60], runs, cpu)
            least = {60: None, 30: None, 5: 0.95, 1: 0.9}[every]
            rows.append(Row(f"{users:,} keys, {shape}, windows 60/{every}, {per_record:.2g} rows out a record",
                            f"{kit.median(runs, cpu):.0f} ns", f"{share:.2f} × tumbling",
                            **(kit.at_least(share, least, f"{least} × tumbling") if least else {})))
    return rows


def bench(options):
    core = max(os.sched_getaffinity(0))
    return own_rows(options, core) + hop_rows(options, core) + worker_rows(options)
