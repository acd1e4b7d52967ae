"""A script that is saved while its pipeline runs: it takes over with its state, or is refused and the old one goes on;
one that fails in its first batch is gone again."""
import json
import os
import signal
import time

import harness

COUNTS = """
local sluice = require "sluice"
local rows = sluice.kafka {{ topics = "{source}", start = "earliest", min_records = {least}, max_records = 200 }}
   :json {{ sluice.string "k", sluice.int64 "n" :required(), sluice.int64 "ts" :required() }}
   :event_time("ts", {{ unit = "ms", delay = "1 second", idle = "never" }})
return sluice.pipeline {{
   name = "{name}", checkpoint = "file:./store",
   rows{wide}:to(sluice.kafka {{ topic = "{copy}", compression = "none", on_error = "{on_error}" }}),
   rows:group_by "k":window(sluice.tumbling {{ size = "10 seconds" }})
      :aggregate {{ rows = sluice.count(), sum = sluice.sum "n" {more} }}
      :to(sluice.kafka {{ topic = "{out}", mode = "append" }}),
}}
"""

OWN = """
local sluice = require "sluice"
local rows = sluice.kafka {{ topics = "{source}", start = "earliest", min_records = 4, max_records = 4 }}
   :json {{ sluice.int64 "n" :required() }}
return sluice.pipeline {{
   name = "{name}", checkpoint = "file:./store",
   rows:to(sluice.sink {{ name = "own", by_batch = true, open = function(system) return system end,
      write = function(rows, batch, system)
         {write}
         local file = system.io.open("own-" .. batch.id, "w")
         file:write(#rows, " {text} ", tostring(batch.may_repeat))
         file:close()
      end }}),
   rows:derive {{ pad = sluice.string(function(row) return ("x"):rep({width}) end) }}
      :to(sluice.kafka {{ topic = "{copy}", compression = "none", on_error = "fail" }}),
}}
"""

SCRIPT = """
local sluice = require "sluice"
local helpers = require "helpers"
local sloppy = sluice.aggregate {{ state = {{ n = 0 }}, fold = function(a, row) a.n = a.n + row.n end,
   result = function(a) {sloppy} end }}
return sluice.pipeline {{ name = "live", checkpoint = "file:./checkpoints", delivery = "at-least-once", workers = {workers},
   script_timeout = "1 second",
   sluice.file {{ path = "in.jsonl", follow = true }}
   :json {{ sluice.string "k" :required(), sluice.int64 "n" :required(), sluice.int64 "ts" :required() }}
   :event_time("ts", {{ delay = 0, max_skew = "1 day" }})
   :filter(helpers.keep)
   :group_by "k":window(sluice.tumbling {{ size = "{size}" }}):aggregate {{ sum = sluice.sum "n", {items} }}
   :to(sluice.file {{ path = "-", mode = "update" }}) }}
"""
GENERATED = """
local sluice = require "sluice"
return sluice.pipeline {{ name = "live", checkpoint = "none",
   sluice.generator {{ rate = 2000, row = function(i) return {{ k = "k" .. i % 50, n = i }} end }}
      :rows {{ sluice.string "k" :required(), sluice.int64 "n" :required() }}
      :event_time("n", {{ delay = "1 second" }})
      :filter(function(row) return row.n % 7 ~= {i} end)
      :group_by "k":window(sluice.running {{ retain = "7 days" }})
      :aggregate {{ rows = sluice.count(), sum = sluice.sum "n" }}
      :to(sluice.file {{ path = "/dev/null", append = true, mode = "update" }}) }}
"""
MEMORY_RELOADS = int(os.environ.get("RELOADS", "80"))
TAKEN, REFUSED = "the script was reloaded", "the changed script is refused, the old one goes on"
BACK = "the new script failed, the old one is back and does the batch again"


def anonymous_kb(run):
    with open(f"/proc/{run.process.pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon:"))


