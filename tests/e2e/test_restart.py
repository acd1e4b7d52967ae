"""A pipeline that keeps its progress: what an ended run had committed is gone on with, nothing is done
twice, and what does not fit together is refused. Exit codes: 3 fenced, 4 refused."""
import json
import os
import random
import signal
import time

import expect
import harness
import kit

CRASHING = os.path.join(kit.ROOT, "build", "crash", "sluice")  # SLUICE_CRASH works in it

COUNTS = """
local sluice = require "sluice"
local rows = sluice.kafka { topics = "IN", START max_records = 200 }
   :json { sluice.string "k", sluice.int64 "n" :required(), sluice.int64 "ts" :required() }
   :event_time("ts", { unit = "ms", delay = "1 second", idle = "never" })
return sluice.pipeline {
   name = "NAME", trigger = "TRIGGER", checkpoint = "STORE",
   rows:to(sluice.kafka { topic = "COPY" }),
   rows:group_by "k":window(sluice.tumbling { size = "10 seconds" })
      :aggregate { rows = sluice.count(), sum = sluice.sum "n" }
      :to(sluice.kafka { topic = "OUT", mode = "append" }),
}
"""
FENCED, REFUSED = 3, 4


class RestartTest(harness.E2ETest):
    def setUp(self):
        super().setUp()
        self.topics = {"IN": self.topic(partitions=2, name="in"), "COPY": self.topic(name="copy"),
                       "OUT": self.topic(name="out"), "NAME": harness.fresh("keeps"),
                       "STORE": "file:./store", "TRIGGER": "available-now", "START": 'start = "earliest",'}
        self.sent = 0
        self.pick = random.Random(5)

    def script(self, **changes):
        text = COUNTS
        for name, value in dict(self.topics, **changes).items():
            text = text.replace(name, value)
        return self.file("p.lua", text)

    def produce(self, count):
        first, self.sent = self.sent, self.sent + count
        self.client.produce(self.topics["IN"], [
            {"value": json.dumps({"n": n, "k": f"k{n % 7}", "ts": 1_700_000_000_000 + n * 50}), "partition": n % 2}
            for n in range(first, self.sent)])

    def run_once(self, code=0, **changes):
        self.script(**changes)
        run = self.run_sluice("run", "p.lua")
        self.assertEqual(run.code, code, run.err)
        return run

    def copied(self):
        return sorted(record.json()["n"] for record in self.client.consume(self.topics["COPY"]))

    def windows(self, may_repeat=False):
        """The windows that came out, each once (or the same again): they are right, without the last ones."""
        found = {}
        for record in self.client.consume(self.topics["OUT"]):
            row = record.json()
            key = row["k"], row["window_start"]
            if may_repeat and key in found:
                self.assertEqual((row["rows"], row["sum"]), found[key])
            else:
                self.assertNotIn(key, found)
            found[key] = row["rows"], row["sum"]
        wanted = {}
        for n in range(self.sent):
            key = f"k{n % 7}", (1_700_000_000_000 + n * 50) // 10_000 * 10_000
            rows, total = wanted.get(key, (0, 0))
            wanted[key] = rows + 1, total + n
        last = max(start for _, start in wanted)
        for key, row in found.items():
            self.assertEqual(row, wanted[key], key)
        self.assertEqual({key for key in wanted if key[1] < last - 10_000} - set(found), set())
        return found


