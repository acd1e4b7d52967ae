"""The pipelines in scripts/ on bad days: garbage among the records, ends in the middle, a broker that goes
and comes, partitions that come later, functions that throw. Results are held to oracles.py, and every record
to exactly one counter."""
import json
import random
import time
from collections import Counter

import expect
import harness
import oracles
import scripted

RECORDS = 2000
LARGE = 900_000
DISTINCT_SESSIONS = """
local sluice = require "sluice"
local sessions = sluice.kafka { topics = "clicks" }
   :json { sluice.string "click_id" :required(), sluice.string "user_id" :required(),
      sluice.string "page" :required(), sluice.timestamp("at", "iso") :required() }
   :event_time("at", { delay = "1 minute", idle = "never" })
   :distinct { "click_id", within = "2 hours" }
   :group_by "user_id"
   :window(sluice.session { gap = "30 minutes" })
   :aggregate { { clicks = sluice.count() }, { pages = sluice.count_distinct "page" },
      { entry = sluice.first "page" }, { exit = sluice.last "page" } }
   :derive { seconds = sluice.double(function(row)
      return (row.window_end - row.window_start) / 1000 - 1800
   end) }
   :to(sluice.kafka { topic = "sessions", mode = "append" })
return sluice.pipeline { name = "unique-sessions", checkpoint = "none", trigger = "continuous", sessions }
"""


def garbage(pick, row, required):
    """A value that is bad for every schema with a required field of this name."""
    good = oracles.bytes_of(row)
    return pick.choice([
        None, b"", b"[1,2]", b"null", b"\x00\x01\xff" * 9, b"\x1f\x8b\x08" + pick.randbytes(50), good + good,
        good[:pick.randrange(1, len(good))], good.replace(b'"', b"'"), b"\xef\xbb\xbf", b"[" * 5000,
        oracles.bytes_of(dict(row, **{required: [1]})), oracles.bytes_of(dict(row, **{required: {"a": 1}})),
        oracles.bytes_of(dict(row, **{required: None})), oracles.bytes_of(dict(row, **{required: True})),
        oracles.bytes_of({name: value for name, value in row.items() if name != required}),
        good[:-1] + b',"' + required.encode() + b'":1}', good[:-1] + b',"x":"\xc3("}'])


def odd(pick, row):
    """The same row, in bytes that look odd."""
    return pick.choice([
        oracles.bytes_of(dict(row, tip=1, extra={"a": [1, None, "\u20ac"]})),
        b" \r\n\t" + json.dumps(row, indent=2).encode() + b"\n",
        json.dumps({name: row[name] for name in sorted(row, reverse=True)}).encode()])