class ReloadTest(harness.E2ETest):
    brokers = "127.0.0.1:1"

    def begin(self, *arguments, **words):
        self.save_helper("row.n > 0")
        self.file("in.jsonl", "")
        self.save(**words)
        self.run_ = self.start("run", "live.lua", *arguments)
        self.sums = []
        self.feed(1, 1)

    def save(self, items="", size="1 hour", workers=1, sloppy="return a.n"):
        """As editors do: another file takes the name."""
        self.file("live.new", SCRIPT.format(items=items, size=size, workers=workers, sloppy=sloppy))
        os.replace(os.path.join(self.folder, "live.new"), os.path.join(self.folder, "live.lua"))

    def save_helper(self, condition):
        self.file("helpers.lua", "return { keep = function(row) return %s end }" % condition)

    def rows(self):
        return [json.loads(line) for line in self.run_.out.splitlines()]

    def feed(self, n, total):
        """A row in, and what comes of it."""
        with open(os.path.join(self.folder, "in.jsonl"), "a") as file:
            file.write(json.dumps({"k": "a", "n": n, "ts": 1000}) + "\n")
        self.sums.append(total)
        self.wait_for(f"the sum {total}", lambda: [row["sum"] for row in self.rows()] == self.sums)
        return self.rows()[-1]

    def told(self, text, count=1):
        self.wait_for(f"{count} times `{text}`", lambda: self.run_.err.count(text) == count)
        return [line for line in self.run_.err.splitlines() if text in line][-1]

    def test_what_is_saved_takes_over_with_its_state(self):
        self.begin()
        self.save(items='most = sluice.max "n"')
        self.assertIn("`most` is new and starts empty", self.told(TAKEN))
        self.assertEqual(self.feed(5, 6)["most"], 5)
        self.save_helper("row.n > 10")  # what it requires is watched as well
        self.assertIn('changes="logic only"', self.told(TAKEN, 2))
        with open(os.path.join(self.folder, "in.jsonl"), "a") as file:
            file.write('{"k":"a","n":7,"ts":1000}\n')
        self.assertEqual(self.feed(11, 17)["most"], 11)
        self.assertEqual(self.run_.stop(), 0)
        self.run_ = self.start("run", "live.lua")  # what was stored goes with what was saved
        self.sums = []
        self.feed(12, 29)
        self.assertNotIn("has changed", self.run_.err)

    def test_a_file_to_write_to_is_added(self):
        self.begin()
        with open(os.path.join(self.folder, "live.lua")) as file:
            text = file.read()
        self.file("live.new", text.replace('"update" }) }', '"update" })\n   :to(sluice.file { path = "more.jsonl", '
                                           'append = true, mode = "update" }) }'))
        os.replace(os.path.join(self.folder, "live.new"), os.path.join(self.folder, "live.lua"))
        self.told(TAKEN)
        self.feed(5, 6)
        self.wait_for("its row", lambda: [json.loads(line)["sum"] for line in harness.read(
            os.path.join(self.folder, "more.jsonl")).splitlines()] == [6])

    def test_what_cannot_be_is_refused_until_it_is_mended(self):
        self.begin(workers=2)
        self.save(size="2 hours", workers=2)
        said = self.told(REFUSED)
        self.assertIn("was tumbling window of 1 hour, and is tumbling window of 2 hours", said)
        self.assertRegex(said, "live.lua:12: the window of")
        self.save(items="most = sluice.mxa", workers=2)
        self.assertIn("live.lua:", self.told(REFUSED, 2))
        self.save(workers=3)
        self.assertRegex(self.told(REFUSED, 3), "live.lua:6: there were 2 workers, and there are 3: it takes effect when")
        self.file("helpers.lua", "return { keep = function(row) return true }")  # half of it
        self.save(items='least = sluice.min "n"', workers=2)
        self.assertIn("helpers.lua:1", self.told(REFUSED, 4))
        self.feed(2, 3)
        self.save_helper("row.n > 0")
        self.told(TAKEN)
        self.assertEqual(self.feed(3, 6)["least"], 3)

    def test_what_fails_at_first_is_gone_and_the_batch_is_done(self):
        self.begin()
        self.save(items="odd = sloppy", sloppy='error "no result"')
        self.told(TAKEN)
        self.assertNotIn("odd", self.feed(2, 3))
        self.assertIn("no result", self.told(BACK))
        self.save(items="odd = sloppy", sloppy="while true do end")  # found when it is loaded, or in the batch
        self.feed(3, 6)
        self.save(items="odd = sloppy")
        self.wait_for("the new column", lambda: self.feed(1, self.sums[-1] + 1).get("odd"))
        self.assertEqual(self.run_.stop(), 0)

    def test_what_does_not_return_is_gone_and_the_batch_is_done(self):
        self.begin()
        self.save_helper("row.n ~= 77 or (function() local t = {} while true do t[1] = tostring(t) end end)()")
        self.told(TAKEN)
        with open(os.path.join(self.folder, "in.jsonl"), "a") as file:  # more than a run of its own would bear
            file.write('{"k":"a","n":77,"ts":1000}\n' * 6)
        self.wait_for("the six rows", lambda: self.rows()[-1]["sum"] == 1 + 6 * 77)
        self.assertIn("has not returned", self.run_.err)
        self.told(BACK)
        self.assertEqual(self.run_.stop(), 0)
        self.assertIn("quarantined=0", self.run_.err)

    def test_who_asks_for_what_is_loaded_already_stops_nothing(self):
        self.begin()
        for n in range(12):  # some fall between the load and the exchange
            self.save(items=f'most{n} = sluice.max "n"')
            time.sleep(0.1 + 0.02 * n)
            asked = self.start("reload", "live")
            self.told(TAKEN, n + 1)
            self.feed(1, n + 2)  # the trial is over
            self.assertEqual(asked.wait(), 0, asked.out + asked.err + self.run_.err)
        self.assertEqual(self.feed(5, 18)["most11"], 5)
        self.assertEqual(self.run_.stop(), 0)

    def test_what_throws_on_every_record_is_gone(self):
        self.begin()
        self.save_helper('row.n < 2 or error "never"')
        self.told(TAKEN)
        with open(os.path.join(self.folder, "in.jsonl"), "a") as file:
            file.write('{"k":"a","n":5,"ts":1000}\n' * 3)
        self.wait_for("the three rows", lambda: self.rows()[-1]["sum"] == 16)
        self.assertIn("3 of the batch's 3 records are bad", self.told(BACK))
        self.assertEqual(self.run_.stop(), 0)
        self.assertIn("quarantined=0", self.run_.err)

    def test_a_result_that_does_not_return_is_tried_once(self):
        self.begin()
        self.save(items="odd = sloppy", sloppy="while a.n * 7 == 4200 do local t = {} t[1] = a.n end return a.n")
        self.told(TAKEN)
        with open(os.path.join(self.folder, "in.jsonl"), "a") as file:  # not once more for each of its records
            file.write('{"k":"a","n":100,"ts":1000}\n' * 6)
        self.wait_for("the six rows", lambda: self.rows()[-1]["sum"] == 601)
        self.told(BACK)
        self.assertEqual(self.run_.err.count("has not returned"), 1)

    def test_what_was_taken_stays_when_the_next_is_refused(self):
        self.begin()
        self.save(items='most = sluice.max "n"')
        self.told(TAKEN)
        self.save(items='most = sluice.max "n"', size="2 hours")
        self.told(REFUSED)
        self.assertEqual(self.feed(5, 6)["most"], 5)

    def test_what_is_new_is_warned_of_once(self):
        self.begin()
        warned = SCRIPT.replace('max_skew = "1 day"', 'max_skew = "1 day", watermark = "max"')
        for count, text in enumerate((warned, warned + "-- a note", SCRIPT), 1):
            self.file("live.new", text.format(items="", size="1 hour", workers=1, sloppy="return a.n"))
            os.replace(os.path.join(self.folder, "live.new"), os.path.join(self.folder, "live.lua"))
            self.told(TAKEN, count)
        self.assertEqual(self.run_.err.count("W08 watermark-max"), 1, self.run_.err)

    def test_what_is_refused_stands_once_in_status(self):
        self.begin()
        self.save(size="2 hours")
        self.told(REFUSED)
        it = json.loads(self.run_sluice("status", "live", "--json").out)
        self.assertEqual([one["verdict"] for one in it["reloads"]], ["refused"])
        self.assertEqual(it["errors"], [])

    def test_memory_stays_as_it_was(self):
        self.save_counts(0)
        run = self.run_ = self.start("run", "live.lua", "--no-watch")
        self.wait_for("its start", lambda: "message=running" in run.err)
        for i in range(1, MEMORY_RELOADS + 1):
            self.save_counts(i)
            run.send(signal.SIGHUP)
            self.told(TAKEN, i)
            if i == 20:  # what is done with is freed a moment later
                time.sleep(0.2)
                most = anonymous_kb(run) * 1.03
        self.wait_for(f"memory below {most:.0f} kB", lambda: anonymous_kb(run) <= most)

    def save_counts(self, i):
        self.file("live.new", GENERATED.format(i=i % 7))
        os.replace(os.path.join(self.folder, "live.new"), os.path.join(self.folder, "live.lua"))

    def test_files_that_change_as_others_change_them(self):
        self.begin()
        path = os.path.join(self.folder, "live.lua")
        text = lambda n: SCRIPT.format(items=f'of_{n} = sluice.max "n"', size="1 hour", workers=1, sloppy="return a.n")
        os.unlink(path)  # deleted, and created again
        self.file("live.lua", text(1))
        self.told(TAKEN)
        for n in 2, 3:  # as a volume of Kubernetes: live.lua -> ..data/live.lua, ..data -> a folder of its own
            os.makedirs(os.path.join(self.folder, f"..v{n}"))
            self.file(f"..v{n}/live.lua", text(n))
            os.symlink(f"..v{n}", os.path.join(self.folder, "..data_tmp"))
            os.replace(os.path.join(self.folder, "..data_tmp"), os.path.join(self.folder, "..data"))
            if not os.path.islink(path):
                os.symlink("..data/live.lua", os.path.join(self.folder, "live.new"))
                os.replace(os.path.join(self.folder, "live.new"), path)
            self.told(TAKEN, n)
        self.assertEqual(self.feed(5, 6)["of_3"], 5)
        self.save_helper("row.n > 0 and row.n < 100")  # a module alone
        self.told(TAKEN, 4)
        self.run_.send(signal.SIGHUP)
        self.run_.send(signal.SIGHUP)
        self.wait_for("a word", lambda: "the script is the one that runs" in self.run_.err)
        self.save(items='of_4 = sluice.max "n"')  # and at a stop
        self.assertEqual(self.run_.stop(), 0)

    def test_who_asks_is_told_that_no_record_comes(self):
        self.begin("--no-watch")
        self.save(items='most = sluice.max "n"')
        asked = self.run_sluice("reload", "live")
        self.assertEqual(asked.code, 0, asked.err)
        self.assertIn("`most` is new", asked.out)
        self.assertIn("on trial until its first batch is done: no record has come yet", asked.out)
        verdict = lambda: json.loads(self.run_sluice("status", "live", "--json").out)["reloads"][0]["verdict"]
        self.assertEqual(verdict(), "on trial")
        self.feed(5, 6)
        self.wait_for("the end of the trial", lambda: verdict() == "taken")

    def test_who_asks_is_told_of_what_was_loaded_for_him(self):
        self.begin("--no-watch")
        self.save(items="never = (function() while true do end end)()")
        self.run_.send(signal.SIGHUP)
        self.told("the changed script is still being loaded")
        self.save(items='most = sluice.max "n"')
        asked = self.run_sluice("reload", "live")  # while the one before has not failed yet
        self.assertIn(REFUSED, self.run_.err)
        self.assertEqual(asked.code, 0, asked.err)
        self.assertIn("`most` is new", asked.out)

    def test_by_hand(self):
        self.begin("--no-watch")
        self.save(items='most = sluice.max "n"')
        self.assertNotIn("most", self.feed(5, 6))
        self.run_.send(signal.SIGHUP)
        self.told(TAKEN)
        self.assertEqual(self.feed(4, 10)["most"], 4)
        self.run_.send(signal.SIGHUP)
        self.told("the script is the one that runs")


