#!/usr/bin/env python3
"""Golden tests by a model, of time: idle and silent partitions, partitions that appear, advance by the
wall clock, the rule `max`, and when a batch without records runs.

    tests/golden/model_time.py FIRST END > FILE.golden     cases of the seeds [FIRST, END)
"""
import math
import random
import sys

import model

FRESH_MS = 2000  # a leader's older word does not count


class TimeCase(model.Case):
    """A case of `model` whose clock moves. `restarts`: each batch is another process's, and the idle
    clock starts anew with it."""

    def __init__(self, seed, restarts=False):
        self.seed, self.restarts = seed, restarts
        self.has_idled = False  # some verdict was by the clock
        self.dice = random.Random(seed * 7 + 1)
        self.idle_ms = self.dice.choice([30000, 5000, 1, 60000, None])
        self.rule = self.dice.choice(["min", "min", "max"])
        self.by_wall_clock = self.dice.random() < .5
        self.clock, self.began = 0, -1  # `began`: the last batch
        self.all_idle = None  # since when, and the watermark then
        super().__init__(seed)
        self.moved, self.confirmed = [0] * self.partitions, [0] * self.partitions
        self.is_silent = [False] * self.partitions

    def script(self):
        options = ', watermark = "%s", idle = %s' % (self.rule, self.idle_ms or '"never"')
        options += ', advance = "wall-clock"' if self.by_wall_clock else ""
        delay = "{ delay = %d" % self.delay
        return super().script().replace(delay, delay + options)

    def look(self):
        for p in range(self.partitions):
            if not self.is_silent[p]:
                self.confirmed[p] = self.clock

    def is_idle(self, p):
        is_at_end = self.positions[p] >= len(self.logs[p])
        is_fresh = self.confirmed[p] >= max(self.began, self.clock - FRESH_MS)
        is_idle = (self.idle_ms is not None and is_at_end and is_fresh
                   and self.clock - self.moved[p] >= self.idle_ms)
        self.has_idled |= is_idle
        return is_idle

    def are_all_idle(self):
        return all(self.is_idle(p) for p in range(self.partitions))

    def moves_to(self):
        """The watermark that a batch ends with now."""
        had = [high for high in self.highs if high is not None]
        counting = [self.highs[p] for p in range(self.partitions) if not self.is_idle(p)]
        if not counting and self.by_wall_clock and self.all_idle:
            since, base = self.all_idle
            time = None if base is None else min(base + self.clock - since, self.clock - self.delay)
        elif not had or self.rule == "min" and (
                None in counting or not counting and self.watermark is not None):
            time = None
        else:
            time = max(had) if self.rule == "max" else min(counting or had)
            time -= self.delay
        return max((t for t in (time, self.watermark) if t is not None), default=None)

    def is_due(self):
        """Whether a batch without records runs now."""
        self.look()
        after = self.moves_to()
        if self.by_wall_clock:
            if after != self.watermark and (
                    self.watermark is None or after - self.watermark >= 1000):
                return True
            if not self.all_idle and self.are_all_idle():
                return True
        if self.mode == "complete" or after is None:
            return False
        pane_size = math.gcd(self.size, self.every)
        for start, groups in self.windows.items():
            emits = self.mode == "append" or self.final
            for row in (row for rows in groups.values() for row in rows):
                pane = (row["t"] - self.offset) // pane_size * pane_size
                last = pane // self.every * self.every + self.offset
                if (start if emits else last) + self.size + self.lateness <= after:
                    return True
        return False

    def run_batch(self):
        self.look()
        super().run_batch()
        if self.restarts:
            self.began, self.moved = -1, [self.clock] * self.partitions
            self.confirmed = [-2 if silent else self.clock for silent in self.is_silent]

    def settle(self):
        for p, high in enumerate(self.batch_highs):
            if high is not None:
                self.highs[p] = max(high, self.highs[p] if self.highs[p] is not None else high)
                self.moved[p] = self.clock
        self.watermark = self.moves_to()
        if not self.are_all_idle():
            self.all_idle = None
        elif not self.all_idle:
            self.all_idle = self.clock, self.watermark
        self.began = self.clock

    def advance(self):
        ms = self.dice.choice([0, 1, 400, 1000, 2500, 5000, 31000])
        self.clock += ms
        self.lines += ["--- advance %d" % ms] if ms else []

    def happen(self):
        chance = self.dice.random()
        if chance < .15:
            p = self.dice.randrange(self.partitions)
            self.is_silent[p] = not self.is_silent[p]
            self.lines.append("--- %s rides/%d" % ("silent" if self.is_silent[p] else "answers", p))
        elif chance < .25:
            self.partitions += 1
            self.lines.append("--- topic rides %d" % self.partitions)
            self.all_idle = None
            for of_partition, value in ((self.logs, []), (self.positions, 0), (self.highs, None),
                                        (self.moved, self.clock), (self.confirmed, self.clock),
                                        (self.is_silent, False)):
                of_partition.append(value)

    def why_not(self):
        """The section for what another process does otherwise, if it does."""
        if self.restarts or not self.has_idled:
            return []
        is_same = TimeCase(self.seed, True).play_lines() == self.lines
        return ["--- %s the idle clock starts anew with a process"
                % ("no-crashes" if is_same else "in-one-run")]

    def play(self):
        self.play_lines()
        return "\n".join(self.lines[:1] + self.why_not() + self.lines[1:]) + "\n"

    def play_lines(self):
        self.lines.append("--- open")
        for _ in range(self.dice.randint(2, 6)):
            self.advance()
            self.happen()
            if not self.is_due():
                self.lines.append("--- quiet")
            while self.is_due():
                self.lines.append("--- tick")
                self.run_batch()
            if self.dice.random() < .6:
                self.now = self.clock + self.dice.choice([-50, 0, 10])
                self.lines += ["--- batch"] + self.feed()
                self.run_batch()
            while any(len(log) > at for log, at in zip(self.logs, self.positions)):
                if self.dice.random() < .3:
                    self.advance()
                self.lines.append("--- tick")
                self.run_batch()
        return self.lines


if __name__ == "__main__":
    model.main(TimeCase)
