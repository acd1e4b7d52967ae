"""`sluice checkpoint` and `sluice state`: what is stored can be looked at, moved and mended; nothing is
changed under a running pipeline, and no output is repeated unasked. Exit codes: 3 it runs, 4 refused."""
import json
import os
import shlex
import shutil
import signal
import threading

import harness

RUNS, REFUSED, USAGE = 3, 4, 2
BEGIN_MS = 1_700_000_000_000

FILES = """
local sluice = require "sluice"
return sluice.pipeline {
   name = "rides", trigger = "TRIGGER", checkpoint = "file:./store",
   sluice.file { path = "in.jsonl", max_records = 100, follow = FOLLOW }
      :json { sluice.string "k", sluice.int64 "n" :required(), sluice.int64 "ts" :required() }
      :event_time("ts", { unit = "ms", delay = "1 second" })
      :group_by "k":window(sluice.tumbling { size = "1 minute" })
      :aggregate { rows = sluice.count(), sum = sluice.sum "n", last = sluice.last "k" }
      :to(sluice.file { path = "out", mode = "append" }),
}
"""

KAFKA = """
local sluice = require "sluice"
return sluice.pipeline {
   name = "NAME", trigger = "TRIGGER", checkpoint = "file:./store",
   sluice.kafka { topics = "IN", start = "earliest", max_records = 50 }
      :json { sluice.string "k", sluice.int64 "n" :required(), sluice.int64 "ts" :required() }
      :event_time("ts", { unit = "ms", delay = "1 second", idle = "never" })
      :group_by "k":window(sluice.running { retain = "forever" })
      :aggregate { rows = sluice.count(), sum = sluice.sum "n" }
      :to(sluice.kafka { topic = "OUT", mode = "update" }),
}
"""


class CommandTest(harness.E2ETest):
    def sluice(self, *words, code=0):
        """Run a command over p.lua; its output."""
        run = self.run_sluice(*words)
        self.assertEqual(run.code, code, f"{words}: {run.out}{run.err}")
        self.said = run.err
        return run.out

    def checkpoint(self, word, *more, code=0):
        return self.sluice("checkpoint", word, "p.lua", *more, code=code)

    def json_of(self, *words, code=0):
        group, word, *more = words
        return json.loads(self.sluice(group, word, "p.lua", *more, "--json", code=code))

    def path(self, *parts):
        return os.path.join(self.folder, "store", *parts)

    def objects(self, name="rides"):
        return sorted(os.listdir(self.path(name, "state")))


