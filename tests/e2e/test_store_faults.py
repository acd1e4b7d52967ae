"""The file: store when the power goes and when the disk is full: tests/driver/store_driver.c as a child
process, under the libraries that watch and fail its calls."""
import itertools
import json
import os
import random
import re
import threading
import time

import harness
import powercut
from store_driver import BUILD, StoreDriver

FAULTS = os.path.join(BUILD, "libfile_faults.so")
NO_SYNC = {"SLUICE_FILE_FAULTS": "sync:1+999999:skip"}
CUTS = 12


class PowerCutTest(harness.E2ETest):
    def setUp(self):
        super().setUp()
        self.watched = os.path.join(self.folder, "disk")
        os.mkdir(self.watched)
        self.url = f"file:{self.watched}/check/points"
        self.log_path = os.path.join(self.folder, "power.log")
        self.library = powercut.library(self.folder)
        self.holds = {}  # name: (seed, bytes) of what it holds for sure
        self.under_way = {}  # of the put that was cut off

    def env(self, more):
        env = powercut.environment(self.watched, self.log_path, self.library)
        if more:
            env["LD_PRELOAD"] = f"{FAULTS} {self.library}"
        return dict(env, SLUICE_FAULTS_UNDER=self.watched, **more)

    def put_until_killed(self, chance, more):
        """Puts, new ones and over old ones, in old folders and new ones, until it is killed."""
        driver = StoreDriver(self.url, self.env(more))
        timer = threading.Timer(chance.uniform(0, 0.01), driver.process.kill)
        for left in itertools.count(chance.randrange(20), -1):
            if left == 0:
                timer.start()
            seed = chance.randrange(1 << 30)
            is_new = chance.random() < 0.7
            folder = chance.choice(["p/state", "p/plan", f"p{chance.randrange(1000)}/state"])
            name = f"{folder}/{seed}" if is_new else f"p/state/head{chance.randrange(3)}"
            size = chance.choice([0, 10, 5000, 200_000])
            self.under_way = {name: (seed, size)}
            said = driver.answer(f"{'new' if is_new else 'put'} {name} {size} {seed}")
            if said != "put":
                self.assertEqual(said, "")
                break
            self.holds[name] = (seed, size)
        timer.join()
        driver.end()

    def lost(self):
        """What put returned for, and is not there or not whole. What was under way may be there, too, and
        then stays."""
        found, driver = [], StoreDriver(self.url, {})
        for name in sorted({*self.holds, *self.under_way}):
            may_be = [held for held in (self.holds.get(name), self.under_way.get(name)) if held]
            said = [driver.answer(f"get {name} {seed}") for seed, _ in may_be]
            whole = [held for held, answer in zip(may_be, said) if answer == f"whole {held[1]}"]
            if whole:
                self.holds[name] = whole[0]
            elif name in self.holds or "missing 0" not in said:
                found.append((name, *said))
                self.holds.pop(name, None)
        driver.end()
        return found

    def run_cuts(self, more, seed):
        chance, lost, cut = random.Random(seed), [], 0
        for _ in range(CUTS):
            self.put_until_killed(chance, more)
            cut += powercut.cut(self.log_path)
            lost += self.lost()
        return lost, cut

    def test_what_was_put_is_there_after_a_power_cut(self):
        seed = time.time_ns()
        lost, cut = self.run_cuts({}, seed)
        self.assertEqual(lost, [], f"seed {seed}")
        self.assertGreater(len(self.holds), 20)
        self.assertGreater(cut, 0)

    def test_it_would_be_seen_if_nothing_were_synced(self):
        self.assertNotEqual(self.run_cuts(NO_SYNC, seed=1)[0], [])


class DiskFullTest(harness.E2ETest):
    def test_a_full_disk_is_told_and_got_over(self):
        flag = os.path.join(self.folder, "full")
        disk = os.path.join(self.folder, "disk")
        os.mkdir(disk)
        driver = StoreDriver(f"file:{disk}", {"LD_PRELOAD": FAULTS, "SLUICE_FAULTS_UNDER": disk,
                                              "SLUICE_FILE_FAULTS": f"write:@{flag}:ENOSPC"})
        self.assertEqual(driver.answer("new p/a 1000 1"), "put")
        with open(flag, "w"):
            said = driver.answer("new p/b 1000 2")
        self.assertRegex(said, r"^error 6 1 file:\S+: writing `p/b`: No space left on device, [0-9.]+ MB and "
                               r"\d+ files are free$")
        os.unlink(flag)
        self.assertEqual(driver.answer("new p/b 1000 2"), "put")
        self.assertEqual(driver.answer("get p/b 2"), "whole 1000")
        self.assertEqual(driver.answer("list p"), "p/a p/b ")
        driver.end()


COPY = """
local sluice = require "sluice"
return sluice.pipeline {
   name = "copy", checkpoint = "file:./store",
   sluice.file { path = "in.jsonl", follow = true }
      :json { sluice.int64 "n" :required() }
      :to(sluice.file { path = "out.jsonl", append = true }),
}
"""


TAKEN, WAITS = "the script was reloaded", "not stored, trying again"


