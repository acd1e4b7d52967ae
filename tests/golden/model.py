#!/usr/bin/env python3
"""Golden tests by a model: random scripts and records, and what a plain reading of the rules gives.

    tests/golden/model.py FIRST END > FILE.golden     cases of the seeds [FIRST, END)

The model keeps the rows of every window and computes each result anew. Needs libxxhash.
"""
import ctypes
import ctypes.util
import json
import random
import struct
import sys

XXHASH = ctypes.CDLL(ctypes.util.find_library("xxhash") or "libxxhash.so.0")
XXHASH.XXH3_64bits.restype = ctypes.c_uint64
XXHASH.XXH3_64bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
SHARDS = 64
VALUES = [None, "", "x", "é" * 40, "long" * 30]

FOLD_BATCH = """sluice.aggregate {
         state = { s = 0, c = 0 },
         fold_batch = function(states, rows, count)
            for i = 0, count - 1 do
               local n = rows[i].n
               if n then states[i].s, states[i].c = states[i].s + n, states[i].c + 1 end
               if n == 7 then error "no" end
            end
         end,
         merge = function(a, b) a.s, a.c = a.s + b.s, a.c + b.c end,
         result = function(a) if a.c > 0 then return a.s end end,
      }"""
SUM = 'sluice.sum(function(r) if r.n == 7 then error "no" end return r.n end)'


def order_of(group):
    """Where a group stands in a window: shard, hash, key bytes (operator/group.c)."""
    key = b""
    for i, value in enumerate(group):
        if value is None:
            key += b"\0"
        elif isinstance(value, int):
            key += b"\1" + struct.pack("<q", value)
        else:
            text = value.encode()
            key += b"\1" + (b"" if i + 1 == len(group) else struct.pack("<I", len(text))) + text
    hashed = XXHASH.XXH3_64bits(key, len(key))
    return hashed % SHARDS, hashed, key


def text_of(pairs):
    return json.dumps(dict(pairs), separators=(",", ":"), ensure_ascii=False)


def shares(backlogs, limit, batch):
    """How max_records is divided over partitions (semantics, section 1)."""
    waiting = [p for p, backlog in enumerate(backlogs) if backlog]
    if not limit or sum(backlogs) <= limit:
        return list(backlogs)
    share = [0] * len(backlogs)
    if limit < len(waiting):
        for turn in range(limit):
            share[waiting[(batch + turn) % len(waiting)]] = 1
        return share
    rest, left = limit - len(waiting), {p: backlogs[p] - 1 for p in waiting}
    remainders = []
    for p in waiting:
        quota, remainder = divmod(rest * left[p], sum(left.values()))
        share[p] = 1 + quota
        remainders.append((-remainder, p))
    for _, p in sorted(remainders)[:limit - sum(share)]:
        share[p] += 1
    return share


