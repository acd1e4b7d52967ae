"""What a script's own code does on a real topic: functions that throw, an aggregate of the user's,
branches, retractions, final rows."""
import json
import re
import time

import expect
import harness
import pipelines

MINUTE = 60_000


def events(*numbers, **more):
    """One record {n, ts} for each (n, minute) or n (minute 0)."""
    pairs = [n if isinstance(n, tuple) else (n, 0) for n in numbers]
    return [dict({"value": json.dumps({"n": n, "ts": int(minute * MINUTE)})}, **more) for n, minute in pairs]


def count(*arguments, **parts):
    """As of `pipelines`, with a field `n` that is never nil: functions may reckon with it."""
    return pipelines.count(*arguments, **parts).replace('sluice.int64 "n"', 'sluice.int64 "n" :required()')


class ScriptCodeTest(harness.E2ETest):
    def setUp(self):
        super().setUp()
        self.topic_in, self.out = self.topic(name="in"), self.topic(name="out")

    def run_script(self, text, *settings, code=0):
        self.file("p.lua", text)
        run = self.run_sluice("run", "p.lua", *harness.sets(*settings))
        self.assertEqual(run.code, code, run.err)
        return run

    def rows(self, topic=None):
        return [(json.loads(r.key) if r.key else None, r.value and r.json())
                for r in self.client.consume(topic or self.out)]


class ThrowingTest(ScriptCodeTest):
    STAGE = """:derive { half = sluice.double(function(r)
         if r.n % 10 == 7 then error("seven at " .. r.n) end
         return r.n / 2
      end) }"""

    def headers(self, record):
        return {name.removeprefix("sluice."): value.decode() for name, value in record.headers}

    def test_a_record_that_makes_a_function_throw_is_quarantined_alone(self):
        self.client.produce(self.topic_in, events(*range(5000)))
        for workers in 1, 4:
            with self.subTest(workers=workers):
                name = f"throwing-{workers}"
                out = self.topic(name="out")
                run = self.run_script(pipelines.copy(self.topic_in, out, name=name, stages=self.STAGE),
                                      f"workers={workers}")
                source = expect.Summary(run.err).source
                self.assertEqual((source["passed"], source["quarantined"]), (4500, 500))
                good = [n for n in range(5000) if n % 10 != 7]
                self.assertEqual([r.json() for r in self.client.consume(out)],
                                 [{"n": n, "ts": 0, "half": n / 2} for n in good])
                kept = self.client.consume(name + "-quarantine")
                self.assertEqual([r.json()["n"] for r in kept], list(range(7, 5000, 10)))
                verdict = self.headers(kept[1])
                self.assertEqual((verdict["topic"], verdict["offset"]), (self.topic_in, "17"))
                self.assertRegex(verdict["reason"], r"p\.lua:\d+: seven at 17")

    def test_a_fold_that_throws_leaves_the_state_as_it_was(self):
        self.client.produce(self.topic_in, events(*range(3000)))
        aggregate = """total = sluice.aggregate {
            state = { sum = 0, rows = 0 },
            fold = function(s, r)
               s.rows = s.rows + 1
               if r.n % 100 == 99 then local x = nil + r.n end
               s.sum = s.sum + r.n
            end,
            result = function(s) return s.sum * 10000 + s.rows end }"""
        for workers in 1, 4:
            with self.subTest(workers=workers):
                name, out = f"folding-{workers}", self.topic(name="out")
                run = self.run_script(count(self.topic_in, out, name=name, aggregates=aggregate),
                                      f"workers={workers}", "flush=true")
                good = [n for n in range(3000) if n % 100 != 99]
                self.assertEqual(expect.Summary(run.err).source["quarantined"], 30)
                ((_, row),) = self.rows(out)
                self.assertEqual(row["total"], sum(good) * 10000 + len(good))
                self.assertEqual(row["count"], len(good))
                self.assertEqual(len(self.client.consume(name + "-quarantine")), 30)

    def test_on_error_fail_names_the_line_and_the_record(self):
        self.client.produce(self.topic_in, events(*range(20)))
        run = self.run_script(pipelines.copy(self.topic_in, self.out, name="strict", stages=self.STAGE),
                              "on_error=fail", code=1)
        self.assertRegex(run.err, r'(?m)^time=.* level=error message="p\.lua:\d+: seven at 7\\n')
        self.assertIn(f"{self.topic_in}:0:7", run.err)
        self.assertEqual(self.rows(), [])

    def test_a_record_from_which_a_function_never_returns_is_put_aside(self):
        self.client.produce(self.topic_in, events(1, 2, 77, 4))
        text = pipelines.copy(self.topic_in, self.out, name="stuck", pipeline='script_timeout = "1 second",',
                              stages=":filter(function(r) while r.n == 77 do end return true end)")
        began = time.monotonic()
        self.file("p.lua", text)
        run = self.run_sluice("run", "p.lua", timeout_s=30)
        self.assertLess(time.monotonic() - began, harness.within(15))
        self.assertEqual(run.code, 0, run.err)
        self.assertRegex(run.err, r"filter p\.lua:\d+ has not returned for \d+ ms, in prepare of "
                         + self.topic_in + r" at row 2 of 4, offset 2; 1000 ms are allowed")
        self.assertEqual(len(self.rows()), 3)
        [kept] = self.client.consume("stuck-quarantine")
        self.assertIn(b"interrupted: it does not return", dict(kept.headers)["sluice.reason"])