class RunTest(harness.E2ETest):
    """A whole pipeline on a disk that fails for a while."""
    brokers = "localhost:1"

    def append(self, count):
        first, self.sent = self.sent, self.sent + count
        with open(os.path.join(self.folder, "in.jsonl"), "a") as file:
            file.writelines(f'{{"n":{n}}}\n' for n in range(first, self.sent))

    def copied(self):
        text = harness.read(os.path.join(self.folder, "out.jsonl"))
        return [json.loads(line)["n"] for line in text.splitlines()]

    def start_copy(self, fault, *below):
        """`below`: folders of the store that alone fail."""
        self.sent = 0
        self.flag = os.path.join(self.folder, "fails")
        self.append(10)
        self.file("p.lua", COPY)
        run = self.start("run", "p.lua", env={
            "LD_PRELOAD": FAULTS, "SLUICE_FAULTS_UNDER": os.path.join(os.path.realpath(self.folder), "store", *below),
            "SLUICE_FILE_FAULTS": fault.replace("FLAG", self.flag)})
        self.wait_for("the rows", lambda: os.path.exists(os.path.join(self.folder, "out.jsonl"))
                      and len(self.copied()) == 10)
        return run

    def fail_for_a_batch(self, fault):
        run = self.start_copy(fault)
        with open(self.flag, "w"):
            self.append(10)
        return run

    def test_a_full_disk_is_told_and_waited_out(self):
        run = self.fail_for_a_batch("write:@FLAG:ENOSPC")
        self.wait_for("the line", lambda: "not stored, trying again" in run.err)
        self.assertIn("No space left on device", run.err)
        os.unlink(self.flag)
        self.wait_for("the end of it", lambda: set(re.findall(r'message="(\w+) stored again"', run.err))
                      == set(re.findall(r'message="(\w+) not stored, trying again"', run.err)))
        self.wait_for("the rows", lambda: len(self.copied()) == 20)
        self.assertEqual(run.stop(), 0, run.err)
        self.assertEqual(self.copied(), list(range(20)))

    def test_what_the_commit_waited_for_is_told_to_be_over(self):
        """The commits alone lie on a disk that is full: objects and plans have been stored by then."""
        run = self.start_copy("link:@FLAG:ENOSPC", "copy", "commit")
        with open(self.flag, "w"):
            self.append(10)
        self.wait_for("the line", lambda: "commit not stored, trying again" in run.err)
        os.unlink(self.flag)
        self.wait_for("the end of it", lambda: "commit stored again" in run.err)
        self.wait_for("the rows", lambda: len(self.copied()) == 20)
        self.assertEqual(run.stop(), 0, run.err)

    def save(self, text):
        """As editors do."""
        self.file("p.new", COPY + f"-- {text}")
        os.replace(os.path.join(self.folder, "p.new"), os.path.join(self.folder, "p.lua"))

    def fail_until_told(self, run):
        """A batch comes that cannot be committed."""
        before = run.err.count(WAITS)
        with open(self.flag, "w"):
            self.append(10)
        self.wait_for("the line", lambda: run.err.count(WAITS) > before)

    def mend(self, run):
        os.unlink(self.flag)
        self.wait_for("the end of it", lambda: run.err.count(" stored again") == run.err.count(WAITS))
        self.wait_for("the rows", lambda: len(self.copied()) == self.sent)

    def reload_through(self, fault, *below):
        """Texts that are saved while a batch of the old one, then one of their own, cannot be committed."""
        run = self.start_copy(fault, *below)
        for count in 1, 2:
            self.fail_until_told(run)
            self.save(f"behind a batch that waits, {count}")
            self.mend(run)
            self.wait_for("the exchange", lambda: run.err.count(TAKEN) == 2 * count - 1)
            self.save(f"before one that waits, {count}")
            self.wait_for("the exchange", lambda: run.err.count(TAKEN) == 2 * count)
            self.fail_until_told(run)
            self.mend(run)
        self.append(10)
        self.wait_for("the rows", lambda: len(self.copied()) == self.sent)
        self.assertEqual(run.stop(), 0, run.err)
        self.assertNotIn("the old one is back", run.err)
        self.assertEqual(self.copied(), list(range(self.sent)))

    def test_reloads_while_the_store_is_away(self):
        self.reload_through("write:@FLAG:ENOSPC")

    def test_reloads_while_a_commit_fails(self):
        self.reload_through("link:@FLAG:ENOSPC", "copy", "commit")

    def test_a_disk_that_cannot_sync_ends_the_run_and_loses_nothing(self):
        run = self.fail_for_a_batch("sync:@FLAG:EIO")
        self.assertEqual(run.wait(), 1, run.err)
        self.assertIn("Input/output error", run.err)
        os.unlink(self.flag)
        run = self.start("run", "p.lua")
        self.wait_for("the rows", lambda: len(self.copied()) == 20)
        self.assertEqual(run.stop(), 0, run.err)
        self.assertEqual(self.copied(), list(range(20)))

    def test_writes_that_are_done_by_half_are_finished(self):
        run = self.start_copy("write:1+999999:short")
        self.append(10)
        self.wait_for("the rows", lambda: len(self.copied()) == 20)
        self.assertEqual(run.stop(), 0, run.err)
        self.assertEqual(self.run_sluice("checkpoint", "verify", "p.lua").code, 0)
