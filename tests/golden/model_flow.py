#!/usr/bin/env python3
"""Golden tests by a model, of graphs: unions, flat_maps, distincts, windows over windows.

    tests/golden/model_flow.py FIRST END > FILE.golden

The model takes one record after the other through all of it, one row after the other.
"""
import model
from model import order_of, text_of

FOREVER = float("inf")
FILTERS = ["r.n ~= nil and r.n > 0", "r.n ~= nil and r.n % 2 == 0"]
TESTS = [lambda n: n is not None and n > 0, lambda n: n is not None and n % 2 == 0]
FLAT_MAP = """:flat_map({ sluice.string "k", sluice.int64 "n" }, function(r, emit)
      for i = 1, (r.n or 0) % 4 do
         emit { k = i % 2 == 1 and r.k or "f", n = i }
         if r.n == 7 and i == 2 then error "seven" end
      end
   end)"""
THROWS = ':filter(function(r) if r.n == 2 and r.k == "k1" then error "two" end return true end)'


class Thrown(Exception):
    pass


class Distinct:
    def __init__(self, random, name):
        self.name, self.keys = name, random.choice([["k"], ["n"], ["k", "n"]])
        self.within = random.choice([FOREVER, 5, 20, 60])
        self.until = {}

    def script(self):
        within = '"forever"' if self.within == FOREVER else self.within
        return ':distinct { %s, within = %s, name = "%s" }' % (
            ", ".join('"%s"' % key for key in self.keys), within, self.name)

    def judge(self, row, watermark):
        if self.within == FOREVER:
            watermark = None
        if watermark is not None and row["t"] + self.within <= watermark:
            return "late"
        key = tuple(row[name] for name in self.keys)
        until = self.until.get(key)
        if until is not None and (watermark is None or watermark < until):
            return "duplicate"
        self.until[key] = row["t"] + self.within
        return "passed"


class Aggregate:
    def __init__(self, random, name, mode):
        self.name, self.mode = name, mode
        self.every = random.choice([1, 3, 5, 10, 20])
        self.size = self.every * random.choice([1, 1, 2, 3])
        self.offset = random.randint(-15, 15)
        self.lateness = random.choice([0, 0, random.randint(1, 30)])
        self.fields = random.choice([["k"], []])
        self.windows, self.touched, self.watermark = {}, set(), None

    def script(self):
        window = "tumbling { size = %d" % self.size
        if self.size != self.every:
            window = "hopping { size = %d, every = %d" % (self.size, self.every)
        return ":group_by { %s }:window(sluice.%s, offset = %d, allowed_lateness = %d, " \
            'name = "%s" })\n   :aggregate { c = sluice.count(), f = sluice.first "n", ' \
            'l = sluice.last "n", s = sluice.sum "n", x = sluice.max "n" }' % (
                ", ".join('"%s"' % name for name in self.fields), window, self.offset,
                self.lateness, self.name)

    def is_closed(self, start, watermark):
        return watermark is not None and start + self.size + self.lateness <= watermark

    def fold(self, row):
        """Windows that the row came too late for; whether it got into any."""
        first = (row["t"] - self.offset) // self.every * self.every + self.offset
        starts = list(range(first, row["t"] - self.size, -self.every))[::-1]
        group = tuple(row[name] for name in self.fields)
        closed = [s for s in starts if self.is_closed(s, self.watermark)]
        for start in starts:
            if start not in closed:
                self.windows.setdefault(start, {}).setdefault(group, []).append(row)
                self.touched.add((start, group))
        return closed, len(closed) < len(starts)

    def emit(self, watermark):
        """Results that are due when the watermark moves there, as they leave."""
        due = []
        for start, groups in self.windows.items():
            closes = self.is_closed(start, watermark)
            for group, rows in groups.items():
                if closes if self.mode == "append" else (start, group) in self.touched:
                    due.append(((start, *order_of(group)), start, group, self.result(rows)))
        self.windows = {s: g for s, g in self.windows.items() if not self.is_closed(s, watermark)}
        self.touched, self.watermark = set(), watermark
        return [result for _, *result in sorted(due, key=lambda one: one[0])]

    def result(self, rows):
        known = [row for row in rows if row["n"] is not None]
        placed = sorted(known, key=lambda row: (row["t"], row["place"]))
        numbers = [row["n"] for row in known]
        return {"c": len(rows), "f": placed[0]["n"] if placed else None,
                "l": placed[-1]["n"] if placed else None, "s": sum(numbers) if numbers else None,
                "x": max(numbers, default=None)}