class CopyTest(harness.E2ETest):
    """Exactly once: texts come and go while records do, and none is lost or twice."""

    def setUp(self):
        super().setUp()
        self.names = {"source": self.topic(partitions=2, name="in"), "copy": self.topic(name="copy"),
                      "out": self.topic(name="out"), "name": harness.fresh("reloads")}
        self.sent = 0

    def save(self, more, wide="", on_error="quarantine", least=1):
        self.file("p.new", COUNTS.format(more=more, wide=wide, on_error=on_error, least=least, **self.names))
        os.replace(os.path.join(self.folder, "p.new"), os.path.join(self.folder, "p.lua"))

    def produce(self, count):
        first, self.sent = self.sent, self.sent + count
        self.client.produce(self.names["source"], [
            {"value": json.dumps({"n": n, "k": f"k{n % 7}", "ts": 1_700_000_000_000 + n * 50}), "partition": n % 2}
            for n in range(first, self.sent)])

    def check(self):
        """Each record is copied once, each window is out once and right."""
        copied = sorted(record.json()["n"] for record in
                        self.client.consume(self.names["copy"], at_least=self.sent))
        self.assertEqual(copied, list(range(self.sent)))
        wanted, found = {}, {}
        for n in range(self.sent):
            key = f"k{n % 7}", (1_700_000_000_000 + n * 50) // 10_000 * 10_000
            rows, total = wanted.get(key, (0, 0))
            wanted[key] = rows + 1, total + n
        for record in self.client.consume(self.names["out"]):
            row = record.json()
            key = row["k"], row["window_start"]
            self.assertNotIn(key, found)
            found[key] = row["rows"], row["sum"]
        for key, row in found.items():
            self.assertEqual(row, wanted[key], key)
        last = max(start for _, start in wanted)
        self.assertEqual({key for key in wanted if key[1] < last - 10_000} - set(found), set())


