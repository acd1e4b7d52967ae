"""What a run of sluice must have given: its summary, the places of its records, the rows of the
article's pipeline. Written apart from the code under test, after Kafka's and sluice's own words."""
import json
import os
import shlex

import kit

RIDE_COUNTS = os.path.join(kit.ROOT, "scripts", "ride_counts.lua")
RIDE_DELAY_MS = 10 * 60_000
VERDICTS = ("passed", "filtered", "duplicate", "late", "quarantined", "skipped")


def lines(text):
    """The log lines of a run as dicts; what is no log line is left out."""
    parsed = []
    for line in text.splitlines():
        if not line.startswith("time="):
            continue
        pairs = (part.partition("=") for part in shlex.split(line))
        parsed.append({name: value for name, _, value in pairs})
    return parsed


def messages(text, message):
    return [line for line in lines(text) if line["message"] == message]


def check_outages(test, text, of="broker"):
    """Each loss is told once, whoever notices it, and so is its end; a machine that is slow may make more of them
    than the test does."""
    told = [line["message"] for line in lines(text) if line["message"] in (f"{of} lost", f"{of} back")]
    test.assertEqual(told, [f"{of} {('lost', 'back')[n % 2]}" for n in range(max(2, len(told)))], text)


class Summary:
    """The counters at exit: `sources` and `sinks` by name, `batches`. The sum of the verdicts must be
    what was read: asserted here, so that every test holds the law of conservation."""

    def __init__(self, text):
        self.sources = {line["source"]: numbers(line) for line in messages(text, "source done")}
        self.sinks = {line["sink"]: numbers(line) for line in messages(text, "sink done")}
        done = messages(text, "done")
        if not done or not self.sources:
            raise AssertionError("no summary\n" + text[-4000:])
        self.batches = int(done[-1]["batches"])
        for name, source in self.sources.items():
            total = sum(source[verdict] for verdict in VERDICTS)
            if total != source["read"]:
                raise AssertionError(f"{name}: read {source['read']}, accounted for {total}: {source}")

    @property
    def source(self):
        """That of the only source."""
        (one,) = self.sources.values()
        return one


def numbers(line):
    return {name: int(value) for name, value in line.items() if value.isdigit()}


def murmur2(data):
    """Java's `Utils.murmur2`, as an unsigned number."""
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    h = 0x9747B28C ^ len(data)
    whole = len(data) & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at:at + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = h * m & mask ^ k
    tail = data[whole:]
    for place in range(len(tail) - 1, -1, -1):
        h ^= tail[place] << 8 * place
    if tail:
        h = h * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


def partition_of(key, count):
    """Where Java's default partitioner puts a key."""
    return (murmur2(key) & 0x7FFFFFFF) % count


def to_json(row):
    """JSON as sluice writes it: no blanks, doubles as ECMAScript writes them (for magnitudes without
    an exponent)."""
    return json.dumps({name: short(value) for name, value in row.items()}, separators=(",", ":"),
                      ensure_ascii=False).encode()


def short(value):
    return int(value) if isinstance(value, float) and value.is_integer() else value


def key_of(window):
    return to_json({"event_type": window["key"], "window_start": window["start_ms"]})


def ride_rows(answer, closed_by=None):
    """{key bytes: window} of an oracle's answer; with `closed_by`: only the windows that end there."""
    return {key_of(w): w for w in answer["windows"] if closed_by is None or w["end_ms"] <= closed_by}


def check_ride(test, record, window):
    """One record of ride_event_counts, to the byte; sums of doubles to the last bits."""
    row = record.json()
    want = {"event_type": window["key"], "window_start": window["start_ms"],
            "window_end": window["end_ms"], "event_count": window["count"],
            "revenue": window["sum"], "spread": window["max"] - window["min"]}
    test.assertEqual(list(row), list(want))
    test.assertLess(abs(row["revenue"] - want["revenue"]), 1e-9 * want["revenue"])
    want["revenue"] = row["revenue"]
    test.assertEqual(record.value, to_json(want))
