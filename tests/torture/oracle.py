"""What must be in the outputs, worked out from the input topic alone, and what is wrong with what is there.
Shares no code with sluice; the rules are those of docs/semantics.md, the shape of the input generate.py's.

    copy     every good record once, in the order of its partition; what is too large for the topic is in the
             quarantine instead
    append   every closed window once, with exactly these values, in the order of their ends
    sessions the same
    distinct every key once, with the first row that a partition had of it
    update   where each batch was cut is read off the copy beside it (the time of a Kafka record is that
             of its batch): then every group that a batch touched must have come out once, with exactly
             the values that it has at this cut. A state that went back, a batch that counted twice or a
             transaction torn in two cannot hide behind a later row
    late, quarantine   every late pair and every bad record once, with its own bytes

Rows say which text of the script made them (changes.py): one that may not take over has made none, and along
the input texts follow each other as they were saved. A column that a change has brought and that was filled is
what the same was that has been there from the start; one that began empty has seen at most as much.
"""
import json
import re
from collections import Counter, defaultdict, namedtuple
from dataclasses import dataclass

import generate

Event = namedtuple("Event", "partition offset id key user value time wide pad")
Place = namedtuple("Place", "partition offset")
GROUPS = 1_500            # of the pipelines whose state is more than their memory
TRIES = 3                 # records of one key of `distinct`

LATE_BEFORE = generate.START - generate.HOUR // 2
KINDS = ("lost", "doubled", "wrong", "disordered")
BROUGHT = re.compile(r"(filled|new)_(n|sum|first)_\d+")   # by a change


class Findings:
    """Counts by kind, and the first few of each in words."""

    def __init__(self, texts=(0,)):
        """`texts`: of which rows may be."""
        self.counts, self.examples, self.checked = Counter(), [], Counter()
        self.texts = texts

    def add(self, kind, what):
        assert kind in KINDS
        self.counts[kind] += 1
        if self.counts[kind] <= 5:
            self.examples.append(f"{kind}: {what}")

    def total(self):
        return sum(self.counts.values())


class Input:
    """The input topic, sorted into good, late and bad."""

    def __init__(self, records):
        self.good, self.bad = {}, {}
        for record in records:
            place = Place(record.partition, record.offset)
            event = read_event(place, record.value)
            if event:
                self.good[place] = event
            else:
                self.bad[place] = record.value
        self.values = {Place(r.partition, r.offset): r.value for r in records}
        self.late = {place for place, event in self.good.items() if event.time < LATE_BEFORE}

    def in_time(self):
        return [event for place, event in self.good.items() if place not in self.late]


def read_event(place, value):
    try:
        row = json.loads(value)
    except ValueError:
        return None
    if not all(isinstance(row.get(name), kind) for name, kind in (("id", int), ("k", str), ("ts", int))):
        return None
    return Event(place.partition, place.offset, row["id"], row["k"], row.get("u"), row.get("v"), row["ts"],
                 row["w"], row.get("pad"))


def long_key(number):
    """As the pipelines make it: it is the keys that fill the memory."""
    return "k" * 150 + str(number)


@dataclass(frozen=True)
class Windows:
    """What a pipeline groups by, and its windows."""
    size: int
    every: int = 0
    is_wide: bool = False     # by the time `w`, and by long keys

    @property
    def column(self):
        return "g" if self.is_wide else "k"

    def time(self, event):
        return event.wide if self.is_wide else event.time

    def key(self, event):
        return long_key(event.id % GROUPS) if self.is_wide else event.key

    def starts(self, event):
        return starts(self.time(event), self.size, self.every)

    def group(self, key, start):
        return Group(key, start, self.size, self.column)


@dataclass(frozen=True)
class Sessions:
    """Each record begins one, which may turn out to be part of another."""
    gap: int

    def starts(self, event):
        return [event.time]


def starts(time, size, every):
    """Of the windows that a time lies in."""
    start = time // every * every
    while start > time - size:
        yield start
        start -= every


