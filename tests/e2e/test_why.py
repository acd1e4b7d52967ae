"""`sluice why` on a real Kafka against an oracle that knows only which offsets each batch read: the watermark that
judged a record, who held it, late or not, repeats, and the batch in which each window came out."""
import collections
import glob
import json
import os
import random

import harness

BEGIN_MS = 1_700_000_000_000
DELAY_MS, WITHIN_MS, SIZE_MS, EVERY_MS = 2_000, 60_000, 20_000, 10_000
USAGE, GONE = 2, 1

SCRIPT = """
local sluice = require "sluice"
return sluice.pipeline {
   name = "NAME", checkpoint = "file:./store", trigger = "available-now",
   sluice.kafka { topics = "IN", start = "earliest", max_records = 300, bad_records = "skip" }
      :json { sluice.string "event_id" :required(), sluice.string "kind" :required(), sluice.int64 "ts" :required() }
      :event_time("ts", { unit = "ms", delay = "2 seconds", idle = "never" })
      :filter(function(row) return row.kind ~= "test" end)
      :distinct { "event_id", within = "1 minute", name = "seen" }
      :group_by "kind"
      :window(sluice.hopping { size = "20 seconds", every = "10 seconds", name = "counts" })
      :aggregate { rows = sluice.count() }
      :late_to(sluice.kafka { topic = "LATE" })
      :to(sluice.kafka { topic = "OUT", mode = "append" }),
}
"""

Record = collections.namedtuple("Record", "partition offset value")


def made(count, seed):
    rnd = random.Random(seed)
    records = [{"value": json.dumps({"event_id": f"e{rnd.randrange(count)}",
                                     "kind": rnd.choice(("ride", "ride", "trip", "test")),
                                     "ts": BEGIN_MS + i * 60 - (rnd.randrange(100_000) if rnd.random() < .2 else 0)}),
                "partition": rnd.randrange(2)} for i in range(count)]
    records[5]["value"] = "nonsense"
    return records


def ends_of(ts):
    """Of the hopping windows that hold `ts`."""
    last = ts // EVERY_MS * EVERY_MS + SIZE_MS
    return [last - EVERY_MS, last]


class Oracle:
    """All verdicts, from what each batch read."""

    def __init__(self, records, batches):
        self.by_place = {(r.partition, r.offset): r for r in records}
        self.highs = {0: None, 1: None}
        self.watermark = None
        self.seen = {}          # event_id: time of the first
        self.verdicts = {}      # (partition, offset): dict
        self.after = []         # watermark behind each batch
        for number, ranges in enumerate(batches):
            self.do(number, ranges)

    def do(self, number, ranges):
        judge, held = self.watermark, self.slowest()
        for _, partition, start, end in sorted(ranges, key=lambda one: one[1]):
            for offset in range(start, end):
                record = self.by_place.get((partition, offset))
                if record:
                    self.verdicts[partition, offset] = dict(self.judge(record, judge), batch=number, held=held,
                                                            watermark=judge)
        for (partition, _), verdict in self.verdicts.items():
            if verdict["batch"] == number and "ts" in verdict:
                self.highs[partition] = max(self.highs[partition] or 0, verdict["ts"])
        if None not in self.highs.values():
            self.watermark = max(self.watermark or 0, min(self.highs.values()) - DELAY_MS)
            self.seen = {key: ts for key, ts in self.seen.items() if ts + WITHIN_MS > self.watermark}
        self.after.append(self.watermark)

    def slowest(self):
        """(partition, its highest event time)"""
        if None in self.highs.values():
            return None
        partition = min(self.highs, key=lambda p: (self.highs[p], p))
        return partition, self.highs[partition]

    def judge(self, record, watermark):
        try:
            row = json.loads(record.value)
        except ValueError:
            return {"bad": True}
        verdict = {"ts": row["ts"], "kind": row["kind"]}
        if row["kind"] == "test":
            return dict(verdict, distinct="filtered")
        if watermark is not None and row["ts"] + WITHIN_MS <= watermark:
            return dict(verdict, distinct="late")
        if row["event_id"] in self.seen:
            return dict(verdict, distinct="duplicate")
        self.seen[row["event_id"]] = row["ts"]
        late = [watermark is not None and end <= watermark for end in ends_of(row["ts"])]
        return dict(verdict, distinct="taken", late=late)

    def closes(self, end):
        """The batch that closes the window; None: none yet."""
        return next((n for n, watermark in enumerate(self.after) if watermark and watermark >= end), None)


