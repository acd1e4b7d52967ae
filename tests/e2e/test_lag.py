"""`sluice lag` against an oracle: disorder, and what each delay of the watermark would lose and hold open."""
import bisect
import collections
import json
import math
import os
import random

import harness

SCRIPT = """
local sluice = require "sluice"
local rows = sluice.file { path = "in/*.jsonl", bad_records = "skip" }
   :json { sluice.int64 "user" :required(), sluice.int64 "ts" :required() }
   :event_time("ts", { unit = "ms", delay = "2 seconds" })
return sluice.pipeline { name = "rides", checkpoint = "none",
   rows:filter(function(row) return row.user ~= 3 end)
      :group_by "user"
      :window(sluice.hopping { size = "10 seconds", every = "5 seconds", allowed_lateness = "1 second",
                               name = "counts" })
      :aggregate { n = sluice.count() }
      :to(sluice.file { path = "-", mode = "append" }),
   rows:distinct { "user", within = "4 seconds", name = "seen" }
      :to(sluice.file { path = "other" }) }
"""
BEGIN_MS = 1_700_000_000_000
NONE = -(1 << 63)


def made(count, spread_ms, seed):
    """Users and event times of one file."""
    rnd = random.Random(seed)
    return [(rnd.randrange(6), BEGIN_MS + i * 100 - int(rnd.expovariate(1 / spread_ms))) for i in range(count)]


def quantile(values, share):
    return values[max(math.ceil(share * len(values)), 1) - 1]


class Oracle:
    """What the answer has to be, slowly: records in the order in which evenly read files bring them."""

    def __init__(self, files):
        self.files = files
        order = sorted(((i + 1) / len(rows), f, i) for f, rows in enumerate(files) for i in range(len(rows)))
        highs = [NONE] * len(files)
        self.rows, self.before, self.newest = [], [], []
        for _, f, i in order:
            user, ts = files[f][i]
            self.rows.append((user, ts))
            self.before.append(min(highs))
            self.newest.append(max(highs))
            highs[f] = max(highs[f], ts)
        self.before.append(min(highs))
        self.newest.append(max(highs))

    def disorder(self, f):
        high, behind = NONE, []
        for _, ts in self.files[f]:
            high = max(high, ts)
            behind.append(high - ts)
        return sorted(behind)

    def lost(self, close, delay, keep=lambda user: True):
        return sum(keep(user) and self.before[i] != NONE and close(ts) <= self.before[i] - delay
                   for i, (user, ts) in enumerate(self.rows))

    def advised(self, close, share, keep=lambda user: True):
        count = sum(keep(user) for user, _ in self.rows)
        delay = bisect.bisect_left(range(100_000), True,
                                   key=lambda ms: self.lost(close, ms, keep) <= share * count)
        return delay if delay <= 1000 else math.ceil(delay / 1000) * 1000

    def peak(self, things, delay):
        """Most open at a time, and how late results come; `things`: of a row, (name, close, end)."""
        changes, waits, seen = collections.Counter(), [], set()
        for i, row in enumerate(self.rows):
            for name, close, end in things(*row):
                if name in seen or (self.before[i] != NONE and close <= self.before[i] - delay):
                    continue
                seen.add(name)
                changes[i] += 1
                at = bisect.bisect_left(self.before, close + delay)
                if at < len(self.before):
                    changes[at] -= 1
                    waits.append(self.newest[at] - end)
        now = most = 0
        for i in range(len(self.before)):
            now += changes[i]
            most = max(most, now)
        return most, sorted(waits)


def windows_of(ts):
    """Ends of the hopping windows of 10 s every 5 s that hold `ts`."""
    last = ts // 5000 * 5000 + 10000
    return [last - 5000, last]


