"""The engine alone: `sluice` as it is, over a mapped log of record batches in the place of files (bench_mapped.c),
beside what unpacking that log takes. And what --profile takes."""
import json
import os
import subprocess

import bench_engine as engine
import bench_kit as kit
import bench_shapes as shapes
from bench_kit import Row, check

CODECS = "none", "lz4"
PACKED = {"none": "not compressed", "lz4": "lz4"}
PROFILE_PERCENT, VECTOR = 1, 2048


def packed(path, codec):
    """The events as a log of record batches; what is read from it are they, byte for byte."""
    log = path.replace(".jsonl", f".{codec}.log")
    if not os.path.exists(log):
        kit.say(f"packing {os.path.basename(path)}, {codec}")
        kit.run([kit.program("bench_log"), "pack", path, log + ".new", codec])
        with subprocess.Popen([kit.program("bench_log"), "unpack", log + ".new", "print"],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as values:
            same = subprocess.run(["cmp", "-", path], stdin=values.stdout, capture_output=True)
        check(f"values of the log, {codec}: {same.stdout.decode()}", same.returncode, 0)
        os.rename(log + ".new", log)
    return log


def halves(path):
    """Two logs of the events, as a pattern."""
    pattern = shapes.split(path, 50)
    for part in "01":
        packed(pattern.replace("[01]", part), "none")
    return pattern.replace(".jsonl", ".none.log")


def ceiling(kind, path, wanted, core):
    """Of bench_log, which counts by itself: its pages are mapped before. `wanted`: records, bytes."""
    def way():
        run = kit.run([kit.program("bench_log"), kind, path], core=core)
        got = json.loads(run.out)
        check("records, bytes", (got["records"], got["bytes"]), wanted)
        run.cpu_ns = got["ns"]
        return run
    return way


def clocks(path, answers, core):
    """R1f with --profile, by a program that says what reading the clock took."""
    run_it = engine.article(path, answers, core, program=kit.program("bench_clocks"), flags=["--profile"])

    def way():
        run = run_it()
        check("a profile is told", "message=profile" in run.err, True)
        run.clocks = json.loads(run.err.splitlines()[-1])
        return run
    return way


def ways(path, answers, core):
    count, size, program = answers["records"], answers["bytes"], kit.program("bench_mapped")
    logs = {codec: packed(path, codec) for codec in CODECS}
    article = lambda where, **how: engine.article(where, answers, core, **how)
    all_of = {"copy": ceiling("copy", path, (0, size + count), core)}
    for codec, log in logs.items():
        all_of[f"unpack {codec}"] = ceiling("unpack", log, (count, size), core)
        all_of[f"R1f {codec}"] = article(log, program=program)
        all_of[f"R1 {codec}"] = article(log, mode="update", program=program)
    for name in "R2", "R2 sparse":
        lines, of_users = engine.data(count, *engine.BY_USER[name])
        all_of[name] = engine.users(packed(lines, "none"), of_users, core, program)
    all_of["R2 lz4"] = engine.users(packed(engine.data(count)[0], "lz4"), answers, core, program)
    for workers in 1, 2:
        all_of[f"{workers} workers"] = engine.article(halves(path), answers, None, program=program, workers=workers)
    return all_of | {"file": article(path), "clocks": clocks(path, answers, core)}


def bench(options):
    core = max(os.sched_getaffinity(0))
    path, answers = engine.data(options.records)
    count = answers["records"]
    results = kit.rounds(options, ways(path, answers, core))
    cpu = lambda run: run.cpu_ns / count
    ns = {name: kit.median(runs, cpu) for name, runs in results.items()}
    best = {name: min(map(cpu, runs)) for name, runs in results.items()}
    ratio = lambda a, b: kit.median_ratio(results[a], results[b], cpu)
    text = lambda name: f"{ns[name]:.0f} ns (best {best[name]:.0f}), {1e3 / ns[name]:.1f} M/s"
    return [Row("ceiling: the same bytes copied from mapped memory", text("copy")
                + f", {answers['bytes'] / count / ns['copy']:.1f} GB/s"),
            *(row for codec in CODECS for row in log_rows(codec, ns, text, ratio)),
            *users_rows(ns, text, ratio), workers_row(results, count), profile_row(results["clocks"], count, ns["file"])]


def log_rows(codec, ns, text, ratio):
    goal = lambda name: kit.at_most(ns[name], 120, "120 ns") if codec == "none" else {}
    beside = lambda name: (f"{ratio(name, f'unpack {codec}'):.2f} × unpack, "
                           f"{ratio(name, 'file'):.2f} × R1f from a file of JSON lines")
    return [
        Row(f"ceiling: unpack a mapped log of record batches, {PACKED[codec]}: checksums, records found",
            text(f"unpack {codec}"), f"{ratio(f'unpack {codec}', 'copy'):.1f} × copy"),
        Row(f"**R1f** over that log, {PACKED[codec]}", text(f"R1f {codec}"), beside(f"R1f {codec}"),
            **goal(f"R1f {codec}")),
        Row(f"**R1** (`update`) over that log, {PACKED[codec]}", text(f"R1 {codec}"), beside(f"R1 {codec}"),
            **goal(f"R1 {codec}")),
    ]


def users_rows(ns, text, ratio):
    return [
        Row("**R2** over a mapped log, 1,000,000 users, dense, not compressed", text("R2"),
            f"{ratio('R2', 'unpack none'):.1f} × unpack"),
        Row("the same, lz4", text("R2 lz4"), f"{ratio('R2 lz4', 'unpack lz4'):.1f} × unpack"),
        Row("**R2** over a mapped log, 1,000,000 users, sparse, not compressed", text("R2 sparse"),
            f"{ratio('R2 sparse', 'unpack none'):.1f} × unpack",
            **kit.at_most(ns["R2 sparse"], 500, "500 ns")),
    ]


def workers_row(results, count):
    """By the clock on the wall, of all cores."""
    one, two = results["1 workers"], results["2 workers"]
    wall, cpu = (lambda run: run.wall_s * 1e9 / count), (lambda run: run.cpu_ns / count)
    gain = kit.median_ratio(one, two, wall)
    return Row("R1f over two mapped logs, not compressed, 1 and 2 workers",
               f"{kit.median(one, wall):.0f} and {kit.median(two, wall):.0f} ns (CPU {kit.median(one, cpu):.0f} and "
               f"{kit.median(two, cpu):.0f})", f"{gain:.2f} × the rate of one", **kit.at_least(gain, 1.5, "1.5 × one"))


def profile_row(runs, count, article_ns):
    reads = kit.median(runs, lambda run: run.clocks["reads"])
    each = kit.median(runs, lambda run: run.clocks["ns"] / run.clocks["reads"])
    percent = 100 * reads * each / count / article_ns
    return Row("the clocks of `--profile`, which every run reads, R1f from a file",
               f"{reads * each / count:.2f} ns a record: {reads * VECTOR / count:.1f} reads for {VECTOR:,} records, "
               f"{each:.0f} ns each", f"{percent:.2f} % of R1f",
               **kit.at_most(percent, PROFILE_PERCENT, f"{PROFILE_PERCENT} %"))
