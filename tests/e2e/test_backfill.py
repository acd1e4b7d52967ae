"""What is new in a script that takes over, filled with records that are read again: it is as if it had been there since
the windows began that are open, whatever is killed meanwhile."""
import json
import os

import harness

CRASHING = os.path.join(harness.kit.ROOT, "build", "crash", "sluice")
SCRIPT = """
local sluice = require "sluice"
local rows = sluice.kafka {{ topics = "{source}", start = "earliest", max_records = 300 }}
   :json {{ sluice.string "k", sluice.int64 "n" :required(), sluice.int64 "ts" :required() }}
   :event_time("ts", {{ unit = "ms", delay = "1 second", idle = "never" }})
   :distinct {{ "n", within = "forever" }}
return sluice.pipeline {{
   name = "{name}", checkpoint = "file:./store", workers = 2, script_timeout = "{timeout}",
   rows:to(sluice.kafka {{ topic = "{copy}" }}),
   rows:filter(function(row) {slow} return row.n % 10 ~= 3 end)
      :group_by "k":window(sluice.tumbling {{ size = "40 seconds" }})
      :aggregate({{ rows = sluice.count(), sum = sluice.sum "n" {more} }}, {{ backfill = "1 hour" }})
      :to(sluice.kafka {{ topic = "{out}", mode = "append" }}),
}}
"""
MORE = ', again = sluice.count(), mean = sluice.avg "n", least = sluice.min "n", all = sluice.collect("n", 4000)'
TAKEN = "the script was reloaded"
FILLING = "what is new is being filled"
REFUSED = "the changed script is refused, the old one goes on"
BEGIN_MS = 1_700_000_000_000 // 40_000 * 40_000