class GoesOnTest(RestartTest):
    def test_runs_one_after_the_other_are_one(self):
        for count in 700, 0, 900, 1:
            self.produce(count)
            self.run_once()
            self.assertEqual(self.copied(), list(range(self.sent)))
        self.windows()

    def kill_at_any_time(self, kills, **changes):
        self.script(TRIGGER="continuous", **changes)
        for _ in range(kills):
            self.produce(300)
            run = self.start("run", "p.lua")
            self.wait_for("the start", lambda run=run: "message=running" in run.err)
            time.sleep(self.pick.uniform(0.02, 0.4))
            self.assertTrue(run.running, run.err)
            run.kill()
        self.run_once(**changes)
        self.windows(may_repeat=bool(changes))

    def test_killed_at_any_time_nothing_is_lost_or_doubled(self):
        self.kill_at_any_time(12)
        self.assertEqual(self.copied(), list(range(self.sent)))

    def test_killed_at_any_time_at_least_once_nothing_is_lost(self):
        """Rows may come again, the sums of windows are of each record once: progress and state are of one batch."""
        self.kill_at_any_time(6, STORE='file:./store", delivery = "at-least-once')
        self.assertEqual(sorted(set(self.copied())), list(range(self.sent)))

    def test_a_topic_that_grew_while_it_stood_is_read_from_the_beginning_of_what_is_new(self):
        self.produce(100)
        self.run_once()
        self.client.add_partitions(self.topics["IN"], 3)
        self.client.produce(self.topics["IN"], [{"value": json.dumps({"n": n, "k": "x", "ts": 1_700_000_010_000}),
                                                 "partition": 2} for n in range(100, 110)])
        for _ in range(2):
            self.run_once()
            self.assertEqual(self.copied(), list(range(110)))

    def test_the_number_of_workers_may_change(self):
        for workers in 1, 3, 2:
            self.produce(500)
            self.script()
            run = self.run_sluice("run", "p.lua", *harness.sets(f"workers={workers}"))
            self.assertEqual(run.code, 0, run.err)
        self.windows()

    def test_after_a_clean_stop_nothing_is_delivered_again(self):
        self.script(TRIGGER="continuous")
        self.produce(400)
        run = self.start("run", "p.lua")
        self.wait_for("the copy", lambda: len(self.copied()) == 400)
        self.assertEqual(run.stop(), 0)
        ends = self.client.end_offsets(self.topics["COPY"])
        self.assertIn("goes on with batch", self.run_once().err)
        self.assertEqual(self.client.end_offsets(self.topics["COPY"]), ends)

    def test_latest_is_where_the_first_run_began(self):
        self.produce(100)
        latest = {"START": 'start = "latest",'}
        self.run_once(**latest)
        self.produce(50)
        self.run_once(**latest)
        self.assertEqual(self.copied(), list(range(100, 150)))

    def test_lag_tools_see_the_offsets(self):
        self.produce(100)
        self.run_once()
        offsets = self.client.group_offsets(self.topics["NAME"])
        self.assertEqual({number: offset for (_, number), (offset, _) in offsets.items()}, {0: 50, 1: 50})
        self.assertEqual(len({text for _, text in offsets.values()}), 1)

    def test_at_least_once_keeps_the_same_state(self):
        at_least = {"STORE": 'file:./store", delivery = "at-least-once'}
        for count in 500, 500:
            self.produce(count)
            self.run_once(**at_least)
        self.windows()


class RefusedTest(RestartTest):
    def setUp(self):
        super().setUp()
        self.produce(300)
        self.run_once()

    def check_refused(self, *words, **changes):
        ends = lambda committed: self.client.end_offsets(self.topics["COPY"], read_committed=committed)
        self.wait_for("the last commit's marker", lambda: ends(True) == ends(False))
        before = ends(False)
        run = self.run_once(code=REFUSED, **changes)
        for word in words:
            self.assertIn(word, run.err)
        self.assertEqual(self.client.end_offsets(self.topics["COPY"]), before)

    def test_offsets_that_are_gone_never_mean_a_first_run(self):
        self.client.delete_group(self.topics["NAME"])
        self.check_refused("nothing is committed", "sluice checkpoint recover")

    def test_offsets_that_a_tool_has_moved(self):
        self.client.set_group_offsets(self.topics["NAME"], self.topics["IN"], {0: 10})
        self.check_refused("without a pointer", f"{self.topics['IN']}/0 offset 10")

    def test_a_topic_that_was_deleted_and_made_anew(self):
        """Kafka takes its offsets away with it."""
        self.client.delete_topic(self.topics["IN"])
        self.client.create_topic(self.topics["IN"], 2)
        self.wait_for("the offsets to go", lambda: not self.client.group_offsets(self.topics["NAME"]))
        self.check_refused("nothing is committed", "sluice checkpoint recover")

    def test_state_that_is_gone(self):
        folder = os.path.join(self.folder, "store")
        os.rename(folder, folder + "-elsewhere")
        self.check_refused()

    def test_another_plan(self):
        self.check_refused(**{'size = "10 seconds"': 'size = "20 seconds"'})

    def test_what_was_flushed_takes_no_more(self):
        """Started again, it has nothing to do: who was killed right behind the end cannot know."""
        flush = {"STORE": 'file:./store", flush = true, on_error = "quarantine'}
        self.run_once(**flush)
        self.run_once(**flush)
        self.check_refused("flush", STORE=flush["STORE"].replace("true", "false"))
        self.produce(1)
        self.check_refused("flush", **flush)


