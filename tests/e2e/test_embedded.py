"""`sluice run --embedded`, and what a run says of itself: results, signals, exit codes. The broker is in
sluice's process; only what needs one that dies starts a real Kafka."""
import json
import os
import re
import signal
import time
import unittest

import harness
import kit
import terminal

RIDES = os.path.join(kit.ROOT, "scripts", "ride_counts.lua")

FORMATS = """
local sluice = require "sluice"
return sluice.pipeline {
   name = "formats", checkpoint = "none", trigger = "available-now",
   sluice.kafka { topics = "lines" }
      :csv { sluice.string "id" :required(), sluice.double "amount", sluice.date "day",
         sluice.bool "ok", sluice.timestamp("at", "iso") }
      :to(sluice.kafka { topic = "rows" }),
   sluice.kafka { topics = "bytes" }:raw():to(sluice.kafka { topic = "copy" }),
}
"""

STATELESS = """
local sluice = require "sluice"
local orders = sluice.kafka {
   topics = "orders",
   events = function(i) return { id = i, amount = i % 100, tip = 1 } end,
}
   :json {
      sluice.int64 "id" :required(),
      sluice.int32 "amount" :required(),
      sluice.string "who" :from_key() :required(),
      sluice.string "via" :from_header "via" :required(),
   }
local payments = sluice.kafka { topics = { "pay_a", "pay_b" } }
   :json { sluice.string "pid" :required(), sluice.bool "ok" :required() }
return sluice.pipeline {
   name = "two", checkpoint = "none", trigger = "available-now",
   orders:filter(function(o) return o.amount >= 50 end):to(sluice.kafka { topic = "big" }),
   payments:to(sluice.file { path = "payments" }),
   payments:to(sluice.kafka { topic = "paid" }),
}
"""

APPEND = """
local sluice = require "sluice"
return sluice.pipeline {
   name = "pages", checkpoint = "none", trigger = "1 second",
   sluice.kafka { topics = "clicks" }
      :json { sluice.string "page" :required(), sluice.timestamp("at", "iso") :required() }
      :event_time("at", { delay = "10 minutes" })
      :group_by "page"
      :window(sluice.tumbling { size = "1 minute" })
      :aggregate { clicks = sluice.count() }
      :to(sluice.kafka { topic = "pages", mode = "append" }),
}
"""

BAD = """
local sluice = require "sluice"
return sluice.pipeline {
   name = "picky", checkpoint = "none", trigger = "available-now",
   sluice.kafka {
      topics = "numbers",
      events = function(i) return { n = i % 10 == 0 and "ten" or i } end,
   }
      :json { sluice.int64 "n" :required() }
      :to(sluice.kafka { topic = "out" }),
}
"""

SLOW = """
local sluice = require "sluice"
return sluice.pipeline {
   name = "slow", checkpoint = "none", trigger = "1 second",
   sluice.kafka { topics = "x" }
      :json { sluice.int64 "v" :required() }
      :filter(function()
         local sum = 0
         for i = 1, 40000 do sum = sum + i % 7 end
         return sum > 0
      end)
      :to(sluice.kafka { topic = "out" }),
}
"""

THROWS = """
local sluice = require "sluice"
return sluice.pipeline {
   name = "t", checkpoint = "none",
   sluice.kafka { topics = "x", events = function(i) error("no event " .. i) end }
      :json { sluice.int64 "v" }
      :to(sluice.kafka { topic = "out" }),
}
"""

PASS = """
local sluice = require "sluice"
return sluice.pipeline {
   name = "pass", checkpoint = "none", shutdown_timeout = "2 seconds",
   sluice.kafka { brokers = "%s", topics = "%s", start = "earliest" }
      :json { sluice.int64 "v" :required() }
      :to(sluice.kafka { brokers = "%s", topic = "%s" }),
}
"""


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def summary(text):
    """The log lines "source done" and "sink done" by name, as numbers."""
    found = {}
    for line in text.splitlines():
        if 'message="source done"' in line or 'message="sink done"' in line:
            name = re.search(r" (?:source|sink)=(\S+)", line).group(1)
            found[name] = {key: int(value) for key, value in re.findall(r" (\w+)=(\d+)\b", line)}
    return found


