"""`sluice check`: what it finds in a script, what it asks a real Kafka, and how it exits."""
import json
import signal

import harness
import pipelines
from broker import PASSWORD, USER


class ConnectCase(harness.E2ETest):
    def connect(self, script, *more, code=0, env=None):
        """The findings of brokers, as {of: [(level, text)]}; checks the exit code."""
        self.file("p.lua", script)
        run = self.run_sluice("check", "--connect", "--json", *more, "p.lua", env=env)
        self.assertEqual(run.code, code, run.err + run.out)
        found = {}
        for one in json.loads(run.out)["connect"]:
            found.setdefault(one["of"], []).append((one["level"], one["text"], one.get("fix", "")))
        return found

    def expect(self, found, of, level, text):
        entries = found.get(of, [])
        self.assertTrue(any(seen == level and text in said for seen, said, _ in entries),
                        f"{level} {text!r} is not among {of}: {entries or found}")


class HangingTest(harness.E2ETest):
    brokers = "localhost:1"  # nobody is asked

    def script(self):
        self.file("p.lua", """
local sluice = require "sluice"
return sluice.pipeline { name = "hangs", checkpoint = "none",
   sluice.file { path = "in" }
      :json { sluice.string "a" }
      :filter(function(row) return (("a"):rep(60)):find(("a*"):rep(60) .. "b") ~= nil end)
      :to(sluice.file { path = "-" }) }
""")

    def test_a_function_that_hangs_in_c_is_not_waited_for(self):
        self.script()
        check = self.run_sluice("check", "p.lua", timeout_s=120)
        self.assertEqual(check.code, 2, check.err)
        self.assertRegex(check.err, r"^sluice: \S*p\.lua: loading the script: filter at \S*p\.lua:6, run on made-up rows, "
                                    r"has not returned for \d+ ms.*it cannot be interrupted\n$")

    def test_a_function_that_hangs_in_c_is_broken_off_by_the_first_signal(self):
        self.script()
        for number in signal.SIGTERM, signal.SIGINT:
            check = self.start("check", "p.lua")
            self.wait_for("its handlers", lambda one=check.process.pid: self.catches(one, number))
            check.send(number)
            self.assertEqual(check.wait(), 128 + number, check.out + check.err)

    def catches(self, pid, number):
        with open(f"/proc/{pid}/status") as file:
            caught = next(line for line in file if line.startswith("SigCgt"))
        return int(caught.split()[1], 16) >> number - 1 & 1


