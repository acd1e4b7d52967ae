"""The walk of docs/change-it-live.md under load, exactly once: a producer sends all the time, with rows that come twice and
late ones, while the script is changed, broken, given another state, put back, and its process killed. What came out is
held to what must, worked out here from what was sent."""
import json
import os
import threading

import harness

CITIES = "Bern", "Graz", "Lyon"
BASE_MS, STEP_MS, DISORDER_MS, LATE_MS, SIZE_MS = 1_700_000_000_000, 20, 1000, 600_000, 5000

SCRIPT = """
local sluice = require "sluice"
local own = sluice.aggregate {{
   state = {{ total = 0 {field} }},
   fold = function(a, ride) a.total = a.total + ride.fare {fold} end,
   result = function(a) {check} return a.total end,
}}
return sluice.pipeline {{
   name = "{name}", checkpoint = "file:./store", {migrate}
   sluice.kafka {{ topics = "{rides}", start = "earliest" }}
      :json {{ sluice.string "id" :required(), sluice.string "city" :required(),
              sluice.int64 "fare" :required(), sluice.int64 "ts" :required() }}
      :event_time("ts", {{ delay = "2 seconds", idle = "never" }})
      :distinct {{ "id", within = "1 minute" }}
      :group_by "city"
      :window(sluice.tumbling {{ size = "{size}" }})
      :aggregate({{ rides = sluice.count(), sum = sluice.sum "fare", own = own {more} }} {fill})
      :late_to(sluice.kafka {{ topic = "{late}" }})
      :to(sluice.kafka {{ topic = "{out}", mode = "append" }}),
}}
"""
GOOD = {"field": "", "fold": "", "check": "", "migrate": "", "more": "", "fill": "", "size": "5 seconds"}
MIGRATED = {"field": ", seen = 0", "fold": "a.seen = a.seen + 1", "check": "assert(a.seen > 0)"}
DEAREST = ', dearest = sluice.max "fare"'
FILLED = DEAREST + ', again = sluice.sum "fare"'
FORTH = "migrate = { own = function(old, new) new.total, new.seen = old.total, 1 end },"
BACK = "migrate = { own = function(old, new) new.total = old.total end },"


def ride(n):
    """Row `n` of all that is sent: every twentieth is the one before once more, every fiftieth ten minutes late."""
    n -= n % 20 == 19
    ts = BASE_MS + n * STEP_MS - n * 37 % DISORDER_MS - (LATE_MS if n % 50 == 9 else 0)
    return {"id": f"r-{n}", "city": CITIES[n % 3], "fare": 5 + n * 7 % 40, "ts": ts}


