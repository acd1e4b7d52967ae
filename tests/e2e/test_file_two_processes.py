"""Files as sinks, and two processes that work under one name: rows are there once, whoever stands still when."""
import os
import re
import signal
import struct

import harness
import test_clock
from test_file_exactly_once import A_BATCH, CRASHING, OWN_SINK, FileSinkCase

SLEPT_MS = 11_000


class FileTwoProcessesTest(FileSinkCase):
    def setUp(self):
        super().setUp()
        self.input = self.topic(name="two-in")
        self.client.produce(self.input, [{"value": line, "key": "k"} for line in self.lines])

    def source(self):
        return (f'sluice.kafka {{ topics = "{self.input}", max_records = {A_BATCH}, '
                'max_time = "1 minute" }')

    def stop_at(self, point, **env):
        """A process that stands still there."""
        process = self.start("run", "p.lua", program=CRASHING,
                             env={"SLUICE_CRASH": point + ":stop", **harness.elsewhere(), **env})
        self.wait_for(point, lambda: process.stands_still or not process.running)
        self.assertTrue(process.running, process.err)
        return process

    def test_a_start_that_stood_still_takes_nothing_away(self):
        """It has read where to begin; another goes on from there, commits, and is gone."""
        wanted = self.undisturbed()
        self.write_script("late")
        self.assertTrue(self.crash("flow_applied:2"))
        first = self.stop_at("pointer_read:1")
        self.finish()
        self.assert_same(wanted)
        first.send(signal.SIGCONT)
        self.assertEqual(first.wait(), 3, first.err)
        self.assert_same(wanted)

    def test_who_stands_still_before_it_writes_keeps_others_out(self):
        wanted = self.undisturbed()
        for point in ("flow_planned:3", "flow_begun:3"):
            with self.subTest(point):
                self.write_script("zombie-" + point.replace(":", "-"))
                first = self.stop_at(point)
                second = self.run_sluice("run", "p.lua", program=CRASHING)
                first.send(signal.SIGCONT)
                code = first.wait()
                self.assertIn(0, (code, second.code))
                self.assert_same(wanted)
                if code == 0:
                    self.assertEqual(second.code, 3, second.err)
                    self.assertIn("another process writes to it", second.err)


class OwnSinkTwiceTest(FileTwoProcessesTest):
    """A sink of the script's own holds no lock; whose plan a batch has keeps its rows the same."""

    def write_script(self, name):
        super().write_script(name)
        path = os.path.join(self.folder, "p.lua")
        text = harness.read(path).replace("return sluice.pipeline", OWN_SINK + "return sluice.pipeline")
        text = re.sub(r"\n   counts:to.*", "\n all:to(own) }", text, flags=re.DOTALL)
        self.file("p.lua", re.sub(r"\n   :quarantine_to\(.*", "", text)
                  .replace("trigger =", 'delivery = "exactly-once", on_error = "quarantine", trigger ='))
        os.mkdir(os.path.join(self.folder, "windows"))

    def outputs(self):
        folder = os.path.join(self.folder, "windows")
        return {name: harness.read(os.path.join(folder, name)) for name in sorted(os.listdir(folder))}

    def undisturbed(self):
        self.write_script("undisturbed")
        self.finish()
        return self.outputs()

    test_who_stands_still_before_it_writes_keeps_others_out = None

    def test_a_plan_that_is_gone_does_not_let_a_sleeper_plan_anew(self):
        """It stood still so long that the plan of the batch, which another has done since, was removed."""
        wanted = self.undisturbed()
        self.write_script("slept")
        path = os.path.join(self.folder, "p.lua")
        text = harness.read(path)
        self.file("p.lua", text.replace(f"max_records = {A_BATCH}", "max_records = 70"))
        clock = self.file("clock", "\0" * 16)
        first = self.stop_at("flow_fetched:1", LD_PRELOAD=test_clock.library(), SLUICE_CLOCK=clock)
        self.file("p.lua", text)
        self.finish()
        self.assert_same(wanted)
        for folder, _, names in os.walk(os.path.join(self.folder, "checkpoints")):
            for name in names if os.path.basename(folder) == "plan" else []:
                os.remove(os.path.join(folder, name))
        with open(clock, "r+b") as file:  # no new one: it is mapped
            file.write(struct.pack("=qq", SLEPT_MS, SLEPT_MS))
        first.send(signal.SIGCONT)
        self.assertEqual(first.wait(), 3, first.err)
        self.assert_same(wanted)
