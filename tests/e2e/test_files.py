"""Files as sources, by the program: patterns, packed ones, logs that rotate while they are read."""
import gzip
import json
import os
import re
import shutil

import harness

SCRIPT = """
local sluice = require "sluice"
return sluice.pipeline {{ name = "files", checkpoint = "none",
   sluice.file {{ path = {path}, follow = {follow} }}
   :json {{ sluice.int64 "n", sluice.string "file" :from_metadata "topic" }}
   :to(sluice.file {{ path = "-" }}) }}
"""

LOOP = """
   :filter(function(row)
      local n, sum = row.n or 0, 0
      for i = 1, 100 do sum = sum + i % (n + 1) end
      return sum >= 0
   end)
"""

# users who come once, so that more close than a batch gives and nothing is read meanwhile, and others
# who come again; stdout takes rows while the next batch is read
MANY = """
local sluice = require "sluice"
local rows = sluice.file { path = "in/*.jsonl", max_records = 40000, bad_records = "skip" }
   :json { sluice.int64 "user" :required(), sluice.double "amount", sluice.int64 "ts" :required() }
   :event_time("ts", { delay = "1 second" })
return sluice.pipeline { name = "many", trigger = "available-now", checkpoint = "file:state",
   rows:filter(function(row) return row.user % 7 ~= 0 end)
      :group_by "user"
      :window(sluice.hopping { size = "10 seconds", every = "5 seconds", name = "by user" })
      :aggregate { n = sluice.count(), sum = sluice.sum "amount", last = sluice.last "amount" }
      :to(sluice.file { path = "-", mode = "append" }),
   rows:derive { eighth = sluice.int64(function(row) return row.user % 8 end) }
      :group_by "eighth"
      :window(sluice.tumbling { size = "10 seconds", name = "by eighth" })
      :aggregate { n = sluice.count(), mean = sluice.avg "amount" }
      :to(sluice.file { path = "-", mode = "append" }) }
"""


