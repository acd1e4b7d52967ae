"""The oracle itself: it passes outputs that are right, and sees every kind of damage to them."""
import copy
import json
import random
import tempfile
import unittest

import generate
import oracle
from client import Record

WINDOWS = oracle.Windows(20_000, 10_000)
GAP = 500
BATCH = 60
TOPICS = ("copy", "late", "quarantine", "append", "update", "sessions", "distinct")


class Written(list):
    """A topic of three partitions in memory."""

    def __init__(self):
        super().__init__()
        self.ends = [0] * generate.PARTITIONS

    def put(self, partition, row, time=0, headers=()):
        value = row if isinstance(row, bytes) else json.dumps(row).encode()
        self.append(Record(partition, self.ends[partition], time, None, value, list(headers)))
        self.ends[partition] += 1

    def read(self):
        return sorted(self, key=lambda r: (r.partition, r.offset))


class Filled:
    """Takes what the generator writes."""

    def __init__(self):
        self.topic = Written()

    def produce_lines(self, _, path, partition):
        with open(path, "rb") as file:
            for line in file:
                self.topic.put(partition, line.rstrip(b"\n"))


def place_headers(record, start=None):
    headers = [("sluice.partition", str(record.partition).encode()), ("sluice.offset", str(record.offset).encode()),
               ("sluice.kind", b"bad" if start is None else b"late")]
    return headers + ([("sluice.window_start", str(start).encode())] if start is not None else [])