class Load(threading.Thread):
    """Sends rides until it is stopped. `sent`: by partition and offset."""

    def __init__(self, client, lock, topic):
        super().__init__(daemon=True)
        self.client, self.lock, self.topic = client, lock, topic
        self.sent, self.count, self.stopping = {}, 0, threading.Event()
        self.start()

    def run(self):
        while not self.stopping.wait(0.02):
            numbers = range(self.count, self.count + 40)
            with self.lock:
                offsets = self.client.produce(self.topic, [
                    {"value": json.dumps(ride(n)), "partition": n // 5 % 4} for n in numbers])
            self.sent.update(((n // 5 % 4, offset), ride(n)) for n, offset in zip(numbers, offsets))
            self.count += len(numbers)

    def end(self):
        self.stopping.set()
        self.join()

    def go_on(self, test):
        """Let it send some windows more."""
        until = self.count + 3 * SIZE_MS // STEP_MS
        test.wait_for("more rides", lambda: self.count >= until)

    def behind_ms(self):
        """Rides that are sent from now on are of later windows."""
        return BASE_MS + self.count * STEP_MS


class StoryTest(harness.E2ETest):
    def setUp(self):
        super().setUp()
        self.name = harness.fresh("story")
        self.topics = {"rides": self.topic(4, name="rides"), "out": self.topic(2, name="out"),
                       "late": self.topic(name="late")}
        self.lock = threading.Lock()
        self.load = Load(self.client, self.lock, self.topics["rides"])
        self.addCleanup(self.load.end)

    def save(self, **parts):
        self.file("p.new", SCRIPT.format(name=self.name, **self.topics, **{**GOOD, **parts}))
        os.replace(os.path.join(self.folder, "p.new"), os.path.join(self.folder, "p.lua"))

    def begin(self):
        run = self.start("run", "p.lua", "--no-watch")
        self.wait_for("its start", lambda: "message=running" in run.err)
        return run

    def ask(self, code, text, **parts):
        """Save a text, have it loaded, and read what becomes of it."""
        self.load.go_on(self)
        self.save(**parts)
        asked = self.wait_for("an answer behind its start", self.asked)
        self.assertEqual(asked.code, code, asked.out + asked.err)
        self.assertIn(text, asked.out + asked.err)

    def asked(self):
        asked = self.run_sluice("reload", self.name)
        return None if "it is starting" in asked.err else asked

    def consume(self, name):
        with self.lock:
            return self.client.consume(self.topics[name])

    def test_nothing_is_lost_or_twice_through_all_of_it(self):
        self.save()
        run = self.begin()
        self.ask(0, "`mean` is new and starts empty", more=', mean = sluice.avg "fare"')
        self.ask(0, "`dearest` is new and starts empty", more=DEAREST)
        full_from = self.load.behind_ms()
        self.ask(0, "`again` is new and is filled", more=FILLED, fill=', { backfill = "1 minute" }')
        self.shadow(more=FILLED + " --[[ the same in other words ]]")
        self.ask(4, "maxx", more=', dearest = sluice.maxx "fare"')
        self.ask(4, "tumbling window of 5 seconds", size="5 minutes")
        self.ask(4, "migrate", **MIGRATED)
        self.wait_for("rows that are late", lambda: self.consume("late"))
        run.kill()
        run = self.begin_with(more=FILLED)
        self.ask(0, "`own` is migrated", more=FILLED, migrate=FORTH, **MIGRATED)
        run.kill()
        run = self.begin()
        self.ask(4, "migrate", more=FILLED)
        full_to = self.load.behind_ms()
        self.ask(0, "`own` is migrated", migrate=BACK)
        self.why_late()
        self.load.end()
        late = self.check_late()
        self.check_windows(late, full_from, full_to)
        self.assertEqual(run.stop(), 0, run.err)

    def begin_with(self, **parts):
        self.save(**parts)
        return self.begin()

    def shadow(self, **parts):
        """The same text does some batches beside the one that runs, and to the same."""
        self.save(**parts)
        asked = self.run_sluice("reload", self.name, "--shadow", "40", "--promote", "same")
        self.assertEqual(asked.code, 0, asked.out + asked.err)
        self.assertRegex(asked.out, r"(?m)^rows: [1-9]\d* the same$")

    def why_late(self):
        last = dict(self.consume("late")[-1].headers)
        place = ":".join(last["sluice." + part].decode() for part in ("topic", "partition", "offset"))
        asked = self.run_sluice("why", "p.lua", place)
        self.assertEqual(asked.code, 0, asked.err)
        self.assertIn("LATE", asked.out)
        self.assertIn(json.dumps(self.load.sent[int(last["sluice.partition"]), int(last["sluice.offset"])]["id"]), asked.out)

    def closed(self, late):
        """What must be out: rows by city and window, of all windows that the last watermark closes."""
        rows, high_ms = {}, {}
        for place, row in self.load.sent.items():
            high_ms[place[0]] = max(high_ms.get(place[0], 0), row["ts"])
            if place not in late:
                rows[row["id"]] = row
        windows = {}
        for row in rows.values():
            start = row["ts"] // SIZE_MS * SIZE_MS
            if start + SIZE_MS <= min(high_ms.values()) - 2000:
                windows.setdefault((row["city"], start), []).append(row["fare"])
        return windows

    def check_late(self):
        """Wait until all is out; each row that is late is told once, and none but those that were sent late."""
        self.wait_for("all to be out", self.all_out)
        places = [(int(h["sluice.partition"]), int(h["sluice.offset"]))
                  for h in (dict(record.headers) for record in self.consume("late"))]
        self.assertEqual(len(places), len(set(places)))
        self.assertEqual([p for p in places if int(self.load.sent[p]["id"][2:]) % 50 != 9], [])
        return set(places)

    def all_out(self):
        """All that was sent is committed, and readers see it: the last rows may be late, and close no window."""
        done = sum(offset for offset, _ in self.client.group_offsets(self.name).values())
        return done >= len(self.load.sent) and all(
            self.client.end_offsets(topic, read_committed=True) == self.client.end_offsets(topic)
            for topic in (self.topics["out"], self.topics["late"]))

    def check_windows(self, late, full_from, full_to):
        found, full, closed = {}, 0, self.closed(late)
        for record in self.consume("out"):
            row = record.json()
            key = row["city"], row["window_start"]
            self.assertNotIn(key, found)
            found[key] = row["rides"], row["sum"], row["own"]
            self.assertEqual(row.get("again", row["sum"]), row["sum"], key)  # filled with all that its window had
            if full_from <= key[1] and key[1] + SIZE_MS < full_to - 2 * DISORDER_MS and "dearest" in row:
                full += 1
                self.assertEqual(row["dearest"], max(closed[key]), key)
        self.assertGreater(full, 0)
        self.assertEqual(found, {key: (len(fares), sum(fares), sum(fares)) for key, fares in closed.items()})
