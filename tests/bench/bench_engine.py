"""The engine without Kafka: a file of ride events in, rows out, on one core."""
import collections
import json
import os
import re
import subprocess
import tempfile

import bench_kit as kit
import expect
from bench_kit import Row, check

USERS = 1_000_000
DELAY_MS = 10 * 60_000
SIZE_MS, EVERY_MS = 60_000, 30_000
STAGES = "hopping", "session", "distinct", "count", "count_distinct", "quantile", "top"
UNCOUNTED = "session", "distinct" # stages for which the answers say nothing
ARTICLES = {
    "R1": ("article.lua",),
    "R1 update": ("article.lua", "update"),
    "R1 builtin": ("builtin.lua",),
    "R1 checked": ("checked.lua",),
}
BY_USER = { # R2: users, and the shape of the events: their ids are all of a range, or any of 64 bits
    "R2": (USERS, "even"),
    "R2 sparse": (USERS, "sparse"),
    "R2 many": (10 * USERS, "even"),
    "R2 many, sparse": (10 * USERS, "sparse"),
}


def data(count, users=USERS, shape="even"):
    """The file of events, and the answers; made when they are not there."""
    path = os.path.join(kit.CACHE, f"rides-{shape}-{users}-{count}.jsonl")
    if not os.path.exists(path + ".made"):
        kit.say(f"making {count} ride events of {users} users, {shape}")
        kit.run([kit.program("bench_rides"), "make", path, str(count), str(users), shape])
        open(path + ".made", "w").close()
    with open(path + ".answers") as file:
        return path, json.load(file)


# -- are the results right


def check_types(lines, answers, with_spread, is_closed=lambda end_ms: True):
    """Rows of the article's query against the answers; sums to the last bits of a double."""
    wanted = {(w["event_type"], w["window_start"]): w for w in answers["types"]
              if is_closed(w["window_start"] + SIZE_MS)}
    rows = [json.loads(line) for line in lines]
    check("rows of the article's query", len(rows), len(wanted))
    for row in rows:
        key = row["event_type"], row["window_start"]
        window = wanted.pop(key, None)
        if window is None:
            raise kit.Wrong(f"{key}: not wanted, or there twice")
        check(f"{key} count", row["event_count"], window["count"])
        near(f"{key} revenue", row["revenue"], window["cents"] / 100)
        if with_spread:
            near(f"{key} spread", row["spread"], (window["highest"] - window["lowest"]) / 100)


def last_rows(lines):
    """Of `update`: the last row of each window, behind such as count less."""
    rows = {}
    for line in lines:
        row = json.loads(line)
        key = row["event_type"], row["window_start"]
        count, before = row["event_count"], rows[key][0] if key in rows else 0
        if count <= before:
            raise kit.Wrong(f"{key}: {count} rides behind {before}")
        rows[key] = count, line
    return [line for _, line in rows.values()]


def counts(answers):
    """Rides of each type and hopping window, of its two panes."""
    sums = collections.Counter()
    for pane in answers["panes"]:
        for start in pane["start"] - EVERY_MS, pane["start"]:
            sums[pane["event_type"], start] += pane["count"]
    return dict(sums)


def check_counts(lines, answers):
    rows = {(row["event_type"], row["window_start"]): row["rides"] for row in map(json.loads, lines)}
    check("rides by type", rows, counts(answers))


def near(what, got, wanted):
    if abs(got - wanted) > 1e-9 * max(1, abs(wanted)):
        raise kit.Wrong(f"{what}: {got}, should be {wanted}")


def check_summary(run, read, rows=None):
    """What the run itself counted."""
    summary = expect.Summary(run.err)
    check("records read", summary.source["read"], read)
    check("records late, quarantined, skipped",
          [summary.source[name] for name in ("late", "quarantined", "skipped")], [0, 0, 0])
    if rows is not None:
        check("rows out", summary.sinks["-"]["rows"], rows)


def check_users(path, answers, follow, program=kit.SLUICE):
    """Every row of R2, by a checksum that knows no order."""
    command = [program, "run", kit.script("users.lua"), "--log-level", "error",
               *kit.sets(source_path=path, source_follow=follow)]
    with tempfile.TemporaryFile(dir=kit.CACHE) as rows:
        kit.run(command, out=rows)
        rows.seek(0)
        done = subprocess.run([kit.program("bench_rides"), "check"], stdin=rows,
                              stdout=subprocess.PIPE, check=True)
    check("rows by user", json.loads(done.stdout),
          answers["users_closed" if follow == "true" else "users"])