class FilesTest(harness.E2ETest):
    def script(self, path, follow=False):
        self.file("p.lua", SCRIPT.format(path=path, follow=str(follow).lower()))

    def lines(self, name, *numbers, mode="a"):
        with open(os.path.join(self.folder, name), mode) as file:
            file.writelines(json.dumps({"n": n}) + "\n" for n in numbers)

    def test_a_profile_says_where_the_time_went(self):
        self.lines("a.jsonl", *range(5000))
        self.script('"a.jsonl"')
        run = self.run_sluice("run", "p.lua", "--profile", "--log", "plain")
        self.assertEqual(run.code, 0, run.err)
        self.assertIn("where the time went, of 5,000 records on 1 thread\n", run.err)
        table = run.err.split("ns/record    share\n")[1].splitlines()
        took = {line[2:13].strip(): float(line[13:24]) for line in table}
        whole = took.pop("in all")
        self.assertTrue({"decode", "write", "deliver"} <= {name for name, ns in took.items() if ns > 0}, run.err)
        self.assertEqual(list(took.values()), sorted(took.values(), reverse=True))
        self.assertAlmostEqual(sum(took.values()), whole, delta=0.05 * (len(took) + 1))
        self.assertNotIn("fold", took)

    def test_perf_finds_names_for_compiled_lua(self):
        self.lines("a.jsonl", *range(5000))
        text = SCRIPT.format(path='"a.jsonl"', follow="false").replace("   :to(", LOOP + "   :to(")
        self.file("p.lua", text)
        line = text[:text.index("for i")].count("\n") + 1
        run = self.run_sluice("run", "p.lua", "--perf-map", "--set", "workers=2")
        path = f"/tmp/perf-{run.process.pid}.map"
        self.addCleanup(os.unlink, path)
        self.assertEqual(run.code, 0, run.err)
        traces = [one.split(" ", 2) for one in harness.read(path).splitlines()]
        places = {re.fullmatch(r"TRACE_\d+::(.*:\d+)", name)[1] for _, _, name in traces}
        self.assertIn(f"p.lua:{line}", places)
        code = sorted((int(start, 16), int(size, 16)) for start, size, _ in traces)
        for (start, size), (following, _) in zip(code, code[1:]):
            self.assertGreater(size, 0)
            self.assertLessEqual(start + size, following)

    def rows(self, run):
        return [(row["file"], row["n"]) for row in map(json.loads, run.out.splitlines())]

    def test_a_pattern_of_packed_and_plain_files_ends_by_itself(self):
        os.mkdir(os.path.join(self.folder, "logs"))
        self.lines("logs/b.jsonl", 3)
        for numbers in ((1,), (2,)):  # two members
            with gzip.open(os.path.join(self.folder, "logs/a.jsonl.gz"), "at") as file:
                file.writelines(json.dumps({"n": n}) + "\n" for n in numbers)
        self.script('"logs/*.jsonl*"')
        run = self.run_sluice("run", "p.lua")
        self.assertEqual(run.code, 0, run.err)
        self.assertEqual(self.rows(run), [("logs/a.jsonl.gz", 1), ("logs/a.jsonl.gz", 2),
                                          ("logs/b.jsonl", 3)])

    def test_a_pattern_never_means_what_the_pipeline_writes(self):
        self.lines("a.jsonl", 1)
        with open(os.path.join(self.folder, "a.jsonl"), "a") as file:
            file.write("bad\n")
        self.file("p.lua", SCRIPT.format(path='"*.jsonl"', follow="true").replace(
            'path = "-"', 'path = "out.jsonl", append = true'))
        run = self.start("run", "p.lua")
        self.wait_for("what is bad", lambda: os.path.exists(
            os.path.join(self.folder, "files-quarantine.jsonl")))
        self.lines("b.jsonl", 2)  # is found by the look that would find the others
        out = os.path.join(self.folder, "out.jsonl")
        self.wait_for("the new file", lambda: os.path.exists(out) and harness.read(out).count("\n") == 2)
        self.assertEqual(run.stop(), 0, run.err)
        self.assertEqual(harness.read(out).count("\n"), 2)
        self.assertEqual(run.err.count('message="new file"'), 1)
        self.assertIn("quarantined=1", run.err)

    def many(self):
        """Files of different lengths; here and there a bad line."""
        os.mkdir(os.path.join(self.folder, "in"))
        for name, count in (1, 190_000), (2, 90_000), (3, 20_000):
            with open(os.path.join(self.folder, f"in/{name}.jsonl"), "w") as file:
                file.writelines(
                    f'{{"user":{n * name if n % 3 else n % 100},"amount":{n % 977 / 7},"ts":{n // 20}}}\n'
                    if n % 5003 else f"bad {n}\n" for n in range(count))

    def test_workers_change_no_byte_though_one_reads_ahead(self):
        self.many()
        got = {}
        for workers in 1, 2, 4:
            self.file("p.lua", MANY)
            run = self.run_sluice("run", "p.lua", *harness.sets(f"workers={workers}"))
            self.assertEqual(run.code, 0, run.err)
            self.assertRegex(run.err, "read=300000 .* skipped=60 ")
            self.assertIn("many groups close", run.err)
            got[workers] = run.out
            shutil.rmtree(os.path.join(self.folder, "state"))
        self.assertGreater(got[1].count("\n"), 200_000)
        self.assertEqual(got[2], got[1])
        self.assertEqual(got[4], got[1])

    def test_a_log_that_rotates_is_followed(self):
        self.lines("app.log", 1)
        self.script('"app.log*"', follow=True)
        run = self.start("run", "p.lua")
        self.wait_for("the first row", lambda: len(self.rows(run)) == 1)
        os.rename(os.path.join(self.folder, "app.log"), os.path.join(self.folder, "app.log.1"))
        self.lines("app.log.1", 2)
        self.lines("app.log", 3)
        self.wait_for("all rows", lambda: len(self.rows(run)) == 3)
        self.lines("app.log", 4)
        self.wait_for("one more", lambda: len(self.rows(run)) == 4)
        self.assertEqual([n for _, n in self.rows(run)], [1, 2, 3, 4])
        self.assertEqual(run.stop(), 0, run.err)
        self.assertIn("followed file was replaced by another", run.err)

    def test_a_file_that_was_cut_off_is_named_with_the_byte(self):
        path = os.path.join(self.folder, "a.jsonl.gz")
        with gzip.open(path, "wt") as file:
            file.write('{"n":1}\n' * 100)
        os.truncate(path, os.path.getsize(path) - 4)
        self.script('"a.jsonl.gz"')
        run = self.run_sluice("run", "p.lua")
        self.assertEqual(run.code, 1)
        self.assertIn("`a.jsonl.gz` ends at byte", run.err)
        self.assertIn("in the middle of its gzip data", run.err)