class ReloadOutageTest(CopyTest):
    @property
    def broker(self):
        if not hasattr(self, "mine"):
            self.mine = self.own_broker()
        return self.mine

    def all_copied(self):
        self.wait_for("all that was read", lambda: len(self.client.consume(self.names["copy"])) >= self.sent, timeout_s=60)

    def test_texts_that_take_over_while_the_broker_is_away(self):
        self.save("")
        run = self.start("run", "p.lua", "--no-watch")
        self.produce(100)
        self.all_copied()
        self.broker.pause()  # nothing is under way
        self.save(", first = sluice.max 'n'")
        run.send(signal.SIGHUP)
        self.wait_for("the exchange", lambda: run.err.count(TAKEN) == 1)
        self.broker.resume()
        self.produce(100)
        self.all_copied()
        self.produce(400)
        self.broker.pause()  # records are on their way, or a commit
        self.save(", second = sluice.max 'n'")
        run.send(signal.SIGHUP)
        self.broker.resume()
        self.wait_for("the exchange", lambda: run.err.count(TAKEN) == 2)
        self.all_copied()
        self.save(", third = sluice.max 'n'")
        run.send(signal.SIGHUP)
        self.wait_for("the exchange", lambda: run.err.count(TAKEN) == 3)
        self.produce(400)
        self.broker.kill()  # likewise, of a text on trial
        self.broker.start()
        self.all_copied()
        self.assertEqual(run.stop(), 0, run.err)
        self.check()


