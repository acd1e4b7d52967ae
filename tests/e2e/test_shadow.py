"""`sluice reload NAME --shadow N`: another script does the batches of a running pipeline, too. What it would change is
told to the row, and the pipeline's output is that of a run without it, whatever it does."""
import json
import re

import harness

SCRIPT = """
local sluice = require "sluice"
local seen = sluice.aggregate {{ state = {{ n = 0 }}, fold = function(a, row) a.n = a.n + 1 end,
   result = function(a) {result} end }}
local rows = sluice.kafka {{ topics = "{source}", start = "earliest", max_records = 100 }}
   :json {{ sluice.string "k", sluice.int64 "n" :required(), sluice.int64 "ts" :required() }}
   :event_time("ts", {{ unit = "ms", delay = "1 second", idle = "never" }})
return sluice.pipeline {{
   name = "{name}", checkpoint = "file:./store", script_timeout = "1 second", workers = {workers},
   rows{filter}:to(sluice.kafka {{ topic = "{copy}" }}),
   rows:group_by "k":window(sluice.tumbling {{ size = "{size}" }})
      :aggregate {{ rows = sluice.count(), sum = sluice.sum "n", seen = seen }}
      :to(sluice.kafka {{ topic = "{out}", mode = "update" }}),
}} -- {comment}
"""
PLAIN = {"filter": "", "result": "return a.n", "size": "10 seconds", "comment": "", "workers": 2}
BEGUN = "another script does the next batches on shadow"
T0 = 1_700_000_000_000


class ShadowTest(harness.E2ETest):
    def setUp(self):
        super().setUp()
        self.names = {"source": self.topic(name="in"), "copy": self.topic(name="copy"), "out": self.topic(name="out"),
                      "name": harness.fresh("shadow")}
        self.sent = 0
        self.save("p.lua")
        self.run_ = self.start("run", "p.lua", "--log", "logfmt")
        self.produce(250)  # so that there is state
        self.read_all()

    def save(self, name, **words):
        self.file(name, SCRIPT.format(**{**PLAIN, **self.names, **words}))

    def produce(self, count):
        first, self.sent = self.sent, self.sent + count
        self.client.produce(self.names["source"], [
            {"value": json.dumps({"n": n, "k": f"k{n % 7}", "ts": T0 + n * 50})} for n in range(first, self.sent)])

    def copied(self):
        return [record.json()["n"] for record in self.client.consume(self.names["copy"])]

    def read_all(self):
        """All that was sent is read and committed, and no batch is under way."""
        self.wait_for("all copies", lambda: len(self.copied()) == self.sent)

    def shadow(self, *more, batches=3, script="new.lua"):
        """Ask for one, and have batches come until it is answered."""
        begun = self.run_.err.count(BEGUN)
        self.first = self.sent
        asked = self.start("reload", self.names["name"], "--script", script, "--shadow", str(batches), *more)
        self.wait_for("its begin", lambda: self.run_.err.count(BEGUN) > begun or not asked.running)
        while asked.running:
            self.produce(40)
            self.wait_for("the batch, or the answer",
                          lambda: not asked.running or self.client.end_offsets(self.names["copy"])[0] > self.sent - 40)
        return asked.wait(), asked

    def check(self, total=None):
        """The output is what the script that runs makes of the records: each once, each right."""
        self.produce(30)
        self.read_all()
        self.assertEqual(self.run_.stop(), 0, self.run_.err)
        self.assertEqual(self.copied(), list(range(self.sent)))
        wanted = {}
        for n in range(self.sent):
            key = f"k{n % 7}", (T0 + n * 50) // 10_000 * 10_000
            rows, sums = wanted.get(key, (0, 0))
            wanted[key] = rows + 1, sums + n
        found, seen = {}, {}
        for record in self.client.consume(self.names["out"]):
            row = record.json()
            key = row["k"], row["window_start"]
            self.assertGreater(row["rows"], found.get(key, (0, 0))[0])  # none twice
            found[key], seen[key] = (row["rows"], row["sum"]), row["seen"]
        self.assertEqual(found, wanted)
        if total is None:
            self.assertEqual(seen, {key: rows for key, (rows, _) in wanted.items()})
        read = sum(int(count) for count in re.findall(r"quarantined=(\d+)", self.run_.err))
        self.assertEqual(read, 0)

    def test_the_same_script_differs_in_nothing(self):
        self.save("new.lua", comment="the same but for this")
        code, asked = self.shadow("--json")
        self.assertEqual(code, 0, asked.out + asked.err)
        it = json.loads(asked.out)
        self.assertEqual((it["state"], it["batches"], it["is_same"]), ("done", 3, True))
        self.assertEqual((it["differing"], it["only_old"], it["only_new"], it["rows"]), (0, 0, 0, []))
        self.assertEqual(it["same"], it["old"]["rows"])
        self.assertGreater(it["same"], it["records"])
        self.assertEqual(it["old"]["groups"], it["new"]["groups"])
        self.assertGreater(it["new"]["cpu_ns"], 0)
        self.check()

    def test_rows_that_differ_are_told_to_the_row(self):
        self.save("new.lua", filter=":filter(function(row) return row.n % 5 ~= 0 end)")
        code, asked = self.shadow("--json", "--rows", "1000")
        self.assertEqual(code, 1, asked.out + asked.err)
        it = json.loads(asked.out)
        dropped = [n for n in range(self.first, self.first + it["records"]) if n % 5 == 0]
        self.assertEqual([json.loads(row["old"])["n"] for row in it["rows"]], dropped)
        self.assertEqual({(row["kind"], row["sink"]) for row in it["rows"]}, {("old", self.names["copy"])})
        self.assertEqual((it["only_old"], it["only_new"], it["differing"]), (len(dropped), 0, 0))
        self.assertEqual(it["old"]["rows"] - it["new"]["rows"], len(dropped))
        self.save("new.lua", result="return a.n + 1")  # another value in each result
        code, asked = self.shadow("--rows", "2")
        self.assertEqual(code, 1, asked.out + asked.err)
        self.assertRegex(asked.out, r'~ out\S*  batch \d+  key \{"k":"k\d","window_start":\d+\}\n'
                                    r'      seen  \d+ -> \d+\n')
        self.check()

    def test_one_that_fails_is_dropped_and_nothing_comes_of_it(self):
        self.save("new.lua", result='if a.n > 20 then error "too many" end return a.n')
        code, asked = self.shadow(batches=1000)
        self.assertEqual(code, 4)
        self.assertRegex(asked.err, r"dropped.*new.lua:4: too many")
        self.save("new.lua", filter=":filter(function(row) return row.n < 0 or error 'never' end)")
        code, asked = self.shadow(batches=1000)
        self.assertEqual(code, 4)
        self.assertIn("records are bad", asked.err)
        self.save("new.lua", filter=f":filter(function(row) while row.n == {self.sent} do end return true end)")
        code, asked = self.shadow(batches=1000)
        self.assertEqual(code, 4, asked.out)
        self.assertIn("dropped", asked.err)
        self.assertIn("a call into the script on shadow takes too long", self.run_.err)
        self.check()

    def test_one_that_nobody_waits_for_is_dropped(self):
        self.save("new.lua", comment="another")
        asked = self.start("reload", self.names["name"], "--script", "new.lua", "--shadow", "9")
        self.wait_for("its begin", lambda: BEGUN in self.run_.err)
        status = self.run_sluice("status", self.names["name"])
        self.assertIn("0 of 9 batches", status.out)
        asked.kill()
        self.wait_for("its end", lambda: "who asked for it has gone" in self.run_.err)
        self.check()

    def test_one_that_differs_in_nothing_takes_over(self):
        self.save("new.lua", comment="promoted", result="return -a.n")
        code, asked = self.shadow("--promote", "same")
        self.assertEqual(code, 1, asked.err)
        self.assertNotIn("the script was reloaded", self.run_.err)
        code, asked = self.shadow("--promote", "always")
        self.assertEqual(code, 0, asked.err)
        self.assertIn("the script was reloaded", self.run_.err)
        self.assertIn("put new.lua in its place", asked.out)
        self.check(total=False)

    def test_what_cannot_take_over_is_refused(self):
        self.save("new.lua", size="20 seconds")
        code, asked = self.shadow()
        self.assertEqual(code, 4)
        self.assertIn("was tumbling window of 10 seconds, and is tumbling window of 20 seconds", asked.err)
        code, asked = self.shadow(script="p.lua")
        self.assertEqual(code, 4)
        self.assertIn("is the text that runs", asked.err)
        self.file("new.lua", "return 1 +")
        code, asked = self.shadow()
        self.assertEqual(code, 4)
        self.assertIn("new.lua:1", asked.err)
        self.assertEqual(self.run_sluice("reload", self.names["name"], "--rows", "3").code, 2)
        self.check()


