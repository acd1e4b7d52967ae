"""Files as sinks, and two processes that work under one name: rows are there once, whoever stands still when."""
import signal

from test_file_exactly_once import A_BATCH, CRASHING, FileSinkCase


class FileTwoProcessesTest(FileSinkCase):
    def setUp(self):
        super().setUp()
        self.input = self.topic(name="two-in")
        self.client.produce(self.input, [{"value": line, "key": "k"} for line in self.lines])

    def source(self):
        return (f'sluice.kafka {{ topics = "{self.input}", max_records = {A_BATCH}, '
                'max_time = "1 minute" }')

    def stop_at(self, point):
        """A process that stands still there."""
        process = self.start("run", "p.lua", program=CRASHING, env={"SLUICE_CRASH": point + ":stop"})
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
