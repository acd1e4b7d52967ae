"""One pipeline that things are done to: started, killed, stopped, doubled; and at last run to the end and
held against the oracle."""
import asyncio
import contextlib
import os
import random
import shutil
import signal
import time
import traceback

import changes
import harness
import kit
import oracle
import sinks
from kinds import KINDS
from world import INPUT, surely, until

PROGRAM = os.environ.get("SLUICE_TORTURE", os.path.join(kit.ROOT, "build", "crash", "sluice"))
FENCED, REFUSED = 3, 4
PATIENCE_S, LONG_S = 10, 60   # for a crash point; for what must come while brokers die
NO_BROKER = 1
MOST_MB = 200       # of memory; it is what it is after a start, whatever the state on disk
TRANSACTION_S = 3   # shorter than the program takes from anybody but a test
TOLD = "crash point "
LARGEST = {"max.message.bytes": 10_000}   # what the topic of a copy takes that is refused some
# where a pipeline does not come by: with all sinks in Kafka, with none there, with its state in the other store
FILES = ("file_sink.c", "checkpoint_plan.c")
KAFKA = ("kafka_sink.c", "kafka_txn.c")
NOWHERE = ("store_ledger.c",)
OTHER_STORE = {"file": ("store_s3.c",), "s3": ("store_file.c",)}
SPILLS = ("base_apply.c",)
# crash points that a process comes by but once, or some seconds after the last time
ONCE = ("pointer_read", "txn_registered", "flow_genesis", "base_run_made", "base_run_applied")