class Feed:
    """Events with garbage among them, as records for Client.produce."""

    def __init__(self, placed, required, share=0.2, seed=3):
        pick, self.records, self.bad = random.Random(seed), [], Counter()
        for number, one in enumerate(placed):
            value = odd(pick, one.row) if pick.random() < 0.2 else one.value
            if number in (100, 900):
                value = oracles.bytes_of(dict(one.row, blob=pick.randbytes(LARGE // 2).hex()))
            self.records.append({"value": value, "partition": one.partition})
            while pick.random() < share:
                self.add_bad(one.partition, garbage(pick, one.row, required))
            if number in (200, 1000):
                self.add_bad(one.partition, b'{"' + pick.randbytes(LARGE // 2).hex().encode())

    def add_bad(self, partition, value):
        self.bad[value] += 1
        self.records.append({"value": value, "partition": partition})


class GarbageTest(scripted.ScriptCase):
    def check(self, name, source, out, placed, wanted, required, *settings, view=False, topic_bad=None,
              **counters):
        feed = Feed(placed, required)
        topic = self.topic(oracles.PARTITIONS, name=source)
        self.client.produce(topic, feed.records)
        for workers in 1, 4:
            with self.subTest(workers=workers):
                names = self.script(name, **{source: topic})
                summary = self.run_script(name, *settings, workers=workers, records=RECORDS)
                self.check_source(summary, len(feed.records), quarantined=feed.bad.total(), **counters)
                bad = names[topic_bad] if topic_bad else names["name"] + "-quarantine"
                kept = self.client.consume(bad)
                self.assertEqual(Counter(record.value for record in kept), feed.bad)
                self.check_places(kept, topic, feed)
                self.check_rows(self.view(names[out]) if view else self.rows(names[out]), wanted)

    def check_places(self, kept, topic, feed):
        """Each verdict names a place, and there the topic has these bytes."""
        ends, sent = Counter(), {}
        for record in feed.records:
            sent[record["partition"], ends[record["partition"]]] = record["value"]
            ends[record["partition"]] += 1
        for record in kept:
            said = {name: value.decode() for name, value in record.headers}
            self.assertEqual(said["sluice.topic"], topic)
            at = int(said["sluice.partition"]), int(said["sluice.offset"])
            self.assertEqual(sent.pop(at), record.value)

    def test_sessions(self):
        placed = oracles.clicks(RECORDS, random.Random(21))
        self.check("sessions", "clicks", "sessions", placed, oracles.sessions(placed), "user_id", "flush=true")

    def test_funnel(self):
        placed = oracles.clicks(RECORDS, random.Random(22), actions=True)
        self.check("funnel", "clicks", "funnel", placed, oracles.funnel(placed), "action", "flush=true")

    def test_dedup(self):
        placed = oracles.repeats(RECORDS, random.Random(23))
        wanted = oracles.dedup(placed)
        self.check("dedup", "ride_events", "ride_events_unique", placed, wanted, "event_id",
                   duplicate=RECORDS - len(wanted))

    def test_top_drivers(self):
        placed = oracles.rides(RECORDS, random.Random(24), 50_000)
        other = sum(one.row["event_type"] != "ride_completed" for one in placed)
        self.check("top_drivers", "ride_events", "top_drivers", placed, oracles.top_drivers(placed), "ts",
                   "flush=true", view=True, filtered=other)

    def test_alerts(self):
        placed = oracles.card_payments(RECORDS, random.Random(25))
        self.check("alerts", "ride_payments", "card_alerts", placed, oracles.alerts(placed), "status",
                   view=True)

    def test_running_totals(self):
        placed = oracles.rides(RECORDS, random.Random(26), 9 * 60_000)
        self.check("running_totals", "ride_events", "user_running_totals", placed,
                   oracles.running_totals(placed).values(), "user_id", view=True)

    def test_clean(self):
        pick = random.Random(27)
        made = [row for row, field in (oracles.raw_ride(pick, n) for n in range(RECORDS)) if not field]
        placed = oracles.arrive([oracles.Event(row["ts"], row) for row in made], 0)
        wanted = [oracles.clean(row) for row in made]
        self.check("clean", "ride_events_raw", "ride_events", placed, [row for row in wanted if row],
                   "event_id", topic_bad="ride_events_bad", filtered=wanted.count(None))


class EndTest(scripted.ScriptCase):
    """Ended in the middle, then run again from the beginning: the results are right."""
    CASES = {
        "sessions": ("clicks", "sessions", oracles.clicks, oracles.sessions),
        "dedup": ("ride_events", "ride_events_unique", oracles.repeats, oracles.dedup),
        "alerts": ("ride_payments", "card_alerts", oracles.card_payments, oracles.alerts),
        "top_drivers": ("ride_events", "top_drivers",
                        lambda count, pick: oracles.rides(count, pick, 50_000), oracles.top_drivers)}

    def run_into(self, name, end):
        """Run until something came out, but not to the end; `end` it. Returns (names, wanted rows)."""
        source, out, make, oracle = self.CASES[name]
        placed = make(RECORDS, random.Random(31))
        topic = self.topic(oracles.PARTITIONS, name=source)
        self.fill(topic, placed)
        names = self.script(name, **{source: topic})
        run = self.start("run", name + ".lua", *harness.sets(
            "trigger=100 ms", "source.start=earliest", "workers=2", "source.max_records=100",
            f"source.max_rate={RECORDS // 4}"))
        self.wait_for("results", lambda: sum(self.client.end_offsets(names[out]).values()) > 20)
        end(run)
        return names, names[out], oracle(placed)

    def stop(self, run):
        self.assertEqual(run.stop(), 0, run.err)
        source = expect.Summary(run.err).source
        self.assertTrue(0 < source["read"] < RECORDS, source)
        sinks = expect.Summary(run.err).sinks
        self.rows_sent = sum(sink["rows"] for sink in sinks.values())

    def run_again(self, name, names, out, wanted, is_update):
        """It goes on where it was: what both runs sent is as of the oracle, each row once."""
        flush = [] if name in ("dedup", "alerts") else ["flush=true"]
        self.run_script(name, *flush, records=RECORDS)
        self.check_rows(self.view(out) if is_update else self.rows(out), wanted)

    def test_sigterm_in_the_middle(self):
        for name in self.CASES:
            with self.subTest(script=name):
                names, out, wanted = self.run_into(name, self.stop)
                self.assertEqual(len(self.client.consume(out)), self.rows_sent)
                self.run_again(name, names, out, wanted, name in ("alerts", "top_drivers"))

    def test_sigkill_in_the_middle(self):
        for name in self.CASES:
            with self.subTest(script=name):
                names, out, wanted = self.run_into(name, lambda run: run.kill())
                self.run_again(name, names, out, wanted, name in ("alerts", "top_drivers"))


class StreamCase(scripted.ScriptCase):
    """Pipelines that go on while something happens; sessions close by what comes later."""

    def closing(self, placed):
        """An event in each partition hours after all others: it closes their sessions."""
        late = max(one.time for one in placed) + 5 * oracles.HOUR
        row = {"click_id": "end", "user_id": "end", "page": "/", "at": oracles.iso(late)}
        return [{"value": oracles.bytes_of(dict(row, click_id=f"end-{p}")), "partition": p}
                for p in range(oracles.PARTITIONS)]

    def start_stream(self, name, *settings):
        run = self.start("run", name + ".lua", *harness.sets("trigger=continuous", "source.start=earliest",
                                                             "workers=2", *settings))
        self.wait_for("the start", lambda: "message=running" in run.err or not run.running)
        return run

    def finish(self, run, out, read, wanted, **counters):
        self.wait_for("all sessions", lambda: sum(self.client.end_offsets(out).values()) >= len(wanted))
        if expect.messages(run.err, "broker lost"):
            self.wait_for("the line", lambda: expect.messages(run.err, "broker back"), timeout_s=10)
        self.assertEqual(run.stop(), 0, run.err)
        self.check_source(expect.Summary(run.err), read, **counters)
        self.check_rows(self.rows(out), wanted)


class PartitionsTest(StreamCase):
    def test_partitions_added_while_it_runs(self):
        placed = oracles.clicks(RECORDS, random.Random(41))
        by_time = sorted(placed, key=lambda one: one.time)
        half = by_time[len(by_time) // 2].time
        topic = self.topic(2, name="clicks")
        names = self.script("sessions", clicks=topic)
        run = self.start_stream("sessions")
        first = [one._replace(partition=one.partition % 2) for one in placed if one.time < half]
        second = [one for one in placed if one.time >= half]
        placed = [one._replace(offset=n) for n, one in enumerate(first + second)]
        self.client.produce(topic, [{"value": one.value, "partition": one.partition} for one in first])
        self.wait_for("results", lambda: sum(self.client.end_offsets(names["sessions"]).values()) > 20)
        self.client.add_partitions(topic, oracles.PARTITIONS)
        self.wait_for("both", lambda: len(expect.messages(run.err, "new partition")) == 2)
        self.client.produce(topic, [{"value": one.value, "partition": one.partition} for one in second]
                            + self.closing(placed))
        self.finish(run, names["sessions"], RECORDS + oracles.PARTITIONS, oracles.sessions(placed))


class BrokerTest(StreamCase):
    @property
    def broker(self):
        if not hasattr(self, "mine"):
            self.mine = self.own_broker()
        return self.mine

    def test_a_broker_that_comes_back_to_distinct_and_session(self):
        placed = oracles.clicks(RECORDS, random.Random(42))
        placed = [one._replace(value=oracles.bytes_of(dict(one.row, click_id=f"c-{n}")))
                  for n, one in enumerate(placed)]
        topic, out = self.topic(oracles.PARTITIONS, name="clicks"), self.topic(3, name="sessions")
        self.file("p.lua", DISTINCT_SESSIONS.replace('topics = "clicks"', f'topics = "{topic}"')
                  .replace('topic = "sessions"', f'topic = "{out}"'))
        records = [{"value": one.value, "partition": one.partition} for one in placed for _ in range(2)]
        run = self.start_stream("p")
        self.client.produce(topic, records[:RECORDS])
        self.wait_for("results", lambda: sum(self.client.end_offsets(out).values()) > 20)
        self.broker.kill()
        self.wait_for("the line", lambda: expect.messages(run.err, "broker lost"), timeout_s=20)
        time.sleep(1)
        self.assertTrue(run.running, run.err)
        self.broker.start()
        self.client.produce(topic, records[RECORDS:] + self.closing(placed))
        self.finish(run, out, 2 * RECORDS + oracles.PARTITIONS, oracles.sessions(placed), duplicate=RECORDS)
        expect.check_outages(self, run.err)


class ThrowTest(scripted.ScriptCase):
    def test_on_error_fail_ends_the_run_with_the_record(self):
        pick = random.Random(51)
        rows = [{"event_id": f"e-{n}", "user_id": "u", "event_type": "tip", "ts": oracles.START}
                for n in range(1000)]
        topic = self.topic(oracles.PARTITIONS, name="ride_events_raw")
        at = pick.randrange(600, 1000)
        self.client.produce(topic, [{"value": oracles.bytes_of(row), "partition": 2} for row in rows])
        names = self.script("clean", lambda text: text.replace(
            'ride.event_type ~= "heartbeat"',
            f'ride.event_type ~= "heartbeat" and (ride.event_id ~= "e-{at}" or ride.amount > 3)'),
            ride_events_raw=topic)
        run = self.run_sluice("run", "clean.lua", *self.settings(records=1000, batches=20),
                              *harness.sets("on_error=fail"))
        self.assertEqual(run.code, 1, run.err)
        self.assertRegex(run.err, r"level=error message=\"clean.lua:\d+: attempt to compare")
        self.assertIn(f"{topic}:2:{at}", run.err)
        self.assertIn("`ride.amount` is null here", run.err)
        out = self.client.consume(names["ride_events"])
        self.assertEqual(len(out), at // 50 * 50)  # all batches before, nothing of this one
        self.assertEqual([r.json()["event_id"] for r in out], [f"e-{n}" for n in range(len(out))])
        summary = self.run_script("clean", records=1000)  # without it: that record alone is set aside
        self.check_source(summary, 1000 - len(out), quarantined=1)
        (kept,) = self.client.consume(names["ride_events_bad"])
        self.assertEqual(kept.json()["event_id"], f"e-{at}")

    def test_on_error_fail_in_the_fold_of_a_session(self):
        placed = oracles.clicks(RECORDS, random.Random(52), actions=True)
        topic = self.topic(oracles.PARTITIONS, name="clicks")
        self.fill(topic, placed)
        names = self.script("funnel", lambda text: text.replace(
            "if STEPS[click.action]", 'if click.action == "pay" then error("no pay") end\n'
            "      if STEPS[click.action]"), clicks=topic)
        run = self.run_sluice("run", "funnel.lua", *self.settings(records=RECORDS),
                              *harness.sets("on_error=fail", "flush=true"))
        self.assertEqual(run.code, 1, run.err)
        self.assertRegex(run.err, r"level=error message=\"funnel.lua:\d+: no pay")
        self.assertRegex(run.err, topic + r":[0-3]:\d+")
        pay = sorted((one.partition, one.offset) for one in placed if one.row["action"] == "pay")
        summary = self.run_script("funnel", "flush=true", records=RECORDS)
        self.check_source(summary, RECORDS)  # passed long before their session closed and they threw
        kept = self.client.consume(names["name"] + "-quarantine")
        places = [tuple(int(dict(r.headers)["sluice." + name]) for name in ("partition", "offset"))
                  for r in kept]
        self.assertEqual(sorted(places), pay)


class RefusedTest(scripted.ScriptCase):
    def test_results_that_the_broker_refuses(self):
        """Names of drivers that make a city's row too large: that city's rows are set aside, with their
        group; the others go out."""
        topic, pick = self.topic(name="ride_events"), random.Random(61)
        out = self.topic(configs={"max.message.bytes": "500000"}, name="top_drivers")
        rows = [{"event_type": "ride_completed", "city": "Lima" if n % 2 else "Oslo", "ts": oracles.START + n,
                 "driver_id": pick.randbytes(100_000).hex() if n % 2 else "d"} for n in range(12)]
        self.client.produce(topic, [{"value": oracles.bytes_of(row)} for row in rows])
        names = self.script("top_drivers", ride_events=topic, top_drivers=out)
        summary = self.run_script("top_drivers", "flush=true", "source.max_records=4", "sink.compression=none",
                                  records=12)
        self.check_source(summary, 12)
        sent = {json.loads(r.key)["city"]: r.json() for r in self.client.consume(out)}
        self.assertEqual((sent["Oslo"]["rides"], sent["Oslo"]["final"]), (6, True))
        self.assertEqual((sent["Lima"]["rides"], sent["Lima"]["final"]), (2, False))
        kept = self.client.consume(names["name"] + "-quarantine")
        self.assertEqual(summary.sinks[out]["refused"], len(kept))
        self.assertEqual([(json.loads(r.key)["city"], r.json()["rides"], r.json()["final"]) for r in kept],
                         [("Lima", 4, False), ("Lima", 6, False), ("Lima", 6, True)])
        for record in kept:
            self.assertIn("larger than the topic's max.message.bytes", dict(record.headers)["sluice.reason"].decode())
