"""Late records in the pipelines of scripts/: with one partition and batches cut by their number of records
alone, Python knows which watermark judged each record. What is in time, what is late, and what the late
topic holds is compared exactly."""
import random

import oracles
import scripted
from oracles import HOUR, MINUTE, SECOND

RECORDS, BATCH = 3000, 70


def delayed(events, seed=61):
    """In one partition; one in ten comes up to three hours too late."""
    pick, placed = random.Random(seed), []
    for event in sorted(events, key=lambda e: e.time + (pick.randrange(3 * HOUR) if pick.random() < 0.1 else 0)):
        placed.append(oracles.Placed(event.time, 0, len(placed), event.row, oracles.bytes_of(event.row)))
    return placed


def batches(placed, delay):
    """(watermark at its start, its records, watermark at its end) of each batch."""
    watermark = float("-inf")
    for first in range(0, len(placed), BATCH):
        batch = placed[first:first + BATCH]
        moved = max(watermark, max(one.time for one in batch) - delay)
        yield watermark, batch, moved
        watermark = moved


def judge(placed, delay, gone):
    """Split by whether `gone(time)` <= the watermark of the batch: (in time, late)."""
    verdicts = [(one, gone(one.time) <= watermark) for watermark, batch, _ in batches(placed, delay)
                for one in batch]
    return [one for one, late in verdicts if not late], [one for one, late in verdicts if late]


class LateTest(scripted.ScriptCase):
    def runs(self, name, placed, source, *settings):
        """Run with each number of workers; yields (names of topics, summary)."""
        topic = self.topic(name=source)
        self.fill(topic, placed)
        for workers in 1, 4:
            with self.subTest(workers=workers):
                names = self.script(name, **{source: topic})
                yield names, self.run_script(name, f"source.max_records={BATCH}", *settings, workers=workers)

    def check_late(self, topic, late):
        """The records' own bytes, once each, with their places."""
        kept = [(int(dict(r.headers)["sluice.offset"]), r.value) for r in self.client.consume(topic)]
        self.assertEqual(sorted(kept), sorted((one.offset, one.value) for one in late))

    def test_late_rides(self):
        made = oracles.rides(RECORDS, random.Random(62), 0)
        placed = delayed([oracles.Event(one.time, one.row) for one in made])
        beats = [one for one in placed if one.row["event_type"] == "heartbeat"]
        large = [one for one in placed if (one.row.get("amount") or 0) >= 80]
        in_time, late = judge(placed, 10 * SECOND, lambda t: t // MINUTE * MINUTE + MINUTE + 40 * SECOND)
        in_time, late = ([one for one in some if one not in beats] for some in (in_time, late))
        self.assertGreater(len(late), 100)
        wanted = [{"event_type": kind, "window_start": start, "window_end": start + MINUTE,
                   "event_count": len(rows), "revenue": oracles.total(rows, "amount")}
                  for (kind, start), rows in oracles.grouped(in_time, "event_type", MINUTE).items()]
        copies = [{"event_id": one.row["event_id"], "user_id": one.row["user_id"], "amount": one.row["amount"],
                   "fee": one.row["amount"] * 0.02, "at": one.time} for one in large]
        lost = [one for one in late if one not in large]
        for names, summary in self.runs("late_rides", placed, "ride_events", "flush=true"):
            self.check_rows(self.rows(names["ride_counts_by_minute"]), wanted)
            self.check_rows(self.rows(names["large_payments"]), copies)
            self.check_late(names["late_rides"], late)
            self.check_source(summary, RECORDS, late=len(lost),
                              filtered=sum(one not in large for one in beats))

    def test_ride_revenue(self):
        made = oracles.payments(RECORDS, random.Random(63))
        placed = delayed([oracles.Event(one.time, one.row) for one in made])
        in_time, late = judge(placed, 2 * MINUTE, lambda t: t // HOUR * HOUR + HOUR + 10 * MINUTE)
        self.assertGreater(len(late), 50)
        wanted = oracles.ride_revenue(in_time)
        for names, summary in self.runs("ride_revenue", placed, "ride_payments", "flush=true"):
            rows = self.rows(names["ride_revenue"])
            self.check_rows([dict(row, deviation=0) for row in rows], [dict(row, deviation=0) for row in wanted])
            self.check_late(names["ride_payments_late"], late)
            self.check_source(summary, RECORDS, late=len(late))

    def test_dedup(self):
        made = oracles.repeats(RECORDS, random.Random(64))
        placed = delayed([oracles.Event(one.time, one.row) for one in made])
        placed = [one._replace(time=one.row["ts"]) for one in placed]
        seen, passed, late = {}, [], []
        for watermark, batch, _ in batches(placed, 10 * MINUTE):
            for one in batch:
                name = one.row["event_id"]
                if one.time + HOUR <= watermark:
                    late.append(one)
                elif name not in seen or seen[name] + HOUR <= watermark:
                    seen[name] = one.time
                    passed.append(one.row)
        self.assertGreater(len(late), 50)
        for names, summary in self.runs("dedup", placed, "ride_events"):
            self.check_rows(self.rows(names["ride_events_unique"]), passed)
            self.check_late(names["ride_events_late"], late)
            self.check_source(summary, RECORDS, late=len(late),
                              duplicate=RECORDS - len(late) - len(passed))

    def test_sessions(self):
        """A row is judged by its own window; it never wakes a session that was sent."""
        made = oracles.clicks(RECORDS, random.Random(65))
        placed = delayed([oracles.Event(one.time, one.row) for one in made])
        gap, live, wanted, late = 30 * MINUTE, [], [], 0
        for watermark, batch, moved in batches(placed, MINUTE):
            in_time = [one for one in batch if one.time + gap > watermark]
            late += len(batch) - len(in_time)
            for one in in_time:
                mine = [s for s in live if s[0].row["user_id"] == one.row["user_id"] and one.time <= s[1] + gap
                        and s[2] <= one.time + gap]
                live = [s for s in live if s not in mine]
                rows = [row for s in mine for row in s[3]] + [one]
                times = [row.time for row in rows]
                live.append((one, max(times), min(times), rows))
            done = [s for s in live if s[1] + gap <= moved]
            live = [s for s in live if s[1] + gap > moved]
            wanted += [oracles.sessions(s[3]) for s in done]
        wanted += [oracles.sessions(s[3]) for s in live]
        self.assertGreater(late, 50)
        for names, summary in self.runs("sessions", placed, "clicks", "flush=true"):
            self.check_rows(self.rows(names["sessions"]), [row for rows in wanted for row in rows])
            self.check_source(summary, RECORDS, late=late)

    def test_top_drivers(self):
        made = oracles.rides(RECORDS, random.Random(66), 0)
        placed = delayed([oracles.Event(one.time, one.row) for one in made])
        in_time, late = judge(placed, MINUTE, lambda t: t // HOUR * HOUR + HOUR)
        late = [one for one in late if one.row["event_type"] == "ride_completed"]
        other = sum(one.row["event_type"] != "ride_completed" for one in placed)
        self.assertGreater(len(late), 10)
        for names, summary in self.runs("top_drivers", placed, "ride_events", "flush=true"):
            self.check_rows(self.view(names["top_drivers"]), oracles.top_drivers(in_time))
            self.check_source(summary, RECORDS, late=len(late), filtered=other)
