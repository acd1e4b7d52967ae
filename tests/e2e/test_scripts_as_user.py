"""The scripts in scripts/ as somebody meets them who has just read the README: `check`, `check --connect`
and `run --embedded` of each."""
import glob
import json
import os
import re
import signal

import expect
import harness
import kit
import scripted

SCRIPTS = {os.path.basename(path)[:-4]: path
           for path in sorted(glob.glob(os.path.join(kit.ROOT, "scripts", "*.lua")))
           if not path.endswith("_spec.lua")}
NO_KAFKA = {"stdin_counts"}
COMPACTED = re.compile(r'topic = "([^"]+)", mode = "update"|topic = "(user_totals)"')
# What --embedded cannot show, and why.
NOTHING_SHOWN = {"redrive": "made-up headers are no verdicts", "topic_to_file": "results go to files",
                 "file_to_topic": "its file is not there"}


class CheckTest(scripted.ScriptCase):
    def test_no_script_is_warned_of(self):
        for name, path in SCRIPTS.items():
            with self.subTest(script=name):
                run = self.run_sluice("check", "--strict", "--json", path)
                self.assertEqual((run.code, run.err), (0, ""))
                findings = json.loads(run.out)["findings"]
                self.assertEqual([one for one in findings if one["level"] != "note"], [])

    def test_no_script_is_warned_of_by_the_broker(self):
        """With the topics made as the script wants them: compacted for rows that replace others."""
        for name in set(SCRIPTS) - NO_KAFKA:
            with self.subTest(script=name):
                compacted = {topic: self.topic(3, {"cleanup.policy": "compact"}, name=topic) for pair
                             in COMPACTED.findall(harness.read(SCRIPTS[name])) for topic in pair if topic}
                self.script(name, **compacted)
                run = self.run_sluice("check", "--connect", "--strict", "--json", name + ".lua")
                self.assertEqual((run.code, run.err), (0, ""), run.out)
                found = json.loads(run.out)["connect"]
                self.assertEqual({one["level"] for one in found}, {"ok"}, found)


class EmbeddedTest(harness.E2ETest):
    brokers = "127.0.0.1:1"  # nobody there: none is needed

    def run_for_a_while(self, path):
        """Run it until there are results; end it by SIGINT. Returns its Process."""
        run = self.start("run", path, "--embedded")
        self.wait_for("results", lambda: run.out or not run.running)
        self.assertTrue(run.running, run.err)
        run.send(signal.SIGINT)
        run.code = run.wait()
        return run

    def test_each_shows_results_and_ends_cleanly(self):
        for name in set(SCRIPTS) - NO_KAFKA - set(NOTHING_SHOWN):
            with self.subTest(script=name):
                run = self.run_for_a_while(SCRIPTS[name])
                self.assertEqual(run.code, 0, run.err)
                self.assertEqual([line for line in expect.lines(run.err) if line["level"] == "error"], [])
                summary = expect.Summary(run.err)
                self.assertGreater(summary.source["passed"], 0)
                rows = [json.loads(line) for line in run.out.splitlines()]
                self.assertGreater(len(rows), 0)
                sent = sum(sink["rows"] for sink in summary.sinks.values())
                self.assertEqual(len(rows), sent)

    def test_what_shows_nothing_ends_by_itself_and_says_why(self):
        for name, code, said in (("redrive", 0, "filtered=10000"), ("topic_to_file", 0, "passed=10000"),
                                 ("file_to_topic", 1, "rides.jsonl): No such file or directory"),
                                 ("stdin_counts", 2, "and this script has none")):
            with self.subTest(script=name):
                run = self.run_sluice("run", SCRIPTS[name], "--embedded")
                self.assertEqual((run.code, run.out), (code, ""), run.err)
                self.assertIn(said, run.err)
