"""`sluice replay`: recorded batches done again send byte for byte what they sent, whatever was killed; by another
script the rows that differ are shown; nothing is written. What cannot be done again is said to be so."""
import fcntl
import glob
import json
import os
import random
import shutil
import signal
import time

import harness

BEGIN_MS = 1_700_000_000_000
REFUSED, USAGE = 4, 2

FILES = """
local sluice = require "sluice"
local label = require "label"
return sluice.pipeline {
   name = "rides", trigger = "available-now", checkpoint = "file:./store",
   sluice.file { path = "in.jsonl", max_records = 100 }
      :json { sluice.string "k" :required(), sluice.int64 "n" :required(), sluice.int64 "ts" :required() }
      :event_time("ts", { unit = "ms", delay = "1 second" })
      :derive { label = sluice.string(label) }
      :group_by "label":window(sluice.tumbling { size = "1 minute" })
      :aggregate { rows = sluice.count(), sum = sluice.sum "n" }
      :to(sluice.file { path = "out.jsonl", mode = "append", append = true }),
}
"""
LABEL = 'return function(row) return row.k .. "-a" end\n'

KAFKA = """
local sluice = require "sluice"
return sluice.pipeline {
   name = "NAME", checkpoint = "file:./store", workers = WORKERS,
   sluice.kafka { topics = "IN", start = "earliest", max_records = 400 }
      :json { sluice.string "event_id" :required(), sluice.string "event_type",
              sluice.double "amount", sluice.int64 "ts" :required() }
      :event_time("ts", { unit = "ms", delay = "2 seconds", idle = "never" })
      :distinct { "event_id", within = "1 minute" }
      :group_by "event_type"
      :window(sluice.hopping { size = "20 seconds", every = "10 seconds" })
      :aggregate { rows = sluice.count(), sum = sluice.sum "amount", last = sluice.last "event_id" }
      :late_to(sluice.kafka { topic = "LATE" })
      :to(sluice.kafka { topic = "OUT", mode = "update" }),
}
"""


class ReplayTest(harness.E2ETest):
    def replay(self, *words, code=0):
        run = self.run_sluice("replay", "p.lua", *words)
        self.assertEqual(run.code, code, f"{words}: {run.out}{run.err}")
        self.said = run.err
        return run.out

    def replayed(self, *words):
        """By batch: by sink: (key, value) of each row."""
        return {batch["batch"]: {sink["sink"]: [(row["key"], row["value"]) for row in sink["messages"]]
                                 for sink in batch["sinks"]}
                for batch in map(json.loads, self.replay(*words, "--json").splitlines())}


