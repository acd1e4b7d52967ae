"""Every pipeline in scripts/ against a real Kafka: events over four partitions, out of order within the
script's delay, in many batches, with 1 and 4 workers; what comes out is compared exactly with an answer
that Python works out on its own (oracles.py). SLUICE_E2E_RECORDS sets how many records."""
import collections
import json
import random

import oracles
import scripted
from scripted import RECORDS

WORKERS = (1, 4)


class WindowsTest(scripted.ScriptCase):
    def run_all(self, name, placed, source, out, *settings, **counters):
        """Run with each number of workers; yields the output topic of each run. They are the same to the
        byte, in each partition in the same order."""
        topic, runs = self.topic(oracles.PARTITIONS, name=source), []
        self.fill(topic, placed)
        for workers in WORKERS:
            with self.subTest(workers=workers):
                names = self.script(name, **{source: topic})
                summary = self.run_script(name, *settings, workers=workers)
                self.check_source(summary, len(placed), **counters)
                runs.append([(r.partition, r.key, r.value) for r in self.client.consume(names[out])])
                yield names[out]
        self.assertTrue(runs[0] == runs[1], "workers change what comes out")

    def test_sessions(self):
        placed = oracles.clicks(RECORDS, random.Random(1))
        wanted = oracles.sessions(placed)
        self.assertGreater(len(wanted), RECORDS / 20)
        for out in self.run_all("sessions", placed, "clicks", "sessions", "flush=true"):
            self.check_rows(self.rows(out), wanted)

    def test_funnel(self):
        placed = oracles.clicks(RECORDS, random.Random(2), actions=True)
        wanted = oracles.funnel(placed)
        self.assertGreater(sum(row["paid"] for row in wanted), 3)
        for out in self.run_all("funnel", placed, "clicks", "funnel", "flush=true"):
            self.check_rows(self.rows(out), wanted)

    def test_top_drivers(self):
        placed = oracles.rides(RECORDS, random.Random(3), 50_000)
        kept = sum(one.row["event_type"] == "ride_completed" for one in placed)
        wanted = oracles.top_drivers(placed)
        for out in self.run_all("top_drivers", placed, "ride_events", "top_drivers", "flush=true",
                                filtered=RECORDS - kept):
            self.check_rows(self.view(out), wanted)

    def test_latency_quantiles(self):
        placed = oracles.requests(RECORDS, random.Random(4))
        wanted = {(w["service"], w["window_start"]): w for w in oracles.latency_quantiles(placed)}
        for out in self.run_all("latency_quantiles", placed, "requests", "latency_quantiles", "flush=true"):
            rows = self.rows(out)
            for row in rows:
                exact = wanted[row["service"], row["window_start"]]
                for name in "p50", "p95", "p99":
                    share = 0.01 if row["requests"] > 16 else 0
                    self.assertLessEqual(abs(row[name] - exact[name]), share * exact[name] * (1 + 1e-9),
                                         (name, row, exact))
                    row[name] = exact[name]
            self.check_rows(rows, wanted.values())

    def test_ride_revenue(self):
        placed = oracles.payments(RECORDS, random.Random(5))
        wanted = {(w["method"], w["window_start"]): w for w in oracles.ride_revenue(placed)}
        hours = collections.Counter(w["hour"] for w in wanted.values())
        self.assertEqual(hours["2023-11-05 01:00"], 6)  # two hours of that name
        for out in self.run_all("ride_revenue", placed, "ride_payments", "ride_revenue", "flush=true"):
            rows = self.rows(out)
            for row in rows:
                exact = wanted[row["method"], row["window_start"]]
                if exact["deviation"] is not None:
                    self.assertLess(abs(row["deviation"] / exact["deviation"] - 1), 1e-12)
                    row["deviation"] = exact["deviation"]
            self.check_rows(rows, wanted.values())

    def test_alerts(self):
        placed = oracles.card_payments(RECORDS, random.Random(6))
        wanted = oracles.alerts(placed)
        self.assertGreater(len(wanted), 50)
        for out in self.run_all("alerts", placed, "ride_payments", "card_alerts"):
            self.check_rows(self.view(out), wanted)
            taken_back = [r for r in self.client.consume(out) if r.value is None]
            self.assertGreater(len(taken_back), 20)
            self.check_taken_back(out)

    def check_taken_back(self, out):
        """A key is taken back only while it stands."""
        standing = set()
        for record in self.client.consume(out):
            if record.value is None:
                self.assertIn(record.key, standing)
                standing.remove(record.key)
            else:
                standing.add(record.key)

    def test_rolling_revenue(self):
        placed = oracles.rides(RECORDS, random.Random(7), 50_000)
        wanted = oracles.rolling_revenue(placed)
        for out in self.run_all("rolling_revenue", placed, "ride_events", "rolling_revenue"):
            self.check_rows(self.view(out), wanted)
            self.assertEqual({r.key.decode() for r in self.client.consume(out)}, set(oracles.CITIES))

    def test_running_totals(self):
        placed = oracles.years_of_rides(RECORDS, random.Random(8))
        wanted = oracles.running_totals(placed)
        sure = {user: row for user, row in wanted.items() if row}
        self.assertGreater(len(sure), len(wanted) / 2)
        for out in self.run_all("running_totals", placed, "ride_events", "user_running_totals"):
            view = {row["user_id"]: row for row in self.view(out)}
            self.assertEqual(set(view), set(wanted))
            self.check_rows([view[user] for user in sure], sure.values())

    def test_spread(self):
        placed = oracles.rides(RECORDS, random.Random(9), 50_000)
        wanted = oracles.spread(placed)
        for out in self.run_all("spread", placed, "ride_events", "ride_spreads"):
            self.check_rows(self.view(out), wanted)

    def test_ride_counts(self):
        placed = oracles.rides(RECORDS, random.Random(10), 9 * 60_000)
        heartbeats = sum(one.row["event_type"] == "heartbeat" for one in placed)
        wanted = oracles.ride_counts(placed)
        for out in self.run_all("ride_counts", placed, "ride_events", "ride_event_counts",
                                filtered=heartbeats):
            self.check_rows(self.view(out), wanted)


