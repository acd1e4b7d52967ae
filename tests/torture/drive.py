"""A world from its start to its verdict: which misfortunes a pipeline gets, in which order."""
import asyncio
import contextlib
import os
import time
from dataclasses import dataclass, field

import changes
import faults
import harness
import oracle
import scenarios
import server as s3_server
from proxy import Proxy
from scenarios import BEFORE_COMMIT, COMMITTED
from subject import Subject
from world import BACKLOG, INPUT, World, crash_points

# where a process may be stopped and find its place taken: in a batch, its ledger open
MIDWAY = ("flow_fetched", "flow_processed", "flow_begun", "flow_produced", "flow_written", "offsets_sent",
          "txn_begun", "store_synced")
AT_ONCE = 6        # pipelines; others wait for their turn
S3_FAULTS = 0.01   # share of requests that fail, in one of the ways of faults.py


@dataclass
class Plan:
    nodes: int
    kills: dict             # how many, by (kind, store)
    broker_kills: int = 0
    zombies: int = 0        # of each pipeline, as the two below
    pauses: int = 0
    rivals: int = 0
    backlog: int = BACKLOG
    points: dict = field(default_factory=crash_points)


@dataclass
class Row:
    """A line of the table."""
    world: str
    subject: Subject
    records: int = 0

    @property
    def is_clean(self):
        return not self.subject.troubles and self.subject.found is not None and not self.subject.found.total()


def misfortunes(subject, plan, kills):
    """What is done to a pipeline, as functions to be awaited, in a random order."""
    pick, points = subject.pick, plan.points
    counts = {"changing": kills // 4, "at": kills // 3, "behind": kills // 8, "starting": kills // 10}
    changing = [lambda: changes.live(subject), lambda: changes.die_at_own(subject),
                lambda: changes.die_at(subject, subject.next_point(points))]
    todo = (changing * counts["changing"])[:counts["changing"]]
    todo += [lambda: subject.die_at(subject.next_point(points))] * counts["at"]
    todo += [lambda: subject.die_behind(BEFORE_COMMIT)] * counts["behind"]
    todo += [subject.die_while_starting] * counts["starting"]
    todo += [lambda: subject.die_at_random(COMMITTED)] * (kills - sum(counts.values()))
    midway = [point for point in MIDWAY if point in points]
    todo += [lambda: subject.zombie(pick.choice(midway), COMMITTED)] * plan.zombies
    todo += [lambda: subject.pause(pick.choice(midway))] * plan.pauses
    todo += [lambda: subject.rival(COMMITTED), subject.twins] * plan.rivals
    pick.shuffle(todo)
    births = [lambda: subject.die_at("flow_genesis"), subject.twins]  # what there is once in its life
    return [births[pick.random() < 0.5]] + todo


async def drive(subject, plan, kills, some):
    for one in misfortunes(subject, plan, kills):
        async with some:
            await one()
    subject.is_driven = False


async def torture(plan, folder, seed):
    """Returns the rows of the table, and what went wrong in words."""
    name = "1 broker" if plan.nodes == 1 else f"{plan.nodes} brokers"
    world = World(os.path.join(folder, name.replace(" ", "-")), seed, plan.nodes, backlog=plan.backlog)
    began = time.monotonic()
    try:
        await world.start()
        subjects = [on_store(world, kind, store) for kind, store in plan.kills]
        for subject in subjects:
            await subject.make_topics()
        await misfortune(world, subjects, plan)
        took_s = time.monotonic() - began
        rows, troubles = await verdict(world, subjects, name)
        print(f"torture: {name}: {sum(s.kills for s in subjects)} kills in {took_s:.0f} s, "
              f"at the end of the input in {time.monotonic() - began:.0f} s", flush=True)
        if troubles:
            world.keep()
    finally:
        world.close()
    return rows, troubles


async def misfortune(world, subjects, plan):
    """All kills; brokers die at even distances, as told by how far the pipelines are."""
    for subject in subjects:
        subject.is_driven = True
    async with beside(world.feed()), beside(break_brokers(world, subjects, plan)) as breaking:
        some = asyncio.Semaphore(AT_ONCE)
        await asyncio.gather(*(drive(one, plan, plan.kills[one.kind, one.store], some) for one in subjects))
        await breaking


@contextlib.asynccontextmanager
async def beside(work):
    """Goes on meanwhile."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def break_brokers(world, subjects, plan):
    for number in range(plan.broker_kills):
        due = sum(plan.kills.values()) * (number + 0.5) / plan.broker_kills
        while sum(subject.kills for subject in subjects) < due and any(s.is_driven for s in subjects):
            await asyncio.sleep(0.05)
        await world.kill_broker(world.pick.uniform(0, 3))
        kills = sum(subject.kills for subject in subjects)
        print(f"torture: {kills} kills, {world.broker_kills} of brokers", flush=True)


async def broken_connections(calls, actions, folder, seed):
    """A world of its own, behind a proxy that breaks connections at these calls in these ways; as torture."""
    name = "proxy"
    proxy = await Proxy().start()
    world = World(os.path.join(folder, name), seed, proxy=proxy)
    try:
        await world.start()
        subject = on_store(world, "update", "file")
        await subject.make_topics()
        async with beside(world.feed()):
            subject.is_driven = True
            await scenarios.cut_connections(world, subject, calls, actions)
            subject.is_driven = False
        return await verdict(world, [subject], name)
    finally:
        world.close()
        await proxy.close()


async def verdict(world, subjects, name):
    await world.end_input()
    some = asyncio.Semaphore(AT_ONCE)

    async def finish(subject):
        async with some:
            await subject.finish()

    await asyncio.gather(*map(finish, subjects))
    world.look_for_never_ended()
    records = await world.call("consume", INPUT)
    source = oracle.Input(records)
    rows, troubles = [], []
    for subject in subjects:
        await subject.check(source)
        row = Row(name, subject, len(records))
        rows.append(row)
        if subject.name in world.never_ended and not row.is_clean:
            troubles.append(f"{subject.name}: the broker never ended a transaction of it (KAFKA-20734): what "
                            "went wrong may be that")
        troubles += subject.troubles + [f"{subject.name}: {one}" for one in subject.found.examples]
        if row.is_clean:
            subject.remove()
    return rows, troubles


def on_store(world, kind, store):
    """A pipeline whose state lies in a folder, or in a real S3 server that fails at times."""
    name = f"{kind}-{store}"
    if store == "file":
        return Subject(world, kind, store, name, "file:" + os.path.join(world.folder, "store-" + kind))
    if not world.s3_faults:
        world.s3_faults = faults.FaultProxy(harness.shared_s3().port)
        world.s3_faults.__enter__()
        world.s3_faults.at_random(world.seed, S3_FAULTS)
    url = harness.shared_s3().url(f"{world.seed}-{world.nodes}-{kind}")
    return Subject(world, kind, store, name, url, env=s3_server.environment(world.s3_faults.endpoint))