class WhyTest(harness.E2ETest):
    def why(self, record, *more, code=0):
        run = self.run_sluice("why", "p.lua", record, *more)
        self.assertEqual(run.code, code, run.err)
        return run.out if code == 0 else run.err

    def setUp(self):
        super().setUp()
        self.source, self.out, self.late = self.topic(2), self.topic(1), self.topic(1)
        self.file("p.lua", SCRIPT.replace("NAME", harness.fresh("why")).replace('"IN"', f'"{self.source}"')
                  .replace("OUT", self.out).replace("LATE", self.late))
        records = made(3000, 11)
        for part in range(2):  # the second run goes on, and meets the markers of a transaction
            self.client.produce(self.source, records[part * 1500:part * 1500 + 1500],
                                transaction="commit" if part else None)
            run = self.run_sluice("run", "p.lua")
            self.assertEqual(run.code, 0, run.err)
        records = [Record(r.partition, r.offset, r.value.decode()) for r in self.client.consume(self.source)]
        listing = json.loads(self.run_sluice("checkpoint", "ls", "p.lua", "--json").out)
        again = self.run_sluice("replay", "p.lua", "--from", "0", "--to", str(listing["next_batch"] - 1), "--json")
        self.assertEqual(again.code, 0, again.err)
        batches = [json.loads(line)["record"]["sources"][0]["ranges"] for line in again.out.splitlines()]
        self.oracle = Oracle(records, batches)

    def chosen(self):
        """Some records of each verdict."""
        kinds = collections.defaultdict(list)
        for place, verdict in self.oracle.verdicts.items():
            kinds[str((verdict.get("bad"), verdict.get("distinct"), verdict.get("late")))].append(place)
        rnd = random.Random(3)
        return [place for places in kinds.values() for place in rnd.sample(places, min(len(places), 3))], kinds

    def check(self, partition, offset):
        verdict = self.oracle.verdicts[partition, offset]
        told = json.loads(self.why(f"{self.source}:{partition}:{offset}", "--json"))
        self.assertEqual((told["place"], told["batch"]), ("read", verdict["batch"]))
        self.assertEqual(told["watermark_ms"], verdict["watermark"], told)
        if verdict["held"]:
            self.assertEqual((told["slowest"], told["slowest_event_ms"]),
                             (f"{self.source}:{verdict['held'][0]}", verdict["held"][1]))
        if verdict.get("bad"):
            self.assertEqual((told["bad_fate"], told["stages"]), ("skipped", []))
            return
        stages = {stage["name"]: stage for stage in told["stages"]}
        self.assertEqual(told["event_time_ms"], verdict["ts"])
        self.assertEqual(stages["seen"]["fate"], verdict["distinct"], told)
        self.assertEqual("counts" in stages, verdict["distinct"] == "taken")
        if "counts" in stages:
            self.check_windows(told, stages["counts"], verdict)

    def check_windows(self, told, stage, verdict):
        self.assertEqual(stage["fate"], "late" if all(verdict["late"]) else "taken")
        self.assertEqual(stage["key"], json.dumps({"kind": verdict["kind"]}, separators=(",", ":")))
        if all(verdict["late"]):
            self.assertEqual(told["went_to"], self.late)
        for window, end, late in zip(stage["windows"], ends_of(verdict["ts"]), verdict["late"]):
            closes = self.oracle.closes(end)
            self.assertEqual((window["start_ms"], window["end_ms"]), (end - SIZE_MS, end))
            self.assertEqual(window["state"], "late" if late else "open" if closes is None else "closed")
            if late or closes is None:
                self.assertEqual(window["rows"], [])
                continue
            self.assertEqual([(row["batch"], row["sink"]) for row in window["rows"]], [(closes, self.out)])
            self.assertIn(window["rows"][0]["value"], self.sent)

    def test_every_verdict_is_the_oracles(self):
        self.sent = {r.value.decode() for r in self.client.consume(self.out)}
        places, kinds = self.chosen()
        self.assertGreaterEqual(len(kinds), 7, kinds.keys())
        for place in places:
            with self.subTest(place=place, verdict=self.oracle.verdicts[place]):
                self.check(*place)
        self.for_people()
        self.what_no_batch_has()

    def for_people(self):
        (partition, offset), verdict = next((place, one) for place, one in self.oracle.verdicts.items()
                                            if one.get("late") == [True, True])
        text = self.why(f"{self.source}:{partition}:{offset}")
        self.assertIn("LATE for all of its windows: not counted", text)
        self.assertIn(f"{self.source}:{verdict['held'][0]} held it", text)
        self.assertIn(f"went to     {self.late}", text)
        last = max(place for place, one in self.oracle.verdicts.items() if one.get("late") == [False, False])
        self.assertIn("open: it waits for a watermark of", self.why(f"{self.source}:{last[0]}:{last[1]}"))

    def what_no_batch_has(self):
        ends = self.client.end_offsets(self.source)
        self.assertIn(f"no record {self.source}:0:{ends[0]} (yet): its last offset is {ends[0] - 1}",
                      self.why(f"{self.source}:0:{ends[0]}", code=GONE))
        self.client.produce(self.source, [{"value": "more", "partition": 0}])
        self.assertIn(f"goes on at {ends[0]}", self.why(f"{self.source}:0:{ends[0]}"))
        marker = ends[0] - 1  # what a transaction leaves behind its last record
        self.assertIn("there is no record at this offset", self.why(f"{self.source}:0:{marker}"))
        self.assertIn(f"reads `other`: it reads `{self.source}`\n", self.why("other:0:1", code=GONE))
        self.assertIn("has no partition 7: they are 0 to 1\n", self.why(f"{self.source}:7:1", code=GONE))
        self.assertIn("wanted TOPIC:PARTITION:OFFSET", self.why("other", code=USAGE))