# -- the figures


def query(name, path, core, program=kit.SLUICE, flags=(), **options):
    command = [program, "run", kit.script(name), *flags, *kit.sets(source_path=path, **options)]
    return lambda: kit.run(command, core=core)


def article(path, answers, core, name="article.lua", mode="append", **options):
    """The article's query; every row is checked."""
    way = query(name, path, core, sink_mode=mode, **options)

    def checked():
        run = way()
        check_summary(run, answers["records"])
        lines = run.out.splitlines()
        check_types(last_rows(lines) if mode == "update" else lines, answers, name != "builtin.lua")
        return run
    return checked


def users(path, answers, core, program=kit.SLUICE):
    """R2; every row is checked once, later runs count them."""
    check_users(path, answers, "true", program)
    command = [program, "run", kit.script("users.lua"), *kit.sets(source_path=path, source_follow="true")]

    def way():
        with open(os.devnull, "wb") as nowhere:
            run = kit.run(command, core=core, out=nowhere)
        check_summary(run, answers["records"], answers["users_closed"]["rows"])
        return run
    return way


def ways(path, answers, core):
    count = answers["records"]
    source = kit.program("bench_source")

    def plain(*arguments):
        def way():
            run = kit.run([source, *arguments], core=core)
            got = json.loads(run.out)
            check("records", got["records"], count)
            check("bytes", got["bytes"], answers["bytes"])
            if "decode" in arguments:
                check("sum of ts", got["ts_sum"], answers["ts_sum"])
                near("sum of amount", got["amount_sum"], answers["cents"] / 100)
            return run
        return way

    def stage(kind):
        """Of windows.lua."""
        command = [kit.SLUICE, "run", kit.script("windows.lua"), "--param", f"kind={kind}",
                   *kit.sets(source_path=path)]
        rows = answers["users"]["rows"] if kind == "hopping" else len(counts(answers))

        def counted():
            with open(os.devnull, "wb") as nowhere:
                run = kit.run(command, core=core, out=nowhere)
            check_summary(run, count, None if kind in UNCOUNTED else rows)
            return run
        return counted

    wanted = []

    def nested():
        """It has to give what the flat events give."""
        if not wanted:
            command = [kit.SLUICE, "run", kit.script("windows.lua"), "--param", "kind=count",
                       *kit.sets(source_path=path)]
            wanted.append(kit.run(command).out)
            check_counts(wanted[0].splitlines(), answers)
        run = query("nested.lua", kit.nested(path), core)()
        check_summary(run, count)
        check("rows of nested events are those of flat ones", run.out == wanted[0], True)
        return run

    return {**{kind: stage(kind) for kind in STAGES}, "nested": nested,
            "read": plain("bytes", path), "decode": plain("file", path, str(count), "decode"),
            **{name: article(path, answers, core, *how) for name, how in ARTICLES.items()},
            **{name: users(*data(count, *of), core) for name, of in BY_USER.items()}}


def bench(options):
    path, answers = data(options.records)
    count = answers["records"]
    core = max(os.sched_getaffinity(0))
    kit.say("checking every row of R2")
    check_users(path, answers, "false")
    results = kit.rounds(options, ways(path, answers, core))
    cpu = lambda run: run.cpu_ns / count
    ns = {name: kit.median(runs, cpu) for name, runs in results.items()}
    ratio = lambda a, b: kit.median_ratio(results[a], results[b], cpu)
    system = kit.median(results["R1"], lambda run: run.system_ns / count)
    best = {name: min(map(cpu, runs)) for name, runs in results.items()}
    text = lambda name: f"{ns[name]:.0f} ns (best {best[name]:.0f}), {1e3 / ns[name]:.1f} M/s"
    rows = [
        Row("ceiling: plain read of the file, newlines counted", text("read")),
        Row("ceiling: file source and decode, nothing else", text("decode"),
            f"{ratio('decode', 'read'):.1f} × read"),
        Row("**R1f**: article's query in `append`, aggregate in Lua", text("R1") + f", {system:.0f} ns system",
            f"{ratio('R1', 'decode'):.2f} × decode", **kit.at_most(ns["R1"], 120, "120 ns")),
        Row("**R1**: the same in `update`", text("R1 update"),
            f"{ratio('R1 update', 'R1'):.2f} × append", **kit.at_most(ns["R1 update"], 120, "120 ns")),
        Row("R1f, builtin aggregates only", text("R1 builtin"),
            f"{ratio('R1 builtin', 'R1'):.2f} × R1f"),
        Row("R1f, fields with `:one_of` and `:range`, as in scripts/ride_counts.lua", text("R1 checked"),
            f"{ratio('R1 checked', 'R1'):.2f} × R1f", **kit.at_most(ns["R1 checked"], 120, "120 ns")),
    ]
    return rows + users_rows(count, results, text, ratio) + stages(text, ratio) \
        + bench_fold(options, ns["R1"])