class FileTest(CommandTest):
    """Without Kafka: progress is committed in the store."""

    def setUp(self):
        super().setUp()
        self.script()
        with open(os.path.join(self.folder, "in.jsonl"), "w") as file:
            for n in range(1000):
                row = {"k": f"k{n % 3}", "n": n, "ts": BEGIN_MS + n * 100}
                file.write(json.dumps(row) + "\n")

    @property
    def brokers(self):
        return "localhost:1"

    def script(self, trigger="available-now", follow=False, name="rides"):
        text = FILES.replace("TRIGGER", trigger).replace("FOLLOW", str(follow).lower())
        self.file("p.lua", text.replace('"rides"', f'"{name}"'))

    def run_all(self):
        run = self.run_sluice("run", "p.lua")
        self.assertEqual(run.code, 0, run.err)

    def output(self, name="out"):
        folder = os.path.join(self.folder, name)
        return {name: harness.read(os.path.join(folder, name)) for name in sorted(os.listdir(folder))}

    def test_what_is_stored_is_listed(self):
        self.assertIn("nothing is stored, and nothing committed", self.checkpoint("ls"))
        self.run_all()
        found = self.json_of("checkpoint", "ls")
        self.assertEqual((found["pipeline"], found["ledger"], found["next_batch"]), ("rides", "store", 10))
        self.assertEqual(found["sources"][0]["partitions"][0]["position"], 1000)
        self.assertEqual([(o["next_batch"], o["role"]) for o in found["objects"]][-2:],
                         [(9, "needed"), (10, "current")])
        self.assertEqual(len(found["store_id"]), 32)
        text = self.checkpoint("ls")
        self.assertIn("committed: batches 0 to 9, 1 partition", text)
        self.assertRegex(text, r"10 +delta +[\d.]+ KB +\d{4}-\d\d-\d\d .* current")

    def test_what_a_newer_version_stored_is_left_to_that(self):
        self.run_all()
        newest = self.path("rides", "state", self.objects()[-1])
        os.chmod(newest, 0o644)
        with open(newest, "r+b") as file:
            file.seek(8)  # state/README.md: the version
            file.write(bytes([2]))
        run = self.run_sluice("run", "p.lua")
        self.checkpoint("verify", code=REFUSED)
        for code, said in (run.code, run.err), (REFUSED, self.said):
            self.assertEqual(code, REFUSED)
            self.assertIn("this program reads version 1: use the sluice that wrote it, or a newer one", said)
            self.assertNotIn("recover", said)

    def test_a_whole_checkpoint_is_whole_and_a_damaged_one_is_not(self):
        self.run_all()
        self.assertIn("whole: 11 objects read", self.checkpoint("verify"))
        for batch in "99", "last":
            self.checkpoint("rollback", "--to", batch, code=USAGE)
            self.assertIn("`sluice checkpoint ls p.lua` shows", self.said)
        self.assertEqual(self.json_of("checkpoint", "verify")["verdict"], "whole")
        middle = self.path("rides", "state", self.objects()[5])
        os.chmod(middle, 0o644)
        with open(middle, "r+b") as file:
            file.seek(os.path.getsize(middle) // 2)
            byte = file.read(1)
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte[0] ^ 1]))
        self.checkpoint("verify", code=REFUSED)
        self.assertIn("is damaged", self.said)
        self.assertIn("sluice checkpoint recover p.lua", self.said)
        self.assertEqual(self.json_of("checkpoint", "verify", code=REFUSED)["verdict"], "broken")
        run = self.run_sluice("run", "p.lua")
        self.assertEqual(run.code, REFUSED)
        self.assertIn("`sluice checkpoint recover p.lua` goes back", run.err)
        # the states before the damage are whole, and can be gone on from
        offered = self.json_of("checkpoint", "recover")["candidates"]
        self.assertEqual([one["next_batch"] for one in offered], [4, 3, 2, 1, 0])
        self.checkpoint("recover", "--to", offered[0]["to"], code=USAGE)
        self.assertIn("--repeat-output", self.said)
        before = self.output()
        self.checkpoint("recover", "--to", offered[0]["to"], "--repeat-output")
        self.run_all()
        self.assertEqual(self.output(), before)

    def test_a_lost_pointer_is_recovered(self):
        self.run_all()
        before = self.output()
        for name in os.listdir(self.path("rides", "commit")):
            os.unlink(self.path("rides", "commit", name))
        run = self.run_sluice("run", "p.lua")
        self.assertEqual(run.code, REFUSED)
        self.assertIn("state is stored", run.err)
        self.assertEqual(self.output(), before)  # nothing was begun anew
        text = self.checkpoint("recover")
        self.assertRegex(text, r"10-\w{8} .* committed: the copy of the pointer says so")
        self.assertIn("goes on from batch 10", self.checkpoint("recover", "--to", "10"))
        self.run_all()
        self.assertEqual(self.json_of("checkpoint", "ls")["next_batch"], 10)

    def lose_pointer(self, *more):
        """What the ledger holds goes; `more` of the pipeline's folder, too."""
        for name in os.listdir(self.path("rides", "commit")):
            os.unlink(self.path("rides", "commit", name))
        for name in more:
            os.unlink(self.path("rides", name))

    def test_what_a_later_object_follows_is_suggested_first(self):
        self.run_all()
        self.lose_pointer("head")
        offered = self.json_of("checkpoint", "recover")["candidates"]
        self.assertEqual([one["next_batch"] for one in offered], [9, 8, 7, 6, 5])
        self.assertEqual(offered[0]["is"], "committed: a later object follows it")
        self.assertIn(f"recover p.lua --to {offered[0]['to'][:10]}` commits", self.checkpoint("recover"))
        self.checkpoint("recover", "--to", "10", code=USAGE)
        self.assertIn("is not known to be committed", self.said)
        self.assertIn("--may-lose-output", self.said)
        self.checkpoint("recover", "--to", "8", code=USAGE)
        self.assertIn("--repeat-output", self.said)
        self.assertIn("goes on from batch 10", self.checkpoint("recover", "--to", "10", "--may-lose-output"))

    def test_the_only_state_is_suggested_with_its_flag(self):
        self.run_all()
        self.lose_pointer("head")
        for name in self.objects()[1:]:
            os.unlink(self.path("rides", "state", name))
        text = self.checkpoint("recover")
        self.assertIn("not known to be committed", text)
        command = text.split("`sluice checkpoint recover p.lua ")[1].split("`")[0].split()
        self.assertEqual(command[2:], ["--may-lose-output"])
        self.checkpoint("recover", *command[:2], code=USAGE)
        self.checkpoint("recover", *command)

    def test_what_was_not_committed_comes_last(self):
        self.run_all()
        old = self.objects()
        self.checkpoint("rollback", "--to", "1", "--repeat-output")  # 2 to 10 are orphans
        text = harness.read(os.path.join(self.folder, "p.lua"))
        self.file("p.lua", text.replace("max_records = 100", "max_records = 900"))
        self.run_all()
        self.assertEqual(self.json_of("checkpoint", "ls")["next_batch"], 2)
        for name in set(self.objects()) - set(old):
            os.unlink(self.path("rides", "state", name))
        for _ in ("the pointer is known", "its copy is"):
            offered = self.json_of("checkpoint", "recover")["candidates"]
            self.assertEqual([one["next_batch"] for one in offered], [1, 0, 10, 9, 8])
            self.assertEqual({one["is"] for one in offered[2:]}, {"not committed: another state was"})
            self.assertRegex(self.checkpoint("recover"), r"--to 1-\w{8} --repeat-output` commits")
            self.checkpoint("recover", "--to", "10", code=USAGE)
            self.assertIn("was not committed", self.said)
            self.lose_pointer()
        self.lose_pointer("head")  # now nothing is known of it
        self.checkpoint("recover", "--to", "10", code=USAGE)
        self.assertIn("--may-lose-output", self.said)

    def test_of_two_that_were_followed_neither_is_suggested(self):
        """One of them was gone back behind: which of them cannot be told."""
        self.run_all()
        self.checkpoint("rollback", "--to", "1", "--repeat-output")
        text = harness.read(os.path.join(self.folder, "p.lua"))
        self.file("p.lua", text.replace("max_records = 100", "max_records = 300"))
        self.run_all()
        current = self.json_of("checkpoint", "ls")["pointer"].split()[4]
        for name in self.objects():
            if current in name:
                os.unlink(self.path("rides", "state", name))
        self.assertRegex(self.checkpoint("recover"), r"--to 1-\w{8} --repeat-output` commits")

    def test_an_empty_folder_is_said_to_be_one(self):
        self.assertEqual(self.checkpoint("recover", code=REFUSED), "")
        self.assertIn("is this the folder", self.said)
        self.run_all()
        text = self.checkpoint("recover")
        self.assertEqual((text.count("\n"), self.said), (1, ""))
        self.assertIn("nothing is to be recovered", text)

    def test_what_is_suggested_can_be_typed(self):
        """With the settings that the command had: without them it is another pipeline, or none."""
        text = harness.read(os.path.join(self.folder, "p.lua")).replace('"rides"', 'sluice.param("who", "x")', 1)
        self.file("p.lua", text.replace('"out"', 'sluice.param("where", "x")'))
        settings = ["--param", "who=rides", "--param", "where=o ut", "--set", "shutdown_timeout=3 seconds"]
        run = self.run_sluice("run", "p.lua", *settings)
        self.assertEqual(run.code, 0, run.err)
        self.lose_pointer()
        typed = "p.lua --param who=rides --param 'where=o ut' --set 'shutdown_timeout=3 seconds'"
        run = self.run_sluice("run", "p.lua", *settings)
        self.assertIn(f"`sluice checkpoint recover {typed}` commits", run.err)
        text = self.checkpoint("recover", *settings)
        command = shlex.split(text.split("`sluice ")[-1].split("`")[0])
        self.assertIn(f"`sluice checkpoint recover {typed} --to 10-", text)
        self.assertIn("goes on from batch 10", self.sluice(*command))

    def test_an_older_copy_is_not_said_to_be_the_last_word(self):
        shutil.copy(os.path.join(self.folder, "in.jsonl"), os.path.join(self.folder, "all.jsonl"))
        rows = harness.read(os.path.join(self.folder, "all.jsonl")).splitlines(keepends=True)
        with open(os.path.join(self.folder, "in.jsonl"), "w") as file:
            file.writelines(rows[:500])
        run = self.run_sluice("run", "p.lua", "--set", "flush=false")
        self.assertEqual(run.code, 0, run.err)
        self.lose_pointer()  # and with it, in such a store, what was committed since the copy
        text = self.checkpoint("recover")
        self.assertIn("committed: the copy of the pointer says so", text)
        self.assertRegex(text, r"the copy of the pointer is of [-\d]+ [\d:]+ UTC: whether more was committed since "
                               r"cannot be told here")

    def test_without_any_whole_state_the_ways_on_are_named(self):
        self.run_all()
        self.checkpoint("export", "saved.ck")
        for name in self.objects():
            os.unlink(self.path("rides", "state", name))
        run = self.run_sluice("run", "p.lua")
        self.assertEqual(run.code, REFUSED)
        self.assertIn("`sluice checkpoint recover p.lua` goes back to the newest state here that is whole, or "
                      "says how to go on", run.err)
        for more in [], ["--to", "5"], ["--to", "5", "--repeat-output", "--may-lose-output"]:
            self.assertEqual(self.checkpoint("recover", *more, code=REFUSED), "")
            self.assertIn("no state that is whole is stored", self.said)
            self.assertIn("    (delete the folder `rides/` in file:./store)\n    sluice checkpoint import p.lua FILE\n",
                          self.said)
            self.assertNotIn("offsets-only", self.said)  # there are none without Kafka
        self.assertEqual(self.json_of("checkpoint", "recover", code=REFUSED)["candidates"], [])
        self.checkpoint("import", "saved.ck", code=REFUSED)
        self.assertIn("delete the folder `rides/` in file:./store first", self.said)
        shutil.rmtree(self.path("rides"))
        self.checkpoint("recover", code=REFUSED)
        self.assertIn("`sluice checkpoint import p.lua FILE`", self.said)
        self.checkpoint("import", "saved.ck")
        self.run_all()
        self.assertEqual(self.json_of("checkpoint", "ls")["next_batch"], 10)

    def test_going_back_says_what_it_costs(self):
        self.run_all()
        before = self.output()
        self.checkpoint("rollback", code=USAGE)
        self.checkpoint("rollback", "--to", "11", code=USAGE)
        self.checkpoint("rollback", "--to", "ten", code=USAGE)
        self.checkpoint("rollback", "--to", "4", code=USAGE)
        self.assertIn("in.jsonl: 600 records are read again", self.said)
        self.assertEqual(self.json_of("checkpoint", "ls")["next_batch"], 10)
        self.assertIn("goes on from batch 4", self.checkpoint("rollback", "--to", "4", "--repeat-output"))
        text = self.checkpoint("verify")
        self.assertIn("6 objects of batches that were not committed", text)
        self.assertIn("6 objects", self.checkpoint("gc"))
        self.assertEqual(len(self.objects()), 11)
        self.assertEqual(len(json.loads(self.checkpoint("gc", "--force", "--json"))["objects"]), 6)
        self.assertEqual(len(self.objects()), 5)
        self.run_all()
        self.assertEqual(self.output(), before)

    def test_another_script_can_do_the_batches_again(self):
        self.run_all()
        before = self.output()
        self.checkpoint("rollback", "--to", "4", "--repeat-output")
        text = harness.read(os.path.join(self.folder, "p.lua"))
        self.file("p.lua", text.replace("max_records = 100", "max_records = 300"))
        self.run_all()
        self.assertEqual(self.json_of("checkpoint", "ls")["next_batch"], 6)  # 4 of 100, 2 of 300
        self.assertEqual(sorted("".join(self.output().values()).split()),
                         sorted("".join(before.values()).split()))

    def test_a_copy_goes_on_by_itself(self):
        self.run_all()
        before = self.output()
        self.checkpoint("rollback", "--to", "4", "--repeat-output")
        later = "".join(text for name, text in before.items() if name >= "batch-000000000004")
        self.checkpoint("export", "saved.ck")
        self.checkpoint("export", "saved.ck", code=1)  # nothing is overwritten
        self.checkpoint("fork", "rides", code=USAGE)
        self.assertIn("\nboth write to out: name that anew for `copy`", self.checkpoint("fork", "copy"))
        self.checkpoint("fork", "copy", code=REFUSED)
        self.checkpoint("fork", "bare", "--offsets-only", code=USAGE)
        self.script(name="third")
        self.checkpoint("import", "saved.ck")
        for name in ("copy", "third"):
            self.script(name=name)
            self.assertIn("whole: 5 objects", self.checkpoint("verify"))
            self.file("p.lua", harness.read(os.path.join(self.folder, "p.lua")).replace('"out"', f'"{name}"'))
            self.run_all()
            self.assertEqual(self.json_of("checkpoint", "ls")["next_batch"], 10)
            self.assertEqual("".join(self.output(name).values()), later)
            self.assertIn("of `rides`, pointer S1 ", harness.read(self.path(name, "origin")))

    def test_settings_that_rows_depend_on_are_part_of_the_script(self):
        """A batch that a file may have in part is done again by the same script alone."""
        def script(*settings):
            run = self.run_sluice("run", "p.lua", *harness.sets("trigger=once", *settings))
            self.assertEqual(run.code, 0, run.err)
            return self.json_of("checkpoint", "ls")["script"]
        first = script()
        self.assertEqual(script("workers=2", "shutdown_timeout=3 seconds"), first)
        self.assertNotEqual(script("on_error=fail"), first)
        self.assertEqual(script(), first)

    def test_a_copy_leaves_the_files_of_the_first_one_alone(self):
        """Its script may still name them, and the first one has gone on since."""
        grow = harness.read(os.path.join(self.folder, "p.lua")).replace('"out"', '"grow.jsonl", append = true')
        for text, names in (grow, ["grow.jsonl"]), (grow.replace("rides", "other"), []):
            if not names:
                text = text.replace('"grow.jsonl", append = true', '"out"')
            self.file("p.lua", text.replace("available-now", "once"))
            for _ in range(4):
                self.run_all()
            self.checkpoint("fork", "copy-" + "".join(names))
            self.file("p.lua", text)
            self.run_all()
            before = {name: harness.read(os.path.join(self.folder, name)) for name in names} or self.output()
            run = self.run_sluice("run", "p.lua", "--set", "name=copy-" + "".join(names))
            self.assertEqual(run.code, 0, run.err)
            after = {name: harness.read(os.path.join(self.folder, name)) for name in names} or self.output()
            for name, was in before.items():
                self.assertEqual(after[name][:len(was)], was, name)
            self.assertGreater(sum(map(len, after.values())), sum(map(len, before.values())))
            self.run_all()

    def test_a_damaged_export_is_not_imported(self):
        self.run_all()
        self.checkpoint("export", "saved.ck")
        path = os.path.join(self.folder, "saved.ck")
        self.script(name="third")
        with open(path, "rb") as file:
            whole = file.read()
        for damaged in (whole[:-1], whole[:len(whole) // 2], whole[:5], b"",
                        whole[:1000] + bytes([whole[1000] ^ 8]) + whole[1001:]):
            with open(path, "wb") as file:
                file.write(damaged)
            self.checkpoint("import", "saved.ck", code=REFUSED)
            self.assertFalse(os.path.exists(self.path("third", "state")))

    def test_nothing_is_moved_under_a_running_pipeline(self):
        self.script(trigger="continuous", follow=True)
        run = self.start("run", "p.lua")
        self.wait_for("batches", lambda: len(os.listdir(self.folder)) > 3 and os.path.exists(self.path("rides", "commit"))
                      and len(os.listdir(self.path("rides", "commit"))) > 10)
        self.assertIn("whole", self.checkpoint("verify"))
        for words in (("rollback", "--to", "3", "--repeat-output"), ("gc", "--force")):
            self.checkpoint(*words, code=RUNS)
            self.assertIn(f"(pid {run.process.pid} on ", self.said)
        second = self.run_sluice("run", "p.lua", env=harness.elsewhere())
        self.assertEqual(second.code, RUNS, second.err)
        self.assertNotIn("pid pid", second.err)
        self.assertEqual(run.stop(), 0, run.err)

    def test_state_is_shown_by_group(self):
        self.run_all()
        self.checkpoint("rollback", "--to", "4", "--repeat-output")
        found = self.json_of("state", "ls")
        operator = found["operators"][0]
        self.assertEqual((operator["operator"], operator["groups"]), ("aggregate aggregate", 3))
        self.assertIn("aggregate aggregate", self.sluice("state", "ls", "p.lua"))
        group = self.json_of("state", "get", "aggregate", "k1")
        members = group["panes"][0]["members"]
        wanted = [n for n in range(400) if n % 3 == 1]
        self.assertEqual(members["rows.n"], len(wanted), members)
        self.assertIn('"k1"', json.dumps(members), members)
        text = self.sluice("state", "get", "p.lua", "aggregate", '{"k": "k2"}')
        self.assertIn('{"k":"k2"} in the pane of', text)
        self.assertEqual(self.sluice("state", "get", "p.lua", "aggregate", "k9", code=1), "")
        self.assertEqual(self.said, "sluice: `aggregate aggregate` has no group k9 in batch 4\n")
        self.assertEqual(self.json_of("state", "get", "aggregate", "k9", code=1)["panes"], [])
        self.sluice("state", "get", "p.lua", "counts", "k1", code=USAGE)
        self.assertIn("aggregate aggregate", self.said)
        changes = self.json_of("state", "diff", "3", "4")["changes"]
        self.assertEqual({one["key"]["k"] for one in changes}, {"k0", "k1", "k2"})
        self.assertEqual({one["is"] for one in changes}, {"changed"})
        rows = next(one["members"]["rows.n"] for one in changes if one["key"]["k"] == "k0")
        self.assertEqual(rows[1] - rows[0], 34)
        self.assertEqual(self.sluice("state", "diff", "p.lua", "4", "4"), "the same\n")


class S3Test(CommandTest):
    """In a store without locks: who runs shows by what it commits."""

    def setUp(self):
        super().setUp()
        self.url = harness.shared_s3().url(harness.fresh("cli"))
        self.env = harness.shared_s3().env
        self.script()

    @property
    def brokers(self):
        return "localhost:1"

    def run_sluice(self, *arguments, **options):
        return super().run_sluice(*arguments, env=self.env, **options)

    def script(self, follow=False):
        text = FILES.replace("TRIGGER", "continuous" if follow else "available-now")
        text = text.replace('"file:./store"', f'"{self.url}", commit_interval = "100 ms"')
        self.file("p.lua", text.replace("FOLLOW", str(follow).lower()))

    def rows(self, first, last):
        with open(os.path.join(self.folder, "in.jsonl"), "a") as file:
            for n in range(first, last):
                file.write(json.dumps({"k": f"k{n % 3}", "n": n, "ts": BEGIN_MS + n}) + "\n")

    def test_looked_at_moved_and_mended(self):
        self.rows(0, 500)
        run = self.run_sluice("run", "p.lua")
        self.assertEqual(run.code, 0, run.err)
        found = self.json_of("checkpoint", "ls")
        self.assertEqual((found["store"], found["next_batch"]), (self.url, 5))
        self.checkpoint("export", "saved.ck")
        self.checkpoint("rollback", "--to", "2", "--repeat-output")
        self.assertIn("watching for", self.said)
        self.assertEqual(len(json.loads(self.checkpoint("gc", "--force", "--json"))["objects"]), 3)
        self.assertEqual(self.json_of("checkpoint", "verify")["verdict"], "whole")
        run = self.run_sluice("run", "p.lua")
        self.assertEqual(run.code, 0, run.err)
        self.assertEqual(self.json_of("checkpoint", "ls")["next_batch"], 5)

    def test_nothing_is_moved_while_commits_come(self):
        self.rows(0, 10)
        self.script(follow=True)
        run = self.start("run", "p.lua", env=self.env)
        self.wait_for("a commit", lambda: "running" in run.err)
        feeder = threading.Event()

        def feed():
            n = 10
            while not feeder.wait(0.2):
                self.rows(n, n + 1)
                n += 1
        thread = threading.Thread(target=feed)
        thread.start()
        try:
            self.wait_for("batches", lambda: self.json_of("checkpoint", "ls")["next_batch"] > 3)
            self.checkpoint("rollback", "--to", "1", "--repeat-output", code=RUNS)
            self.assertIn("its commits move on", self.said)
        finally:
            feeder.set()
            thread.join()
        self.assertEqual(run.stop(), 0, run.err)


    def test_of_two_processes_one_is_fenced(self):
        self.rows(0, 10)
        self.script(follow=True)
        runs = []
        for out in "out", "elsewhere":  # one folder would keep the second one out
            runs.append(self.start("run", "p.lua", *harness.sets(f"sink.path={out}"),
                                   env={**self.env, **harness.elsewhere()}))
            self.wait_for("it runs", lambda: "running" in runs[-1].err)
        n = 9

        def is_one_out():
            nonlocal n
            n += 1
            self.rows(n, n + 1)
            return not all(run.running for run in runs)
        self.wait_for("the end of one", is_one_out)
        ended = [run for run in runs if not run.running]
        self.assertEqual([run.wait() for run in ended], [RUNS], [run.err for run in runs])
        self.assertRegex(ended[0].err, "another process works as 'rides'|has been planned by another process")
        other = next(run for run in runs if run.running)
        self.wait_for("the rest", lambda: self.json_of("checkpoint", "ls")["sources"][0]["partitions"][0]
                      ["position"] == n + 1)
        self.assertEqual(other.stop(), 0, other.err)
        self.assertEqual(self.json_of("checkpoint", "verify")["verdict"], "whole")


class KafkaTest(CommandTest):
    def setUp(self):
        super().setUp()
        self.names = {"IN": self.topic(partitions=2, name="in"), "OUT": self.topic(name="out"),
                      "NAME": harness.fresh("stored")}
        self.script()
        self.client.produce(self.names["IN"], [
            {"value": json.dumps({"k": f"k{n % 5}", "n": n, "ts": BEGIN_MS + n * 10}), "partition": n % 2}
            for n in range(300)])

    def script(self, trigger="available-now", **names):
        text = KAFKA.replace("TRIGGER", trigger)
        for word, name in dict(self.names, **names).items():
            text = text.replace(word, name)
        self.file("p.lua", text)

    def run_all(self):
        run = self.run_sluice("run", "p.lua")
        self.assertEqual(run.code, 0, run.err)

    def last_rows(self):
        """By key what its last row says."""
        last = {}
        for record in self.client.consume(self.names["OUT"]):
            last[record.key] = record.json()["rows"]
        return sorted(last.values())

    def test_offsets_deleted_by_somebody_else_are_recovered(self):
        self.run_all()
        found = self.json_of("checkpoint", "ls")
        self.assertEqual((found["ledger"], len(found["offsets"])), ("kafka", 2))
        batch = found["next_batch"]
        self.client.delete_group(self.names["NAME"])
        run = self.run_sluice("run", "p.lua")
        self.assertEqual(run.code, REFUSED, run.err)
        self.checkpoint("ls", code=REFUSED)
        self.assertIn("committed: the copy of the pointer says so", self.checkpoint("recover"))
        self.checkpoint("recover", "--to", str(batch))
        self.assertEqual(self.json_of("checkpoint", "ls")["offsets"], found["offsets"])
        self.run_all()
        self.assertEqual(self.last_rows(), [60] * 5)

    def test_a_lost_store_with_a_saved_export_is_come_back_from(self):
        self.run_all()
        name = self.names["NAME"]
        self.checkpoint("export", "saved.ck")
        rows = len(self.client.consume(self.names["OUT"]))
        self.client.produce(self.names["IN"], [
            {"value": json.dumps({"k": f"k{n % 5}", "n": n, "ts": BEGIN_MS + n * 10}), "partition": n % 2}
            for n in range(300, 400)])
        self.run_all()
        shutil.rmtree(self.path())
        run = self.run_sluice("run", "p.lua")
        self.assertEqual(run.code, REFUSED, run.err)
        self.assertIn("`sluice checkpoint recover p.lua` goes back", run.err)
        self.assertEqual(self.checkpoint("recover", code=REFUSED), "")
        self.assertIn(f"    kafka-consumer-groups.sh --bootstrap-server {self.brokers} --delete --group {name}\n"
                      "    sluice checkpoint import p.lua FILE\n", self.said)
        self.assertIn("    sluice checkpoint fork p.lua NEW --offsets-only\n    sluice run p.lua --set name=NEW\n",
                      self.said)
        self.checkpoint("import", "saved.ck", code=REFUSED)
        self.client.delete_group(name)
        self.checkpoint("import", "saved.ck")
        self.run_all()
        self.assertEqual(self.last_rows(), [80] * 5)
        self.assertGreater(len(self.client.consume(self.names["OUT"])), rows + 5)

    def test_a_lost_store_can_be_left_behind(self):
        """Where it stands, with empty state."""
        self.run_all()
        shutil.rmtree(self.path())
        fork = harness.fresh("fork")
        self.checkpoint("fork", fork, "--offsets-only")
        self.client.produce(self.names["IN"], [{"value": json.dumps({"k": "k0", "n": 1, "ts": BEGIN_MS}),
                                                "partition": 0}])
        run = self.run_sluice("run", "p.lua", "--set", "name=" + fork)
        self.assertEqual(run.code, 0, run.err)
        self.assertEqual(self.last_rows(), [1] + [60] * 4)

    def test_an_older_copy_of_the_folder_is_said_to_be_one(self):
        self.script(trigger="once")
        for n in range(6):
            if n == 3:
                shutil.copytree(self.path(), os.path.join(self.folder, "copy"))
            self.run_all()
        shutil.rmtree(self.path())
        shutil.move(os.path.join(self.folder, "copy"), self.path())
        self.assertEqual(self.run_sluice("run", "p.lua").code, REFUSED)
        text = self.checkpoint("recover")
        self.assertRegex(text, r"3-\w{8} .* older: output since then would come again")
        self.assertNotIn("committed: the copy", text)
        self.assertIn("6 batches are committed, and here the last commit is of batch 3: if this is an older copy",
                      text)

    def test_a_state_alone_that_has_read_further_is_not_taken_for_committed(self):
        """As of a batch that died, and was cut otherwise when it was done again."""
        name = self.names["NAME"]
        self.run_all()
        old = self.objects(name)
        self.checkpoint("rollback", "--to", "1", "--repeat-output")
        for _ in range(2):
            run = self.run_sluice("run", "p.lua", *harness.sets("trigger=once", "source.max_records=10"))
            self.assertEqual(run.code, 0, run.err)
        for one in self.objects(name):
            if one not in old or int(one.split("-")[0]) > 2:
                os.unlink(self.path(name, "state", one))
        self.checkpoint("recover", "--to", "2", "--repeat-output", code=USAGE)
        self.assertIn("is not known to be committed", self.said)
        self.assertEqual(self.json_of("checkpoint", "recover")["candidates"][0]["next_batch"], 1)

    def test_offsets_moved_by_a_tool_are_recovered(self):
        self.run_all()
        batch = self.json_of("checkpoint", "ls")["next_batch"]
        self.client.set_group_offsets(self.names["NAME"], self.names["IN"], {0: 10})
        run = self.run_sluice("run", "p.lua")
        self.assertEqual(run.code, REFUSED, run.err)
        self.checkpoint("recover", "--to", str(batch))
        self.run_all()
        self.assertEqual(self.last_rows(), [60] * 5)

    def test_going_back_gives_rows_again(self):
        self.run_all()
        rows = len(self.client.consume(self.names["OUT"]))
        self.checkpoint("rollback", "--to", "3", code=USAGE)
        self.assertIn("150 records are read again", self.said)
        self.assertIn(self.names["OUT"] + ": gets 15 rows of 3 batches again", self.said)
        self.checkpoint("rollback", "--to", "3", "--repeat-output")
        self.run_all()
        self.assertEqual(len(self.client.consume(self.names["OUT"])), rows + 3 * 5)
        self.assertEqual(self.last_rows(), [60] * 5)

    def test_the_rows_that_come_again_are_counted_behind_whole_states_too(self):
        """A small state is stored whole with each batch: its chain is one object."""
        text = harness.read(os.path.join(self.folder, "p.lua"))
        self.file("p.lua", text[:text.index("      :group_by")] + f'      :to(sluice.kafka {{ topic = "{self.names["OUT"]}" }}),\n}}\n')
        for _ in range(6):  # one after the other: what waits for a commit is stored as a difference
            run = self.run_sluice("run", "p.lua", *harness.sets("trigger=once"))
            self.assertEqual(run.code, 0, run.err)
        self.assertEqual({o["kind"] for o in self.json_of("checkpoint", "ls")["objects"]}, {"full"})
        self.checkpoint("rollback", "--to", "1", code=USAGE)
        self.assertIn(self.names["OUT"] + ": gets 250 rows of 5 batches again\n", self.said)
        name = self.names["NAME"]
        os.unlink(self.path(name, "state", self.objects(name)[-4]))
        self.checkpoint("rollback", "--to", "1", code=USAGE)
        self.assertIn(self.names["OUT"] + ": gets at least 150 rows of 5 batches again: so many are known of 3 of "
                      "them", self.said)

    def test_another_key_goes_on_from_the_offsets_alone(self):
        self.run_all()
        fork, out = harness.fresh("fork"), self.topic(name="out")
        text = harness.read(os.path.join(self.folder, "p.lua"))
        self.file("p.lua", text.replace(':group_by "k"', ':group_by "n"').replace(self.names["OUT"], out))
        run = self.run_sluice("run", "p.lua")
        self.assertEqual(run.code, REFUSED)
        self.assertIn("`sluice checkpoint fork p.lua NEW --offsets-only`, then `sluice run p.lua --set name=NEW`",
                      run.err)
        self.assertIn("begins with empty state", self.checkpoint("fork", fork, "--offsets-only"))
        self.client.produce(self.names["IN"], [{"value": json.dumps({"k": "k0", "n": 7, "ts": BEGIN_MS}),
                                                "partition": 0}])
        run = self.run_sluice("run", "p.lua", "--set", "name=" + fork)
        self.assertEqual(run.code, 0, run.err)
        self.assertEqual([r.json()["rows"] for r in self.client.consume(out)], [1])

    def test_a_fork_has_a_group_of_its_own(self):
        self.run_all()
        fork = harness.fresh("fork")
        self.checkpoint("fork", fork)
        self.script(NAME=fork)
        self.client.produce(self.names["IN"], [{"value": json.dumps({"k": "k0", "n": 1, "ts": BEGIN_MS}),
                                                "partition": 0}])
        self.run_all()
        self.assertEqual(self.last_rows(), [60] * 4 + [61])

    def test_looking_does_not_disturb_and_a_moved_pointer_stops(self):
        self.script(trigger="continuous")
        run = self.start("run", "p.lua")
        self.wait_for("all rows", lambda: self.last_rows() == [60] * 5)
        for words in (("checkpoint", "ls"), ("checkpoint", "verify"), ("state", "ls")):
            self.json_of(*words)
        self.checkpoint("rollback", "--to", "1", "--repeat-output", code=RUNS)
        self.assertIn(f"pid {run.process.pid}", self.said)
        self.assertTrue(run.running, run.err)
        run.send(signal.SIGTERM)
        self.assertEqual(run.wait(), 0, run.err)
