"""One cluster with one input topic, the clock by which input is written, and what befalls all pipelines
at once: brokers that die, leaders that move. Pipelines are subject.py's.

Everything runs in one thread (asyncio), since children die with the thread that started them; only calls
of the Java client, which wait, go to a thread of their own, one at a time."""
import asyncio
import concurrent.futures
import contextlib
import os
import random
import re
import shutil
import time

import broker
import client
import generate
import kit
import quorum
from client import ClientError

INPUT = "torture"
SLICE = 150                      # records written at once:
FIRST = 300                      # before any pipeline starts
LONG_AGO_S = 1e9
DRY = 200                        # who has fewer left has nothing to commit soon, and two of a name no quarrel
BACKLOG, AHEAD = 1_000, 10       # when a pipeline has fewer than the one left, and none so many times more
# Kafka 4.3 takes a partition that has no leader for a deleted one, and writes no marker into it (KAFKA-20734)
NEVER_ENDED = re.compile(r"leader endpoint for partitions .* transaction markers for (\S+), ")
CRASH_POINT = re.compile(r'\bcrash_point\("([a-z0-9_]+)"\)')
STEPS = re.compile(r"\bkeeper_steps\[\] = \{(.*?)\}", re.S)  # their names are made: flow_NAME


def crash_points():
    """Names of all places in the code to die at, by the file they stand in."""
    found = {}
    for top in "runtime", "state":
        for folder, _, files in os.walk(os.path.join(kit.ROOT, top)):
            for name in files:
                if name.endswith(".c"):
                    with open(os.path.join(folder, name)) as file:
                        text = file.read()
                    points = CRASH_POINT.findall(text)
                    for steps in STEPS.findall(text):
                        points += ["flow_" + step for step in re.findall(r'"([a-z_]+)"', steps)]
                    found.update(dict.fromkeys(points, os.path.relpath(os.path.join(folder, name), kit.ROOT)))
    return dict(sorted(found.items()))


class World:
    def __init__(self, folder, seed, nodes=1, settings=None, proxy=None, backlog=BACKLOG):
        """`proxy`: by which pipelines go to the broker; `backlog`: how far they are to be behind at least."""
        self.folder, self.seed, self.nodes = folder, seed, nodes
        os.makedirs(folder, exist_ok=True)
        self.pick = random.Random(f"world {seed}")
        if nodes == 1:
            self.cluster = broker.Broker(settings=settings, proxy=proxy and proxy.port, libs=kit.TO_KILL)
        else:
            self.cluster = quorum.Quorum(settings=settings)
        self.proxy, self.backlog = proxy, backlog
        self.thread, self.writer = (concurrent.futures.ThreadPoolExecutor(1) for _ in range(2))
        self.up = asyncio.Event()
        self.subjects = []
        self.s3_faults = None   # a proxy before the S3 server, once somebody needs one
        self.broker_kills = self.leader_moves = 0
        self.broke_s = -LONG_AGO_S   # when the last broker died, by the steady clock
        self.never_ended = set()   # pipelines that the broker did it to
        self.generator = None
        self.left = []          # records that each pipeline has still to read, as far as known

    async def start(self):
        self.cluster.start()
        if self.proxy:
            self.proxy.target = self.cluster.ports["proxied"]
        self.up.set()
        await self.call("create_topic", INPUT, partitions=generate.PARTITIONS)
        self.generator = generate.Generator(client.Client(self.cluster.bootstrap), INPUT, self.folder, self.seed)
        await self.write(FIRST if self.backlog == BACKLOG else self.backlog)

    def close(self):
        if self.s3_faults:
            self.s3_faults.__exit__()
        self.thread.shutdown()
        self.writer.shutdown()
        if self.generator:
            self.generator.client.close()
        self.cluster.close()

    def look_for_never_ended(self):
        """In the logs of the brokers, which begin anew with each start of one."""
        for node in [self.cluster] if self.nodes == 1 else self.cluster.nodes:
            self.never_ended.update(NEVER_ENDED.findall(node.log_tail(1 << 22)))

    def keep(self):
        """Logs and data of the brokers, for whoever looks into it."""
        for node in [self.cluster] if self.nodes == 1 else self.cluster.nodes:
            shutil.copytree(node.folder, os.path.join(self.folder, f"broker-{node.node}"), dirs_exist_ok=True)

    @property
    def bootstrap(self):
        return self.cluster.address("proxied" if self.proxy else "plaintext")

    async def call(self, name, *arguments, **options):
        """A method of the Java client."""
        method = getattr(self.cluster.client, name)
        return await self.in_thread(lambda: method(*arguments, **options))

    async def in_thread(self, work):
        return await asyncio.get_running_loop().run_in_executor(self.thread, work)

    async def write(self, count):
        """The next records, by a client of their own: others may wait for a coordinator."""
        with contextlib.suppress(ClientError):
            await self.in_writer(lambda: self.generator.write(count))

    async def end_input(self):
        await self.in_writer(self.generator.end)

    async def in_writer(self, work):
        return await asyncio.get_running_loop().run_in_executor(self.writer, work)

    async def ends(self):
        return await self.call("end_offsets", INPUT, read_committed=True)

    async def feed(self):
        """Input never runs dry, and never runs far ahead either: the last pipeline must end soon after
        the last kill."""
        watching = asyncio.create_task(self.watch())
        try:
            while True:
                await self.up.wait()
                most = AHEAD * self.backlog
                if not self.left or (min(self.left) < self.backlog and max(self.left) < most):
                    await self.write(SLICE * self.backlog // BACKLOG)
                elif min(self.left) < DRY:
                    await self.write(SLICE)
                await asyncio.sleep(0.2)
        finally:
            watching.cancel()

    async def watch(self):
        """How much the pipelines have left to read; while brokers are away that is not known at once."""
        while True:
            await self.up.wait()
            with contextlib.suppress(ClientError):
                end = sum((await self.ends()).values())
                driven = [one for one in self.subjects if one.is_driven]
                for one in driven:
                    one.left = end - await one.position()
                self.left = [one.left for one in driven]
            await asyncio.sleep(0.5)

    async def kill_broker(self, away_s):
        alone = self.nodes == 1
        node = self.cluster if alone else self.cluster.nodes[self.pick.randrange(self.nodes)]
        if alone:
            self.up.clear()
            await self.in_thread(lambda: None)  # nobody is in the middle of a call
            await self.in_writer(lambda: None)
        self.look_for_never_ended()
        node.kill()
        self.broker_kills += 1
        self.broke_s = time.monotonic()
        await asyncio.sleep(away_s)
        node.spawn([])
        while not await asyncio.to_thread(node.wait_until_started, 0.5, False):
            if not node.running:
                raise kit.KitError("the broker did not come up again:\n" + node.log_tail())
        self.up.set()
        self.broke_s = time.monotonic()
        if not alone and self.pick.random() < 0.5:
            await self.move_leaders()

    async def move_leaders(self):
        with contextlib.suppress(ClientError):
            await self.call("move_leaders")
            self.leader_moves += 1


async def until(condition, timeout_s, every_s=0.004):
    """Whether `condition()` came true in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(every_s)
    return True


async def surely(condition, timeout_s):
    """The same of what must come: a machine that is slow is waited for."""
    return await until(condition, kit.patience(timeout_s))