class LagTest(harness.E2ETest):
    @property
    def brokers(self):
        return "localhost:1"

    def setUp(self):
        super().setUp()
        self.file("p.lua", SCRIPT)
        os.mkdir(os.path.join(self.folder, "in"))
        self.files = [made(900, 700, 1), made(600, 2500, 2)]
        for name, rows in zip("ab", self.files):
            with open(os.path.join(self.folder, f"in/{name}.jsonl"), "w") as file:
                file.writelines(json.dumps({"user": user, "ts": ts}) + "\n" for user, ts in rows)
                file.write("nonsense\n")
        self.oracle = Oracle(self.files)

    def lag(self, *more):
        run = self.run_sluice("lag", "p.lua", *more)
        self.assertEqual(run.code, 0, run.err)
        return run.out

    def answer(self, *more):
        return json.loads(self.lag("--json", *more))["sources"][0]

    def test_disorder_of_each_partition(self):
        answer = self.answer()
        self.assertEqual((answer["records"], answer["bad"]), (1502, 2))
        for f, told in enumerate(answer["partitions"]):
            behind = self.oracle.disorder(f)
            self.assertEqual(told["out_of_order"], sum(ms > 0 for ms in behind))
            for name, share in (("p50_ms", .5), ("p90_ms", .9), ("p99_ms", .99), ("p999_ms", .999), ("most_ms", 1)):
                self.assertEqual(told[name], quantile(behind, share), name)

    def test_what_a_delay_loses_and_holds_open(self):
        stages = {stage["stage"]: stage for stage in self.answer("--loss", "0.5%")["stages"]}
        self.check_stage(stages["counts"], lambda ts: windows_of(ts)[-1] + 1000, lambda user: user != 3)
        self.check_stage(stages["seen"], lambda ts: ts + 4000)
        for told in stages["counts"]["delays"]:
            most, waits = self.oracle.peak(
                lambda user, ts: [(end, end + 1000, end) for end in windows_of(ts) if user != 3], told["delay_ms"])
            self.assertEqual(told["open_windows"], most, told)
            if waits:
                self.assertEqual((told["result_p50_ms"], told["result_most_ms"]), (quantile(waits, .5), waits[-1]))
            most, _ = self.oracle.peak(
                lambda user, ts: [((user, ts // 5000), windows_of(ts)[-1] + 1000, 0)] if user != 3 else [],
                told["delay_ms"])
            self.assertEqual(told["open_groups"], most, told)

    def check_stage(self, told, close, keep=lambda user: True):
        self.assertEqual(told["delay_ms"], 2000)
        self.assertEqual(told["rows"], sum(keep(user) for user, _ in self.oracle.rows))
        self.assertEqual(told["advised_ms"], self.oracle.advised(close, 0.005, keep))
        delays = [one["delay_ms"] for one in told["delays"]]
        self.assertIn(told["advised_ms"], delays)
        self.assertIn(2000, delays)
        for one in told["delays"]:
            self.assertEqual(one["lost"], self.oracle.lost(close, one["delay_ms"], keep), one)
        self.assertEqual(told["delays"][-1]["lost"], 0)

    def test_for_people_and_over_time(self):
        text = self.lag("--loss", "0", "--save", "lag.jsonl")
        advised = self.answer("--loss", "0")["stages"][0]["advised_ms"]
        self.assertIn(f'to lose at most 0 %: watermark delay = "{advised // 1000} seconds"', text)
        self.assertNotIn("as saved", text)
        self.files[0].append((1, BEGIN_MS - 40_000))
        with open(os.path.join(self.folder, "in/a.jsonl"), "a") as file:
            file.write(json.dumps({"user": 1, "ts": BEGIN_MS - 40_000}) + "\n")
        more = self.answer("--loss", "0")["stages"][0]["advised_ms"]
        self.assertIn(f"  {advised} ms -> {more} ms", self.lag("--loss", "0", "--save", "lag.jsonl"))
        with open(os.path.join(self.folder, "lag.jsonl")) as file:
            self.assertEqual(len([json.loads(line) for line in file]), 2)

    def test_so_many_records_of_files_whatever_a_batch_takes(self):
        for words, count in ((("--last", "150"), 150), (("--last", "150", "--set", "source.max_records=40"), 150),
                             (("--last", "7", "--set", "source.max_records=1000"), 6)):  # an even share of each file
            told = json.loads(self.lag(*words, "--json"))["sources"][0]
            self.assertEqual(sum(one["records"] for one in told["partitions"]) + told["bad"], count, words)

    def test_what_cannot_be_asked(self):
        for words, said in ((("--loss", "2"), "wanted a share"), (("--last", "0"), "wanted a number"),
                            (("--since", "yesterday"), "wanted how long ago"),
                            (("--since", "2 hours", "--last", "5"), "one of the two")):
            run = self.run_sluice("lag", "p.lua", *words)
            self.assertEqual(run.code, 2)
            self.assertIn(said, run.err)


class KafkaTest(harness.E2ETest):
    def test_the_newest_of_each_partition_without_a_group(self):
        topic = self.topic(2)
        script = SCRIPT.replace('sluice.file { path = "in/*.jsonl", bad_records = "skip" }',
                                f'sluice.kafka {{ topics = "{topic}", bad_records = "skip" }}')
        self.file("p.lua", script)
        rows = made(400, 3000, 3)
        for p in (0, 1):
            self.client.produce(topic, [{"value": json.dumps({"user": user, "ts": ts}), "partition": p}
                                        for user, ts in rows[p::2]])
        for words, count in (((), 200), (("--last", "100"), 50), (("--since", "1 hour"), 200)):
            run = self.run_sluice("lag", "p.lua", "--json", *words)
            self.assertEqual(run.code, 0, run.err)
            told = json.loads(run.out)["sources"][0]["partitions"]
            self.assertEqual([one["records"] for one in told], [count, count])
            for p in (0, 1):
                behind = Oracle([rows[p::2][-count:]]).disorder(0)
                self.assertEqual(told[p]["p99_ms"], quantile(behind, .99))
        self.assertFalse(self.client.group_offsets("rides"))