class Subject:
    def __init__(self, world, kind, store, name, url, fault=None, env=None):
        """`kind`: which of pipelines/; `store`: what the table calls it; `url`: the pipeline's."""
        self.world, self.store, self.name, self.url = world, store, name, url
        self.kind, self.of = kind, KINDS[kind]
        self.env = dict(env or {}, KAFKA_BROKERS=world.bootstrap)
        self.faults = ["short_transactions"] + ([fault] if fault else [])
        self.folder = os.path.join(world.folder, name)
        self.sinks, self.machine = os.path.join(self.folder, "sinks"), 1
        for folder in self.folder, self.sinks:
            os.makedirs(folder, exist_ok=True)
        self.pick = random.Random(f"{world.seed} {name}")
        self.is_driven = False
        self.is_refused = False              # the last start was, as it had to be
        self.kills = self.zombies = self.pauses = self.rivals = self.cuts = 0
        self.reached, self.missed = {}, {}   # crash points: how often
        self.turn, self.change_turn = self.pick.randrange(1000), self.pick.randrange(1000)
        self.texts = changes.Texts(os.path.join(self.folder, "text"), self.of, self.pick)
        self.taken = self.back = self.filled = self.shadows = 0   # what became of texts
        self.left = 0                        # records that it has not committed, as far as known
        self.first_commits = []              # ms from start to first commit
        self.peak_mb = 0
        self.troubles = []                   # what happened that must not happen
        self.found = None
        world.subjects.append(self)

    def topic(self, end):
        return f"{self.name}-{end}"

    async def make_topics(self):
        for end in self.of.topics:
            configs = LARGEST if self.of.refuses and end == "copy" else {}
            await self.world.call("create_topic", self.topic(end), partitions=3, configs=configs)

    def local(self):
        return os.path.join(self.folder, f"machine-{self.machine}")

    def run_dir(self):
        return os.path.join(self.folder, f"run-{self.machine}")

    # -- a process

    def start(self, crash=None, elsewhere=False):
        """`elsewhere`: as on another machine, which becomes the one of those to come."""
        workers = self.pick.choice([1, 2])
        if elsewhere:
            self.machine += 1
        env = dict(self.env, SLUICE_FAULT=",".join(self.faults), SLUICE_CRASH=crash or "",
                   SLUICE_RUN_DIR=self.run_dir())
        params = {"name": self.name, "input": INPUT, "store": self.url, "folder": self.sinks,
                  "timeout": TRANSACTION_S * 1000}
        settings = [f"workers={workers}", "commit_interval=0", f"state_dir={self.local()}", *self.of.settings]
        arguments = ["run", self.texts.script, *harness.sets(*settings)]
        for name, value in params.items():
            arguments += ["--param", f"{name}={value}"]
        one = harness.Process(arguments, self.folder, env, program=PROGRAM)
        one.began, one.crash, one.is_troubled = time.monotonic(), crash, False
        one.text = self.texts.now
        return one

    def command(self, *arguments):
        """One to the process that runs."""
        one = harness.Process(arguments, self.folder, dict(self.env, SLUICE_RUN_DIR=self.run_dir()), program=PROGRAM)
        one.crash, one.is_troubled = None, False
        return one

    async def ends(self, process, timeout_s):
        return await surely(lambda: not process.running, timeout_s)

    def kill(self, process):
        """SIGKILL, at a moment of the caller's choice; counts."""
        if process.running:
            process.look()
            process.kill()
            self.kills += 1
        self.look_at(process, -signal.SIGKILL)

    def look_at(self, process, *wanted):
        """After its end: its logs are kept only when it did not end as it should."""
        self.peak_mb = max(self.peak_mb, process.peak_mb)
        self.count_changes(process.err)
        if process.process.returncode in wanted or self.could_not_begin(process):
            self.forget(process)
        else:
            self.trouble(process, f"exit {process.process.returncode}, wanted {' or '.join(map(str, wanted))}")

    def count_changes(self, log):
        self.taken += log.count(changes.TAKEN) - log.count(changes.BACK)
        self.back += log.count(changes.BACK) + log.count(changes.REFUSED)
        self.filled += log.count(changes.FILLED)

    def could_not_begin(self, process):
        """It was started while the broker was away, for longer than a start waits; or a batch is planned that
        must be done by the text that began it, as a user is told."""
        nobody = (self.world.broker_kills and process.process.returncode == NO_BROKER and
                  "no Kafka broker at" in process.err)
        planned = process.process.returncode == REFUSED and changes.PLANNED in process.err
        if planned:
            self.texts.step_back(process.text)
        return nobody or planned

    def trouble(self, process, what):
        process.is_troubled = True
        tail = "\n".join(process.err.splitlines()[-6:])
        self.troubles.append(f"{self.name} (SLUICE_CRASH={process.crash}): {what}; {process.err_path}\n{tail}")

    def forget(self, process):
        if process.is_troubled:
            return
        for path in process.out_path, process.err_path:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    # -- what is done to it; each begins and ends with no process

    def passes(self, point, path):
        """Whether it can come by `point`, which stands in the file `path`, again and again."""
        if point == "flow_genesis" or point in changes.POINTS:
            return False
        nowhere = NOWHERE + OTHER_STORE[self.store] + (() if self.of.files else FILES)
        nowhere += (() if self.of.topics else KAFKA) + (() if self.of.settings else SPILLS)
        return not path.endswith(nowhere)

    def next_point(self, points):
        """They take turns, but for those that this pipeline does not come by."""
        points = [point for point, path in points.items() if self.passes(point, path)]
        for _ in points:
            self.turn += 1
            point = points[self.turn % len(points)]
            if self.reached.get(point) or self.missed.get(point, 0) < 2:
                return point
        return self.pick.choice(points)

    def nth(self, point, choice):
        return 1 if point in ONCE else self.pick.choice(choice)

    async def die_at(self, point):
        """Die at the n-th time it comes by `point`."""
        await self.die(self.start(f"{point}:{self.nth(point, [1, 1, 2, 3, 5, 8])}"), point)

    async def die(self, process, point):
        """What was started to die at `point` does; if it does not come by, it dies all the same."""
        if await until(lambda: not process.running, PATIENCE_S) and TOLD + point in process.err:
            self.kills += 1
            self.reached[point] = self.reached.get(point, 0) + 1
        else:
            self.missed[point] = self.missed.get(point, 0) + 1
        self.kill(process)

    async def die_behind(self, point):
        """Die a few milliseconds behind `point`: inside of what comes next."""
        process = self.start(f"{point}:{self.pick.choice([1, 2, 4])}:delay=0")
        if await until(lambda: TOLD in process.err or not process.running, PATIENCE_S, 0.001):
            await asyncio.sleep(self.pick.uniform(0, 0.006))
        self.kill(process)

    async def die_at_random(self, point):
        """Some time after the first commit, or before it. `point`, where it is done, tells when. Some
        find that what they had on disk is gone, as on another machine."""
        if self.pick.random() < 0.2:
            shutil.rmtree(self.local(), ignore_errors=True)
        process = self.start(f"{point}:1:delay=0")
        if await until(lambda: TOLD in process.err or not process.running, self.pick.choice([1, PATIENCE_S]), 0.002):
            self.first_commits.append((time.monotonic() - process.began) * 1000)
        await asyncio.sleep(self.pick.uniform(0, 1))
        self.kill(process)

    async def die_while_starting(self):
        process = self.start()
        await asyncio.sleep(self.pick.uniform(0, 0.15))
        self.kill(process)

    async def stop_at(self, point):
        """A process that stands still, by SIGSTOP, at `point`, or None."""
        process = self.start(f"{point}:{self.nth(point, [2, 3, 5])}:stop")
        if await until(lambda: is_stopped(process) or not process.running, PATIENCE_S) and process.running:
            return process
        self.kill(process)
        return None

    async def zombie(self, point, committed):
        """One stands still at `point`, another takes over and commits; the first wakes up and must see
        that it is no longer the one: exit 3. The other goes on."""
        first = await self.stop_at(point)
        if not first:
            return
        if self.of.is_locked:
            await self.locked_out(first)
            return
        other = self.start(f"{committed}:3:delay=0", elsewhere=True)
        if not await surely(lambda: TOLD in other.err or not other.running, LONG_S):
            self.trouble(other, f"did not take over from one that stands still at {point}")
        if not other.running and self.could_not_begin(other):
            self.forget(other)
            self.kill(first)
            return
        await asyncio.sleep(self.pick.uniform(0, 0.5))
        first.send(signal.SIGCONT)
        if not await self.ends(first, LONG_S):
            self.trouble(first, "a zombie goes on")
            first.kill()
        else:
            self.look_at(first, FENCED)
        self.zombies += 1
        if not other.running:
            self.trouble(other, "was ended by a zombie")
        else:
            self.kill(other)

    async def locked_out(self, first):
        """One stands still and holds its files: another one says so, and ends; the first goes on."""
        other = self.start()
        if await self.ends(other, LONG_S):
            self.look_at(other, FENCED)
        else:
            self.trouble(other, "works beside one that holds its files")
            self.kill(other)
        first.send(signal.SIGCONT)
        self.zombies += 1
        if not await self.goes_on(first, LONG_S):
            self.trouble(first, "did not go on after another one found its files locked")
        self.kill(first)

    async def pause(self, point):
        """It stands still for longer than its transaction may last, and nobody else comes: it goes on."""
        process = await self.stop_at(point)
        if not process:
            return
        await asyncio.sleep(TRANSACTION_S + self.pick.uniform(1.2, 2.5))
        process.send(signal.SIGCONT)
        self.pauses += 1
        if not await self.goes_on(process, LONG_S):
            self.trouble(process, f"did not go on after a pause at {point}")
        self.kill(process)

    async def goes_on(self, process, timeout_s):
        """Whether the process commits more than what is committed now."""
        before, deadline = await self.position(), time.monotonic() + kit.patience(timeout_s)
        while process.running and time.monotonic() < deadline:
            if await self.position() > before:
                return True
            await asyncio.sleep(0.05)
        return False

    async def rival(self, committed):
        """A second process while the first one works: one of them ends with exit 3, the other goes on."""
        first = self.start(f"{committed}:2:delay=0")
        await surely(lambda: TOLD in first.err or not first.running, LONG_S)
        await self.one_goes_on([first, self.start(elsewhere=True)], FENCED)

    async def twins(self):
        """Both started at once; one may find that the other has begun what was not there when it looked."""
        await self.one_goes_on([self.start(), self.start(elsewhere=True)], FENCED, REFUSED)

    async def one_goes_on(self, pair, *wanted):
        await surely(lambda: not all(one.running for one in pair), LONG_S)
        await asyncio.sleep(0.3)
        self.rivals += 1
        if any(not one.running and self.could_not_begin(one) for one in pair):
            for one in pair:
                self.kill(one)
            return
        alive = [one for one in pair if one.running]
        if len(alive) != 1:
            for one in pair:
                self.trouble(one, f"{len(alive)} of two processes of one name go on")
        for one in pair:
            if one in alive:
                self.kill(one)
            else:
                self.look_at(one, *wanted)

    # -- the end

    async def position(self):
        """How many records of the input are committed."""
        offsets = await self.world.call("group_offsets", self.name)
        return sum(offset for (topic, _), (offset, _) in offsets.items() if topic == INPUT)

    async def finish(self, patience_s=LONG_S):
        """Run to the end of the input, and stop as asked to: exit 0. `patience_s`: without a commit."""
        process, wanted = self.start(), sum((await self.world.ends()).values())
        position, moved = 0, time.monotonic()
        while position < wanted and time.monotonic() - moved < kit.patience(patience_s):
            await asyncio.sleep(0.2)
            if not process.running and not self.could_not_begin(process):
                break
            if not process.running:
                self.look_at(process)
                process = self.start()
            process.look()
            before, position = position, await self.position()
            if position > before:
                moved = time.monotonic()
        if position != wanted:
            self.trouble(process, f"stands at {position} of {wanted} records for {patience_s} s")
        await self.stop(process)
        if self.peak_mb > MOST_MB:
            self.troubles.append(f"{self.name}: took {self.peak_mb:.0f} MB of memory, {MOST_MB} are allowed")

    async def stop(self, process):
        """As a user does: SIGTERM, exit 0."""
        if process.running:
            process.send(signal.SIGTERM)
            if not await self.ends(process, 20):
                self.trouble(process, "does not stop by SIGTERM")
                process.kill()
                return
        self.look_at(process, 0)

    async def check(self, source):
        """Hold the outputs against the input. What cannot be read is wrong."""
        try:
            read = await self.read()
            self.found = oracle.check(self.of, read, source, self.texts.good)
        except Exception as error:  # whatever it is, others are still to be judged
            self.found = oracle.Findings()
            self.found.add("wrong", "not readable: " + "".join(traceback.format_exception(error)))
            return self.found
        if self.found.total():
            self.keep(read)
        return self.found

    async def read(self):
        read = {}
        for end in self.of.topics:
            read[end] = await self.world.call("consume", self.topic(end))
        for end, how in self.of.files.items():
            read[end] = sinks.read(os.path.join(self.sinks, end), how)
            self.troubles += [f"{self.name}: {path} lies beside what is committed"
                              for path in sinks.strangers(os.path.join(self.sinks, end))]
        return read

    def keep(self, read):
        """What was read, for whoever looks into it."""
        for end, records in read.items():
            with open(os.path.join(self.folder, end + ".txt"), "w") as file:
                file.writelines(f"{r.partition}:{r.offset} {r.timestamp} {r.value!r}\n" for r in records)

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def is_stopped(process):
    try:
        with open(f"/proc/{process.process.pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "T"
    except OSError:
        return False
