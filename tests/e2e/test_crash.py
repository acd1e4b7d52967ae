"""A record over which the process dies is found by the run after the second death and put aside; who kills the
process from outside makes no record suspect."""
import json
import os

import harness
import kit

CRASHING = os.path.join(kit.ROOT, "build", "crash", "sluice")  # SLUICE_CRASH works in it

SCRIPT = """
local sluice = require "sluice"
return sluice.pipeline {{
   name = "{name}", checkpoint = "file:./store", trigger = "available-now", workers = 2,
   sluice.kafka {{ topics = "{source}", start = "earliest" }}
      :json {{ sluice.int64 "n" :required(), sluice.string "what" }}
      :flat_map({{ sluice.int64 "n", sluice.string "text" }}, function(row, emit)
         if row.what == "grow" then
            for _ = 1, {count} do emit {{ n = row.n, text = ("x"):rep(100000) }} end
         end
         emit {{ n = row.n, text = "" }}
      end)
      :select {{ "n" }}
      :to(sluice.kafka {{ topic = "{out}" }}),
}}
"""
FOLDS = """
local sluice = require "sluice"
local stuck = sluice.aggregate {
   state = { n = 0 },
   fold = function(a, row)
      if #row.what > 10 and ("a"):rep(100000):find(".-.-.-b") then a.n = -1 end
      a.n = a.n + row.n
   end,
   result = function(a) return a.n end,
}
return sluice.pipeline {
   name = "folds", checkpoint = "file:./store", trigger = "available-now", flush = true, script_timeout = "1 second",
   sluice.file { path = "in.jsonl" }
      :json { sluice.int64 "n" :required(), sluice.int64 "ts" :required(), sluice.string "what" :required() }
      :event_time("ts", { unit = "ms", delay = "1 second" })
      :window(sluice.tumbling { size = "1 hour" })
      :aggregate { rows = sluice.count(), sum = stuck }
      :to(sluice.file { path = "out.jsonl", append = true, mode = "append" }),
}
"""
HUGE = """
local sluice = require "sluice"
local long = sluice.aggregate {
   state = { n = 0 }, returns = "string",
   fold = function(a, row) a.n = a.n + row.n end,
   result = function(a) return ("x"):rep(a.n) end,
}
return sluice.pipeline {
   name = "huge", checkpoint = "file:./store", trigger = "available-now", flush = true, workers = 2,
   sluice.file { path = "in.jsonl" }
      :json { sluice.int64 "n" :required(), sluice.int64 "ts" :required(), sluice.string "k" }
      :event_time("ts", { unit = "ms", delay = "1 second" })
      :group_by "k":window(sluice.tumbling { size = "1 hour" })
      :aggregate { long = long }
      :to(sluice.file { path = "out.jsonl", append = true, mode = "append" }),
}
"""
ROWS = 3000


class CrashTest(harness.E2ETest):
    def prepare(self, bad=(), count=50_000):
        self.name, self.source, self.out = harness.fresh("crash"), self.topic(2, name="in"), self.topic(name="out")
        self.client.produce(self.source, [
            {"value": json.dumps({"n": n, "what": "grow" if n in bad else ""}), "partition": n % 2} for n in range(ROWS)])
        self.file("p.lua", SCRIPT.format(name=self.name, source=self.source, out=self.out, count=count))

    def copied(self):
        return sorted(record.json()["n"] for record in self.client.consume(self.out))

    def run_in_little_memory(self, script="p.lua"):
        return self.run_sluice("-c", f"ulimit -s 1024 -d 400000; exec {harness.SLUICE} run {script}", program="bash")

    def test_what_takes_all_memory_is_put_aside(self):
        bad = {1234, 1235}
        self.prepare(bad)
        for _ in range(2):
            run = self.run_in_little_memory()
            self.assertEqual(run.code, -6, run.err)
            self.assertIn("out of memory", run.err)
        self.assertEqual(self.copied(), [])
        run = self.run_in_little_memory()
        self.assertEqual(run.code, 0, run.err)
        self.assertEqual(self.copied(), [n for n in range(ROWS) if n not in bad])
        kept = self.client.consume(self.name + "-quarantine")
        self.assertEqual({record.json()["n"] for record in kept}, bad)
        for record in kept:
            reason = dict(record.headers)["sluice.reason"]
            self.assertEqual(reason, b"it ended an earlier run: crash: SIGABRT in flat_map p.lua:7")

    def test_records_that_take_all_memory_together_are_named(self):
        self.prepare(range(0, 128, 2), count=100)
        for _ in range(2):
            self.assertEqual(self.run_in_little_memory().code, -6)
        run = self.run_in_little_memory()
        self.assertEqual(run.code, -6, run.err)
        self.assertRegex(run.err, f'records of the batch end the process together, none is put aside" topic={self.source} '
                         r'partition=0 offset=0 records=\d+ why="crash: SIGABRT in flat_map p\.lua:7"')

    def test_a_result_that_takes_all_memory_is_named(self):
        """With its group: no record is to blame."""
        self.file("huge.lua", HUGE)
        hour = 1_699_999_200_000
        self.file("in.jsonl", "".join(json.dumps({"n": 1_000_000, "ts": hour + n, "k": f"k{n}"}) + "\n" for n in range(1500)))
        for _ in range(2):
            run = self.run_in_little_memory("huge.lua")
            self.assertEqual(run.code, -6, run.err)
        run = self.run_in_little_memory("huge.lua")
        self.assertEqual(run.code, -6, run.err)
        self.assertRegex(run.err, r'a result of the batch ends the process, no record is put aside" batch=\d+ '
                         r'why="crash: SIGABRT in result of `long` huge\.lua:6, group \{.*k.*:.*k\d+.*\}, '
                         rf'window \[{hour}, {hour + 3_600_000}\)"')

    def test_a_fold_that_does_not_return_is_put_aside(self):
        """By a C function, which cannot be broken off."""
        self.file("folds.lua", FOLDS)
        self.file("in.jsonl", "".join(json.dumps({"n": n, "ts": 1_700_000_000_000 + n, "what": "find a match" if n == 2100 else ""}) +
                                      "\n" for n in range(ROWS)))
        for _ in range(2):
            run = self.run_sluice("run", "folds.lua")
            self.assertEqual(run.code, 1, run.err)
            self.assertIn("it cannot be interrupted", run.err)
        run = self.run_sluice("run", "folds.lua")
        self.assertEqual(run.code, 0, run.err)
        row = json.loads(harness.read(os.path.join(self.folder, "out.jsonl")))
        self.assertEqual((row["rows"], row["sum"]), (ROWS - 1, sum(range(ROWS)) - 2100))
        [kept] = harness.read(os.path.join(self.folder, "folds-quarantine.jsonl")).splitlines()
        self.assertEqual(json.loads(json.loads(kept)["value"])["n"], 2100)
        self.assertRegex(kept, r"it ended an earlier run: it does not return in .*folds\.lua:5")

    def test_who_is_killed_again_and_again_puts_nothing_aside(self):
        self.prepare()
        for _ in range(3):  # in the midst of the same batch, each time
            run = self.run_sluice("run", "p.lua", env={"SLUICE_CRASH": "functions_done"}, program=CRASHING)
            self.assertEqual(run.code, -9, run.err)
        run = self.run_sluice("run", "p.lua")
        self.assertEqual(run.code, 0, run.err)
        self.assertIn("no record of the batch ends the process by itself", run.err)
        self.assertEqual(self.copied(), list(range(ROWS)))
        self.assertIn("quarantined=0", run.err)
        self.assertFalse(os.path.exists(os.path.join(self.folder, f"store/.state/{self.name}.poison")))