class Group:
    """One key in one window, as rows come in."""

    def __init__(self, key, start, size, column="k"):
        self.key, self.bounds = key, {column: key, "window_start": start, "window_end": start + size}
        self.counts = [0] * generate.PARTITIONS
        self.sum = self.most = self.least = None
        self.mix, self.users, self.first, self.last = 0, set(), [], None

    def add(self, event, time):
        self.counts[event.partition] += 1
        if event.value is not None:
            self.sum = (self.sum or 0) + event.value
            self.most = event.value if self.most is None else max(self.most, event.value)
            self.least = event.value if self.least is None else min(self.least, event.value)
            self.mix += event.value * 31
        if event.user is not None:
            self.users.add(event.user)
        place = (time, event.partition, event.offset, event.id)
        self.first = sorted(self.first + [place])[:4]
        self.last = max(self.last or place, place)

    def firsts(self):
        return [number for *_, number in self.first]


def update_row(group):
    n0, n1, n2 = group.counts
    return dict(group.bounds, n0=n0, n1=n1, n2=n2, sum=group.sum, most=group.most, mix=group.mix % 1_000_003,
                users=len(group.users), first=group.firsts())


def append_row(group):
    return dict(group.bounds, n=sum(group.counts), sum=group.sum, mix=group.mix % 1_000_003,
                users=len(group.users), first=group.firsts())


def parts_row(group):
    return dict(group.bounds, n=sum(group.counts), sum=group.sum, most=group.most, least=group.least,
                first=group.first[0][-1], last=group.last[-1])


# -- checks of one topic each: `records` as read with read_committed, by partition and offset

def check_copy(records, source, found, refused=()):
    """Returns {Kafka time: [Place]}: the batches. `refused`: places of what the topic does not take."""
    seen, last, texts, batches = Counter(), {}, {}, defaultdict(list)
    for record in records:
        row = record.json()
        place = Place(row["p"], row["o"])
        seen[place] += 1
        if seen[place] > 1:
            found.add("doubled", f"copy of {place}, again at {where(record)}")
            continue
        if place not in source.good or source.good[place].id != row["id"] or place in refused:
            found.add("wrong", f"copy {row} at {where(record)}: not in the input, or too large")
            continue
        if last.get(place.partition, -1) > place.offset:
            found.add("disordered", f"copy of {place} behind that of offset {last[place.partition]}")
        last[place.partition] = place.offset
        batches[record.timestamp].append(place)
        check_text(row, f"copy of {place} at {where(record)}", found)
        if texts.get(place.partition, 0) > row["text"]:
            found.add("disordered", f"copy of {place} by text {row['text']}, behind one by {texts[place.partition]}")
        texts[place.partition] = row["text"]
    report_lost([place for place in source.good if place not in refused], seen, "copy of", found)
    found.checked["copy"] += len(records)
    return batches


def check_places(records, wanted, source, what, found):
    """Records with the original's place in their headers; `wanted`: of (Place, window's start or None)."""
    seen = Counter()
    for record in records:
        headers = dict(record.headers)
        place = Place(int(headers["sluice.partition"]), int(headers["sluice.offset"]))
        start = headers.get("sluice.window_start")
        one = (place, int(start) if start else None)
        seen[one] += 1
        if one not in wanted:
            found.add("wrong", f"{what} {one} at {where(record)}: should not be there")
        elif seen[one] > 1:
            found.add("doubled", f"{what} {one}, again at {where(record)}")
        elif record.value != source.values[place]:
            found.add("wrong", f"{what} {one}: {record.value[:80]!r}, in the input {source.values[place][:80]!r}")
    report_lost(wanted, seen, what, found)
    found.checked[what] += len(records)