class ConnectTest(ConnectCase):
    def test_all_is_well(self):
        source, out = self.topic(3), self.topic(configs={"cleanup.policy": "compact"})
        self.client.produce(source, [{"value": '{"n":1,"ts":1}'}] * 60)
        # a name of its own: others' quarantine topics are on the broker, too
        found = self.connect(pipelines.count(source, out, name="well", sink='mode = "update"'))
        cluster = f"Kafka at {self.broker.bootstrap}"
        self.expect(found, cluster, "ok", "1 broker, cluster ")
        self.expect(found, cluster, "ok", "no authorizer")
        self.expect(found, cluster, "ok", "transaction.max.timeout.ms is 900000")
        self.expect(found, "group well", "ok", "nobody else")
        self.expect(found, f"topic {source}", "ok", "3 partitions")
        self.expect(found, f"topic {source}", "ok", "60 records, 0.1 a second in the last 10 minutes, 60 unread")
        self.expect(found, f"topic {source}", "ok", "retention.ms is ")
        self.expect(found, f"topic {out}", "ok", "cleanup.policy is compact, as update wants it")
        self.expect(found, f"topic {out}", "ok", "1 replica, 1 must have a record")
        self.expect(found, "topic well-quarantine", "ok", "does not exist, and will be made")
        levels = {level for entries in found.values() for level, _, _ in entries}
        self.assertEqual(levels, {"ok"}, found)

    def test_topics_that_are_not_there(self):
        found = self.connect(pipelines.count("no-rides", "no-counts"), code=1)
        self.expect(found, "topic no-rides", "error", "does not exist")
        self.expect(found, "topic no-counts", "error", "does not exist")
        self.assertIn("kafka-topics.sh --bootstrap-server", found["topic no-rides"][0][2])

    def test_a_topic_whose_name_is_misspelt(self):
        rides, out = self.topic(name="travelled-rides"), self.topic(name="travelled-counts")
        found = self.connect(pipelines.count("travelld" + rides[9:], "travlled" + out[9:]), code=1)
        self.expect(found, f"topic travelld{rides[9:]}", "error", f"does not exist: did you mean `{rides}`?")
        self.expect(found, f"topic travlled{out[9:]}", "error", f"does not exist: did you mean `{out}`?")

    def test_settings_against_the_plan(self):
        source = self.topic(configs={"retention.ms": "30000"})
        out = self.topic(configs={"max.message.bytes": "200000"})
        script = pipelines.count(source, out, sink='mode = "update", config = { '
                                 '["transaction.timeout.ms"] = 3600000 }')
        found = self.connect(script, code=1)
        self.expect(found, f"topic {source}", "warning", "retention.ms is 30 seconds, a window stays open for 2 minutes")
        self.expect(found, f"topic {out}", "warning", "cleanup.policy is delete, update wants compact")
        self.expect(found, f"topic {out}", "warning", "max.message.bytes is 200000, batches are up to 1000000")
        self.expect(found, f"Kafka at {self.broker.bootstrap}", "error",
                    "transaction.timeout.ms is 3600000, the broker takes 900000")

    def test_append_to_a_compacted_topic(self):
        source, out = self.topic(), self.topic(configs={"cleanup.policy": "compact"})
        script = pipelines.copy(source, out)
        self.expect(self.connect(script), f"topic {out}", "warning", "cleanup.policy is compact, rows wants delete")
        self.connect(script, "--strict", code=2)

    def test_more_copies_wanted_than_there_are(self):
        source, out = self.topic(), self.topic(configs={"min.insync.replicas": "2"})
        found = self.connect(pipelines.copy(source, out), code=1)
        self.expect(found, f"topic {out}", "error", "min.insync.replicas is 2, and there are 1 replicas")

    def test_max_rate_below_what_comes(self):
        source, out = self.topic(), self.topic()
        self.client.produce(source, [{"value": '{"n":1}'}] * 3000)
        found = self.connect(pipelines.copy(source, out, source="max_rate = 2"))
        self.expect(found, f"topic {source}", "warning", "5 records a second came in the last 10 minutes, max_rate is 2")

    def test_seconds_declared_as_ms(self):
        source, out = self.topic(2), self.topic()
        self.client.produce(source, [{"value": '{"n":1,"ts":%d}' % (1700000000 + n)} for n in range(5)])
        found = self.connect(pipelines.count(source, out))
        self.expect(found, f"topic {source}", "warning", "which looks like s, and is declared in ms")

    def test_nobody_is_asked_twice(self):
        self.file("p.lua", pipelines.copy("in", "out"))
        run = self.run_sluice("check", "--connect", "p.lua", env={"KAFKA_BROKERS": "127.0.0.1:1"}, timeout_s=15)
        self.assertEqual(run.code, 1, run.out)
        self.assertIn("no Kafka broker at 127.0.0.1:1 answered within 9 s", " ".join(run.out.split()))
        self.assertRegex(run.err, r"\Asluice: p.lua: as the brokers are, it cannot run: 1 error \(above\)\n\Z")


class RightsTest(harness.WithRights, ConnectCase):
    def test_rights(self):
        source, out = self.topic(), self.topic(configs={"max.message.bytes": "1048588"})
        limited = (f'cluster = sluice.cluster {{ brokers = "{self.broker.address("sasl")}", sasl = {{ '
                   f'username = "{USER}", password = sluice.env "RIDES_PASSWORD" }} }}')
        env = {"RIDES_PASSWORD": PASSWORD}
        with self.subTest("none"):
            found = self.connect(pipelines.copy(source, out, source=limited, sink=limited), code=1, env=env)
            self.expect(found, f"topic {source}", "error", "TOPIC_AUTHORIZATION_FAILED")
            self.expect(found, f"topic {out}", "error", "TOPIC_AUTHORIZATION_FAILED")
            self.assertNotIn(PASSWORD, json.dumps(found))
        with self.subTest("all, found by trying; nothing is written"):
            found = self.connect(pipelines.copy(source, out), env=env)
            self.expect(found, f"topic {source}", "ok", "may be read")
            self.expect(found, f"topic {out}", "ok", "may be written")
            self.assertEqual(self.client.consume(out), [])


