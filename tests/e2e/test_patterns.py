"""Sources that read topics by a pattern: which, in which order, those that come and go."""
import json

import harness

SCRIPT = """
local sluice = require "sluice"
return sluice.pipeline {{ name = "{name}", checkpoint = "none", trigger = "{trigger}",
   sluice.kafka {{ {source} }}
   :json {{ sluice.int64 "n", sluice.string "topic" :from_metadata("topic") }}
   :to(sluice.kafka {{ topic = "{out}" }}) }}
"""


class PatternTest(harness.E2ETest):
    def setUp(self):
        super().setUp()
        self.prefix = self.topic(name="base") + "-x"
        self.out = self.prefix + "-out"
        self.client.create_topic(self.out, 1)

    def make(self, *names, partitions=1):
        for name in names:
            self.client.create_topic(f"{self.prefix}-{name}", partitions)

    def produce(self, name, *numbers):
        self.client.produce(f"{self.prefix}-{name}",
                            [{"value": json.dumps({"n": n})} for n in numbers])

    def script(self, source, trigger="available-now"):
        self.file("p.lua", SCRIPT.format(name=self.prefix, source=source, out=self.out,
                                         trigger=trigger))

    def read(self, count):
        got = self.client.consume(self.out, at_least=count)
        return [(r.json()["topic"][len(self.prefix) + 1:], r.json()["n"]) for r in got]

    def test_topics_come_in_the_order_of_their_names_without_its_own(self):
        self.make("b", "a", "ab.c")
        for name, number in (("b", 1), ("a", 2), ("ab.c", 3)):
            self.produce(name, number)
        self.client.produce(self.out, [{"value": '{"n":9}'}])  # its own: never read
        self.script(f'pattern = "{self.prefix}-.*"')
        run = self.run_sluice("run", "p.lua")
        self.assertEqual(run.code, 0, run.err)
        got = [r.json() for r in self.client.consume(self.out)][1:]
        self.assertEqual([row["n"] for row in got], [2, 3, 1])

    def test_the_whole_name_must_match(self):
        self.make("b", "bc")
        self.produce("b", 1)
        self.produce("bc", 2)
        self.script(f'pattern = "{self.prefix}-(a|b)"')
        self.assertEqual(self.run_sluice("run", "p.lua").code, 0)
        self.assertEqual(self.read(1), [("b", 1)])

    def test_a_topic_made_later_is_read_from_its_beginning(self):
        self.make("a")
        self.script(f'pattern = "{self.prefix}-.", start = "latest"', "continuous")
        run = self.start("run", "p.lua")
        self.wait_for("the start", lambda: "message=running" in run.err)
        self.produce("a", 1)
        self.read(1)
        self.make("c", "b", partitions=2)
        self.produce("c", 2, 3)
        self.produce("b", 4)
        got = self.read(4)
        self.assertEqual(sorted(got), [("a", 1), ("b", 4), ("c", 2), ("c", 3)])
        self.assertIn("new partition", run.err)
        self.assertEqual(run.stop(), 0, run.err)

    def test_a_topic_that_goes_ends_the_run_or_is_passed_over(self):
        self.make("a", "b")
        self.script(f'pattern = "{self.prefix}-.", on_data_loss = "continue"', "continuous")
        goes_on = self.start("run", "p.lua")
        self.file("q.lua", SCRIPT.format(name=self.prefix + "q", out=self.out, trigger="continuous",
                                         source=f'pattern = "{self.prefix}-."'))
        fails = self.start("run", "q.lua")
        for run in (goes_on, fails):
            self.wait_for("the start", lambda one=run: "message=running" in one.err)
        self.client.delete_topic(f"{self.prefix}-b")
        self.assertEqual(fails.wait(60), 1)
        self.assertIn(f"topic {self.prefix}-b is gone", fails.err)
        self.produce("a", 5)
        self.wait_for("a row", lambda: ("a", 5) in self.read(1))
        self.assertTrue(goes_on.running, goes_on.err)
        goes_on.kill()

    def test_no_topic_matches(self):
        self.script(f'pattern = "{self.prefix}-nothing.*"')
        run = self.run_sluice("run", "p.lua")
        self.assertEqual(run.code, 1)
        self.assertIn("no topic on", run.err)
        self.assertIn(f"pattern `{self.prefix}-nothing.*`", run.err)

    def test_a_pattern_that_is_none(self):
        self.script('pattern = "a("')
        run = self.run_sluice("run", "p.lua")
        self.assertEqual(run.code, 2, run.err)
        self.assertIn("option pattern: `a(` is no regular expression", run.err)


class MissingTopicsTest(harness.E2ETest):
    def test_all_missing_topics_are_told_at_once(self):
        out, prefix = self.topic(name="out"), self.topic(name="m")
        self.file("p.lua", SCRIPT.format(name=prefix, out=out, trigger="once", source=
                                         f'topics = {{ "{prefix}-1", "{prefix}", "{prefix}-2" }}'))
        run = self.run_sluice("run", "p.lua")
        self.assertEqual(run.code, 1)
        self.assertIn(f"topics {prefix}-1, {prefix}-2 do not exist on", run.err)
        self.assertEqual(run.err.count("kafka-topics.sh"), 2)

    def test_those_of_sinks_and_sources_together(self):
        prefix = self.topic(name="m")
        self.file("p.lua", SCRIPT.format(name=prefix, out=prefix + "-out", trigger="once",
                                         source=f'topics = "{prefix}-in"'))
        run = self.run_sluice("run", "p.lua")
        self.assertEqual(run.code, 1)
        for name in ("in", "out"):
            self.assertIn(f"topic {prefix}-{name} does not exist on", run.err)