class ResultsTest(harness.E2ETest):
    def check_sum(self, source):
        parts = ("passed", "filtered", "duplicate", "late", "quarantined", "skipped")
        self.assertEqual(source["read"], sum(source[part] for part in parts))

    def test_rides_are_counted(self):
        run = self.start("run", RIDES, "--embedded", "--set", "trigger=1 second")
        self.wait_for("three batches of results", lambda: len(run.out.splitlines()) > 40)
        self.assertEqual(run.stop(), 0, run.err)
        counts = {}
        for line in lines(run.out):
            self.assertEqual(line["topic"], "ride_event_counts")
            value = line["value"]
            self.assertEqual(line["key"], {k: value[k] for k in ("event_type", "window_start")})
            counts[json.dumps(line["key"])] = value["event_count"]
        said = summary(run.err)
        self.check_sum(said["ride_events"])
        self.assertEqual(said["ride_event_counts"]["rows"], len(lines(run.out)))
        # each record lies in two windows
        self.assertEqual(sum(counts.values()), 2 * said["ride_events"]["passed"])

    def test_windows_close_at_once_in_append_mode(self):
        began = time.monotonic()
        run = self.start("run", self.file("a.lua", APPEND), "--embedded")
        self.wait_for("results", lambda: run.out)
        self.assertLess(time.monotonic() - began, harness.within(10))
        self.assertEqual(run.stop(), 0, run.err)

    def test_several_sources_without_event_time_and_a_file(self):
        run = self.run_sluice("run", self.file("s.lua", STATELESS), "--embedded")
        self.assertEqual(run.code, 0, run.err)
        said, out = summary(run.err), lines(run.out)
        for source in "orders", "pay_a,pay_b":
            self.check_sum(said[source])
            self.assertGreaterEqual(said[source]["read"], 1000)
        self.assertEqual(said["orders"]["passed"], said["orders"]["filtered"])
        big = [line for line in out if line["topic"] == "big"]
        self.assertEqual(sorted(line["value"]["id"] for line in big),
                         [i for i in range(said["orders"]["read"]) if i % 100 >= 50])
        self.assertEqual({line["key"] for line in big}, {line["value"]["who"] for line in big})
        self.assertIn("unknown field `tip` since orders/", run.err)
        self.assertLessEqual(run.err.count("unknown field `tip`"), 2)  # again at 1,000
        paid = [line["value"] for line in out if line["topic"] == "paid"]
        folder = os.path.join(self.folder, "payments")
        files = [folder] if os.path.isfile(folder) else [
            os.path.join(folder, name) for name in os.listdir(folder)]
        rows = [row for name in files for row in lines(harness.read(name))]
        self.assertEqual(len(rows), len(paid))

    def test_events_of_other_formats(self):
        run = self.run_sluice("run", self.file("f.lua", FORMATS), "--embedded")
        self.assertEqual(run.code, 0, run.err)
        said = summary(run.err)
        for source in "lines", "bytes":
            self.check_sum(said[source])
            self.assertGreaterEqual(said[source]["passed"], 1000)
            self.assertEqual(said[source].get("quarantined", 0), 0)

    def test_bad_records_show_in_the_quarantine(self):
        run = self.run_sluice("run", self.file("b.lua", BAD), "--embedded")
        self.assertEqual(run.code, 0, run.err)
        said = summary(run.err)
        self.check_sum(said["numbers"])
        self.assertEqual(said["numbers"]["quarantined"] * 10, said["numbers"]["read"])
        bad = [line for line in lines(run.out) if line["topic"] == "picky-quarantine"]
        self.assertEqual(len(bad), said["numbers"]["quarantined"])
        self.assertEqual(json.loads(bad[0]["value"]), {"n": "ten"})

    def test_log_lines_are_json_when_asked(self):
        run = self.run_sluice("run", self.file("b.lua", BAD), "--embedded", "--log", "json")
        self.assertEqual(run.code, 0, run.err)
        self.assertIn("source done", [line["message"] for line in lines(run.err)])

    def test_output_that_nobody_reads_ends_the_run(self):
        script = self.file("run.sh", f"{harness.SLUICE} run {RIDES} --embedded "
                           '--set "trigger=1 second" | head -n 1')
        code = os.system(f"timeout 200 bash {script} >/dev/null 2>&1")
        self.assertEqual(code, 0)