PLAN = """local sluice = require "sluice"
local rides = sluice.file { path = "rides.jsonl"%s }
   :json { sluice.string "id" :required(), sluice.string "kind" :required(), sluice.double "amount" }
return sluice.pipeline { name = "p", checkpoint = "none", %s
   rides:filter(function(ride)
      return ride.kind ~= "ride" or ride.amount > 3
   end):to(sluice.file { path = "-" }) }
"""


class PrintedTest(harness.E2ETest):
    def test_json_holds_all_of_it(self):
        self.file("p.lua", PLAN.replace("ride.amount > 3", "(ride.amount or 0) > 3") % (', bad_records = "skip"', ""))
        run = self.run_sluice("check", "--json", "--set", "source.max_records=7", "p.lua")
        self.assertEqual((run.code, run.err), (0, ""))
        self.assertEqual(run.out.count("\n"), 1)
        said = json.loads(run.out)
        self.assertEqual(sorted(said), ["findings", "options", "plan", "state"])
        knobs = {(knob["of"], knob["name"]): knob for knob in said["options"]}
        limit = knobs["source rides.jsonl", "max_records"]
        self.assertEqual((limit["value"], limit["from"], limit["about"]),
                         ("7", "--set source.max_records=7", "memory"))
        self.assertEqual(knobs["source rides.jsonl", "bad_records"]["from"], "p.lua:2")
        self.assertEqual({one["code"] for one in said["findings"]}, {"W05", "W15", "W19"})
        self.assertEqual({one["level"] for one in said["findings"]}, {"note"})

    def test_text_fits_100_columns_without_colours(self):
        self.file("p.lua", PLAN.replace("ride.amount > 3", "(ride.amount or 0) > 3") % ("", ""))
        run = self.run_sluice("check", "p.lua")
        self.assertEqual(run.code, 0, run.err)
        self.assertNotIn("\x1b", run.out)
        self.assertLessEqual(max(map(len, run.out.splitlines())), 100)

    def test_help_on_a_topic(self):
        self.assertIn("W08 watermark-max (warning)", self.run_sluice("help", "W08").out)
        run = self.run_sluice("help", "watermark-mix")
        self.assertEqual(run.code, 2)
        self.assertIn("did you mean `watermark-max`?", run.err)


class ThrowTest(harness.E2ETest):
    """What a function that throws is told with; `check` cannot know of it: the kind is read, not compared."""

    def run_pipeline(self, more):
        script = PLAN.replace('ride.kind ~= "ride"', 'not ride.kind:find("^ri")') % ("", more)
        self.file("p.lua", script)
        self.file("rides.jsonl", '{"id":"a","kind":"x"}\n{"id":"b","kind":"ride"}\n')
        return self.run_sluice("run", "p.lua")

    def test_in_the_quarantine(self):
        run = self.run_pipeline("")
        self.assertEqual(run.code, 0, run.err)
        with open(f"{self.folder}/p-quarantine.jsonl") as file:
            reason = json.loads(file.read())["headers"]["sluice.reason"].splitlines()
        self.assertEqual(reason[1:4], [
            'p.lua:6 | return not ride.kind:find("^ri") or ride.amount > 3',
            "hint: `ride.amount` is null here: guard it with `if ride.amount then`",
            'row: kind = "ride", amount = null, id = "b"'])
        self.assertIn("attempt to compare", reason[0])

    def test_where_it_ends_the_run(self):
        run = self.run_pipeline('on_error = "fail",')
        self.assertEqual(run.code, 1, run.err)
        for said in ("p.lua:6: attempt to compare", "hint: `ride.amount` is null here", 'row: kind = \\"ride\\"',
                     "while working on rides.jsonl:0:1"):
            self.assertIn(said, run.err)
