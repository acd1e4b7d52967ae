#!/usr/bin/env python3
"""Golden tests by a model, for windows that depend on their group: cumulate, rolling, running, session.

    tests/golden/model_windows.py FIRST END > FILE.golden

As model.py: rows are kept, and every result is computed anew from them. A session is a list of rows
that grows and is joined with others; nothing here knows of panes.
"""
import model


class Session:
    """Rows of one group no more than a gap apart. `was`: its starts under which it was there before
    this batch, with its ends then."""

    def __init__(self, rows, was):
        self.rows, self.was = rows, was

    def bounds(self, gap):
        times = [row["t"] for row in self.rows]
        return min(times), max(times) + gap


class Case(model.Case):
    """One script with one of these windows."""

    MOST_FEEDS = 8

    def __init__(self, seed):
        self.kind = ["cumulate", "rolling", "running", "session"][seed % 4]
        super().__init__(seed)

    def script(self):
        r = self.random
        self.size = self.every * r.choice([1, 2, 3, 4])
        self.retain = r.choice([None, r.randint(1, 60)])
        self.gap = r.choice([1, 3, 8, 15, 25])
        self.mode = r.choice({"cumulate": ["append", "update", "complete"],
                              "rolling": ["update"],
                              "running": ["update", "update", "complete"],
                              "session": ["append", "update", "update", "complete"]}[self.kind])
        self.final = self.final and self.mode == "update" and self.kind != "rolling"
        if self.kind == "running" and self.retain is None:
            self.final = False
        self.only_if_changed = self.only_if_changed and self.mode == "update"
        late = ", allowed_lateness = %d" % self.lateness
        stepped = "{ size = %d, every = %d, offset = %d%s }" % (
            self.size, self.every, self.offset, late)
        window = {
            "cumulate": stepped,
            "rolling": stepped,
            "running": "{ retain = %s }" % (self.retain or '"forever"'),
            "session": "{ gap = %d%s }" % (self.gap, late),
        }[self.kind]
        timeless = self.kind == "running" and self.retain is None
        lines = super().script().split("\n")
        for i, line in enumerate(lines):
            if line.lstrip().startswith(":window("):
                lines[i] = "   :window(sluice.%s %s)" % (self.kind, window)
        return "\n".join(line for line in lines if not (timeless and ":late_to" in line))

    def pane(self, time):
        return (time - self.offset) // self.every * self.every + self.offset

    def is_over(self, end):
        lateness = 0 if self.kind == "running" else self.lateness
        return (self.mode != "complete" and self.watermark is not None
                and end is not None and end + lateness <= self.watermark)

    def windows_of(self, time):
        """Windows that judge a row: (start, end)."""
        if self.kind == "cumulate":
            start = (time - self.offset) // self.size * self.size + self.offset
            ends = range(start + self.every, start + self.size + 1, self.every)
            return [(start, end) for end in ends if end > time]
        if self.kind == "rolling":
            return [(self.pane(time), self.pane(time) + self.size)]
        if self.kind == "session":
            return [(time, time + self.gap)]
        return [(None, None if self.retain is None else time + self.retain)]

    def take(self, row, late, thrown, touched):
        if row["text"] == "bad":
            self.counters["quarantined"] += 1
            thrown.append(row)
            return False
        high = self.batch_highs[row["p"]]
        self.batch_highs[row["p"]] = row["t"] if high is None else max(high, row["t"])
        if row["n"] == 5:
            self.counters["filtered"] += 1
            return False
        windows = self.windows_of(row["t"])
        over = [window for window in windows if self.is_over(window[1])]
        self.counters["late_windows"] += len(over)
        late += [(row, window) for window in over]
        if len(over) == len(windows):
            self.counters["late"] += 1
            return False
        if self.throwing and row["n"] == 7:
            self.counters["quarantined"] += 1
            thrown.append(row)
            return False
        self.counters["passed"] += 1
        group = tuple(row[name] for name in self.fields)
        if self.kind == "session":
            self.join(group, row, touched)
        for window in windows:
            if self.kind == "cumulate" and window not in over:
                self.windows.setdefault(window, {}).setdefault(group, []).append(row)
                touched.add((window, group))
        if self.kind in ("rolling", "running"):
            self.windows.setdefault(group, []).append(row)
            touched.add(group)
        return True

    def join(self, group, row, touched):
        sessions = self.windows.setdefault(group, [])
        made = Session([row], [])
        for other in list(sessions):
            start, end = other.bounds(self.gap)
            if start <= row["t"] + self.gap and row["t"] <= end:
                made.rows += other.rows
                made.was += other.was
                sessions.remove(other)
                touched.discard(other)
        sessions.append(made)
        touched.add(made)

    def put(self, group, bounds, rows_of, is_final, rows, retracted):
        """The row of a group in a window, unless a filter or `only_if_changed` keeps it back."""
        columns, result = list(zip(self.fields, group)), self.result(rows_of)
        start, end = bounds
        value = columns + ([] if end is None else [("window_start", start), ("window_end", end)])
        value += result.items()
        value = model.text_of(value + [("final", is_final)] if self.final else value)
        key = columns + {
            "cumulate": [("window_start", start), ("window_end", end)],
            "session": [("window_start", start)],
        }.get(self.kind, [])
        key = group[0] if len(key) == 1 and group[0] is not None else model.text_of(key)
        order = (end or 0, start or 0, *model.order_of(group))
        if not self.having or (result["s"] or 0) > 3:
            if self.only_if_changed and not is_final and self.sent.get(key) == value:
                return
            self.sent[key] = value
            rows.append((order, "%s => %s" % (key, value)))
        elif self.mode != "append" and self.sent.pop(key, None):
            retracted.append((order, "%s => ~" % key))

    def take_back(self, group, session, retracted):
        """Sessions that are no more under the start they had."""
        start = session.bounds(self.gap)[0]
        for old_start, old_end in session.was:
            key = model.text_of(list(zip(self.fields, group)) + [("window_start", old_start)])
            if old_start != start and self.sent.pop(key, None):
                retracted.append(((old_end, old_start, *model.order_of(group)), key + " => ~"))

    def emit_sessions(self, touched, reached, rows, retracted):
        for group, sessions in self.windows.items():
            for session in list(sessions):
                bounds = session.bounds(self.gap)
                closes = self.is_over(bounds[1])
                if self.mode != "append":
                    self.take_back(group, session, retracted)
                if {"complete": reached, "append": closes,
                        "update": session in touched or closes and self.final}[self.mode]:
                    self.put(group, bounds, session.rows, closes and self.final, rows, retracted)
                session.was = [bounds]
                if closes:
                    sessions.remove(session)
                    key = list(zip(self.fields, group)) + [("window_start", bounds[0])]
                    self.sent.pop(model.text_of(key), None)

    def emit_cumulate(self, touched, reached, rows, retracted):
        for window, groups in self.windows.items():
            closes = self.is_over(window[1])
            for group in groups:
                if {"complete": reached, "append": closes,
                        "update": (window, group) in touched or closes and self.final}[self.mode]:
                    self.put(group, window, groups[group], closes and self.final, rows, retracted)
        self.windows = {w: g for w, g in self.windows.items() if not self.is_over(w[1])}

    def emit_rolling(self, touched, reached, rows, retracted):
        for group in touched:
            end = max(self.pane(row["t"]) for row in self.windows[group]) + self.every
            shown = [row for row in self.windows[group] if end - self.size <= row["t"] < end]
            self.put(group, (end - self.size, end), shown, False, rows, retracted)
        for group in list(self.windows):
            self.windows[group] = [row for row in self.windows[group]
                                   if not self.is_over(self.pane(row["t"]) + self.size)]
            self.drop_if(group, not self.windows[group])

    def emit_running(self, touched, reached, rows, retracted):
        for group in list(self.windows):
            last = max(row["t"] for row in self.windows[group])
            closes = self.retain is not None and self.is_over(last + self.retain)
            if reached if self.mode == "complete" else group in touched or closes and self.final:
                self.put(group, (None, None), self.windows[group], closes and self.final, rows,
                         retracted)
            self.drop_if(group, closes)

    def drop_if(self, group, is_gone):
        if is_gone:
            del self.windows[group]
            columns = list(zip(self.fields, group))
            plain = len(group) == 1 and group[0] is not None
            self.sent.pop(group[0] if plain else model.text_of(columns), None)

    def emit_all(self, touched, reached):
        rows, retracted = [], []
        emit = {"cumulate": self.emit_cumulate, "rolling": self.emit_rolling,
                "running": self.emit_running, "session": self.emit_sessions}[self.kind]
        emit(touched, reached, rows, retracted)
        return [line for _, line in sorted(retracted) + sorted(rows)]

    def late_lines(self, row, window, before):
        bounds = [] if window[0] is None else [
            "  sluice.window_start: %d" % window[0], "  sluice.window_end: %d" % window[1]]
        return ["~ => " + row["text"], "  …", *bounds, "  sluice.watermark: %d" % before, "  …"]


if __name__ == "__main__":
    model.main(Case)