def users_rows(count, results, text, ratio):
    rows = []
    for name, (users, shape) in BY_USER.items():
        runs, per_record = results[name], data(count, users, shape)[1]["users_closed"]["rows"] / count
        ns = kit.median(runs, lambda run: run.cpu_ns / count)
        what = "any of 64 bits (sparse)" if shape == "sparse" else "0 and up (dense)"
        target = {"R2 sparse": kit.at_most(ns, 500, "500 ns"),
                  "R2 many": kit.at_least(1e3 / ns, 1.5, "1.5 M/s a core")}.get(name, {})
        rows.append(Row(f"**R2**: by user, {users:,} users, ids {what}, {per_record:.2f} rows out a record",
                        text(name) + f", {kit.median(runs, lambda run: run.peak_mb):.0f} MB",
                        f"{ratio(name, 'decode'):.1f} × decode" if name == "R2"
                        else f"{ratio(name, 'R2'):.2f} × the first",
                        **target))
    return rows


def stages(text, ratio):
    """What stages cost beside the same count in hopping windows."""
    def row(what, name, beside, limit):
        times = ratio(name, beside)
        return Row(what, text(name), f"{times:.2f} × hopping",
                   **kit.at_most(times, limit, f"{limit} × hopping"))
    return [
        Row("hopping windows of 1 minute by user, a count", text("hopping")),
        row("sessions by user, gap of 1 minute, a count", "session", "hopping", 2),
        row("`:distinct` by user within 1 minute, rows written", "distinct", "hopping", 2),
        Row("hopping windows of 1 minute by event type, a count", text("count")),
        row("the same, user and type in an object", "nested", "count", 1.3),
        row("the same, `count_distinct` of users", "count_distinct", "count", 2),
        row("the same, `quantile` of amounts", "quantile", "count", 2),
        row("the same, `top` 10 users", "top", "count", 2),
    ]


def bench_fold(options, article_ns):
    """The fold alone, and what it costs with a call into Lua for each record."""
    env = {"LUA_PATH": os.path.join(kit.ROOT, "lua", "?.lua") + ";"
                       + os.path.join(kit.ROOT, "lua", "?", "init.lua") + ";;"}
    folds, calls = [], []
    for _ in range(max(1, options.pairs // 2)):
        out = kit.run(["luajit", kit.script("bench_fold.lua")], env=env).out
        folds.append(float(re.search(r"user's spread .* ([0-9.]+) median", out)[1]))
        calls.append(kit.answer([kit.program("bench_pcall")]))
    fold = sorted(folds)[len(folds) // 2]
    call = {way: kit.median(calls, lambda one, way=way: one[way]["median"])
            for way in ("cdata", "table", "vector")}
    return [
        Row("fold of R1 in Lua, one call a vector", f"{fold:.1f} ns a row",
            f"{fold / call['vector']:.1f} × a hand-written loop"),
        Row("baseline: the same fold, lua_pcall a record, pointers cast", f"{call['cdata']:.0f} ns a row",
            f"{call['cdata'] / fold:.0f} × the fold; R1 would be "
            f"{(article_ns - fold + call['cdata']) / article_ns:.1f} ×"),
        Row("baseline: the same, the row as a Lua table", f"{call['table']:.0f} ns a row",
            f"{call['table'] / fold:.0f} × the fold; R1 would be "
            f"{(article_ns - fold + call['table']) / article_ns:.1f} ×"),
    ]


def micro(_options):
    """The parts by themselves; what they print."""
    for name in "bench_decode", "bench_encode", "bench_table":
        print(f"\n{name}\n{kit.run([kit.program(name)]).out}", end="")
    return []
