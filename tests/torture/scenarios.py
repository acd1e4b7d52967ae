"""Bad days of one kind each. Each is survived by the program as it is, and caught when a fault is seeded
into it (controls.py): `async def NAME(world, subject)`, which ends with no process."""
import asyncio
import os
import signal

import changes
import powercut
from proxy import ACTIONS
from subject import FENCED, REFUSED, surely

BEFORE_COMMIT, COMMITTED = "offsets_sent", "flow_committed"   # crash points: of the ledger; of a batch
CALLS = ("EndTxn", "TxnOffsetCommit", "AddOffsetsToTxn", "AddPartitionsToTxn", "Produce", "OffsetFetch")


async def kills(world, subject):
    """Die between a batch's object and its commit, and inside of the commit."""
    for _ in range(4):
        await subject.die_at(BEFORE_COMMIT)
        await subject.die_behind(BEFORE_COMMIT)
        await subject.die_at(COMMITTED)


async def power_cuts(world, subject):
    """Every death takes along what was not synced."""
    folder = subject.url.removeprefix("file:")
    os.makedirs(folder)  # it is durable itself: what is done above it is not noted
    log = os.path.join(subject.folder, "power.log")
    subject.env.update(powercut.environment(folder, log, powercut.library(world.folder)))
    points = [COMMITTED, "store_named", BEFORE_COMMIT, "store_synced", "flow_applied", "garbage_collected"]
    for point in points * 2:
        await subject.die_at(point)
        powercut.cut(log)
    for name in powercut.environment("", "", ""):
        del subject.env[name]


async def zombies(world, subject):
    """One stands still with its outputs written, another takes over, the first wakes up."""
    for point in BEFORE_COMMIT, "flow_begun", "flow_written":
        await subject.zombie(point, COMMITTED)


async def late_claims(world, subject):
    """One stands still when it has read where to begin; another takes over from the same place, commits, and
    is gone. When the first wakes up, it must not put the pointer back to what it had read."""
    for _ in range(3):
        first = await subject.stop_at("pointer_read")
        other = subject.start(f"{COMMITTED}:3:delay=0", elsewhere=True)
        await surely(lambda: "crash point" in other.err or not other.running, 20)
        subject.kill(other)
        first.send(signal.SIGCONT)
        if await subject.ends(first, 15):
            subject.look_at(first, FENCED, REFUSED)  # at the very first start: there is state, and it read none
        else:
            subject.trouble(first, "goes on from where another has gone on already")
            subject.kill(first)


async def deleted_group(world, subject):
    """The offsets are gone, the state is there: the next start refuses, and says so."""
    process = subject.start(f"{COMMITTED}:4:delay=0")
    await surely(lambda: "crash point" in process.err or not process.running, 20)
    await subject.stop(process)
    subject.is_refused = True
    await world.call("delete_group", subject.name)
    process = subject.start()
    if await subject.ends(process, 10):
        subject.look_at(process, REFUSED)
    else:
        subject.trouble(process, "goes on although its offsets were deleted")
        subject.kill(process)


async def late_commit(world, subject):
    """The network keeps the request for a commit and delivers it in the middle of the next transaction,
    of which the offsets are not written yet; then the process dies."""
    process = subject.start(f"{COMMITTED}:2:delay=0")
    await surely(lambda: "crash point" in process.err or not process.running, 20)
    world.proxy.arm("EndTxn", "late")
    await surely(world.proxy.replayed.is_set, 20)
    await asyncio.sleep(0.2)
    subject.kill(process)
    world.proxy.held = None
    if not world.proxy.replayed.is_set():
        subject.troubles.append(f"{subject.name}: the rig could not deliver a late commit")


async def texts(world, subject):
    """Texts take over, in turns with some that fail in their first batch, of which nothing may be left."""
    process = subject.start()
    way = "wide" if subject.of.refuses else "throws"
    for _ in range(3):
        if await changes.is_running(process):
            await changes.good(subject, process)
            await changes.bad(subject, process, way)
    subject.texts.settle()
    await subject.stop(process)


async def cut_connections(world, subject, calls=CALLS, actions=ACTIONS):
    """Connections break at every call of a transaction, in both directions: the same process goes on."""
    process = subject.start()
    for call in calls:
        for action in actions:
            world.proxy.arm(call, action, subject.pick.choice([0.3, 2.0]))
            if not await surely(world.proxy.fired.is_set, 15):
                subject.trouble(process, f"the rig saw no {call} to {action}")
                continue
            subject.cuts += 1
            if not await subject.goes_on(process, 30):
                subject.trouble(process, f"did not go on after {action} at {call}")
                subject.kill(process)
                process = subject.start()
    await subject.stop(process)