class Right:
    """The outputs of a program without faults: batches cut at random, everything straightforward."""

    def __init__(self, source_records, seed=3):
        self.copy, self.late, self.quarantine = Written(), Written(), Written()
        self.update, self.append, self.sessions, self.distinct = (Written() for _ in range(4))
        self.seen = set()
        source, pick = oracle.Input(source_records), random.Random(seed)
        waiting, groups, time = [list() for _ in range(generate.PARTITIONS)], {}, 1
        for record in source_records:
            waiting[record.partition].append(record)
        self.batches = 0
        while any(waiting):
            batch = [queue.pop(0) for queue in waiting for _ in range(min(len(queue), pick.randrange(1, BATCH // 3)))]
            self.run_batch(batch, source, groups, time)
            self.batches += 1
            time += 7
        closed = [group for (key, _), group in groups.items() if key != generate.END_KEY]
        for written, groups in (self.append, closed), (self.sessions, oracle.sessions(source, GAP).values()):
            for number, group in enumerate(sorted(groups, key=lambda group: group.bounds["window_end"])):
                written.put(number % generate.PARTITIONS, dict(oracle.append_row(group), text=0))

    def run_batch(self, batch, source, groups, time):
        touched = {}
        for record in batch:
            place = oracle.Place(record.partition, record.offset)
            if place in source.bad:
                self.quarantine.put(0, record.value, time, place_headers(record))
                continue
            event = source.good[place]
            row = {"p": place.partition, "o": place.offset, "id": event.id, "text": 0}
            self.copy.put(place.partition, row, time)
            if event.pad:
                self.quarantine.put(0, dict(row, pad=event.pad), time, [("sluice.kind", b"refused")])
            if event.id // oracle.TRIES not in self.seen:
                self.seen.add(event.id // oracle.TRIES)
                self.distinct.put(0, row, time)
            for start in WINDOWS.starts(event):
                if place in source.late:
                    self.late.put(0, record.value, time, place_headers(record, start))
                    continue
                name = (event.key, start)
                groups.setdefault(name, WINDOWS.group(*name)).add(event, event.time)
                touched[name] = groups[name]
        for (key, start), group in touched.items():
            self.update.put(hash((key, start)) % generate.PARTITIONS, dict(oracle.update_row(group), text=0), time)


def change(record, **columns):
    record.value = json.dumps(dict(record.json(), **columns)).encode()


class OracleTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        filled = Filled()
        with tempfile.TemporaryDirectory() as folder:
            generator = generate.Generator(filled, "input", folder, seed=1)
            for _ in range(12):
                generator.write(200)
            generator.end()
        cls.records = filled.topic.read()

        cls.source, cls.written = oracle.Input(cls.records), Right(cls.records)

    def setUp(self):
        self.right = copy.deepcopy(self.written)

    def findings(self, texts=(0,)):
        found, right = oracle.Findings(texts), self.right
        refused = {place for place, event in self.source.good.items() if event.pad}
        batches = oracle.check_copy(right.copy.read(), self.source, found)
        oracle.check_update(right.update.read(), self.source, batches, WINDOWS, found)
        oracle.check_closed(right.append.read(), oracle.closed_groups(self.source, WINDOWS), oracle.append_row,
                            found)
        oracle.check_late(right.late.read(), self.source, WINDOWS, found)
        oracle.check_closed(right.sessions.read(), oracle.sessions(self.source, GAP), oracle.append_row, found)
        oracle.check_distinct(right.distinct.read(), self.source, found)
        oracle.check_quarantine(right.quarantine.read(), self.source, found, refused)
        return found

    def check(self, **kinds):
        """Exactly these kinds of faults are seen."""
        found = self.findings()
        self.assertEqual({kind for kind, count in found.counts.items() if count}, set(kinds), found.examples)
        for kind, least in kinds.items():
            self.assertGreaterEqual(found.counts[kind], least, found.examples)

    def test_what_is_right_passes(self):
        found = self.findings()
        self.assertEqual(found.examples, [])
        self.assertGreater(len(self.source.bad), 10)
        self.assertGreater(len(self.source.late), 10)
        self.assertGreater(self.right.batches, 50)
        self.assertGreater(found.checked.pop("refused"), 1)
        self.assertGreater(min(found.checked.values()), 10)

    def test_a_record_too_few(self):
        for topic in TOPICS:
            with self.subTest(topic=topic):
                self.setUp()
                del getattr(self.right, topic)[7]
                # without its copy, the oracle cannot know that the batch had the record
                self.check(lost=1, wrong=1) if topic == "copy" else self.check(lost=1)

    def test_a_record_twice(self):
        for topic in TOPICS:
            with self.subTest(topic=topic):
                self.setUp()
                written = getattr(self.right, topic)
                again = written[7]
                written.put(again.partition, again.value, again.timestamp, again.headers)
                found = self.findings()
                self.assertEqual(found.counts["doubled"], 1, found.examples)

    def test_a_whole_batch_twice(self):
        time = self.right.copy[500].timestamp
        for written in self.right.copy, self.right.update:
            for record in [one for one in written if one.timestamp == time]:
                written.put(record.partition, record.value, 10_000_000, record.headers)
        found = self.findings()
        self.assertGreater(found.counts["doubled"], 5)

    def test_the_batch_counted_twice_in_the_state(self):
        """Rows behind it are too high, although each came out once."""
        at = len(self.right.update) // 2
        for record in self.right.update[at:at + 30]:
            record.value = json.dumps(dict(record.json(), n0=record.json()["n0"] + 1)).encode()
        self.check(wrong=30)

    def test_a_state_that_went_back(self):
        """A batch's rows are as they would be had the batch before it not been."""
        times = sorted({record.timestamp for record in self.right.update})
        lost, behind = times[40], times[41]
        before = {(r.json()["k"], r.json()["window_start"]): r for r in self.right.update if r.timestamp < lost}
        changed = 0
        for record in self.right.update:
            if record.timestamp == behind:
                old = before.get((record.json()["k"], record.json()["window_start"]))
                if old:
                    changed += old.value != record.value
                    record.value = old.value
        self.assertGreater(changed, 5)
        self.check(wrong=changed)

    def test_two_batches_of_one_millisecond(self):
        """They count as one, and their rows are still held to what had come."""
        times = sorted({record.timestamp for record in self.right.update})
        first, second = times[30], times[31]
        for topic in self.right.copy, self.right.update:
            for record in topic:
                record.timestamp = first if record.timestamp == second else record.timestamp
        self.check()
        twice = [r for r in self.right.update if r.timestamp == first]
        names = [(r.json()["k"], r.json()["window_start"]) for r in twice]
        again = next(r for r, name in zip(twice, names) if names.count(name) > 1)
        again.value = json.dumps(dict(again.json(), sum=(again.json()["sum"] or 0) + 1)).encode()
        self.check(wrong=1)

    def test_a_torn_transaction(self):
        """The copies of a batch without its rows, and the other way round."""
        time = self.right.update[len(self.right.update) // 2].timestamp
        torn = [record for record in self.right.update if record.timestamp == time]
        self.right.update[:] = [record for record in self.right.update if record.timestamp != time]
        self.check(lost=len(torn))
        self.setUp()
        self.right.copy[:] = [record for record in self.right.copy if record.timestamp != time]
        self.assertGreater(self.findings().counts["lost"], 5)

    def test_order(self):
        copies = [record for record in self.right.copy if record.partition == 1]
        copies[40].value, copies[41].value = copies[41].value, copies[40].value
        found = self.findings()
        self.assertGreaterEqual(found.counts["disordered"], 1)
        self.setUp()
        ends = [record for record in self.right.append if record.partition == 1]
        ends[0].value, ends[-1].value = ends[-1].value, ends[0].value
        self.assertGreaterEqual(self.findings().counts["disordered"], 1)

    def test_a_wrong_value(self):
        for name in "sum", "most", "users", "n1", "first":
            with self.subTest(name=name):
                self.setUp()
                record = self.right.update[250]
                row = record.json()
                row[name] = row[name][:-1] if name == "first" else (row[name] or 0) + 1
                record.value = json.dumps(row).encode()
                self.check(wrong=1)

    def test_a_row_of_a_text_that_may_not_take_over(self):
        for topic in "copy", "update", "append":
            with self.subTest(topic=topic):
                self.setUp()
                change(getattr(self.right, topic)[-1], text=3)
                self.assertEqual(self.findings(texts=(0, 3)).examples, [])
                self.check(wrong=1)

    def test_a_text_that_comes_back(self):
        copies = [record for record in self.right.copy if record.partition == 1]
        for record, text in zip(copies[-3:], (3, 2, 3)):
            change(record, text=text)
        found = self.findings(texts=(0, 2, 3))
        self.assertEqual(+found.counts, {"disordered": 1}, found.examples)

    def test_a_column_that_was_brought(self):
        group = self.right.update[250].json()
        count = sum(group[f"n{partition}"] for partition in range(generate.PARTITIONS))
        for columns, wrong in (({"filled_n_4": count, "filled_first_5": group["first"]}, 0),
                               ({"filled_n_4": count - 1}, 1), ({"filled_sum_4": group["sum"] * 2}, 1),
                               ({"new_n_4": count - 1, "new_sum_6": 5}, 0), ({"new_n_4": count + 1}, 1),
                               ({"odd": 1}, 1)):
            with self.subTest(columns=columns):
                self.setUp()
                change(self.right.update[250], **columns)
                self.check(**({"wrong": 1} if wrong else {}))

    def test_another_record_of_a_key_than_the_first(self):
        again = next(record for record in self.right.distinct[9:] if record.json()["id"] % oracle.TRIES == 0)
        row = again.json()
        later = [event for event in self.source.good.values() if event.partition == row["p"]
                 and event.id // oracle.TRIES == row["id"] // oracle.TRIES and event.offset > row["o"]]
        row = dict(row, o=later[0].offset, id=later[0].id) if later else dict(row, id=row["id"] + 1)
        again.value = json.dumps(row).encode()
        self.check(wrong=1)

    def test_a_refused_row(self):
        of_rows = [one for one in self.right.quarantine if dict(one.headers)["sluice.kind"] == b"refused"]
        self.right.quarantine.remove(of_rows[0])
        self.check(lost=1)
        self.setUp()
        self.right.quarantine.put(0, of_rows[0].value, 0, of_rows[0].headers)
        self.check(doubled=1)

    def test_bytes_of_the_quarantine(self):
        bad = [one for one in self.right.quarantine if dict(one.headers)["sluice.kind"] == b"bad"]
        bad[3].value += b" "
        self.check(wrong=1)

    def test_what_was_in_time_among_the_late(self):
        record = self.records[100]
        self.right.late.put(0, record.value, 0, place_headers(record, generate.START))
        self.check(wrong=1)


if __name__ == "__main__":
    unittest.main()
