"""Commands to running pipelines: what `sluice status` says is so, `sluice stop` waits for the end, and
neither needs the pipeline to be well."""
import json
import os
import signal
import socket

import harness

COUNTS = """
local sluice = require "sluice"
return sluice.pipeline {
   name = "NAME", checkpoint = "file:./store",
   sluice.kafka { topics = "IN", start = "earliest" }
      :json { sluice.string "k", sluice.int64 "n" :required(), sluice.int64 "ts" :required() }
      :event_time("ts", { unit = "ms", delay = "1 second", idle = "never" })
      :filter(function(row) return row.n >= 0 end)
      :group_by "k":window(sluice.tumbling { size = "1 hour" })
      :aggregate { rows = sluice.count() }
      :to(sluice.kafka { topic = "OUT", mode = "append" }),
}
"""
TICKS = """
local sluice = require "sluice"
return sluice.pipeline {
   name = "ticks", checkpoint = "none", script_timeout = "10 minutes",
   sluice.generator { rate = 100, row = function(i) return { n = i } end }
      :rows { sluice.int64 "n" }
      :filter(function(row) FILTER end)
      :to(sluice.file { path = "out.jsonl", append = true }),
}
"""
T0 = 1_700_000_000_000


class ControlTest(harness.E2ETest):
    def ask(self, *arguments, code=0):
        """Run a command; returns what it said."""
        one = self.run_sluice(*arguments)
        self.assertEqual(one.code, code, one.err)
        return one.out if code == 0 else one.err

    def status(self, name):
        return json.loads(self.ask("status", name, "--json"))

    def ticks(self, filters="return true"):
        run = self.start("run", self.file("ticks.lua", TICKS.replace("FILTER", filters)))
        self.wait_for("the run", lambda: "running" in run.err)
        return run

    def counts(self):
        self.topics = {"IN": self.topic(partitions=2, name="in"), "OUT": self.topic(name="out"),
                       "NAME": harness.fresh("counts")}
        text = COUNTS
        for name, value in self.topics.items():
            text = text.replace(name, value)
        self.file("p.lua", text)
        return self.topics["NAME"]

    def produce(self, partition, times, **more):
        self.client.produce(self.topics["IN"], [
            {"value": json.dumps({"n": n, "k": f"k{n % 3}", "ts": T0 + ts, **more}), "partition": partition}
            for n, ts in enumerate(times)])

    def run_until_read(self, name, count):
        run = self.start("run", "p.lua")
        self.wait_for("the socket", lambda: "running" in run.err)
        self.wait_for("all to be read", lambda: self.read_of(name) == count)
        return run

    def read_of(self, name):
        sources = self.status(name).get("sources")
        return sources[0]["read"] if sources else None

    def committed(self, name):
        """What is told when all batches are committed, or None."""
        it = self.status(name)
        return it if it["checkpoint"]["next_batch"] == it["batch"]["next"] else None

    def test_status_tells_how_it_goes(self):
        name = self.counts()
        self.produce(0, range(0, 60_000, 100))
        self.produce(1, range(0, 20_000, 100))
        self.produce(1, [0] * 3, n=-1)
        self.client.produce(self.topics["IN"], [{"value": "{", "partition": 0}])
        run = self.run_until_read(name, 804)
        it = self.wait_for("the commit", lambda: self.committed(name))
        source = it["sources"][0]
        self.assertEqual((it["state"], it["pid"], it["lag"]), ("running", run.process.pid, 0))
        self.assertEqual((source["held_by"], source["watermark"], source["event_time"]),
                         (f"{self.topics['IN']}/1", T0 + 18_900, T0 + 19_900))
        self.assertEqual((source["passed"], source["filtered"], source["quarantined"], source["late"]),
                         (800, 3, 1, 0))
        self.assertEqual([(p["position"], p["end"]) for p in source["partitions"]], [(601, 601), (203, 203)])
        self.assertEqual([(o["name"], o["groups"]) for o in it["state_size"]["operators"]],
                         [("aggregate aggregate", 3)])
        self.assertGreater(it["checkpoint"]["committed_ms"], it["started_ms"])
        self.assertIn("records thrown out (source=", it["errors"][0]["text"])
        page = self.ask("status", name)
        self.assertIn(f"held back by {self.topics['IN']}/1", page)
        self.assertIn("bad 1", page)
        self.assertLessEqual(max(map(len, page.splitlines())), 80, page)
        self.assertIn(f"\n{name} ", "\n" + self.ask("status"))

        self.assertEqual(self.ask("stop", name), f"{name}: stopped\n")
        self.assertFalse(run.running)
        self.assertEqual(run.wait(), 0)
        self.assertIn(f"no pipeline called `{name}`", self.ask("status", name, code=1))
        again = self.run_until_read(name, 0)  # all of it was committed
        self.ask("stop", name)
        self.assertEqual(again.wait(), 0)

    def test_a_killed_process_leaves_its_name(self):
        first = self.ticks()
        pid = self.status("ticks")["pid"]
        first.kill()
        self.assertIn("nothing runs here", self.ask("stop", "ticks", code=1))
        second = self.ticks()
        self.assertNotIn("another process", second.err)
        self.assertNotEqual(self.status("ticks")["pid"], pid)

    def test_who_runs_is_not_shut_out_by_a_second_run(self):
        name = self.counts()
        self.produce(0, range(0, 1_000, 100))
        first = self.run_until_read(name, 10)
        second = self.run_sluice("run", "p.lua", *harness.sets("trigger=1 second"))
        self.assertEqual(second.code, 3, second.err)
        self.assertIn(f"`{name}` runs already on this machine (pid {first.process.pid}): `sluice stop {name}` ends it, "
                      "`sluice run p.lua --set 'trigger=1 second' --take-over` does so and runs in its place", second.err)
        self.assertEqual(self.status(name)["pid"], first.process.pid)
        beside = self.start("run", "p.lua", "--embedded")  # a Kafka of its own
        self.wait_for("the run", lambda: "running" in beside.err)
        self.assertEqual(beside.stop(), 0)
        third = self.start("run", "p.lua", "--take-over")
        self.assertEqual(first.wait(), 0, first.err)
        self.wait_for("the run", lambda: "running" in third.err)
        self.assertIn(f"stopping the process that runs this pipeline\" name={name} pid={first.process.pid}", third.err)
        self.assertEqual(self.status(name)["pid"], third.process.pid)
        self.ask("stop", name)
        self.assertEqual(third.wait(), 0)

    def test_a_name_goes_by_the_text_that_was_reloaded(self):
        name = self.counts()
        self.produce(0, range(0, 1_000, 100))
        run = self.run_until_read(name, 10)
        text = harness.read(os.path.join(self.folder, "p.lua"))
        self.file("p.lua", text.replace("sluice.count()", "sluice.count(), most = sluice.max \"n\""))
        self.wait_for("the reload", lambda: [one["verdict"] for one in self.status(name)["reloads"]] == ["on trial"])
        self.assertIn("p.lua has changed: by its name, ", self.run_sluice("checkpoint", "ls", name).err)
        self.produce(0, range(1_000, 2_000, 100))
        self.wait_for("the note", lambda: self.run_sluice("checkpoint", "ls", name).err == "")
        self.assertIn("most", self.ask("state", "get", name, "aggregate", "k1"))
        os.remove(os.path.join(self.folder, "p.lua"))
        self.assertIn("most", self.ask("state", "get", name, "aggregate", "k1"))
        self.ask("stop", name)
        self.assertEqual(run.wait(), 0)

    def test_two_of_a_name_are_told_and_both_reached(self):
        first, second = self.ticks(), self.ticks()
        label = f"ticks@{second.process.pid}"
        self.assertIn(f"another process of this name runs on this machine\" name=ticks pid={first.process.pid} "
                      f"this_one_is={label}", second.err)
        self.ask("stop", label)
        self.assertEqual(second.wait(), 0)
        self.assertTrue(first.running)
        self.assertEqual(self.status("ticks")["pid"], first.process.pid)

    def test_reload_tells_what_came_of_it(self):
        run = self.start("run", self.file("ticks.lua", TICKS.replace("FILTER", "return true")), "--no-watch")
        self.wait_for("the run", lambda: self.status("ticks")["state"] == "running" if "running" in run.err else False)
        before = self.status("ticks")["script_hash"]
        self.assertIn("nothing has changed", self.ask("reload", "ticks"))
        self.file("ticks.lua", TICKS.replace("FILTER", "return row.n ~= 7"))
        self.ask("reload", "ticks")
        after = self.status("ticks")
        self.assertNotEqual(after["script_hash"], before)
        self.file("ticks.lua", "return 7")
        self.assertIn("wanted `return sluice.pipeline", self.ask("reload", "ticks", code=4))
        it = self.status("ticks")
        self.assertEqual(it["script_hash"], after["script_hash"])
        self.assertEqual([one["verdict"] for one in it["reloads"]], ["refused", "taken", "taken"])
        self.ask("stop", "ticks")
        self.assertEqual(run.wait(), 0)

    def test_each_who_asks_is_told_of_its_own_text(self):
        """At once, for other texts: one that was on shadow and is saved over, and whatever the script is."""
        run = self.start("run", self.file("ticks.lua", TICKS.replace("FILTER", "return true")), "--no-watch")
        self.wait_for("the run", lambda: self.status("ticks")["state"] == "running" if "running" in run.err else False)
        self.file("ticks.lua", TICKS.replace("FILTER", "return row.n ~= 7"))
        run.send(signal.SIGSTOP)
        asked = []
        for line in "reload 00000000deadbeef -", "reload", "reload 00000000deadbeef -":
            one = socket.socket(socket.AF_UNIX)
            self.addCleanup(one.close)
            one.settimeout(30)
            one.connect(os.path.join(os.environ["SLUICE_RUN_DIR"], "ticks.sock"))
            one.sendall(line.encode() + b"\n")
            asked.append(one)
        run.send(signal.SIGCONT)
        said = [json.loads(one.makefile().readline()) for one in asked]
        self.assertEqual([one["hot"] for one in said], [False, True, False])
        self.assertIn("another text than the one that was on shadow", said[0]["text"])
        self.assertEqual(said[1]["text"], "logic only")
        self.ask("stop", "ticks")
        self.assertEqual(run.wait(), 0)

    def test_reload_is_answered_when_the_first_batch_is_done(self):
        run = self.start("run", self.file("ticks.lua", TICKS.replace("FILTER", "return true")), "--no-watch")
        self.wait_for("the run", lambda: self.status("ticks")["state"] == "running" if "running" in run.err else False)
        bad = TICKS.replace("FILTER", 'return (row.n or 0) == 0 or error "never"')
        self.file("ticks.lua", bad.replace("script_timeout", 'on_error = "fail", script_timeout'))
        said = self.ask("reload", "ticks", code=4)
        self.assertIn("failed in its first batch, which the old one has done: ", said)
        self.assertIn("ticks.lua:7: never", said)
        self.assertEqual([one["verdict"] for one in self.status("ticks")["reloads"]], ["taken back"])
        self.assertIn("ticks.lua:7: never", self.status("ticks")["reloads"][0]["text"])
        self.file("ticks.lua", TICKS.replace("FILTER", "return row.n ~= 7"))
        self.assertEqual(self.ask("reload", "ticks"), "logic only\n")
        self.assertEqual([one["verdict"] for one in self.status("ticks")["reloads"]], ["taken", "taken back"])
        rare = TICKS.replace("checkpoint", 'trigger = "1000 days", checkpoint')
        self.file("ticks.lua", rare.replace("FILTER", "return row.n ~= 8"))
        self.ask("reload", "ticks")  # the first batch by another trigger runs at once
        self.file("ticks.lua", rare.replace("FILTER", "return row.n ~= 9"))
        self.assertIn("neither kept nor refused within 1000 ms", self.ask("reload", "ticks", "--timeout", "1s", code=1))
        self.wait_for("the exchange", lambda: self.status("ticks")["reloads"][0]["verdict"] == "on trial")
        self.file("ticks.lua", TICKS.replace("FILTER", "return true"))
        self.ask("reload", "ticks")
        self.assertEqual([one["verdict"] for one in self.status("ticks")["reloads"]],
                         ["taken", "replaced", "taken", "taken", "taken back"])
        self.ask("stop", "ticks")
        self.assertEqual(run.wait(), 0)

    def test_a_batch_that_does_not_end_is_told(self):
        run = self.start("run", self.file("ticks.lua", TICKS.replace("FILTER", "while row.n == 30 do end return true")))
        self.wait_for("the run", lambda: "running" in run.err)
        self.wait_for("a batch that takes long", lambda: self.status("ticks")["silent_ms"] > 1500)
        self.assertIn("one has run for", self.ask("status", "ticks"))
        said = self.ask("stop", "ticks", "--timeout", "300ms", code=1)
        self.assertIn(f"(pid {run.process.pid}) was asked to stop and has not ended within 300 ms", said)
        run.send(signal.SIGTERM)  # the second request
        self.assertEqual(run.wait(), 128 + signal.SIGTERM)

    def test_one_that_is_bounded_or_embedded_is_reached_too(self):
        name = self.counts()
        run = self.start("run", "p.lua", "--embedded", *harness.sets("trigger=5 minutes"))
        self.wait_for("the socket", lambda: "running" in run.err)
        self.assertTrue(self.status(name)["embedded"])
        self.ask("stop", name)
        self.assertEqual(run.wait(), 0)