class RecordsTest(scripted.ScriptCase):
    def test_dedup(self):
        placed = oracles.repeats(RECORDS, random.Random(11))
        wanted = oracles.dedup(placed)
        self.assertLess(len(wanted), 0.85 * RECORDS)
        topic = self.topic(oracles.PARTITIONS, name="ride_events")
        self.fill(topic, placed)
        for workers in WORKERS:
            with self.subTest(workers=workers):
                names = self.script("dedup", ride_events=topic)
                summary = self.run_script("dedup", workers=workers)
                self.check_source(summary, RECORDS, duplicate=RECORDS - len(wanted))
                records = self.client.consume(names["ride_events_unique"])
                self.check_rows([r.json() for r in records], wanted)
                for record in records:
                    self.assertEqual(record.key.decode(), record.json()["user_id"])
                self.assertEqual(self.rows(names["ride_events_late"]), [])

    def header(self, record, name):
        return dict(record.headers).get("sluice." + name, b"").decode()

    def test_clean(self):
        pick = random.Random(12)
        made = [oracles.raw_ride(pick, number) for number in range(RECORDS)]
        values = [(json.dumps(row).encode(), field) for row, field in made]
        values[100:100] = [(b"{", ""), (b"\xff\x00", ""), (None, "event_id")]
        topic = self.topic(oracles.PARTITIONS, name="raw")
        records = [{"value": value, "key": f"k{n}", "partition": n % oracles.PARTITIONS}
                   for n, (value, _) in enumerate(values)]
        for first in range(0, len(records), 20_000):
            self.client.produce(topic, records[first:first + 20_000])
        wanted = [oracles.clean(row) for row, field in made if not field]
        bad = {f"k{n}": (value, field) for n, (value, field) in enumerate(values) if field is not None}
        for workers in WORKERS:
            with self.subTest(workers=workers):
                names = self.script("clean", ride_events_raw=topic)
                summary = self.run_script("clean", workers=workers)
                self.check_source(summary, len(values), quarantined=len(bad), filtered=wanted.count(None))
                out = self.client.consume(names["ride_events"])
                self.check_rows([r.json() for r in out], [row for row in wanted if row])
                self.assertEqual([r.key.decode() for r in out], [r.json()["user_id"] for r in out])
                kept = {r.key.decode(): (r.value, self.header(r, "field"))
                        for r in self.client.consume(names["ride_events_bad"])}
                self.assertEqual(kept, bad)

    def test_redrive(self):
        """scripts/ride_counts.lua sets aside what it cannot read; amounts as text come back as numbers."""
        source = self.topic(oracles.PARTITIONS, name="ride_events")
        good = {"event_id": "e", "user_id": "u", "event_type": "ride_completed", "amount": 5, "ts": 1}
        cases = {"good": good, "text": dict(good, amount="12.50"), "word": dict(good, amount="a lot"),
                 "large": dict(good, amount=501), "flag": dict(good, amount=True),
                 "time": dict(good, ts="now"), "nobody": dict(good, user_id=None)}
        values = {f"{name}-{n}": json.dumps(dict(row, event_id=f"e-{n}")).encode()
                  for n, (name, row) in enumerate(list(cases.items()) * (RECORDS // 50))}
        values["cut"] = b'{"event_id":"e'
        self.client.produce(source, [{"value": value, "key": key, "partition": n % oracles.PARTITIONS}
                                     for n, (key, value) in enumerate(values.items())])
        counts = self.script("ride_counts", ride_events=source)
        summary = self.run_script("ride_counts", "source.max_bad_share=1")
        good_ones = sum(key.startswith("good") for key in values)
        self.check_source(summary, len(values), quarantined=len(values) - good_ones)
        quarantine = counts["name"] + "-quarantine"
        for workers in WORKERS:
            with self.subTest(workers=workers):
                names = self.script("redrive", **{"ride-counts-quarantine": quarantine})
                summary = self.run_script("redrive", "source.max_bad_share=1", workers=workers)
                mended = {key: json.loads(v) for key, v in values.items() if key.startswith("text")}
                words = sum(key.startswith("word") for key in values)
                hopeless = {key: value for key, value in values.items()
                            if key.split("-")[0] not in ("good", "text", "word")}
                self.check_source(summary, len(values) - good_ones, filtered=words, quarantined=len(hopeless))
                out = {r.key.decode(): r.json() for r in self.client.consume(names["ride_events"])}
                self.assertEqual(out, {key: dict(row, amount=12.5) for key, row in mended.items()})
                dead = {r.key.decode(): r.value for r in self.client.consume(names["ride-dead-letters"])}
                self.assertEqual(dead, hopeless)