KINDS = """
local sluice = require "sluice"
local rows = sluice.file { path = "in.jsonl", max_records = 50 }
   :json { sluice.string "k" :required(), sluice.int64 "n" :required(), sluice.int64 "ts" :required() }
   :event_time("ts", { unit = "ms", delay = "1 second" })
return sluice.pipeline {
   name = "kinds", trigger = "available-now", checkpoint = "file:./store",
   rows:group_by "k":window(sluice.session { gap = "5 seconds", name = "visits" })
      :aggregate { rows = sluice.count() }
      :to(sluice.file { path = "sessions", mode = "update" }),
   rows:flat_map({ sluice.int64 "half" }, function(row, emit) for i = 1, row.n % 3 do emit { half = i } end end)
      :group_by "half":window(sluice.tumbling { size = "10 seconds", name = "halves" })
      :aggregate { rows = sluice.count() }
      :to(sluice.file { path = "halves", mode = "append" }),
   rows:filter(function(row) if row.n == 77 then error "seventy-seven" end return true end)
      :filter(function(row) return row.n ~= 78 end)
      :to(sluice.file { path = "all" }),
   rows:group_by "k":window(sluice.tumbling { size = "2 seconds", name = "small" })
      :aggregate { rows = sluice.count() }
      :group_by "k":window(sluice.tumbling { size = "10 seconds", name = "large" })
      :aggregate { most = sluice.max "rows" }
      :filter(function(row) return row.k ~= "k1" end)
      :select { "most", who = "k", from = "window_start" }
      :to(sluice.file { path = "large", mode = "append", times = "iso" }),
}
"""


class StartTest(harness.E2ETest):
    def test_what_lies_before_a_start_at_latest_is_told_as_that(self):
        source = self.topic()
        self.file("p.lua", SCRIPT.replace("NAME", harness.fresh("why")).replace('"IN"', f'"{source}"')
                  .replace("earliest", "latest").replace("OUT", self.topic()).replace("LATE", self.topic()))
        records = made(6, 5)
        for record in records:
            record["partition"] = 0
        self.client.produce(source, records)
        self.assertEqual(self.run_sluice("run", "p.lua").code, 0)
        before = self.run_sluice("why", "p.lua", f"{source}:0:5")
        self.assertIn("never read: reading of this partition began at 6 (option `start`)", before.out, before.err)
        self.client.produce(source, records)
        self.assertIn("not read yet", self.run_sluice("why", "p.lua", f"{source}:0:6").out)
        self.assertEqual(self.run_sluice("run", "p.lua").code, 0)
        before = self.run_sluice("why", "p.lua", f"{source}:0:5")
        self.assertIn("never read: reading of this partition began at 6 (option `start`)", before.out, before.err)