class Case:
    def __init__(self, seed):
        self.random = r = model.random.Random(seed)
        self.union = r.choice(["none", "sources", "branches"])
        self.sources = ["a", "b"] if self.union == "sources" else ["a"]
        self.partitions = {name: r.randint(1, 2) for name in self.sources}
        self.delay = {name: r.choice([0, 0, r.randint(1, 30)]) for name in self.sources}
        self.prefix = self.stages("d", True)
        self.first = self.second = None
        self.middle = []
        if r.random() < .8:
            mode = r.choice(["append", "update"])
            if r.random() < .7:
                self.second = Aggregate(r, "second", mode)
                self.middle, mode = self.stages("m", False), "append"
            self.first = Aggregate(r, "first", mode)
        self.logs = {name: [[] for _ in range(count)] for name, count in self.partitions.items()}
        self.highs = {name: [None] * count for name, count in self.partitions.items()}
        self.marks = dict.fromkeys(self.sources)
        self.watermark, self.now, self.sequence = None, 0, 0
        self.counters = {name: {} for name in self.sources}
        self.lines = ["=== seed %d" % seed]
        self.lines += ["--- topic %s %d" % pair for pair in self.partitions.items()]
        self.lines += ["--- script"] + self.script().split("\n")

    def stages(self, name, may_throw):
        r, made = self.random, []
        for i in range(r.choice([0, 1, 2, 3])):
            kind = r.choice(["distinct", "distinct", "flat_map", "filter"])
            if kind == "flat_map" and not may_throw and r.random() < .5:
                continue
            made.append(Distinct(r, "%s%d" % (name, i)) if kind == "distinct" else kind)
        if may_throw and r.random() < .4:
            made.append("throws")
        return made

    def script_of(self, stages, may_throw=True):
        texts = {"filter": ":filter(function(r) return r.n ~= 5 end)", "throws": THROWS,
                 "flat_map": FLAT_MAP if may_throw else FLAT_MAP.replace("7", "nil")}
        return "".join("\n   " + (texts[one] if isinstance(one, str) else one.script())
                       for one in stages)

    def script(self):
        lines = ['local sluice = require "sluice"']
        for name in self.sources:
            lines.append('local %s = sluice.kafka { topics = "%s" }:json { sluice.string "k", '
                         'sluice.int64 "n", sluice.int64 "t" :required() }\n   '
                         ':event_time("t", { delay = %d }):select { "k", "n" }' % (
                             name, name, self.delay[name]))
        rows = {"none": "a", "sources": "a:union(b)",
                "branches": "a:filter(function(r) return %s end)\n   :union(a:filter("
                "function(r) return %s end))" % tuple(FILTERS)}[self.union]
        text, mode = rows + self.script_of(self.prefix), ""
        if self.first:
            text += "\n   " + self.first.script()
            mode = ', mode = "%s"' % (self.second or self.first).mode
        if self.second:
            text += '\n   :select { "k", n = "c" }' if self.first.fields else \
                '\n   :derive { k = sluice.string(function() return "all" end) }' \
                '\n   :select { "k", n = "c" }'
            text += self.script_of(self.middle, False) + "\n   " + self.second.script()
        can_be_late = self.first or any(isinstance(one, Distinct) and one.within != FOREVER
                                        for one in self.prefix)
        text += '\n   :late_to(sluice.kafka { topic = "late" })' if can_be_late else ""
        lines.append("local rows = " + text)
        lines.append('return sluice.pipeline { name = "t", checkpoint = "none", '
                     'rows:to(sluice.kafka { topic = "out"%s }) }' % mode)
        return "\n".join(lines)

    def feed(self):
        r, lines = self.random, []
        self.now += r.randint(-10, 40)
        for _ in range(r.choice([1, 3, 8, 15])):
            name = r.choice(self.sources)
            p = r.randrange(self.partitions[name])
            row = {"k": r.choice([None, "k1", "k2", "k3"]),
                   "n": r.choice([None, 5, 7] + list(range(-2, 9))),
                   "t": self.now + r.randint(-40, 30)}
            text = "bad" if r.random() < .03 else text_of(row.items())
            self.logs[name][p].append(dict(row, text=text))
            lines.append("%s/%d %s" % (name, p, text))
        return lines

    def flat_map(self, row, may_throw):
        made = []
        for i in range(1, (row["n"] or 0) % 4 + 1):
            made.append(dict(row, k=i % 2 and row["k"] or "f", n=i))
            if may_throw and row["n"] == 7 and i == 2:
                raise Thrown
        return made

    def pass_stages(self, row, stages, watermark, path, end):
        """Verdicts of what comes of a row behind `stages`, where `end` takes it."""
        if not stages:
            return end(row, path)
        stage, rest, path = stages[0], stages[1:], path + (len(stages),)
        if isinstance(stage, Distinct):
            verdict = stage.judge(row, watermark)
            if verdict == "late":
                self.late.add(path)
            if verdict != "passed":
                return [verdict]
        elif stage == "filter" and row["n"] == 5:
            return ["filtered"]
        elif stage == "throws" and row["n"] == 2 and row["k"] == "k1":
            # A record comes once from each step, and branches before the first share theirs.
            of_root = all(one in ("filter", "throws") for one in self.prefix)
            self.thrown.add("root" if of_root else path)
            return ["quarantined"]
        elif stage == "flat_map":
            try:
                made = self.flat_map(row, stages is not self.middle and not self.emitting)
            except Thrown:
                self.thrown.add(path)
                return ["quarantined"]
            verdicts = [one for row in made
                        for one in self.pass_stages(row, rest, watermark, path, end)]
            return verdicts or ["filtered"]
        return self.pass_stages(row, rest, watermark, path, end)

    def place(self, *of):
        self.sequence += 1
        return of + (self.sequence,)

    def end_prefix(self, row, path):
        if not self.first:
            self.rows.append("~ => " + text_of([("k", row["k"]), ("n", row["n"])]))
            return ["passed"]
        row = dict(row, place=self.place(*row["place"]))
        closed, got_in = self.first.fold(row)
        self.counters[self.source]["late_windows"] = \
            self.counters[self.source].get("late_windows", 0) + len(closed)
        self.late |= {path + (start,) for start in closed}
        return ["passed" if got_in else "late"]

    def end_middle(self, row, _):
        self.second.fold(dict(row, place=self.place(0, 0, 0)))
        return []

    def take(self, row):
        branches = [lambda n: True] if self.union != "branches" else TESTS
        verdicts = []
        for number, test in enumerate(branches):
            verdicts += ["filtered"] if not test(row["n"]) else self.pass_stages(
                row, self.prefix, self.watermark, (number,), self.end_prefix)
        return "passed" if "passed" in verdicts else verdicts[0]

    def count(self, what):
        self.counters[self.source][what] = self.counters[self.source].get(what, 0) + 1

    def take_records(self, late, thrown):
        for number, name in enumerate(self.sources):
            self.source = name
            for p, log in enumerate(self.logs[name]):
                for row in log[self.offsets[name][p]:]:
                    self.late, self.thrown = set(), set()
                    self.count("read")
                    if row["text"] == "bad":
                        self.count("quarantined")
                        thrown += ["~ => bad", "  …"]
                        continue
                    high = self.highs[name][p]
                    self.highs[name][p] = row["t"] if high is None else max(high, row["t"])
                    place = (number, p, self.place()[0])
                    self.count(self.take(dict(row, place=place)))
                    late += ["~ => " + row["text"], "  …"] * len(self.late)
                    thrown += ["~ => " + row["text"], "  …"] * len(self.thrown)

    def settle(self):
        for name in self.sources:
            if None not in self.highs[name]:
                time = min(self.highs[name]) - self.delay[name]
                mark = self.marks[name]
                self.marks[name] = time if mark is None else max(mark, time)
        if None not in self.marks.values():
            time = min(self.marks.values())
            self.watermark = time if self.watermark is None else max(self.watermark, time)

    def line(self, aggregate, start, group, result):
        columns = list(zip(aggregate.fields, group))
        key = columns + [("window_start", start)]
        value = key + [("window_end", start + aggregate.size)] + list(result.items())
        return text_of(key) + " => " + text_of(value)

    def emit(self):
        if not self.first:
            return
        results = self.first.emit(self.watermark)
        if not self.second:
            self.rows += [self.line(self.first, *one) for one in results]
            return
        before = self.second.watermark
        self.emitting = True
        for start, group, result in results:
            row = {"k": group[0] if group else "all", "n": result["c"],
                   "t": start + self.first.size - 1}
            self.pass_stages(row, self.middle, before, (), self.end_middle)
        self.emitting = False
        behind = None if self.watermark is None else self.watermark - self.first.lateness
        self.rows += [self.line(self.second, *one) for one in self.second.emit(behind)]

    def run_batch(self):
        late, thrown, self.rows, self.emitting = [], [], [], False
        self.take_records(late, thrown)
        self.settle()
        self.emit()
        self.offsets = {name: [len(log) for log in logs] for name, logs in self.logs.items()}
        for title, lines in (("expect out", self.rows), ("expect late", late),
                             ("quarantine", thrown)):
            if lines:
                self.lines += ["--- " + title] + lines
        order = ["read", "passed", "filtered", "duplicate", "late", "quarantined", "late_windows"]
        self.lines.append("--- counters")
        for name in self.sources:
            counted = [(what, self.counters[name].get(what)) for what in order]
            self.lines.append(name + ":" + "".join(" %s=%d" % one for one in counted if one[1]))

    def play(self):
        self.offsets = {name: [0] * count for name, count in self.partitions.items()}
        for _ in range(self.random.randint(1, 4)):
            self.lines += ["--- batch"] + self.feed()
            self.run_batch()
        return "\n".join(self.lines) + "\n"


if __name__ == "__main__":
    model.main(Case)
