"""What the benchmarks share: programs run and measured, medians over interleaved rounds, the table."""
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
CACHE = os.path.join(ROOT, ".cache", "bench")
BUILD = os.environ.get("SLUICE_BUILD", os.path.join(ROOT, "build", "release"))
SLUICE = os.path.join(BUILD, "sluice")

sys.path.insert(0, os.path.join(ROOT, "tests", "kafka"))
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))


class Wrong(Exception):
    """A result is not what it must be: no figure of this run counts."""


def check(what, got, wanted):
    if got != wanted:
        raise Wrong(f"{what}: {got}, should be {wanted}")


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def program(name):
    return os.path.join(BUILD, "tests", "bench", name)


def script(name):
    return os.path.join(HERE, name)


def sets(**options):
    """--set arguments; `source_path` is source.path."""
    return [part for name, value in options.items()
            for part in ("--set", f"{name.replace('_', '.', 1)}={value}")]


def nested(path):
    """The ride events of a file, user and type in an object, in a file beside it."""
    to = path.replace(".jsonl", "-nested.jsonl")
    if not os.path.exists(to):
        with open(path) as file, open(to + ".new", "w") as out:
            out.writelines(line.replace('"user_id":', '"ride":{"user_id":', 1)
                           .replace(',"amount":', '},"amount":', 1) for line in file)
        os.rename(to + ".new", to)
    return to


# -- runs


class Run:
    """A program as it runs, and what it took. `core`: the only one it may use; `out`: a file, else its
    output is kept."""

    def __init__(self, command, core=None, out=None, env=None):
        self.keep = tempfile.TemporaryFile() if out is None else None
        self.errors = tempfile.TemporaryFile()
        self.command = command
        self.began = time.time()
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self.keep or out, stderr=self.errors,
            cwd=CACHE, env=dict(os.environ, **env or {}),
            preexec_fn=lambda: core is None or os.sched_setaffinity(0, {core})) # else the peak is Python's

    def end(self):
        """Wait until it ends; it must end well."""
        _, status, usage = os.wait4(self.process.pid, 0)
        self.wall_s = time.time() - self.began
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.cpu_ns = (usage.ru_utime + usage.ru_stime) * 1e9
        self.system_ns = usage.ru_stime * 1e9
        self.peak_mb = usage.ru_maxrss * 1024 / 1e6
        self.err = take(self.errors)
        self.out = take(self.keep) if self.keep else ""
        if self.process.returncode:
            raise Wrong(f"{' '.join(self.command)}: exit {self.process.returncode}\n{self.err[-2000:]}")
        return self

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.end()

    def ticks(self):
        """CPU time so far, in clock ticks."""
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        if fields[0] == "Z":
            raise Wrong(f"ended before its time: {take(self.errors)[-2000:]}")
        return int(fields[11]) + int(fields[12])

    def so_far(self):
        """What it has logged. pread: the offset is the child's, too."""
        return os.pread(self.errors.fileno(), 1 << 22, 0).decode(errors="replace")

    def wait_running(self, timeout_s=60):
        """Until it says that it runs."""
        deadline = time.monotonic() + timeout_s
        while "message=running" not in self.so_far():
            self.ticks() # it must live
            if time.monotonic() > deadline:
                raise Wrong(f"{' '.join(self.command)}: not running after {timeout_s} s")
            time.sleep(0.01)

    def wait_idle(self, is_done, quiet_s=0.5, timeout_s=300):
        """Until it has used no CPU to speak of for `quiet_s` and `is_done()`."""
        deadline = time.monotonic() + timeout_s
        before, since = self.ticks(), time.monotonic()
        while time.monotonic() < deadline:
            time.sleep(0.05)
            now = self.ticks()
            if now - before > 3:
                before, since = now, time.monotonic()
            elif time.monotonic() - since > quiet_s:
                if is_done():
                    return
                before, since = now, time.monotonic()
        self.process.kill()
        self.end()
        raise Wrong(f"{' '.join(self.command)}: not done after {timeout_s} s")


def take(file):
    file.seek(0)
    text = file.read().decode(errors="replace")
    file.close()
    return text


def run(command, **options):
    return Run(command, **options).end()


def answer(command, **options):
    return json.loads(run(command, **options).out)


# -- figures


CALM_SHARE = 0.1


class Calm:
    """Waits until nothing else uses more than a tenth of the machine; in all `patience_s` at most."""

    def __init__(self, patience_s):
        self.patience_s = patience_s

    def wait(self):
        while self.patience_s > 0:
            busy, total = busy_ticks()
            time.sleep(0.5)
            busy_after, total_after = busy_ticks()
            if busy_after - busy <= CALM_SHARE * (total_after - total):
                return
            self.patience_s -= 0.5
            if self.patience_s <= 0:
                say("something else keeps the machine busy: figures are too high")


def go_first():
    """Let what is measured come before other work on the machine, where root may say so."""
    try:
        os.nice(-10)
    except PermissionError:
        pass


def busy_ticks():
    with open("/proc/stat") as file:
        ticks = [int(word) for word in file.readline().split()[1:9]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


def rounds(options, ways, pairs=None):
    """Run each of `ways` (name: function) once a round, in turn, so that a disturbance meets all.
    Returns {name: [what the function gave]}. The first round warms up and does not count."""
    results = {name: [] for name in ways}
    pairs = pairs or options.pairs
    for number in range(pairs + 1):
        for name, way in ways.items():
            options.calm.wait()
            result = way()
            if number:
                results[name].append(result)
        say(f"round {number} of {pairs}: " + ", ".join(map(str, ways)) if number else "warmed up")
    return results


def median(items, of):
    return statistics.median(of(item) for item in items)


def median_ratio(above, below, of):
    """Of the rounds' ratios: what disturbs a round falls out of both."""
    return statistics.median(of(a) / of(b) for a, b in zip(above, below))


@dataclass
class Row:
    what: str
    figure: str
    ratio: str = ""         # against a figure of the same run
    target: str = ""
    met: bool = None


def at_most(value, limit, text):
    return {"target": f"≤ {text}", "met": value <= limit}


def at_least(value, limit, text):
    return {"target": f"≥ {text}", "met": value >= limit}


def table(rows):
    """As Markdown."""
    cells = [["", "measured", "in the same run", "target", ""]]
    cells += [[r.what, r.figure, r.ratio, r.target, {None: "", True: "met", False: "**missed**"}[r.met]]
              for r in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(5)]
    lines = ["| " + " | ".join(text.ljust(width) for text, width in zip(line, widths)) + " |"
             for line in cells]
    return "\n".join([lines[0], "|" + "|".join("-" * (w + 2) for w in widths) + "|", *lines[1:]])


def write_json(path, machine, options, rows):
    with open(path, "w") as out:
        json.dump({"machine": machine, "sections": options.sections, "records": options.records,
                   "pairs": options.pairs, "rows": [asdict(row) for row in rows]}, out, indent=1)
        out.write("\n")