class ReloadUnderLoadTest(CopyTest):
    RELOADS = int(os.environ.get("RELOADS", "40"))

    def test_nothing_is_lost_or_twice_through_reloads_and_a_kill(self):
        self.save("")
        run = self.start("run", "p.lua", "--no-watch")
        self.wait_for("its start", lambda: "message=running" in run.err)
        for i in range(1, self.RELOADS + 1):
            self.save(f", of_{i} = sluice.max 'n'" if i % 3 else f"--[[ {i} ]]")
            self.produce(60)
            run.send(signal.SIGHUP)
            self.wait_for(f"reload {i}", lambda: run.err.count(TAKEN) == i)
        run.kill()  # right behind a reload; what goes on is what was saved
        run = self.start("run", "p.lua")
        self.produce(400)
        self.wait_for("all that was read", lambda: self.client.end_offsets(self.names["copy"]) and
                      len(self.client.consume(self.names["copy"])) >= self.sent)
        self.assertEqual(run.stop(), 0, run.err)
        self.check()

    def test_what_a_broker_refuses_at_first_is_taken_back(self):
        self.names["copy"] = self.topic(name="copy", configs={"max.message.bytes": "20000"})
        wide = ':derive { pad = sluice.string(function(row) return ("x"):rep(row.n < 100 and 10 or 30000) end) }'
        self.save("", on_error="fail")
        run = self.start("run", "p.lua")
        self.produce(100)
        self.wait_for("the first", lambda: self.client.end_offsets(self.names["copy"])[0] > self.sent)
        for count, policy in (1, "fail"), (2, "quarantine"):  # the latter: most rows are not their own fault
            self.save(f", of_{count} = sluice.max 'n'", wide, policy, least=2)
            self.wait_for("the exchange", lambda: run.err.count(TAKEN) == count)
            self.produce(4)
            self.wait_for("the old text", lambda: run.err.count(BACK) == count)
            self.assertIn("refused", run.err.split(BACK)[-1].splitlines()[0])
        self.save(", most = sluice.max 'n'")
        self.wait_for("the good text", lambda: run.err.count(TAKEN) == 3)
        self.produce(400)
        self.wait_for("all", lambda: len(self.client.consume(self.names["copy"])) >= self.sent)
        self.assertEqual(run.stop(), 0, run.err)
        self.check()
        self.assertIn(f"sink={self.names['copy']} rows={self.sent} retracted=0 refused=0", run.err)

    def test_a_file_of_the_one_on_trial_is_that_of_the_next(self):
        base = ':to(sluice.file { path = "base.jsonl", append = true })'  # so that what delivery promises stays
        self.save("", base)
        run = self.start("run", "p.lua")
        produced = lambda: len(self.client.consume(self.names["copy"])) == self.sent
        self.produce(10)
        self.wait_for("the first", produced)
        self.file("more.jsonl", "")  # one that is there is locked as it is opened
        file = base + ':to(sluice.file { path = "more.jsonl", append = true })'
        for count in 1, 2:
            self.save(f", most{count} = sluice.max 'n'", file)
            self.wait_for("the exchange", lambda: run.err.count(TAKEN) == count or REFUSED in run.err)
            self.assertNotIn(REFUSED, run.err)
        self.save("", file.replace('more.jsonl", append = true', 'more.jsonl", append = false'))  # refused, the one on trial keeps it
        self.wait_for("a refusal", lambda: REFUSED in run.err)
        for count in 3, 4:
            self.save(f", most{count} = sluice.max 'n'", file)
            self.wait_for("the exchange", lambda: run.err.count(TAKEN) == count)
            self.produce(10)
            self.wait_for("its rows", produced)
        self.assertEqual(run.stop(), 0, run.err)
        self.assertEqual(run.err.count(REFUSED), 1)
        with open(os.path.join(self.folder, "more.jsonl")) as lines:
            self.assertEqual(sorted(json.loads(line)["n"] for line in lines), list(range(10, 30)))
        self.check()

    def own(self, text, width=10, write=""):
        self.file("p.new", OWN.format(text=text, width=width, write=write, **self.names))
        os.replace(os.path.join(self.folder, "p.new"), os.path.join(self.folder, "p.lua"))

    def kept(self):
        return {name: open(os.path.join(self.folder, name)).read() for name in os.listdir(self.folder)
                if name.startswith("own-")}

    def test_what_a_sink_of_its_own_has_kept_is_not_taken_back(self):
        self.names["copy"] = self.topic(name="copy", configs={"max.message.bytes": "20000"})
        self.own("old")
        run = self.start("run", "p.lua")
        self.produce(4)
        self.wait_for("the first", lambda: len(self.client.consume(self.names["copy"])) == self.sent)
        self.own("none", write='error "no disk"')
        self.wait_for("the exchange", lambda: run.err.count(TAKEN) == 1)
        self.produce(4)
        self.wait_for("the old text", lambda: run.err.count(BACK) == 1)
        self.wait_for("its rows", lambda: len(self.client.consume(self.names["copy"])) == self.sent)
        before = self.kept()
        self.assertEqual(before["own-1"], "4 old true")  # it was told that they may have come before
        self.own("wide", 30000)
        self.wait_for("the exchange", lambda: run.err.count(TAKEN) == 2)
        self.produce(4)
        self.assertNotEqual(run.wait(), 0)
        self.assertEqual(run.err.count(BACK), 1)
        self.assertIn("of which sink `own` has rows already", run.err)
        ((name, what),) = set(self.kept().items()) - set(before.items())
        self.assertEqual(what, "4 wide true")
        self.own("old")  # nor is it by a restart
        run = self.start("run", "p.lua")
        self.assertEqual(run.wait(), 4, run.err)
        self.assertIn("was begun by another text", run.err)
        self.assertEqual(self.kept()[name], "4 wide true")
        self.assertEqual(len(self.client.consume(self.names["copy"])), self.sent - 4)

    def ask(self):
        asked = self.run_sluice("reload", self.names["name"])
        return None if "it is starting" in asked.err else asked

    def test_it_is_asked_by_name(self):
        self.save("")
        run = self.start("run", "p.lua", "--no-watch")
        self.wait_for("its start", lambda: "message=running" in run.err)
        self.save(", most = sluice.max 'n'")
        asked = self.wait_for("an answer behind its start", self.ask)
        self.assertEqual(asked.code, 0, asked.err)
        self.assertIn("`most` is new", asked.out)
        self.save(", most = sluice.maximum 'n'")
        asked = self.run_sluice("reload", self.names["name"])
        self.assertEqual(asked.code, 4)
        self.assertIn("maximum", asked.out + asked.err)