FILES = """
local sluice = require "sluice"
return sluice.pipeline {{ name = "files", checkpoint = "none",
   sluice.file {{ path = "in.csv", follow = true }}
   :csv {{ sluice.string "k" :required(), sluice.int64 "n" :required(), sluice.int64 "ts" :required() }}
   :event_time("ts", {{ delay = 0, max_skew = "1 day" }})
   :group_by "k":window(sluice.session {{ gap = "1 hour" }}):aggregate {{ sum = sluice.sum "n"{more} }}
   :to(sluice.file {{ path = "-", mode = "update" }}) }}
"""


class WithoutCheckpointTest(harness.E2ETest):
    """The state is copied in memory; the file's header line was read before."""
    brokers = "127.0.0.1:1"

    def feed(self, n):
        before = len(self.run_.out.splitlines())
        with open(f"{self.folder}/in.csv", "a") as file:
            file.write(f"a,{n},1000\n")
        self.wait_for("its row", lambda: len(self.run_.out.splitlines()) > before)

    def test_the_state_is_the_running_one(self):
        self.file("in.csv", "k,n,ts\n")
        self.file("p.lua", FILES.format(more=""))
        self.file("new.lua", FILES.format(more=', most = sluice.max "n"'))
        self.run_ = self.start("run", "p.lua", "--log", "logfmt")
        self.feed(40)
        asked = self.start("reload", "files", "--script", "new.lua", "--shadow", "2", "--json", "--promote", "always")
        self.wait_for("its begin", lambda: BEGUN in self.run_.err or not asked.running)
        self.feed(2)
        self.feed(3)
        self.assertEqual(asked.wait(), 0, asked.err)
        it = json.loads(asked.out.splitlines()[0])
        self.assertEqual((it["records"], it["differing"], it["only_old"], it["only_new"]), (2, 2, 0, 0))
        self.assertEqual([(json.loads(row["old"])["sum"], json.loads(row["new"])["sum"], json.loads(row["new"])["most"])
                          for row in it["rows"]], [(42, 42, 2), (45, 45, 3)])
        self.feed(1)
        row = json.loads(self.run_.out.splitlines()[-1])["value"]  # sessions may be retracted, so with their keys
        self.assertEqual((row["sum"], row["most"]), (46, 1))  # what is new begins empty