class BackfillTest(harness.E2ETest):
    def setUp(self):
        super().setUp()
        self.names = {"source": self.topic(partitions=2, name="in"), "copy": self.topic(name="copy"),
                      "out": self.topic(name="out"), "name": harness.fresh("filled")}
        self.sent = 0

    def save(self, more, slow="", timeout="10 seconds"):
        self.file("p.new", SCRIPT.format(more=more, slow=slow, timeout=timeout, **self.names))
        os.replace(os.path.join(self.folder, "p.new"), os.path.join(self.folder, "p.lua"))

    def produce(self, count):
        """Each tenth comes twice."""
        first, self.sent = self.sent, self.sent + count
        self.client.produce(self.names["source"], [
            {"value": json.dumps({"n": n, "k": f"k{n % 3}", "ts": BEGIN_MS + n * 20}), "partition": n % 2}
            for n in range(first, self.sent) for _ in range(2 if n % 10 == 0 else 1)])

    def read_all(self):
        self.wait_for("all that was sent", lambda: len(self.client.consume(self.names["copy"])) >= self.sent)

    def begin(self, count=1500, **given):
        self.save("")
        run = self.start("run", "p.lua", **given)
        self.produce(count)
        self.read_all()
        return run

    def check(self):
        """Each record is copied once; each window is out once, and what is new is right in all that were open."""
        copied = sorted(record.json()["n"] for record in self.client.consume(self.names["copy"]))
        self.assertEqual(copied, list(range(self.sent)))
        wanted, found = {}, {}
        for n in range(self.sent):
            if n % 10 != 3:
                wanted.setdefault((f"k{n % 3}", (BEGIN_MS + n * 20) // 40_000 * 40_000), []).append(n)
        for record in self.client.consume(self.names["out"]):
            row = record.json()
            key = row["k"], row["window_start"]
            self.assertNotIn(key, found)
            found[key] = row
            numbers = wanted[key]
            self.assertEqual((row["rows"], row["sum"]), (len(numbers), sum(numbers)), key)
            if "again" in row:
                self.assertEqual((row["again"], row["least"]), (len(numbers), min(numbers)), key)
                self.assertAlmostEqual(row["mean"], sum(numbers) / len(numbers))
                self.assertEqual(row["all"], numbers)
        for key in wanted:
            if key[1] < max(start for _, start in wanted):
                self.assertIn(key, found)
        return [row for _, row in sorted(found.items(), key=lambda one: one[0][1])]

    def finish(self, run):
        self.produce(4000)
        self.read_all()
        self.assertEqual(run.stop(), 0, run.err)
        rows = self.check()
        self.assertEqual([row["window_start"] for row in rows if "again" not in row], [])
        return rows

    def replay(self):
        done = json.loads(self.run_sluice("checkpoint", "ls", "p.lua", "--json").out)["next_batch"]
        text = self.run_sluice("replay", "p.lua", "--from", "0", "--to", str(done - 1), "--json")
        self.assertEqual(text.code, 0, text.err)
        rows = [(message["key"], message["value"]) for batch in map(json.loads, text.out.splitlines())
                for sink in batch["sinks"] if sink["sink"] == self.names["out"] for message in sink["messages"]]
        sent = [(record.key.decode(), record.value.decode()) for record in self.client.consume(self.names["out"])]
        self.assertEqual(rows, sent)

    def test_it_is_read_beside_the_run_and_replayed(self):
        run = self.begin()
        self.save(MORE)
        self.wait_for("the reload", lambda: TAKEN in run.err)
        self.assertIn("`mean` is new and is filled with the rows of the last 1 hour", run.err)
        self.assertIn("what is new is filled", run.err)
        self.finish(run)
        self.replay()

    def test_killed_in_the_middle_it_is_read_again(self):
        run = self.begin(program=CRASHING, env={"SLUICE_CRASH": "backfill_slice:2:kill"})
        self.save(MORE)
        self.assertEqual(run.wait(), -9, run.err)
        for place in "backfill_slice", "backfill_filled", "flow_begun", "flow_produced":  # at starts
            run = self.start("run", "p.lua", program=CRASHING, env={"SLUICE_CRASH": place + ":1:kill"})
            self.produce(50)
            self.assertEqual(run.wait(), -9, run.err)
        run = self.start("run", "p.lua")
        self.finish(run)
        self.replay()

    def test_asked_to_stop_it_gives_up_and_the_next_start_does_it(self):
        run = self.begin(program=CRASHING, env={"SLUICE_CRASH": "backfill_slice:1:delay=1500"})
        self.save(MORE)
        self.wait_for("the reading", lambda: "what is new is being filled" in run.err)
        self.assertEqual(run.stop(), 0, run.err)
        self.finish(self.start("run", "p.lua"))
        self.replay()

    def test_another_text_that_is_saved_meanwhile_takes_its_place(self):
        run = self.begin(program=CRASHING, env={"SLUICE_CRASH": "backfill_slice:1:delay=1500"})
        self.save(", odd = sluice.max 'n'")
        self.wait_for("the reading", lambda: "what is new is being filled" in run.err)
        self.save(MORE)
        self.wait_for("the other text", lambda: "`mean` is new and is filled" in run.err)
        self.finish(run)

    def test_it_is_found_against_what_the_exchange_compares_with(self):
        """Nothing comes, so one text after the other is on trial without having done a batch."""
        run = self.begin()
        texts = ", again = sluice.count()", ", again = sluice.count() --[[ ]]", MORE
        for number, more in enumerate(texts, 1):
            self.save(more)
            self.wait_for("the reload", lambda: run.err.count(TAKEN) == number)
            self.assertEqual(run.err.count("what is new is filled"), number)
            self.assertGreaterEqual(run.err.count(FILLING), number, "filled in the pause")
        self.finish(run)
        self.replay()

    def test_a_text_that_loops_over_old_records_costs_itself_alone(self):
        run = self.begin()
        for slow in ("while row.n % 10 == 7 do end",
                     "if row.n % 10 == 7 then ('a'):rep(9999):find(('a-'):rep(9) .. 'b') end"):  # it is in C for ever
            before = run.err.count(REFUSED)
            self.save(MORE, slow=slow, timeout="1 second")
            self.wait_for("the refusal", lambda: run.err.count(REFUSED) > before, 60)
        self.produce(50)
        self.read_all()
        self.save(MORE)
        self.wait_for("the reload", lambda: TAKEN in run.err)
        self.finish(run)
        self.assertEqual(run.err.count("what is new is filled"), 1)

    def test_another_text_is_loaded_while_a_call_ends(self):
        """The run goes on while what is given up is still in its call."""
        run = self.begin()
        self.save(", odd = sluice.max 'n'", slow="while row.n == 7 do end", timeout="1 hour")
        self.wait_for("the reading", lambda: FILLING in run.err)
        self.save(MORE)
        self.wait_for("giving up", lambda: "is given up" in run.err)
        self.produce(50)
        self.read_all()

    def test_what_stands_still_is_filled_in_front_of_its_first_batch(self):
        self.assertEqual(self.begin().stop(), 0)
        self.save(MORE)
        run = self.start("run", "p.lua")
        self.finish(run)
        self.assertIn("what is new is filled", run.err)
        self.replay()


ROTATED = """
local sluice = require "sluice"
return sluice.pipeline {{ name = "rotated", checkpoint = "file:./store", delivery = "at-least-once",
   sluice.file {{ path = "rides.jsonl", follow = true }}
      :json {{ sluice.string "city" :required(), sluice.int64 "fare" :required(), sluice.int64 "ts" :required() }}
      :event_time("ts", {{ delay = "10 seconds" }})
      :group_by "city" :window(sluice.tumbling {{ size = "1 hour" }})
      :aggregate({{ rides = sluice.count() {more} }}, {{ backfill = "1 hour" }})
      :to(sluice.file {{ path = "-", mode = "update" }}) }}
"""


class RotatedTest(harness.E2ETest):
    def save(self, more):
        self.file("p.new", ROTATED.format(more=more))
        os.replace(os.path.join(self.folder, "p.new"), os.path.join(self.folder, "p.lua"))

    def ride(self, fare):
        with open(os.path.join(self.folder, "rides.jsonl"), "a", encoding="utf-8") as rides:
            rides.write(json.dumps({"city": "Bern", "fare": fare, "ts": 1000}) + "\n")

    def wait_row(self, run, **wanted):
        def is_there():
            rows = [json.loads(line) for line in run.out.splitlines() if line.endswith("}")]
            return any(wanted.items() <= row.items() for row in rows)
        self.wait_for(f"a row of {wanted}", is_there)

    def test_what_lies_in_a_file_that_was_rotated_does_not_count(self):
        self.save("")
        self.ride(10)
        run = self.start("run", "p.lua")
        self.wait_row(run, rides=1)
        os.rename(os.path.join(self.folder, "rides.jsonl"), os.path.join(self.folder, "rides.1"))
        self.ride(20)
        self.wait_row(run, rides=2)
        self.save(', sum = sluice.sum "fare"')
        self.wait_for("the reload", lambda: TAKEN in run.err or REFUSED in run.err)
        self.assertIn("a file that was rotated is not read again", run.err)
        self.ride(30)
        self.wait_row(run, rides=3, sum=50)
        self.assertEqual(run.stop(), 0, run.err)
