"""The script is changed while it runs: texts that take over with their state, and texts that must not. Each
writes its number into every row, so that the oracle sees whose rows came out."""
import os
import shutil
import signal
import time
from dataclasses import dataclass, field, replace

from world import surely, until

PIPELINES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pipelines")
RUNNING, TAKEN, FILLED = "message=running", "the script was reloaded", "what is new is filled"
BACK, REFUSED = "the new script failed, the old one is back", "the changed script is refused"
BEGUN = "another script does the next batches on shadow"
PLANNED = "was begun by another text of the script"
STARTING, ALONE = "it is starting", "no record has come"
KEPT, DIFFERS, UNKNOWN, NOT_TAKEN = 0, 1, 1, 4   # exit codes of `sluice reload`
ANSWER_S = 65                # what it takes to answer that it does not know
CALM_S, FEW = 60, 200        # without a broker that dies; records that are left to read, or fewer
SHADOW = 3                   # batches
MOST_COLUMNS = 2             # that were brought by changes
NEW = {"n": "sluice.count()", "sum": 'sluice.sum "v"', "first": 'sluice.collect("id", 4)'}
# of records that a text throws out, or makes too large, some are not: they show whether its trial left a trace
MOST = "row.id % 16 ~= 0"
LEAST = 20                   # records in a batch, so that most are sure to be good
THROWS = f"function(row) if {MOST} then error 'thrown out' end return true end"
WIDE = f"function(row) return ('x'):rep({MOST} and 20000 or 1) end"
BOMB = ("odd = sluice.aggregate { state = { n = 0 }, fold = function(a) a.n = a.n + 1 end,"
        " merge = function(a, b) a.n = a.n + b.n end, result = function() error 'no result' end }")


@dataclass(frozen=True)
class Text:
    """What pipelines/change.lua has."""
    number: int = 0
    columns: tuple = ()       # (name, aggregate)
    has_two: bool = False     # members in the state of the script's own aggregate
    compression: str = "lz4"
    more: tuple = ()          # lines
    words: str = ""           # a comment

    def lua(self):
        columns = ", ".join(f"{name} = {aggregate}" for name, aggregate in self.columns)
        lines = [f"text = {self.number}", f"has_two = {str(self.has_two).lower()}",
                 f'compression = "{self.compression}"', 'backfill = "1 hour"',
                 f"more = function(sluice) return {{ {columns} }} end", *self.more]
        return "return {\n" + "".join(f"   {line},\n" for line in lines) + "}" + self.words + "\n"


@dataclass
class Texts:
    """A folder with the script of one pipeline, and those that it has had."""
    folder: str
    of: object                # a Kind
    pick: object              # random.Random
    good: set = field(default_factory=lambda: {0})   # numbers of those that may have made rows
    before: list = field(default_factory=list)       # the same as texts, but for the one that is to run:
    now: Text = Text()
    number: int = 0           # the last one given

    def __post_init__(self):
        shutil.copytree(PIPELINES, self.folder)
        self.save(self.now)

    @property
    def script(self):
        return os.path.join(self.folder, self.of.script + ".lua")

    def save(self, text):
        """As editors do: another file takes the name."""
        path = os.path.join(self.folder, "change.lua")
        with open(path + ".new", "w") as file:
            file.write(text if isinstance(text, str) else text.lua())
        os.replace(path + ".new", path)

    def save_beside(self, text):
        """Under another name; returns the script's."""
        folder = self.folder + "-beside"
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        beside = Texts.__new__(Texts)
        beside.folder, beside.of = folder, self.of
        beside.save(text)
        return beside.script

    def settle(self):
        """What is on disk is what is to run: a restart reads it."""
        self.save(self.now)

    def numbered(self):
        self.number += 1
        return self.number

    # -- those that may take over

    def next(self, fills=False):
        """Another text, whose numbers of what it had before are as they were; it is the one to run from now on."""
        pick, text = self.pick, replace(self.now, number=self.numbered(), words="")
        if "columns" in self.of.changes and (fills or pick.random() < 0.6):
            text = replace(text, columns=self.columns(text.number, fills))
        if "layout" in self.of.changes and pick.random() < 0.4:
            text = replace(text, has_two=not text.has_two)
        if pick.random() < 0.3:
            text = replace(text, compression=pick.choice(["none", "lz4", "snappy"]))
        return self.take(text)

    def columns(self, number, fills):
        what = self.pick.choice(list(NEW))
        name = f"filled_{what}_{number}" if "fill" in self.of.changes else f"new_{what}_{number}"
        kept = self.now.columns[-self.pick.randrange(MOST_COLUMNS):] if self.pick.random() < 0.7 else ()
        return (*kept, (name, NEW[what])) if fills or self.pick.random() < 0.8 else kept

    def take(self, text):
        self.good.add(text.number)
        self.before.append(self.now)
        self.now = text
        return text

    def reworded(self):
        """The same once more, in other words."""
        return self.take(replace(self.now, words=f" -- {self.numbered()}"))

    def step_back(self, text):
        """`text` may not do the batch that is planned: one of those before it began it."""
        if text is self.now and self.before:
            self.now = self.before.pop()
            self.settle()

    # -- those that must not

    def ways_to_fail(self):
        found = ["syntax", "throws"]
        found += ["wide"] if self.of.refuses else []
        found += ["result"] if "fill" in self.of.changes else []
        return found + (["forgets"] if "layout" in self.of.changes else [])

    def bad(self, way):
        text = replace(self.now, number=self.numbered(), words="")
        on_error = self.pick.choice(["fail", "quarantine"])
        if way == "syntax":
            return text.lua() + "}"
        if way == "throws":
            return replace(text, more=(f"min_records = {LEAST}", f"keep = {THROWS}"))
        if way == "wide":
            return replace(text, compression="none",
                           more=(f"min_records = {LEAST}", f"wide = {WIDE}", f'on_error = "{on_error}"'))
        if way == "result":
            return replace(text, columns=(*text.columns, ("odd", BOMB.removeprefix("odd = "))))
        return replace(text, has_two=not text.has_two, more=("forgets = true",))