def check_quarantine(records, source, found, refused=()):
    """Bad records, and rows that a topic did not take, in the sink's words."""
    of_rows = [record for record in records if dict(record.headers)["sluice.kind"] == b"refused"]
    check_places([record for record in records if record not in of_rows],
                 {(place, None) for place in source.bad}, source, "quarantine", found)
    seen = Counter()
    for record in of_rows:
        row = record.json()
        place = Place(row["p"], row["o"])
        seen[place] += 1
        if seen[place] > 1:
            found.add("doubled", f"refused {place}, again at {where(record)}")
        elif place not in refused or (row["id"], row["pad"]) != (source.good[place].id, source.good[place].pad):
            found.add("wrong", f"refused {place} at {where(record)}: should not be there, or not so")
    report_lost(refused, seen, "refused", found)
    found.checked["refused"] += len(of_rows)


def check_late(records, source, windows, found):
    wanted = {(place, start) for place in source.late for start in windows.starts(source.good[place])}
    check_places(records, wanted, source, "late", found)


def closed_groups(source, windows):
    groups = {}
    for event in source.in_time():
        if event.key != generate.END_KEY:
            for start in windows.starts(event):
                name = (windows.key(event), start)
                groups.setdefault(name, windows.group(*name)).add(event, windows.time(event))
    return groups


def sessions(source, gap):
    """Groups by key and start: what overlaps or touches is one."""
    by_key, groups = defaultdict(list), {}
    for event in source.in_time():
        if event.key != generate.END_KEY:
            by_key[event.key].append(event)
    for key, events in by_key.items():
        group = None
        for event in sorted(events, key=lambda event: event.time):
            if not group or event.time > group.bounds["window_end"]:
                group = groups[key, event.time] = Group(key, event.time, gap)
            group.bounds["window_end"] = event.time + gap
            group.add(event, event.time)
    return groups


def check_closed(records, groups, row_of, found, column="k"):
    """Each group once, as `row_of` has it."""
    seen, ends = Counter(), {}
    for record in records:
        row = record.json()
        name = (row[column], row["window_start"])
        seen[name] += 1
        if seen[name] > 1:
            found.add("doubled", f"window {name}, again at {where(record)}")
        elif name not in groups:
            found.add("wrong", f"window {name} at {where(record)}: no such group")
        else:
            compare(row, row_of(groups[name]), f"window at {where(record)}", found)
        if ends.get(record.partition, 0) > row["window_end"]:
            found.add("disordered", f"window {name} at {where(record)}: behind one that ends later")
        ends[record.partition] = max(row["window_end"], ends.get(record.partition, 0))
    report_lost(groups, seen, "window", found)
    found.checked["out"] += len(records)