class FileTest(ReplayTest):
    @property
    def brokers(self):
        return "localhost:1"

    def setUp(self):
        super().setUp()
        self.file("label.lua", LABEL)
        self.file("p.lua", FILES)
        self.file("in.jsonl", "".join(json.dumps({"k": f"k{n % 3}", "n": n, "ts": BEGIN_MS + n * 100}) + "\n"
                                      for n in range(2000)))
        run = self.run_sluice("run", "p.lua")
        self.assertEqual(run.code, 0, run.err)

    def state(self):
        """Every file of the test's folder."""
        return {path: os.path.getsize(path) for path in glob.glob(self.folder + "/**", recursive=True)
                if os.path.isfile(path) and "sluice-" not in os.path.basename(path)}

    def sent(self):
        with open(os.path.join(self.folder, "out.jsonl")) as file:
            return file.read().splitlines()

    def test_all_batches_send_what_they_sent_and_nothing_is_written(self):
        before = self.state()
        rows = self.replayed("--from", "0", "--to", "19")
        self.assertEqual(sorted(rows), list(range(20)))
        self.assertEqual([value for batch in range(20) for _, value in rows[batch].get("out.jsonl", [])], self.sent())
        self.assertEqual(self.state(), before)
        self.assertEqual(self.replayed("--from", "10", "--to", "12"), {n: rows[n] for n in (10, 11, 12)})

    def test_with_what_files_hold(self):
        text = self.replay("--from", "0", "--to", "19", "--diff")
        self.assertEqual(text.count(": the same "), 20)
        self.assertIn("batch 4: the same 3 rows\n", text)
        rows = self.sent()
        with open(os.path.join(self.folder, "out.jsonl"), "r+") as file:  # the second window's first row, of the same length
            changed = rows[3].replace('"rows":200', '"rows":201')
            file.write("".join(row + "\n" for row in rows[:3]) + changed + "\n")
        text = self.replay("--from", "8", "--to", "12", "--diff", code=1)
        self.assertIn(f"rows differ\n- out.jsonl {changed}\n+ out.jsonl {rows[3]}\n", text)
        self.assertEqual(text.count(": the same "), 4)

    def test_with_a_file_a_batch(self):
        with open(os.path.join(self.folder, "p.lua")) as file:
            self.file("p.lua", file.read().replace("append = true", "append = false").replace("out.jsonl", "out")
                      .replace('"rides"', '"rides-2"'))
        run = self.run_sluice("run", "p.lua")
        self.assertEqual(run.code, 0, run.err)
        self.assertNotIn("differ", self.replay("--from", "0", "--to", "19", "--diff"))
        (first, *_) = sorted(glob.glob(self.folder + "/out/batch-*.jsonl"))
        os.remove(first)
        text = self.replay("--from", "0", "--to", "19", "--diff", code=1)
        self.assertIn(f"batch {int(first[-18:-6])}: 3 rows differ\n+ out ", text)

    def test_a_name_stands_for_what_ran_last_under_it(self):
        name = harness.fresh("named")
        run = self.run_sluice("run", "p.lua", "--set", f"name={name}", "--set", "sink.path=named.jsonl")
        self.assertEqual(run.code, 0, run.err)
        wanted = self.run_sluice("replay", "p.lua", "--from", "7", "--set", f"name={name}", "--set", "sink.path=named.jsonl")
        self.assertIn("batch 7: ", wanted.out)
        elsewhere = os.path.join(self.folder, "elsewhere")
        os.mkdir(elsewhere)
        shutil.copy(os.path.join(self.folder, "p.lua"), os.path.join(elsewhere, "other.lua"))
        shutil.copy(os.path.join(self.folder, "label.lua"), elsewhere)
        at, self.folder = self.folder, elsewhere
        try:
            again = self.run_sluice("replay", name, "--from", "7")
            told = self.run_sluice("why", name, "in.jsonl:0:700", "--json")
            by = self.run_sluice("replay", name, "--from", "7", "--script", "other.lua", "--diff")
            unknown = self.run_sluice("replay", name + "x", "--from", "7")
        finally:
            self.folder = at
        self.assertEqual((again.out, again.code), (wanted.out, 0), again.err)
        self.assertEqual((json.loads(told.out)["pipeline"], json.loads(told.out)["batch"]), (name, 7))
        self.assertIn("batch 7: the same", by.out + by.err)
        self.assertEqual(unknown.code, USAGE)
        self.assertIn(f"`{name}x` is no file, and no pipeline of that name has run on this machine", unknown.err)

    def test_folders_that_killed_commands_left_are_removed(self):
        """But none in which one works, nor what has just been made, nor what somebody else calls so."""
        folder = os.path.join(self.folder, "tmp")
        for name in "left", "locked", "young", "mine":
            os.makedirs(os.path.join(folder, "sluice-named-" + name, "inside"))
            if name != "mine":
                open(os.path.join(folder, "sluice-named-" + name, ".sluice-scratch"), "w").close()
            if name != "young":
                os.utime(os.path.join(folder, "sluice-named-" + name), (1, 1))
        held = os.open(os.path.join(folder, "sluice-named-locked"), os.O_RDONLY)
        self.addCleanup(os.close, held)
        fcntl.flock(held, fcntl.LOCK_EX)
        run = self.run_sluice("replay", "rides", "--from", "0", env={"TMPDIR": folder})
        self.assertEqual(run.code, 0, run.err)
        self.assertEqual(sorted(os.listdir(folder)), ["sluice-named-locked", "sluice-named-mine", "sluice-named-young"])

    def test_a_name_goes_by_what_ran_though_its_files_are_broken_or_gone(self):
        name = harness.fresh("named")
        run = self.run_sluice("run", "p.lua", *harness.sets(f"name={name}"))
        self.assertEqual(run.code, 0, run.err)
        commands = [("replay", name, "--from", "7"), ("why", name, "in.jsonl:0:700"), ("checkpoint", "ls", name),
                    ("checkpoint", "verify", name), ("state", "ls", name), ("lag", name)]

        def told(wanted_err):
            runs = [self.run_sluice(*command) for command in commands]
            self.assertEqual([(one.code, one.err) for one in runs], [(0, wanted_err)] * len(commands))
            return [one.out for one in runs[:2]] + [one.out.splitlines()[0] for one in runs[2:]]

        by_name = f": by its name, `{name}` goes by the script that ran last under it\n"
        wanted = told("")
        self.assertIn("batch 7: ", wanted[0])
        self.file("label.lua", "return nonsense(")
        self.assertEqual(told("sluice: label.lua has changed" + by_name), wanted)
        os.remove(os.path.join(self.folder, "p.lua"))
        self.assertEqual(told("sluice: p.lua is gone" + by_name), wanted)
        at, self.folder = self.folder, os.path.join(self.folder, "elsewhere")
        os.mkdir(self.folder)
        try:
            saved = self.run_sluice("checkpoint", "export", name, "saved.ck")
            self.assertEqual(saved.code, 0, saved.err)
            self.assertEqual([one for one in os.listdir(self.folder) if one.endswith(".ck")], ["saved.ck"])
        finally:
            self.folder = at

    def test_by_another_script_the_rows_that_differ(self):
        with open(os.path.join(self.folder, "p.lua")) as file:
            script = file.read()
        self.file("other.lua", script.replace('sluice.sum "n" }', 'sluice.sum "n" }:filter(function(row)'
                                              ' return row.label ~= "k1-a" end)'))
        text = self.replay("--from", "0", "--to", "12", "--script", "other.lua", "--diff", code=1)
        self.assertIn("batch 4: 1 rows differ\n- out.jsonl {", text)
        self.assertIn('"label":"k1-a"', text)
        self.assertNotIn("k2-a", text)
        self.assertIn("batch 5: the same 0 rows\n", text)
        self.file("same.lua", script + "-- nothing\n")
        text = self.replay("--from", "0", "--to", "12", "--script", "same.lua", "--diff")
        self.assertIn("batch 4: the same 3 rows\n", text)

    def test_by_the_text_that_did_them_when_the_script_has_changed(self):
        rows = self.replayed("--from", "0", "--to", "19")
        self.file("label.lua", LABEL.replace("-a", "-b"))
        self.assertEqual(self.replayed("--from", "0", "--to", "19"), rows)

    def test_by_the_set_options_of_the_run_which_are_stored(self):
        sets = ("--set", "name=with-sets", "--set", "source.max_records=300", "--set", "sink.path=sets.jsonl")
        run = self.run_sluice("run", "p.lua", *sets)
        self.assertEqual(run.code, 0, run.err)
        rows = self.replayed("--from", "0", "--to", "6", *sets)
        few = ("--set", "name=with-sets", "--set", "sink.path=sets.jsonl")
        self.assertEqual(self.replayed("--from", "0", "--to", "6", *few), rows)
        self.file("label.lua", LABEL.replace("-a", "-b"))
        self.assertEqual(self.replayed("--from", "0", "--to", "6", *few), rows)

    def test_what_a_stored_text_throws_is_told_as_it_was(self):
        for name in ("p.lua", "label.lua"):
            with open(os.path.join(self.folder, name)) as file:
                text = file.read()
            self.file(name, text.replace('"rides"', '"throws"').replace("out.jsonl", "throws.jsonl").replace(
                "return function(row)", 'return function(row) if row.n == 7 then error "seven" end'))
        run = self.run_sluice("run", "p.lua")
        self.assertEqual(run.code, 0, run.err)
        with open(os.path.join(self.folder, "throws-quarantine.jsonl")) as file:
            (thrown,) = file.read().splitlines()
        self.assertIn("label.lua:1: seven", thrown)
        self.file("label.lua", LABEL)
        self.assertIn("batch 0: the same", self.replay("--from", "0", "--diff"))
        told = json.loads(self.run_sluice("why", "p.lua", "in.jsonl:0:7", "--json").out)
        self.assertEqual(told["bad"], "label.lua:1: seven")

    def test_across_a_change_of_the_script_each_batch_by_its_own_text(self):
        shutil.rmtree(os.path.join(self.folder, "store"))
        os.remove(os.path.join(self.folder, "out.jsonl"))
        for trigger in ("once", "once", "once", "available-now"):
            if trigger != "once":
                self.file("label.lua", LABEL.replace("-a", "-b"))
            run = self.run_sluice("run", "p.lua", "--set", f"trigger={trigger}")
            self.assertEqual(run.code, 0, run.err)
        rows = self.replayed("--from", "0", "--to", "19")
        self.assertEqual([value for batch in range(20) for _, value in rows[batch].get("out.jsonl", [])], self.sent())
        self.assertIn("-a", str(rows[4]))  # groups of the first three batches, in windows that close later
        self.assertIn("-b", str(rows[4]))
        # of what a text that has ended left behind, nothing may be looked at
        run = self.run_sluice("replay", "p.lua", "--from", "0", "--to", "19", "--diff", env={"MALLOC_PERTURB_": "165"})
        self.assertEqual(run.code, 0, run.out + run.err)
        self.assertEqual(sum(int(words.split()[0]) for words in run.out.split("the same ")[1:]), len(self.sent()))

    def test_across_a_hot_reload(self):
        shutil.rmtree(os.path.join(self.folder, "store"))
        os.remove(os.path.join(self.folder, "out.jsonl"))
        self.file("p.lua", FILES.replace(', trigger = "available-now"', "").replace("100 }", "100, follow = true }"))
        run = self.start("run", "p.lua")
        self.wait_for("windows", lambda: len(self.sent()) >= 9 if os.path.exists(
            os.path.join(self.folder, "out.jsonl")) else False)
        self.file("label.lua", LABEL.replace("-a", "-b"))
        self.wait_for("the new text", lambda: "the script was reloaded" in run.err)
        with open(os.path.join(self.folder, "in.jsonl"), "a") as file:
            file.writelines(json.dumps({"k": f"k{n % 3}", "n": n, "ts": BEGIN_MS + n * 100}) + "\n"
                            for n in range(2000, 3500))
        self.wait_for("rows by it", lambda: any('-b"' in row for row in self.sent()))
        self.assertEqual(run.stop(), 0, run.err)
        done = json.loads(self.run_sluice("checkpoint", "ls", "p.lua", "--json").out)["next_batch"]
        rows = self.replayed("--from", "0", "--to", str(done - 1))
        self.assertEqual([value for batch in range(done) for _, value in rows[batch].get("out.jsonl", [])], self.sent())

    def test_what_a_followed_file_holds_no_more_is_told(self):
        shutil.rmtree(os.path.join(self.folder, "store"))
        self.file("p.lua", FILES.replace('trigger = "available-now"', 'trigger = "once"').replace("100 }", "100, follow = true }"))
        for _ in range(3):
            run = self.run_sluice("run", "p.lua")
            self.assertEqual(run.code, 0, run.err)
        with open(os.path.join(self.folder, "in.jsonl")) as file:
            lines = file.readlines()
        self.file("in.jsonl", "".join(lines[:150]))
        self.assertIn("batch 0: ", self.replay("--from", "0"))
        self.replay("--from", "0", "--to", "2", code=REFUSED)
        self.assertIn("doing batch 1 again: what the batch read is no longer in `in.jsonl`: it read up to line 200, and "
                      "there is nothing behind line 150", self.said)
        run = self.run_sluice("why", "p.lua", "in.jsonl:0:120")
        self.assertEqual((run.code, run.out), (REFUSED, ""))
        self.assertIn("no longer in `in.jsonl`", run.err)

    def test_what_cannot_be_done_again_is_told(self):
        self.replay("--from", "12", "--to", "20", code=REFUSED)
        self.assertIn("has done batches up to 19, not 20", self.said)
        self.replay("--from", "x", code=USAGE)
        self.replay("--from", "5", "--to", "3", code=USAGE)
        for path in glob.glob(os.path.join(self.folder, "store/rides/state/*")):
            if int(os.path.basename(path).split("-")[0]) in (4, 5, 6):
                os.remove(path)
        self.replay("--from", "3", code=REFUSED)
        self.assertIn("no state from which batch 3 could be reached is stored", self.said)