class FileTest(harness.E2ETest):
    """Stages of all kinds, over a file: the place of a record is its line."""

    @property
    def brokers(self):
        return "localhost:1"

    def setUp(self):
        super().setUp()
        self.file("p.lua", KINDS)
        rows = [{"k": f"k{n % 3}", "n": n, "ts": BEGIN_MS + n * 100 - (5_000 if n == 220 else 0)} for n in range(600)]
        rows[60]["n"] = "no"
        self.file("in.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        run = self.run_sluice("run", "p.lua")
        self.assertEqual(run.code, 0, run.err)

    def why(self, line, *more):
        run = self.run_sluice("why", "p.lua", f"in.jsonl:0:{line}", *more)
        self.assertEqual((run.code, run.err), (0, ""))
        return run.out if not more else json.loads(run.out)

    def stages(self, told):
        found = collections.defaultdict(list)
        for stage in told["stages"]:
            found[stage["name"]].append(stage)
        return found

    def test_what_is_bad_or_throws_says_why(self):
        told = self.why(60, "--json")
        self.assertEqual((told["bad_field"], told["bad_fate"], told["stages"]), ("n", "quarantined", []))
        self.assertEqual(told["went_to"], "kinds-quarantine.jsonl")
        told = self.why(77, "--json")
        self.assertIn("seventy-seven", told["bad"])
        fates = {name: [stage["fate"] for stage in all_of] for name, all_of in self.stages(told).items()}
        self.assertEqual(fates, {"visits": ["taken"], "halves": ["taken"] * 2, "all": ["threw"], "small": ["taken"],
                                 "large": ["taken"]})
        self.assertIn("\n  THREW       p.lua:", self.why(77))

    def test_which_filter_kept_it_out_what_was_decoded_and_what_was_sent(self):
        line = 1 + KINDS.split("~= 78")[0].count("\n")
        told = self.why(78, "--json")
        (kept_out,) = self.stages(told)["all"]
        self.assertEqual((kept_out["fate"], kept_out["filter"]), ("filtered", f"filter p.lua:{line}"))
        self.assertEqual(told["fields"], {"k": "k0", "n": 78, "ts": BEGIN_MS + 7800})
        text = self.why(78)
        self.assertIn(f"sink `all`: filter p.lua:{line} kept the record out\n", text)
        self.assertIn(f'\n  fields      k = "k0", n = 78, ts = {BEGIN_MS + 7800}\n', text)
        (sent,) = self.stages(self.why(79, "--json"))["all"]
        self.assertEqual((sent["fate"], json.loads(sent["value"])), ("taken", {"k": "k1", "n": 79, "ts": BEGIN_MS + 7900}))

    def test_what_is_not_there_is_an_error(self):
        for record, message in (("in.jsonl:0:600", "no record in.jsonl:0:600 (yet): its last offset is 599"),
                                ("in.jsonl:1:0", "`in.jsonl` has no partition 1: they are 0 to 0"),
                                ("other.jsonl:0:0", "no source of `kinds` reads `other.jsonl`: it reads `in.jsonl`")):
            run = self.run_sluice("why", "p.lua", record)
            self.assertEqual((run.code, run.out), (GONE, ""))
            self.assertIn(message, run.err)

    def test_sessions_rows_of_a_flat_map_and_windows_over_windows(self):
        stages = self.stages(self.why(8, "--json"))
        session = json.loads(stages["visits"][0]["windows"][0]["rows"][0]["value"])
        self.assertEqual((session["k"], session["window_start"]), ("k2", BEGIN_MS + 200))
        self.assertEqual([stage["key"] for stage in stages["halves"]], ['{"half":1}', '{"half":2}'])
        for stage in stages["halves"]:
            (row,) = stage["windows"][0]["rows"]
            self.assertEqual((row["sink"], json.loads(row["value"])["half"]), ("halves", json.loads(stage["key"])["half"]))

    def test_a_result_that_goes_on_is_followed_under_other_names_and_times(self):
        told = self.why(9, "--json")
        small, large = (self.stages(told)[name][0] for name in ("small", "large"))
        self.assertEqual((small["windows"][0]["goes_on"], small["windows"][0]["rows"]), (True, []))
        self.assertEqual(large["behind"], {"stage": told["stages"].index(small), "start_ms": BEGIN_MS,
                                           "end_ms": BEGIN_MS + 2000})
        (window,) = large["windows"]
        (row,) = window["rows"]
        self.assertEqual((row["sink"], json.loads(row["value"])),
                         ("large", {"most": 7, "who": "k0", "from": "2023-11-14T22:13:20.000Z"}))
        self.assertIn("aggregation `large`: the result of `small` for 2023-11-14 22:13:20 to 2023-11-14 22:13:22",
                      self.why(9))
        line = 1 + KINDS.split('~= "k1"')[0].count("\n")
        self.assertIn(f"in, closed; no result of it was sent: filter p.lua:{line} kept it out\n", self.why(7))
        self.assertEqual(self.stages(self.why(7, "--json"))["large"][0]["filters_behind"], f"filter p.lua:{line}")

    def test_which_filter_behind_an_aggregation_kept_its_result_from_the_next(self):
        small = KINDS[KINDS.index('rows:group_by "k":window(sluice.tumbling { size = "2 seconds"'):
                      KINDS.index('      :group_by "k":window(sluice.tumbling { size = "10 seconds", name = "large"')]
        text = KINDS.replace(small, """small:derive { twice = sluice.int64(function(row) return row.rows * 2 end) }
      :filter(function(row) return row.k ~= "k2" end)
""").replace("return sluice.pipeline {", f"local small = {small}return sluice.pipeline {{", 1).replace(
            '   small:derive', """   small:group_by "rows":window(sluice.tumbling { size = "10 seconds", name = "other" })
      :aggregate { groups = sluice.count() }
      :to(sluice.file { path = "other", mode = "append" }),
   small:derive""").replace('"kinds"', '"behind"')
        self.file("p.lua", text)
        run = self.run_sluice("run", "p.lua")
        self.assertEqual(run.code, 0, run.err)
        line = 1 + text.split('~= "k2"')[0].count("\n")
        stages = self.stages(self.why(8, "--json"))
        self.assertEqual(stages["other"][0]["fate"], "taken")
        self.assertEqual((stages["large"][0]["fate"], stages["large"][0]["filter"]), ("filtered", f"filter p.lua:{line}"))
        self.assertIn(f": filter p.lua:{line} kept the result out\n", self.why(8))

    def test_late_for_one_stage_and_in_time_for_another(self):
        stages = self.stages(self.why(220, "--json"))
        self.assertEqual((stages["small"][0]["fate"], stages["visits"][0]["fate"]), ("late", "taken"))
        self.assertIn("aggregation `small`: LATE for all of its windows: not counted", self.why(220))


CHANGING = """
local sluice = require "sluice"
return sluice.pipeline {
   name = "changing", trigger = "once", checkpoint = "file:./store",
   sluice.file { path = "in.jsonl", max_records = 10, follow = true }
      :json { sluice.string "k" :required(), sluice.int64 "ts" :required() }
      :event_time("ts", { unit = "ms", delay = "1 second" })
      :derive { more = sluice.int64(function(row) return 1 end) }
      :group_by "k":window(sluice.tumbling { size = "30 seconds", name = "counts" })
      :aggregate { rows = sluice.count(), sum = sluice.sum "more" }
      :to(sluice.file { path = "out.jsonl", mode = "append", append = true }),
}
"""


class ChangingTest(harness.E2ETest):
    """A record whose window is closed by a later text of the script."""

    @property
    def brokers(self):
        return "localhost:1"

    def setUp(self):
        super().setUp()
        self.file("in.jsonl", "".join(json.dumps({"k": f"k{n % 2}", "ts": BEGIN_MS // 30_000 * 30_000 + n * 1000}) + "\n"
                                      for n in range(100)))
        for value in 1, 1, 2, 2, 2, 3:  # a batch each
            self.file("p.lua", CHANGING.replace("return 1 end", f"return {value} end"))
            run = self.run_sluice("run", "p.lua")
            self.assertEqual(run.code, 0, run.err)
            if value == 1:
                self.first = self.texts()
        with open(os.path.join(self.folder, "out.jsonl")) as file:
            self.sent = file.read().splitlines()

    def texts(self):
        return glob.glob(os.path.join(self.folder, "store/changing/script/*"))

    def why(self, line, *more):
        run = self.run_sluice("why", "p.lua", f"in.jsonl:0:{line}", *more)
        self.assertEqual((run.code, run.err), (0, ""))
        return run.out

    def window(self, line):
        told = json.loads(self.why(line, "--json"))
        (window,) = told["stages"][0]["windows"]
        return told, window

    def test_it_is_followed_on_under_the_next_text(self):
        told, window = self.window(4)
        self.assertEqual((told["batch"], window["state"], len(window["rows"])), (0, "closed", 1))
        self.assertIn(window["rows"][0]["value"], self.sent)
        self.assertEqual(json.loads(window["rows"][0]["value"])["sum"], 20)  # 10 rows by the first text, 5 by the second
        self.assertEqual(window["rows"][0]["batch"], 3)
        self.assertIn("in, closed\n        batch 3 -> out.jsonl", self.why(4))
        told, window = self.window(35)
        self.assertEqual((told["followed_to_batch"], window["state"]), (5, "open"))

    def test_what_cannot_be_followed_is_said(self):
        for path in self.texts():
            if path not in self.first:
                os.remove(path)
        told, window = self.window(14)
        self.assertEqual((told["batch"], told["followed_to_batch"], window["state"]), (1, 1, "not followed"))
        self.assertIn("the script that did the batches is not kept", told["not_followed"])
        self.assertIn("in, and not followed further: the text changed at batch 2, where it cannot be taken over: ",
                      self.why(14))
