"""Negative controls: programs with a fault seeded into them, which the checks must find fault with, on a bad
day that the program without the fault survives. A check that passes one is no check."""
import asyncio
import os
from dataclasses import dataclass

import oracle
import scenarios
from drive import beside
from proxy import Proxy
from subject import Subject
from world import INPUT, World

# name: (fault, bad day, pipeline, what the oracle must find; None: the program may see it itself and stop)
CONTROLS = {
    "nothing kept": (None, scenarios.kills, "copy", "doubled"),
    "no fsync": ("no_fsync", scenarios.power_cuts, "update", None),
    "no fence": ("own_id,read_unstable", scenarios.zombies, "copy", "doubled"),
    "the producer is kept": ("keep_producer", scenarios.late_commit, "copy", "doubled"),
    "missing means start": ("missing_is_start", scenarios.deleted_group, "copy", "doubled"),
    "applied before committed": ("newest_is_current", scenarios.kills, "update", "lost"),
    "state stays behind": ("state_stays", scenarios.texts, "update", "wrong"),
    "rows stay of what went back": ("rows_stay", scenarios.texts, "copy", "doubled"),
    "counts stay of what went back": ("counts_stay", scenarios.texts, "update", "wrong"),
    "a claim in no transaction": ("plain_claim", scenarios.late_claims, "update", "doubled"),
}


@dataclass
class Control:
    name: str
    is_caught: bool
    seen: str


async def run(folder, seed, wanted=None):
    """Each bad day once as it is, and once with the fault."""
    proxy = await Proxy().start()
    world = World(os.path.join(folder, "controls"), seed, proxy=proxy)
    try:
        await world.start()
        cases = [Case(world, name) for name in CONTROLS if not wanted or name in wanted]
        async with beside(world.feed()):
            await live(world, cases)
        return await judge(world, cases)
    finally:
        world.close()
        await proxy.close()


class Case:
    """One control: the program as it is, and the one with the fault."""

    def __init__(self, world, name):
        self.name = name
        fault, self.bad_day, self.kind, self.finding = CONTROLS[name]
        self.faulty = self.subject(world, "faulty", fault)
        self.sound = self.subject(world, "sound", None) if fault else None
        if not fault:
            self.faulty.url = "none"

    def subject(self, world, which, fault):
        name = f"{self.name.replace(' ', '-')}-{which}"
        return Subject(world, self.kind, "file", name, "file:" + os.path.join(world.folder, "store-" + name), fault)

    @property
    def subjects(self):
        return [one for one in (self.sound, self.faulty) if one]


async def live(world, cases):
    """The bad days, some at a time; those that arm the proxy one by one."""
    some = asyncio.Semaphore(3)

    async def day(case, subject):
        async with some:
            await subject.make_topics()
            subject.is_driven = True
            await case.bad_day(world, subject)
            subject.is_driven = False

    alone = [case for case in cases if case.bad_day is scenarios.late_commit]
    await asyncio.gather(*(day(case, one) for case in cases if case not in alone for one in case.subjects))
    for case in alone:
        for one in case.subjects:
            await day(case, one)


async def judge(world, cases):
    await world.end_input()
    for case in cases:
        for one in case.subjects:
            if not one.is_refused and one.url != "none":
                await one.finish(60 if one is case.sound else 20)
    source = oracle.Input(await world.call("consume", INPUT))
    return [await verdict(case, source) for case in cases]


async def verdict(case, source):
    for one in case.subjects:
        await one.check(source)
        if one.is_refused:  # what it had not read when it refused is not lost
            one.found.counts["lost"] = 0
    troubles, counts = case.faulty.troubles, +case.faulty.found.counts
    seen = "; ".join(f"{count} {kind}" for kind, count in counts.items())
    if troubles:
        seen += ("; " if seen else "") + troubles[0].splitlines()[0]
    is_caught = bool(counts[case.finding] if case.finding else troubles or counts)
    if case.sound and (case.sound.troubles or case.sound.found.total()):
        is_caught = False
        seen = f"the same without the fault fails: {dict(case.sound.found.counts)} {case.sound.troubles}"
    return Control(case.name, is_caught, seen or "nothing")