class HistoryTest(ReplayTest):
    """Batches whose chain has gone: from the full object before them, by records out of the journal."""

    @property
    def brokers(self):
        return "localhost:1"

    def objects(self, kind):
        """(batch, path)"""
        return sorted((int(os.path.basename(path).split("-")[0]), path)
                      for path in glob.glob(os.path.join(self.folder, "store/rides/" + kind)))

    def test_from_a_full_object_through_the_journal(self):
        self.file("label.lua", LABEL)
        self.file("p.lua", FILES.replace("max_records = 100", "max_records = 8, follow = true")
                  .replace('trigger = "available-now", ', ""))
        self.file("in.jsonl", "".join(json.dumps({"k": f"k{n % 3}", "n": n, "ts": BEGIN_MS + n * 1000}) + "\n"
                                      for n in range(1760)))
        for batch in 220, 221:  # a run journals what the one before left
            run = self.start("run", "p.lua")
            self.wait_for("the objects", lambda: not run.running or batch in dict(self.objects("state/*")))
            self.assertEqual(run.stop(), 0, run.err)
            with open(os.path.join(self.folder, "in.jsonl"), "a") as file:
                file.write("".join(json.dumps({"k": "k0", "n": n, "ts": BEGIN_MS + n * 1000}) + "\n" for n in range(8)))
        rows = self.replayed("--from", "0", "--to", "219")
        self.assertEqual(len(rows), 220)
        full = max(batch for batch, _ in self.objects("state/*.full") if batch < 220)
        journaled = max(batch for batch, _ in self.objects("journal/*"))
        self.assertGreater(min(full, journaled), 135)
        for batch, path in self.objects("state/*.delta"):  # as time does: none before its record is in the journal
            if batch < full and batch <= journaled:
                os.remove(path)
        self.assertEqual(self.replayed("--from", "130", "--to", "219"), {n: rows[n] for n in range(130, 220)})

        for _, path in self.objects("journal/*") + [one for one in self.objects("state/*.delta") if one[0] < full]:
            os.remove(path)
        self.replay("--from", "130", code=REFUSED)
        self.assertIn(f"the oldest batch that can be replayed is {full}", self.said)
        self.assertEqual(self.replayed("--from", str(full)), {full: rows[full]})
        run = self.run_sluice("why", "p.lua", "in.jsonl:0:9")
        self.assertIn(f"not known any more: batches are recorded from {full - 1} on", run.out)