class PrintTest(harness.E2ETest):
    def test_a_print_for_each_row_does_not_bury_the_log(self):
        self.file("p.lua", """local sluice = require "sluice"
            return sluice.pipeline { name = "p", checkpoint = "none",
               sluice.generator { count = 5000, row = function(i) return { n = i } end }
                  :rows { sluice.int64 "n" }
                  :filter(function(row) print("row", row.n, nil) return true end)
                  :to(sluice.file { path = "-" }) }""")
        run = self.run_sluice("run", "p.lua")
        self.assertEqual(run.code, 0, run.err)
        shown = [line for line in run.err.splitlines() if "message=print text=" in line]
        self.assertIn('level=info message=print text="p.lua:5: row 0 nil"', shown[0])
        self.assertGreaterEqual(len(shown), 100)
        self.assertLess(len(shown), 120)
        dropped = sum(int(n) for n in re.findall(r"message=print .*dropped=(\d+)", run.err))
        self.assertEqual(len(shown) + dropped, 5000)
        check = self.run_sluice("check", "p.lua")
        self.assertEqual((check.code, check.err), (0, ""))


class AggregateTest(ScriptCodeTest):
    def test_an_aggregate_of_several_fields_in_hopping_windows(self):
        numbers = [(n, n / 20) for n in range(100)]  # five minutes
        self.client.produce(self.topic_in, events(*numbers))
        text = count(self.topic_in, self.out, aggregates="""range = sluice.aggregate {
            state = { lo = math.huge, hi = -math.huge },
            fold = function(s, r) s.lo, s.hi = math.min(s.lo, r.n), math.max(s.hi, r.n) end,
            merge = function(a, b) a.lo, a.hi = math.min(a.lo, b.lo), math.max(a.hi, b.hi) end,
            result = function(s, window)
               return { low = s.lo, high = s.hi, size = window.stop - window.start } end,
            returns = { sluice.int64 "low", sluice.int64 "high", sluice.int64 "size" } }""")
        text = text.replace('sluice.tumbling { size = "1 minute" }',
                            'sluice.hopping { size = "2 minutes", every = "1 minute" }')
        self.run_script(text, "flush=true")
        for key, row in self.rows():
            inside = [n for n, minute in numbers
                      if row["window_start"] <= int(minute * MINUTE) < row["window_end"]]
            self.assertEqual(key, {"window_start": row["window_start"]})
            self.assertEqual((row["range_low"], row["range_high"], row["range_size"], row["count"]),
                             (min(inside), max(inside), 2 * MINUTE, len(inside)))
        self.assertEqual(len(self.rows()), 6)

    def test_built_in_aggregates(self):
        self.client.produce(self.topic_in, events((3, 0.1), (1, 0.2), (2, 0)))
        self.run_script(count(self.topic_in, self.out, aggregates="""sum = sluice.sum "n",
            low = sluice.min "n", high = sluice.max "n", mean = sluice.avg "n", first = sluice.first "n",
            last = sluice.last "n", odd = sluice.count():where(function(r) return r.n % 2 == 1 end)"""),
            "flush=true", "workers=100")  # more of them than shards
        (record,) = self.client.consume(self.out)
        self.assertEqual(record.value, b'{"window_start":0,"window_end":60000,"count":3,"first":2,"high":3,'
                         b'"last":1,"low":1,"mean":2,"odd":2,"sum":6}')
        self.assertEqual(record.key, b'{"window_start":0}')