# -- what is done to a pipeline; each begins and ends with no process, and with a text on disk that is to run

# crash points that only a change comes by, and which
POINTS = {
    "reload_taken": lambda texts: texts.next(),
    "reload_back": lambda texts: texts.bad("throws"),
    "txn_aborted": lambda texts: texts.bad("wide"),
    "backfill_slice": lambda texts: texts.next(fills=True),
    "backfill_filled": lambda texts: texts.next(fills=True),
}


def own_points(kind):
    return [point for point in POINTS if (point != "txn_aborted" or kind.refuses) and
            (point != "reload_back" or not kind.files) and
            (not point.startswith("backfill") or "fill" in kind.changes)]


async def is_running(process):
    """Whether it is far enough to be asked for something."""
    await until(lambda: RUNNING in process.err or not process.running, 10)
    return process.running and RUNNING in process.err


async def die_at_own(subject):
    """At a place that nothing else comes by, in turns; what is filled, also at a start."""
    points = own_points(subject.of)
    subject.change_turn += 1
    point = points[subject.change_turn % len(points)]
    at_start = point.startswith("backfill") and subject.pick.random() < 0.5
    text = POINTS[point](subject.texts)
    if at_start:
        subject.texts.save(text)
    process = subject.start(f"{point}:1")
    if not at_start and await is_running(process):
        subject.texts.save(text)
        process.send(signal.SIGHUP)
    await subject.die(process, point)
    subject.texts.settle()


async def die_at(subject, point):
    """Somewhere before, in, or behind an exchange of texts. What one that fails has planned it alone could do."""
    texts = subject.texts
    is_good = subject.of.files or subject.pick.random() < 0.6
    text = texts.next() if is_good else texts.bad(subject.pick.choice(texts.ways_to_fail()))
    process = subject.start(f"{point}:{subject.nth(point, [2, 5, 8, 12, 20, 30])}")
    if await is_running(process):
        texts.save(text)
        if subject.pick.random() < 0.7:  # else it is seen that the file has changed
            process.send(signal.SIGHUP)
    await subject.die(process, point)
    texts.settle()


async def live(subject):
    """Several changes of one process, each of which must be answered as it deserves."""
    process = subject.start()
    if await is_running(process):
        for _ in range(subject.pick.choice([1, 2, 3])):
            await subject.pick.choice(acts(subject.of))(subject, process)
            if not process.running:
                break
    subject.kill(process)
    subject.texts.settle()


def acts(kind):
    """Where part of the state is on disk there is no shadow."""
    return [good, good, bad, bad] + ([] if kind.settings else [shadow_same, shadow_other, shadow_dropped])


async def good(subject, process):
    texts = subject.texts
    texts.save(texts.next(fills="fill" in subject.of.changes and subject.pick.random() < 0.4))
    await answer(subject, process, [KEPT])


async def bad(subject, process, way=None):
    texts = subject.texts
    texts.save(texts.bad(way or subject.pick.choice(texts.ways_to_fail())))
    await answer(subject, process, [NOT_TAKEN])


async def shadow_same(subject, process):
    """The same text does the next batches beside, and to the same rows."""
    texts = subject.texts
    script = texts.save_beside(texts.reworded())
    code = await answer(subject, process, [KEPT], "--script", script, "--shadow", str(SHADOW), "--promote", "same")
    subject.shadows += code == KEPT
    texts.settle()


async def shadow_other(subject, process):
    """Another one, which takes over then."""
    texts = subject.texts
    script = texts.save_beside(texts.next())
    code = await answer(subject, process, [KEPT], "--script", script, "--shadow", str(SHADOW), "--promote", "always")
    subject.shadows += code == KEPT
    texts.settle()


async def shadow_dropped(subject, process):
    """One that is looked at, and does not take over: none of its rows may come out."""
    texts = subject.texts
    script = texts.save_beside(replace(texts.now, number=texts.numbered()))
    code = await answer(subject, process, [KEPT, DIFFERS], "--script", script, "--shadow", str(SHADOW))
    subject.shadows += code is not None


async def answer(subject, process, wanted, *more):
    """What `sluice reload` ends with; None: with nothing that counts, since there was nothing to read, a broker
    was away, or the pipeline died."""
    began_s = time.monotonic()
    asked = subject.command("reload", subject.name, *more)
    while await surely(lambda: not asked.running or not process.running, ANSWER_S) and process.running:
        if STARTING not in asked.err:
            break
        asked = subject.command("reload", subject.name, *more)
    code = None if asked.running or not process.running else asked.process.returncode
    asked.kill()
    is_open = code in (None, UNKNOWN) or ALONE in asked.out
    is_excused = subject.left < FEW or subject.world.broke_s > began_s - CALM_S
    if process.running and code not in wanted and not (is_open and is_excused):
        subject.trouble(asked, f"exit {code}, wanted {wanted}: {asked.out}\n{process.err[-2000:]}")
        return None
    subject.forget(asked)
    return code
