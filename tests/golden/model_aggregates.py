#!/usr/bin/env python3
"""Golden tests by a model, for the aggregates that model.py does not have.

    tests/golden/model_aggregates.py FIRST END > FILE.golden

The pipelines, rows and windows are those of model.py and model_windows.py; every result is computed
from all rows of its window, without panes, merges or sketches: those that estimate are exact here,
since there are few values. (A quantile of more than 16 is the middle of a bucket.)
"""
import math

import model
import model_windows

AGGREGATES = [
    'am = sluice.arg_min("v", "n")',
    'ax = sluice.arg_max("n", "v")',
    'd = sluice.count_distinct "v"',
    'de = sluice.count_distinct("n", { exact = true, limit = 100 })',
    'dev = sluice.variance "n"',
    'h = sluice.histogram("n", { 0, 3 })',
    'l = sluice.collect("v", 3)',
    """o = sluice.aggregate { state = { text = "string(5000)" }, order = "event time",
         fold = function(a, r) a.text = a.text .. (r.n or "-") .. "," end,
         result = function(a) return a.text end, returns = "string" }""",
    'q = sluice.quantile("n", 0.5)',
    's = sluice.sum "n"',
    't = sluice.top("n", 2)',
]
GAMMA = 1.01 / 0.99
LOG_GAMMA = 0.020000666706669524


def place_of(row):
    return row["t"], row["p"], row["o"]


def variance(numbers):
    if len(numbers) < 2:
        return None
    mean = sum(numbers) / len(numbers)
    return math.fsum((n - mean) ** 2 for n in numbers) / (len(numbers) - 1)


def quantile(numbers, q):
    if not numbers:
        return None
    exact = sorted(numbers)[int(q * (len(numbers) - 1))]
    if len(numbers) <= 16 or exact in (0, min(numbers), max(numbers)):
        return exact
    bucket = math.ceil(math.log(abs(exact)) / LOG_GAMMA)
    middle = math.exp(bucket * LOG_GAMMA) * (2 / (GAMMA + 1))
    middle = math.copysign(middle, exact)
    return min(max(middle, min(numbers)), max(numbers))


def number(x):
    """As the encoder writes doubles: 12, not 12.0."""
    return int(x) if isinstance(x, float) and x == int(x) else x


class Aggregates:
    """What differs from the model that it is put in front of."""

    def aggregates(self):
        # with an order, a window must close
        is_running = getattr(self, "kind", None) == "running"
        return [text for text in AGGREGATES if not (is_running and "order =" in text)]

    def script(self):
        lines = super().script().split("\n")
        first = next(i for i, line in enumerate(lines) if ":aggregate {" in line)
        last = next(i for i, line in enumerate(lines) if i > first and line == "   }")
        throwing = ["      z = %s," % self.throwing] if self.throwing else []
        bounds = [] if any("sluice.running" in line for line in lines) else [
            "window_start", "window_end"]
        names = [text.split(" ")[0] for text in self.aggregates()]
        columns = self.fields + bounds + names + (["z"] if self.throwing else [])
        lines[first + 1:last + 1] = ["      %s," % text for text in self.aggregates()] + throwing + [
            "   }",
            "   :derive { rounded = sluice.int64(function(r) return r.dev and "
            "math.floor(r.dev * 997 + 0.5) end) }",
            "   :select { %s }" % ", ".join(
                'dev = "rounded"' if name == "dev" else '"%s"' % name for name in columns)]
        return "\n".join(lines)

    def result(self, rows):
        numbers = [row["n"] for row in rows if row["n"] is not None]
        values = [row for row in sorted(rows, key=place_of) if row["v"] is not None]
        both = [row for row in values if row["n"] is not None]
        total = sum(numbers) if numbers else None
        counts = sorted((-numbers.count(n), n) for n in set(numbers))
        deviation = variance(numbers)
        result = {
            "am": min(both, key=lambda row: row["n"])["v"] if both else None,
            "ax": max(both, key=lambda row: row["v"].encode())["n"] if both else None,
            "d": len({row["v"] for row in values}),
            "de": len(set(numbers)),
            "h": [sum(n < 0 for n in numbers), sum(0 <= n < 3 for n in numbers),
                  sum(n >= 3 for n in numbers)] if numbers else None,
            "l": [row["v"] for row in values[:3]] or None,
            "o": "".join("%s," % ("-" if row["n"] is None else row["n"])
                         for row in sorted(rows, key=place_of)),
            "q": number(quantile(numbers, .5)),
            "s": total,
            "t": [{"value": n, "count": -count, "error": 0} for count, n in counts[:2]] or None,
        }
        if len(self.aggregates()) < len(AGGREGATES):
            del result["o"]
        if self.throwing:
            result["z"] = total
        # named entries of :select come behind the positional ones
        result["dev"] = None if deviation is None else math.floor(deviation * 997 + 0.5)
        return result


class Plain(Aggregates, model.Case):
    pass


class Windowed(Aggregates, model_windows.Case):
    pass


def case(seed):
    return (Plain if seed % 5 == 0 else Windowed)(seed)


if __name__ == "__main__":
    model.main(case)