def check_distinct(records, source, found):
    """Which partition comes first is up to the batches; within one it is the first record."""
    first, seen = {}, Counter()
    for place, event in sorted(source.good.items()):
        first.setdefault((event.id // TRIES, place.partition), place)
    for record in records:
        row = record.json()
        place, number = Place(row["p"], row["o"]), row["id"] // TRIES
        seen[number] += 1
        if seen[number] > 1:
            found.add("doubled", f"key {number}, again at {where(record)}")
        elif first.get((number, place.partition)) != place or source.good[place].id != row["id"]:
            found.add("wrong", f"key {number} at {where(record)}: {row} was not the first")
    report_lost({number for number, _ in first}, seen, "key", found)
    found.checked["distinct"] += len(records)


def check_update(records, source, batches, windows, found):
    """A quick batch and the next may begin in one millisecond: such a pair is taken as one batch, of which
    each group may send more than one row, each explained by a part of what came."""
    rows, groups = defaultdict(list), {}
    for record in records:
        row = record.json()
        rows[record.timestamp, row[windows.column], row["window_start"]].append((record, row))
    for time in sorted(batches):
        touched = defaultdict(list)
        for place in batches[time]:
            if place not in source.late:
                event = source.good[place]
                for start in windows.starts(event):
                    touched[windows.key(event), start].append(event)
        for name, events in touched.items():
            group = groups.setdefault(name, windows.group(*name))
            check_group(rows.pop((time, *name), []), group, events, time, windows, found)
    for (time, key, start), left in rows.items():
        found.add("wrong", f"row of {key} from {start} at {where(left[0][0])}: no batch of time {time} touched it")
    found.checked["out"] += len(records)


def check_group(rows, group, events, time, windows, found):
    """One group in one batch: one row, with what it has then. Takes the events into the group."""
    what = f"row of {group.key} from {group.bounds['window_start']}, batch of {time}"
    waiting = sorted(events, key=lambda event: event.offset)
    for record, row in rows[:-1]:
        part = [event for event in waiting if is_in(event, row, group, waiting)]
        if not part or len(part) == len(waiting):
            found.add("doubled", f"{what}, at {where(record)}, and again")
            continue
        take(group, part, waiting, windows)
        compare(row, update_row(group), f"{what}, at {where(record)}, the first of two", found)
    take(group, list(waiting), waiting, windows)
    if not rows:
        found.add("lost", what)
        return
    record, row = rows[-1]
    compare(row, update_row(group), f"{what}, at {where(record)}", found)


def is_in(event, row, group, waiting):
    """Whether a row that counts so many of each partition has this one of those that wait."""
    before = sum(other.partition == event.partition and other.offset < event.offset for other in waiting)
    return group.counts[event.partition] + before < row[f"n{event.partition}"]


def take(group, part, waiting, windows):
    for event in part:
        group.add(event, windows.time(event))
        waiting.remove(event)


# -- helpers

def compare(row, wanted, what, found):
    check_text(row, what, found)
    own = {name: value for name, value in row.items() if name != "text" and not BROUGHT.fullmatch(name)}
    if own != wanted:
        differ = {name: (own.get(name), wanted.get(name)) for name in set(own) | set(wanted)
                  if own.get(name) != wanted.get(name)}
        found.add("wrong", f"{what}: (seen, wanted) {differ}")
    for name in row.keys() - wanted.keys() - {"text"}:
        check_brought(name, row[name], wanted, what, found)


def check_text(row, what, found):
    if row["text"] not in found.texts:
        found.add("wrong", f"{what}: by text {row['text']}, which may not take over")


def check_brought(name, value, wanted, what, found):
    """What began empty may lack rows, and has none that are not there."""
    brought = BROUGHT.fullmatch(name)
    if not brought:
        return
    how, of = brought.groups()
    whole = wanted[of] if of in wanted else sum(wanted[f"n{partition}"] for partition in range(generate.PARTITIONS))
    if how == "filled" and value != whole:
        found.add("wrong", f"{what}: {name} is {value}, and would be {whole} had it been there from the start")
    if how == "new" and of == "n" and not 0 <= value <= whole:
        found.add("wrong", f"{what}: {name} is {value} of {whole} rows")


def report_lost(wanted, seen, what, found):
    for one in wanted:
        if not seen[one]:
            found.add("lost", f"{what} {one}")


def where(record):
    return f"{record.partition}:{record.offset}"


def check(kind, read, source, texts=(0,)):
    """All topics of a pipeline of a kind (kinds.py): `read` by the end of their names; rows are of these texts."""
    found, windows, batches = Findings(texts), kind.windows, {}
    refused = {place for place, event in source.good.items() if event.pad} if kind.refuses else ()
    if "copy" in read:
        batches = check_copy(read["copy"], source, found, refused)
    check_quarantine(read["quarantine"], source, found, refused)
    if "late" in read:
        check_late(read["late"], source, windows, found)
    if "out" in read:
        check_update(read["out"], source, batches, windows, found)
    if "closed" in read:
        check_closed(read["closed"], closed_groups(source, windows), kind.row, found, windows.column)
    if "sessions" in read:
        check_closed(read["sessions"], sessions(source, windows.gap), append_row, found)
    if "distinct" in read:
        check_distinct(read["distinct"], source, found)
    return found