class TerminalTest(harness.E2ETest):
    def terminal(self, *arguments, **options):
        one = terminal.Terminal([harness.SLUICE, *arguments], folder=self.folder, **options)
        self.addCleanup(one.kill)
        return one

    def test_table_and_line_are_drawn_in_place(self):
        one = self.terminal("run", RIDES, "--embedded", "--set", "trigger=1 second")
        self.assertTrue(one.read_for(20, lambda text: re.search(r"(?s)ride_started.* rec/s", text)),
                        one.screen.text)
        one.read_for(2)
        text = one.screen.text
        self.assertEqual(text.count("ride_event_counts"), 1, text)
        self.assertRegex(text, r"event_type +window_start +window_end +event_count +revenue +spread")
        self.assertRegex(text, r"lag [\d,]+ .*watermark \d\d:\d\d:\d\d .*late 0 ")
        self.assertEqual(one.stop(), 0)
        last = one.screen.text
        self.assertIn("ride_started", last)
        self.assertNotIn(" rec/s", last)
        numbers = [int(n.replace(",", "")) for n in
                   re.search(r"read ([\d,]+) = ([\d,]+) passed \+ ([\d,]+) filtered out", last).groups()]
        self.assertEqual(numbers[0], numbers[1] + numbers[2])

    def test_first_results_come_at_once_with_a_slow_trigger(self):
        one = self.terminal("run", RIDES, "--embedded", "--set", "trigger=10 minutes")
        self.assertTrue(one.read_for(10, lambda text: "next results in" in text), one.screen.text)
        self.assertIn("ride_started", one.screen.text)
        self.assertEqual(one.stop(), 0)

    def test_nothing_is_wider_than_the_terminal(self):
        one = self.terminal("run", RIDES, "--embedded", "--set", "trigger=1 second", columns=44, lines=12)
        one.read_for(10, lambda text: "rec/s" in text and "ride_" in text)
        block = one.screen.text.split("Ctrl-C ends it\n")[1].splitlines()
        self.assertLessEqual(max(map(len, block)), 44)
        self.assertLessEqual(len(block), 12)
        self.assertEqual(one.stop(signal.SIGTERM), 0)