class BranchesTest(ScriptCodeTest):
    def test_several_branches_and_sinks_read_the_topic_once(self):
        big, counts, closed = (self.topic(name=name) for name in ("big", "counts", "closed"))
        self.client.produce(self.topic_in, events(*range(100), key="k"))
        run = self.run_script(f"""
            local sluice = require "sluice"
            local all = sluice.kafka {{ topics = "{self.topic_in}", start = "earliest" }}
               :json {{ sluice.int64 "n" :required(), sluice.int64 "ts" }}
               :event_time("ts", {{ delay = 0 }})
            local parity = all:group_by {{ odd = sluice.bool(function(r) return r.n % 2 == 1 end) }}
               :window(sluice.tumbling {{ size = "1 minute" }})
               :aggregate {{ count = sluice.count() }}
            return sluice.pipeline {{ name = "branches", trigger = "available-now", checkpoint = "none",
               all:to(sluice.kafka {{ topic = "{self.out}" }}),
               all:filter(function(r) return r.n >= 90 end):select {{ number = "n" }}
                  :to(sluice.kafka {{ topic = "{big}" }}),
               parity:to(sluice.kafka {{ topic = "{counts}", mode = "update" }})
                  :to(sluice.kafka {{ topic = "{closed}", mode = "update" }}),
            }}""")
        self.assertEqual(expect.Summary(run.err).source["read"], 100)
        self.assertEqual([r.json()["n"] for r in self.client.consume(self.out)], list(range(100)))
        self.assertEqual([(r.key, r.json()) for r in self.client.consume(big)],
                         [(b"k", {"number": n}) for n in range(90, 100)])
        for topic in counts, closed:
            self.assertEqual(sorted((row["odd"], row["count"]) for _, row in self.rows(topic)),
                             [(False, 50), (True, 50)])

    def test_a_file_beside_a_topic(self):
        self.client.produce(self.topic_in, events(1, 2))
        text = pipelines.copy(self.topic_in, self.out).rstrip()[:-1]
        self.run_script(text.rstrip() + ':to(sluice.file { path = "-" }) }')
        self.assertEqual(len(self.rows()), 2)
        self.assertEqual(self.processes[-1].out, '{"n":1,"ts":0}\n{"n":2,"ts":0}\n')


class ModesTest(ScriptCodeTest):
    def start_count(self, *settings, **parts):
        self.file("p.lua", count(self.topic_in, self.out, **parts))
        run = self.start("run", "p.lua", *harness.sets("trigger=continuous", *settings))
        self.wait_for("the start", lambda: "message=running" in run.err or not run.running)
        self.assertTrue(run.running, run.err)
        return run

    def send(self, *numbers, rows):
        """Send events and wait for as many rows in all."""
        self.client.produce(self.topic_in, events(*numbers))
        self.wait_for(f"{rows} rows", lambda: len(self.rows()) >= rows, timeout_s=10)

    def test_a_result_that_no_longer_passes_is_retracted(self):
        """A filter behind the aggregation: the key's null value deletes it from a compacted topic."""
        text = count(self.topic_in, self.out, sink='mode = "update"',
                               aggregates='total = sluice.sum "n"')
        text = text.replace(":to(", ":filter(function(r) return (r.total or 0) < 10 end)\n:to(")
        self.file("p.lua", text)
        run = self.start("run", "p.lua", "--set", "trigger=continuous")
        self.send(1, rows=1)
        self.send(4, rows=2)
        self.send(7, rows=3)
        self.send(1, -8, rows=4)
        self.assertEqual(run.stop(), 0)
        key = {"window_start": 0}
        self.assertEqual([(k, v and v["total"]) for k, v in self.rows()],
                         [(key, 1), (key, 5), (key, None), (key, 5)])
        self.assertEqual(expect.Summary(run.err).sinks[self.out]["retracted"], 1)

    def test_final_marks_the_last_row_of_a_window(self):
        run = self.start_count(sink='mode = "update", final = true')
        self.send((1, 0), rows=1)
        self.send((2, 0.5), rows=2)
        self.send((3, 10), rows=4)
        self.assertEqual(run.stop(), 0)
        self.assertEqual(sorted((v["window_start"], v["count"], v["final"]) for _, v in self.rows()),
                         [(0, 1, False), (0, 2, False), (0, 2, True), (10 * MINUTE, 1, False)])
        self.assertEqual(list(self.rows()[0][1])[-1], "final")

    def test_only_if_changed(self):
        text = count(self.topic_in, self.out, sink='mode = "update", only_if_changed = true',
                               aggregates='high = sluice.max "n"').replace("count = sluice.count(), ", "")
        self.file("p.lua", text)
        run = self.start("run", "p.lua", "--set", "trigger=continuous")
        self.send(5, rows=1)
        self.send(3, rows=1)
        time.sleep(0.5)
        self.send(6, rows=2)
        self.assertEqual(run.stop(), 0)
        self.assertEqual([v["high"] for _, v in self.rows()], [5, 6])

    def test_complete_sends_all_and_has_a_limit(self):
        self.client.produce(self.topic_in, events(*[(n, n) for n in range(50)]))
        self.run_script(count(self.topic_in, self.out, sink='mode = "complete"'))
        self.assertEqual(len(self.rows()), 50)
        run = self.run_script(count(self.topic_in, self.out, sink='mode = "complete", max_rows = 10'),
                              code=1)
        self.assertRegex(run.err, "(?m)^time=.* level=error message=.*50 rows.*max_rows = 10")

    def test_updates_of_each_batch_are_one_row_a_group(self):
        run = self.start_count("source.max_records=10", sink='mode = "update"')
        self.send(*range(25), rows=1)
        self.wait_for("all", lambda: self.rows()[-1][1]["count"] == 25)
        self.assertEqual(run.stop(), 0)
        counts = [v["count"] for _, v in self.rows()]
        self.assertEqual(counts, sorted(set(counts)))