class Case:
    """One script with its options, its state by the rules, and the lines of its golden test."""

    MOST_FEEDS = 4

    def __init__(self, seed):
        self.random = r = random.Random(seed)
        self.partitions = r.randint(1, 3)
        self.every = r.choice([1, 3, 5, 10, 20])
        self.size = self.every * r.choice([1, 1, 2, 3])
        self.size += r.choice([0, 0, 1, 2]) if self.every > 2 else 0
        self.offset, self.lateness = r.randint(-15, 15), r.choice([0, 0, r.randint(1, 30)])
        self.delay, self.limit = r.choice([0, 0, r.randint(1, 40)]), r.choice([0, 0, 2, 5])
        self.mode = r.choice(["append", "update", "update", "complete"])
        self.final = self.mode == "update" and r.random() < .4
        self.only_if_changed = self.mode == "update" and r.random() < .4
        self.having, self.where = r.random() < .5, r.random() < .5
        self.throwing = r.choice([None, SUM, FOLD_BATCH])
        self.fields = r.choice([["k"], ["g", "k"]])
        self.keys = [None] + ["k%d" % i for i in range(r.randint(0, 5))]
        self.logs = [[] for _ in range(self.partitions)]
        self.positions = [0] * self.partitions
        self.highs = [None] * self.partitions
        self.watermark, self.batch, self.now = None, 0, 0
        self.windows, self.sent = {}, {}
        self.counters = dict.fromkeys(
            ["read", "passed", "filtered", "late", "quarantined", "late_windows"], 0)
        self.lines = ["=== seed %d" % seed, "--- topic rides %d" % self.partitions, "--- script"]
        self.lines += self.script().split("\n")

    def script(self):
        window = "tumbling { size = %d" % self.size
        if self.size != self.every:
            window = "hopping { size = %d, every = %d" % (self.size, self.every)
        where = ":where(function(r) return r.n ~= nil and r.n > 0 end)" if self.where else ""
        sink = 'mode = "%s"' % self.mode
        sink += ", final = true" if self.final else ""
        sink += ", only_if_changed = true" if self.only_if_changed else ""
        return "\n".join(filter(None, [
            'local sluice = require "sluice"',
            'return sluice.pipeline { name = "t", checkpoint = "none",',
            '   sluice.kafka { topics = "rides"%s }' % (
                ", max_records = %d" % self.limit if self.limit else ""),
            '   :json { sluice.string "k", sluice.int64 "n", sluice.int64 "t" :required(), '
            'sluice.int64 "g", sluice.string "v" }',
            '   :event_time("t", { delay = %d })' % self.delay,
            "   :filter(function(r) return r.n ~= 5 end)",
            "   :group_by { %s }" % ", ".join('"%s"' % name for name in self.fields),
            "   :window(sluice.%s, offset = %d, allowed_lateness = %d })" % (
                window, self.offset, self.lateness),
            "   :aggregate {",
            '      c = sluice.count(), cn = sluice.count "n"%s,' % where,
            '      f = sluice.first "v", l = sluice.last "v",',
            '      s = sluice.sum "n", x = sluice.max "n",',
            "      z = %s," % self.throwing if self.throwing else None,
            "   }",
            "   :filter(function(r) return (r.s or 0) > 3 end)" if self.having else None,
            '   :late_to(sluice.kafka { topic = "late" })',
            '   :to(sluice.kafka { topic = "out", %s }) }' % sink,
        ]))

    def windows_of(self, time):
        start = (time - self.offset) // self.every * self.every + self.offset
        return list(range(start, time - self.size, -self.every))[::-1]

    def is_closed(self, start):
        return self.watermark is not None and start + self.size + self.lateness <= self.watermark

    def result(self, rows):
        numbers = [row["n"] for row in rows if row["n"] is not None]
        values = sorted((row["t"], row["p"], row["o"], row["v"])
                        for row in rows if row["v"] is not None)
        total = sum(numbers) if numbers else None
        result = {
            "c": len(rows),
            "cn": sum(1 for n in numbers if not self.where or n > 0),
            "f": values[0][3] if values else None,
            "l": values[-1][3] if values else None,
            "s": total,
            "x": max(numbers, default=None),
        }
        return dict(result, z=total) if self.throwing else result

    def feed(self):
        lines = []
        self.now += self.random.randint(-10, 40)
        for _ in range(self.random.choice([1, 3, 8, 12])):
            r, p = self.random, self.random.randrange(self.partitions)
            row = {"k": r.choice(self.keys), "n": r.choice([None, 5, 7] + list(range(-4, 9))),
                   "t": self.now + r.randint(-40, 30), "g": r.choice([0, 1, None]),
                   "v": r.choice(VALUES)}
            text = "bad" if r.random() < .05 else text_of(row.items())
            self.logs[p].append(dict(row, p=p, o=len(self.logs[p]), text=text))
            lines.append("/%d %s" % (p, text))
        return lines

    def take(self, row, late, thrown, touched):
        """One row goes its way; whether it reached the aggregation."""
        if row["text"] == "bad":
            self.counters["quarantined"] += 1
            thrown.append(row)
            return False
        high = self.batch_highs[row["p"]]
        self.batch_highs[row["p"]] = row["t"] if high is None else max(high, row["t"])
        if row["n"] == 5:
            self.counters["filtered"] += 1
            return False
        starts = self.windows_of(row["t"])
        closed = [s for s in starts if self.mode != "complete" and self.is_closed(s)]
        self.counters["late_windows"] += len(closed)
        late += [(row, start) for start in closed]
        if len(closed) == len(starts):
            self.counters["late"] += 1
            return False
        if self.throwing and row["n"] == 7:
            self.counters["quarantined"] += 1
            thrown.append(row)
            return False
        self.counters["passed"] += 1
        group = tuple(row[name] for name in self.fields)
        for start in starts:
            if start not in closed:
                self.windows.setdefault(start, {}).setdefault(group, []).append(row)
                touched.add((start, group))
        return True

    def emit(self, start, group, is_final, rows, retracted):
        result, columns = self.result(self.windows[start][group]), list(zip(self.fields, group))
        value = columns + [("window_start", start), ("window_end", start + self.size)]
        value += result.items()
        value = text_of(value + [("final", is_final)] if self.final else value)
        key = text_of(columns + [("window_start", start)])
        order = (start, *order_of(group))
        if not self.having or (result["s"] or 0) > 3:
            if self.only_if_changed and not is_final and self.sent.get((start, group)) == value:
                return
            self.sent[start, group] = value
            rows.append((order, key + " => " + value))
        elif self.mode != "append" and self.sent.pop((start, group), None):
            retracted.append((order, key + " => ~"))

    def emit_all(self, touched, reached):
        rows, retracted = [], []
        for start, groups in self.windows.items():
            closes = self.mode != "complete" and self.is_closed(start)
            for group in groups:
                due = {"complete": reached, "append": closes,
                       "update": (start, group) in touched or closes and self.final}[self.mode]
                if due:
                    self.emit(start, group, closes and self.final, rows, retracted)
        if self.mode != "complete":
            self.windows = {s: g for s, g in self.windows.items() if not self.is_closed(s)}
        return [line for _, line in sorted(retracted) + sorted(rows)]

    def settle(self):
        """The watermark moves."""
        for p, high in enumerate(self.batch_highs):
            if high is not None:
                self.highs[p] = high if self.highs[p] is None else max(high, self.highs[p])
        if None not in self.highs:
            time = min(self.highs) - self.delay
            self.watermark = time if self.watermark is None else max(self.watermark, time)

    def run_batch(self):
        late, thrown, touched, reached = [], [], set(), False
        backlogs = [len(log) - at for log, at in zip(self.logs, self.positions)]
        self.batch_highs = [None] * self.partitions
        before = self.watermark
        for p, share in enumerate(shares(backlogs, self.limit, self.batch)):
            for row in self.logs[p][self.positions[p]:self.positions[p] + share]:
                self.counters["read"] += 1
                reached |= self.take(row, late, thrown, touched)
            self.positions[p] += share
        self.batch += 1
        self.settle()
        self.expect("expect out", self.emit_all(touched, reached))
        self.expect("late", [line for row, window in late
                             for line in self.late_lines(row, window, before)])
        self.expect("quarantine", [line for row in thrown
                                   for line in ("~ => " + row["text"], "  …")])
        if self.counters["read"]:
            self.expect("counters", ["rides: " + " ".join(
                "%s=%d" % pair for pair in self.counters.items() if pair[1])])
        watermark = "none" if self.watermark is None else self.watermark
        self.expect("watermark", ["aggregate: %s" % watermark])

    def late_lines(self, row, start, before):
        return ["~ => " + row["text"], "  …", "  sluice.window_start: %d" % start,
                "  sluice.window_end: %d" % (start + self.size),
                "  sluice.watermark: %d" % before, "  …"]

    def expect(self, title, lines):
        if lines:
            self.lines += ["--- " + title] + lines

    def play(self):
        for _ in range(self.random.randint(1, self.MOST_FEEDS)):
            self.lines += ["--- batch"] + self.feed()
            self.run_batch()
            while any(len(log) > at for log, at in zip(self.logs, self.positions)):
                self.lines.append("--- tick")
                self.run_batch()
        return "\n".join(self.lines) + "\n"


def main(case, before=""):
    name, first, end = sys.argv[0].split("/")[-1], int(sys.argv[1]), int(sys.argv[2])
    print("Made by tests/golden/%s %d %d: random pipelines, and what its model of the rules "
          "gives.\n%s" % (name, first, end, before))
    print("\n".join(case(seed).play() for seed in range(first, end)), end="")


if __name__ == "__main__":
    main(Case)