class EndTest(harness.E2ETest):
    def start_slow(self, *more):
        run = self.start("run", self.file("slow.lua", SLOW), "--embedded", *more)
        self.wait_for("the start", lambda: "message=running" in run.err)
        run.look()
        before = run.cpu_s
        self.wait_for("the first batch, which takes seconds", lambda: run.look() or run.cpu_s > before + 0.1)
        return run

    def test_running_batch_is_finished_after_a_signal(self):
        run = self.start_slow("--set", "shutdown_timeout=10 minutes")
        self.assertEqual(run.stop(600), 0, run.err)
        said = summary(run.err)
        self.assertGreater(said["x"]["passed"], 0)
        self.assertEqual(said["out"]["rows"], said["x"]["passed"])
        self.assertEqual(len(lines(run.out)), said["x"]["passed"])

    def test_batch_that_takes_too_long_is_cut_off(self):
        run = self.start_slow("--set", "shutdown_timeout=500 ms")
        began = time.monotonic()
        self.assertEqual(run.stop(), 1)
        self.assertLess(time.monotonic() - began, harness.within(1.5))
        self.assertIn("did not end within shutdown_timeout", run.err)

    def test_second_signal_ends_at_once(self):
        for first, second, code in (signal.SIGINT, signal.SIGINT, 130), (signal.SIGINT, signal.SIGTERM, 143):
            run = self.start_slow()
            run.send(first)
            self.wait_for("the first to be taken", lambda: not run.has_pending)
            time.sleep(0.05)  # what comes sooner is the first once more
            began = time.monotonic()
            run.send(second)
            self.assertEqual(run.wait(), code)
            self.assertLess(time.monotonic() - began, harness.within(1))
            self.assertEqual(run.err.splitlines()[-1], 'level=error message="stopped at once by a second '
                             'signal; without a checkpoint its batch is lost"')

    def test_a_signal_that_comes_twice_at_once_is_one(self):
        """timeout(1) sends it to the process, and to its group."""
        run = self.start_slow("--set", "shutdown_timeout=10 minutes")
        run.send(signal.SIGSTOP)
        self.wait_for("its standing still", lambda: run.stands_still)
        for number in signal.SIGTERM, signal.SIGINT, signal.SIGCONT:
            run.send(number)
        self.assertEqual(run.wait(600), 0, run.err)

    def test_output_that_cannot_be_delivered_is_told(self):
        broker = self.own_broker()
        for topic in "in", "out":
            broker.client.create_topic(topic, 1)
        broker.client.produce("in", [{"value": '{"v":1}'}])
        address = broker.bootstrap
        pace_s = harness.pace_s()
        run = self.start("run", self.file("p.lua", PASS % (address, "in", address, "out")),
                         "--set", f"trigger={pace_s} seconds")
        self.wait_for("the first row", lambda: broker.client.end_offsets("out") == {0: 1})
        time.sleep(pace_s - time.time() % pace_s)  # a batch begins
        broker.client.produce("in", [{"value": '{"v":2}'}] * 1000)

        def are_fetched():
            """Ahead of their batch, which is yet to come."""
            said = json.loads(self.run_sluice("status", "pass", "--json").out)
            return said["sources"][0]["partitions"][0]["end"] == 1001
        self.wait_for("them to be fetched", are_fetched)
        broker.kill()
        time.sleep(pace_s)
        began = time.monotonic()
        code = run.stop()
        self.assertLess(time.monotonic() - began, harness.within(3.2))
        self.assertEqual(code, 1, run.err)
        self.assertRegex(run.err, "(?i)could not be delivered|not delivered")

    def test_a_script_without_a_kafka_is_refused(self):
        text = STATELESS[:STATELESS.index("local orders")] + """
            return sluice.pipeline { name = "f", checkpoint = "none",
               sluice.file { path = "-" }:json { sluice.int64 "n" }:to(%s) }"""
        run = self.run_sluice("run", self.file("f.lua", text % 'sluice.file { path = "-" }'), "--embedded")
        self.assertEqual((run.code, run.out), (2, ""))
        self.assertRegex(run.err, r"\Asluice: .*f.lua: --embedded replaces Kafka sources and sinks, and "
                         r"this script has none\n\Z")
        run = self.run_sluice("run", self.file("f.lua", text % 'sluice.kafka { topic = "t" }'), "--embedded")
        self.assertEqual(run.code, 0, run.err)

    def test_the_last_error_has_the_style_of_the_log(self):
        script = self.file("t.lua", THROWS)
        run = self.run_sluice("run", script, "--embedded")
        self.assertRegex(run.err, r'(?m)^time=\S+ level=error message="[^\n]*t.lua:5: no event 0[^\n]*"\n\Z')
        run = self.run_sluice("run", script, "--embedded", "--log", "json")
        last = lines(run.err)[-1]
        self.assertEqual((run.code, last["level"]), (1, "error"))
        self.assertIn("t.lua:5: no event 0", last["message"])
        run = self.run_sluice("run", script, "--embedded", "--log", "plain")
        self.assertRegex(run.err, r"(?m)^sluice: .*t.lua:5: no event 0")

    def test_events_that_cannot_be_made(self):
        run = self.run_sluice("run", self.file("t.lua", THROWS), "--embedded")
        self.assertEqual(run.code, 1)
        self.assertIn("t.lua:5: no event 0", run.err)

    def test_wrong_usage(self):
        script = self.file("wrong.lua", "x = = 1")
        for arguments, said in [
                (["run"], "usage: sluice run SCRIPT.lua"),
                (["run", "nowhere.lua"], "nowhere.lua: No such file or directory"),
                (["run", self.folder], "Is a directory"),
                (["run", script], "wrong.lua:1: unexpected symbol near '='"),
                (["runn", script], "did you mean `run`?"),
                (["help", "runn"], "did you mean `run`?")]:
            with self.subTest(arguments=arguments):
                run = self.run_sluice(*arguments)
                self.assertEqual((run.code, run.out), (2, ""))
                self.assertIn(said, run.err)
                self.assertEqual(run.err.count("\n"), 1)

    def test_nobody_there(self):
        script = self.file("p.lua", PASS % ("127.0.0.1:1", "in", "127.0.0.1:1", "out"))
        began = time.monotonic()
        run = self.run_sluice("run", script)
        self.assertEqual(run.code, 1)
        self.assertLess(time.monotonic() - began, harness.within(12))
        self.assertIn("no Kafka broker at 127.0.0.1:1 answered", run.err)

    def test_stop_while_connecting(self):
        script = self.file("p.lua", PASS % ("127.0.0.1:1", "in", "127.0.0.1:1", "out"))
        run = self.start("run", script)
        self.wait_for("its handlers", lambda: run.handles_stop)
        time.sleep(0.3)
        self.assertEqual(run.stop(5), 0, run.err)


if __name__ == "__main__":
    unittest.main()
