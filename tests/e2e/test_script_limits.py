"""What a script may take: a record whose function never returns, or wants all memory, is put aside, and its
neighbours count."""
import json
import os

import harness

SCRIPT = """
local sluice = require "sluice"
return sluice.pipeline {
   name = "limits", checkpoint = "file:./store", trigger = "available-now", flush = true,
   script_timeout = "1 second",
   sluice.file { path = "in.jsonl" }
      :json { sluice.int64 "n" :required(), sluice.int64 "ts" :required(), sluice.string "do" }
      :event_time("ts", { unit = "ms", delay = "1 second" })
      :filter(function(row)
         if row["do"] == "loop" then
            local i = 0
            while i < 1e300 do i = i + 1 end
         end
         if row["do"] == "find" then return ("a"):rep(100000):find(".-.-.-b") ~= nil end
         if row["do"] == "hide" then pcall(string.rep, "x", 2e9) end
         return true
      end)
      :window(sluice.tumbling { size = "1 hour" })
      :aggregate { rows = sluice.count(), sum = sluice.sum "n" }
      :to(sluice.file { path = "out.jsonl", append = true, mode = "append" }),
}
"""
RESULTS = """
local sluice = require "sluice"
local function stuck(it) return it and ("a"):rep(100000):find(".-.-.-b") ~= nil end
local last = sluice.aggregate {
   state = { n = 0 },
   fold = function(a, row) a.n = row.n end,
   merge = function(a, b)
      if stuck(MERGE and b.n == 13) then a.n = -1 end
      a.n = a.n + b.n
   end,
   result = function(a)
      return stuck(not MERGE and a.n == 13) and 0 or a.n
   end,
}
return sluice.pipeline {
   name = "results", checkpoint = "file:./store", trigger = "available-now", flush = true,
   script_timeout = "1 second",
   sluice.file { path = "in.jsonl" }
      :json { sluice.int64 "n" :required(), sluice.int64 "ts" :required(), sluice.string "k", sluice.int64 "part" }
      :event_time("ts", { unit = "ms", delay = "1 second" })
      :group_by { "k", "part" }
      :window(sluice.hopping { size = "2 hours", every = "1 hour" })
      :aggregate { rows = sluice.count(), last = last }
      :to(sluice.file { path = "out.jsonl", append = true, mode = "append" }),
}
"""


class ScriptLimitsTest(harness.E2ETest):
    def feed(self, bad):
        self.file("in.jsonl", "".join(
            json.dumps({"n": n, "ts": 1_700_000_000_000 + n, "do": bad.get(n, "")}) + "\n" for n in range(5000)))
        return self.run_sluice("run", self.file("p.lua", SCRIPT))

    def test_what_others_left_is_not_a_records_fault(self):
        text = SCRIPT.replace("return true", "local t = {} for i = 1, 100000 do t[i] = { row.n } end return #t > 0", 1)
        self.file("in.jsonl", "".join(json.dumps({"n": n, "ts": 1_700_000_000_000}) + "\n" for n in range(30)))
        run = self.run_sluice("run", self.file("p.lua", text), "--set", "script_memory=16 MiB", "--set", "script_timeout=1 minute")
        self.assertEqual(run.code, 0, run.err)
        self.assertIn("read=30 passed=30", run.err)

    def test_the_record_goes_and_its_neighbours_count(self):
        run = self.feed({1700: "loop", 3100: "hide"})
        self.assertEqual(run.code, 0, run.err)
        self.assertIn("has not returned for", run.err)
        row = json.loads(harness.read(os.path.join(self.folder, "out.jsonl")))
        self.assertEqual((row["rows"], row["sum"]), (4998, sum(range(5000)) - 1700 - 3100))
        kept = [json.loads(line)["headers"] for line in
                harness.read(os.path.join(self.folder, "limits-quarantine.jsonl")).splitlines()]
        self.assertEqual(len(kept), 2)
        self.assertIn("p.lua:12: interrupted: it does not return", kept[0]["sluice.reason"])
        self.assertIn("interrupted: it asks for more than script_memory = 256 MiB", kept[1]["sluice.reason"])

    def test_a_record_that_ends_the_process_is_put_aside_by_the_next(self):
        run = self.feed({1700: "find"})
        self.assertEqual(run.code, 1, run.err)
        self.assertIn("it cannot be interrupted", run.err)
        self.assertIn("the next run puts this record aside", run.err)
        run = self.run_sluice("run", "p.lua")
        self.assertEqual(run.code, 0, run.err)
        row = json.loads(harness.read(os.path.join(self.folder, "out.jsonl")))
        self.assertEqual((row["rows"], row["sum"]), (4999, sum(range(5000)) - 1700))
        [kept] = harness.read(os.path.join(self.folder, "limits-quarantine.jsonl")).splitlines()
        self.assertEqual(json.loads(json.loads(kept)["value"])["n"], 1700)
        self.assertIn("p.lua:9 has not returned",
                      json.loads(kept)["headers"]["sluice.reason"])

    def test_a_result_or_merge_that_ends_the_run_is_named(self):
        """It is made of many records, and none is put aside: what there is to know is in the message."""
        hour, records = 3_600_000, []
        for n, (k, at) in enumerate([("a", 0), ("b", 0), ("a", 1), ("b", 1), ("c", 1)]):
            records.append({"n": 13 if (k, at) == ("b", 1) else n, "k": k, "part": 7, "ts": 100 * hour + at * hour})
        self.file("in.jsonl", "".join(json.dumps(record) + "\n" for record in records))
        for is_merge, line, what in (False, 11, "result"), (True, 7, "merge"):
            with self.subTest(what=what):
                run = self.run_sluice("run", self.file("p.lua", RESULTS.replace("MERGE", str(is_merge).lower()).replace("results", what)))
                self.assertEqual(run.code, 1, run.err)
                self.assertRegex(run.err, rf'{what} of `last` \S*p\.lua:{line} has not returned for \d+ ms, in emit of '
                                 r'aggregate at row \d of \d, group \{.*k.*:.*b.*part.*:7\}, window \['
                                 rf'{(100 if is_merge else 101) * hour}, .*it cannot be interrupted')

    def test_a_script_that_never_returns_ends_the_run(self):
        run = self.feed(dict.fromkeys(range(1000, 2000), "loop"))
        self.assertEqual(run.code, 1, run.err)
        self.assertIn("so did those before it", run.err)
        self.assertFalse(os.path.exists(os.path.join(self.folder, "out.jsonl")) and
                         harness.read(os.path.join(self.folder, "out.jsonl")))