class FencedTest(RestartTest):
    def test_a_second_process_ends_the_first(self):
        self.script(TRIGGER="continuous")
        self.produce(100)
        first = self.start("run", "p.lua")
        self.wait_for("the copy", lambda: len(self.copied()) == 100)
        second = self.start("run", "p.lua", env=harness.elsewhere())
        self.wait_for("the start", lambda: "message=running" in second.err)
        self.produce(100)
        self.assertEqual(first.wait(15), FENCED, first.err)
        self.wait_for("the copy", lambda: len(self.copied()) == 200)
        self.assertEqual(second.stop(), 0)
        self.assertEqual(self.copied(), list(range(200)))
        self.assertTrue(expect.messages(second.err, "running"))


class AtLeastOnceTwiceTest(RestartTest):
    """Rows may come twice then, but progress does not go back: nobody fences a plain commit, so it is looked for."""

    def stop_at(self, point):
        process = self.start("run", "p.lua", program=CRASHING,
                             env={"SLUICE_CRASH": point + ":stop", **harness.elsewhere()})
        self.wait_for(point, lambda: process.stands_still or not process.running)
        self.assertTrue(process.running, process.err)
        return process

    def test_who_stood_still_does_not_put_the_pointer_back(self):
        for point in "pointer_read:1", "flow_processed:1":
            with self.subTest(point):
                at_least = {"STORE": 'file:./store", delivery = "at-least-once', "NAME": harness.fresh("twice")}
                self.produce(100)
                self.run_once(**at_least)
                self.produce(100)
                first = self.stop_at(point)
                self.run_once(**at_least)
                self.produce(100)
                self.run_once(**at_least)
                before = self.client.group_offsets(at_least["NAME"])
                time.sleep(1.1)
                first.send(signal.SIGCONT)
                self.assertEqual(first.wait(15), FENCED, first.err)
                self.assertEqual(self.client.group_offsets(at_least["NAME"]), before)


class RowsFirstTest(RestartTest):
    def test_at_least_once_rows_do_not_wait_for_the_store(self):
        """The second commit stands still for as long as the test takes: rows of later batches come out, and are
        done again by whoever goes on from the first."""
        at_least = {"STORE": 'file:./store", delivery = "at-least-once', "NAME": harness.fresh("rows")}
        self.script(TRIGGER="continuous", **at_least)
        run = self.start("run", "p.lua", program=CRASHING,
                         env={"SLUICE_CRASH": "delta_durable:2:delay=600000"})
        for part in range(1, 5):
            self.produce(100)
            self.wait_for(f"rows of part {part}", lambda part=part: len(self.copied()) == 100 * part)
        committed = sum(offset for offset, _ in self.client.group_offsets(at_least["NAME"]).values())
        self.assertLess(committed, 400)
        run.kill()
        self.run_once(**at_least)
        copied = self.copied()
        self.assertEqual(sorted(set(copied)), list(range(400)))
        self.assertEqual(len(copied), 400 + 400 - committed)


class BrokerAwayTest(RestartTest):
    @property
    def broker(self):
        if not hasattr(self, "mine"):
            self.mine = self.own_broker()
        return self.mine

    def start_copy(self, *settings):
        self.script(TRIGGER="continuous")
        self.produce(100)
        run = self.start("run", "p.lua", *harness.sets(*settings))
        self.wait_for("the copy", lambda: len(self.copied()) == 100)
        return run

    def test_a_broker_that_comes_back_gets_everything_once(self):
        run = self.start_copy()
        self.broker.kill()
        self.broker.start()
        self.produce(100)
        self.wait_for("the copy", lambda: len(self.copied()) == 200, timeout_s=60)
        self.assertEqual(run.stop(), 0, run.err)
        self.run_once()
        self.assertEqual(self.copied(), list(range(200)))

    def test_a_stop_does_not_wait_for_it_longer_than_it_may(self):
        run = self.start_copy("shutdown_timeout=1 second")
        self.produce(100)
        self.broker.pause()
        self.assertIn(run.stop(timeout_s=8), (0, 1), run.err)
        self.broker.resume()
        self.run_once()
        self.assertEqual(self.copied(), list(range(200)))