class KafkaTest(ReplayTest):
    """Exactly-once, with late rows, repeats and kills: the output topics hold what the replay sends."""

    def rides(self, count, seed):
        rnd = random.Random(seed)
        return [{"value": json.dumps({"event_id": f"e{rnd.randrange(count)}", "event_type": f"t{rnd.randrange(4)}",
                                      "amount": rnd.randrange(1000) / 7,
                                      "ts": BEGIN_MS + i * 20 - (30_000 if rnd.random() < .05 else 0)}),
                 "partition": rnd.randrange(2)} for i in range(count)]

    def test_output_is_the_same_after_kills(self):
        name, source, out, late = (harness.fresh("replay"), self.topic(2), self.topic(1), self.topic(1))
        script = (KAFKA.replace("NAME", name).replace('"IN"', f'"{source}"').replace("OUT", out)
                  .replace("LATE", late).replace("WORKERS", "2"))
        self.file("p.lua", script)
        rides = self.rides(6000, 7)
        for part in range(3):
            self.client.produce(source, rides[part * 2000:part * 2000 + 2000])
            run = self.start("run", "p.lua")
            done = 2000 * (part + 1)
            if part < 2:
                self.wait_for("a batch", lambda: run.running and any(
                    at > done / 4 for at, _ in self.client.group_offsets(name).values()))
                run.send(signal.SIGKILL)
                run.wait()
        self.wait_for("all of it", lambda: sum(at for at, _ in self.client.group_offsets(name).values()) >= 6000)
        time.sleep(1)  # what the last records close
        self.assertEqual(run.stop(), 0, run.err)
        before = self.client.group_offsets(name)
        rows = self.replayed("--from", "0", "--to", str(self.done() - 1))
        for topic in (out, late):
            sent = [(r.key and r.key.decode(), r.value.decode()) for r in self.client.consume(topic)]
            again = [row for batch in sorted(rows) for row in rows[batch].get(topic, [])]
            self.assertEqual(again, sent)
            self.assertTrue(sent)
        self.assertEqual(self.client.group_offsets(name), before)
        middle = self.done() // 2
        self.assertEqual(self.replayed("--from", str(middle)), {middle: rows[middle]})

        run = self.replay("--from", "0", "--to", str(self.done() - 1), "--diff")
        self.assertNotIn("differ", run)
        batch = max(number for number in rows if rows[number].get(out))
        record = json.loads(self.replay("--from", str(batch), "--json"))["record"]
        self.client.produce(out, [{"value": "made by hand", "timestamp": record["processing_time"]}])
        text = self.replay("--from", str(batch), "--diff", code=1)
        self.assertRegex(text, rf"batch \d+: 1 rows differ\n- {out} made by hand\n")  # one of a time with `batch`

        self.client.delete_records(source, {0: 10, 1: 10})
        self.replay("--from", "0", code=1)
        self.assertIn("records went before they were read", self.said)

    def test_what_topics_hold_across_a_change_of_the_text(self):
        name, source, out, late = (harness.fresh("replay"), self.topic(2), self.topic(1), self.topic(1))
        script = (KAFKA.replace("NAME", name).replace('"IN"', f'"{source}"').replace("OUT", out)
                  .replace("LATE", late).replace("WORKERS", '1, trigger = "available-now"'))
        more = self.topic(name="more")  # the last text has one more sink
        adds = script.replace('mode = "update" }),', f'mode = "update" }}):to(sluice.kafka {{ topic = "{more}", mode = "update" }}),')
        for text in script, script + "-- another\n", adds:
            self.file("p.lua", text)
            self.client.produce(source, self.rides(900, len(text)))
            run = self.run_sluice("run", "p.lua")
            self.assertEqual(run.code, 0, run.err)
        last = str(self.done() - 1)
        run = self.run_sluice("replay", "p.lua", "--from", "0", "--to", last, "--diff", env={"MALLOC_PERTURB_": "165"})
        self.assertEqual(run.code, 0, run.out + run.err)
        self.assertTrue(self.client.consume(more))
        sent = sum(len(self.client.consume(topic)) for topic in (out, late, more))
        self.assertEqual(sum(int(words.split()[0]) for words in run.out.split("the same ")[1:]), sent)

    def test_batches_of_one_time_are_compared_together(self):
        """A topic's rows are known by their batch's time: a range that begins or ends within one takes in what lies beside it."""
        name, source, out, late = (harness.fresh("replay"), self.topic(2), self.topic(1), self.topic(1))
        self.file("p.lua", KAFKA.replace("NAME", name).replace('"IN"', f'"{source}"').replace("OUT", out)
                  .replace("LATE", late).replace("max_records = 400", "max_records = 10")
                  .replace("WORKERS", '1, trigger = "available-now"'))
        self.client.produce(source, self.rides(4000, 3))
        run = self.run_sluice("run", "p.lua")
        self.assertEqual(run.code, 0, run.err)
        lines = map(json.loads, self.replay("--from", "0", "--to", str(self.done() - 1), "--json").splitlines())
        times = {line["batch"]: line["record"]["processing_time"] for line in lines}
        tied = [batch for batch in times if times.get(batch + 1) == times[batch]]
        self.assertTrue(tied, times)
        for batch in tied[:3]:
            for words in (batch, batch), (batch + 1, batch + 1), (max(batch - 1, 0), batch):
                self.assertIn("the same", self.replay("--from", str(words[0]), "--to", str(words[1]), "--diff"))

    def done(self):
        """How many batches are done."""
        run = self.run_sluice("checkpoint", "ls", "p.lua", "--json")
        self.assertEqual(run.code, 0, run.err)
        return json.loads(run.out)["next_batch"]
