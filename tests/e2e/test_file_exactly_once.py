"""Files as sinks are exactly-once: a process that is killed at any named place, again and again, leaves the
bytes of one that never was."""
import json
import os
import re
import shutil

import harness
import kit

CRASHING = os.path.join(kit.ROOT, "build", "crash", "sluice")  # SLUICE_CRASH works in it
CRASH_POINT = re.compile(r'\bcrash_point\("((?:file|store|delta|plan|offsets|outputs|txn)_[a-z_]+)"\)')

SCRIPT = """
local sluice = require "sluice"
local all = {source}
   :json {{ sluice.string "k" :required(), sluice.int64 "ts" :required(), sluice.int64 "n" :required() }}
   :event_time("ts", {{ delay = "10 seconds", max_skew = "1 day" }})
   :quarantine_to(sluice.file {{ path = "bad.jsonl", append = true }})
local counts = all:group_by "k":window(sluice.tumbling {{ size = "1 minute" }})
   :aggregate {{ rows = sluice.count(), sum = sluice.sum "n", middle = sluice.quantile("n", 0.5) }}
return sluice.pipeline {{ name = "{name}", checkpoint = "{checkpoint}", trigger = "available-now",
   counts:to(sluice.file {{ path = "windows", mode = "{mode}" }}),
   all:filter(function(row) return row.n % 3 == 0 end):to(sluice.file {{ path = "rows.jsonl", append = true }}),
}}
"""

RECORDS, A_BATCH = 2000, 150
TIMES = {"flow_planned": (1, 3), "file_appended": (1, 2, 4), "file_renamed": (1, 4)}


def points():
    """The steps of a batch, and the places of sinks, stores and ledgers."""
    names = set()
    for folder in ("runtime", "state"):
        for path, _, files in os.walk(os.path.join(kit.ROOT, folder)):
            for name in files:
                if name.endswith(".c"):
                    names.update(CRASH_POINT.findall(harness.read(os.path.join(path, name))))
    steps = harness.read(os.path.join(kit.ROOT, "runtime/flow/keeper.c"))
    listed = re.search(r"keeper_steps\[\] = \{(.*?)\}", steps, re.DOTALL).group(1)
    names.update("flow_" + step for step in re.findall(r'"([a-z]+)"', listed))
    return sorted(names | {"flow_genesis"})


def records():
    for i in range(RECORDS):
        if i % 97 == 13:
            yield '{"k":"broken'
        else:
            yield json.dumps({"k": f"k{i * 7 % 11}", "ts": 1700000000000 + i * 250, "n": i})


class FileSinkCase(harness.E2ETest):
    mode = "append"

    def setUp(self):
        super().setUp()
        self.assertTrue(os.path.exists(CRASHING), "build it: ./dev test e2e")
        self.lines = list(records())
        self.top = self.folder

    def write_script(self, name):
        """A fresh folder with its script, in which the next runs happen."""
        self.folder = os.path.join(self.top, name)
        os.mkdir(self.folder)
        self.file("p.lua", SCRIPT.format(source=self.source(), name=harness.fresh("once"), mode=self.mode,
                                         checkpoint=self.checkpoint))

    checkpoint = "file:./checkpoints"

    def source(self):
        self.file("in.jsonl", "".join(line + "\n" for line in self.lines))
        return f'sluice.file {{ path = "in.jsonl", max_records = {A_BATCH}, max_time = "1 minute" }}'

    def outputs(self):
        """Bytes by name: files of batches, and the growing ones."""
        found = {}
        for name in ["rows.jsonl", "bad.jsonl"]:
            found[name] = harness.read(os.path.join(self.folder, name))
        for name in sorted(os.listdir(os.path.join(self.folder, "windows"))):
            found[name] = harness.read(os.path.join(self.folder, "windows", name))
        return found

    def finish(self):
        run = self.run_sluice("run", "p.lua", program=CRASHING)
        self.assertEqual(run.code, 0, run.err)

    def undisturbed(self):
        self.write_script("undisturbed")
        self.finish()
        wanted = self.outputs()
        self.assertGreater(len(wanted), 8)
        self.assertEqual(wanted["bad.jsonl"].count("\n"), len(range(13, RECORDS, 97)))
        return wanted

    def crash(self, where):
        """Whether the place was reached."""
        run = self.run_sluice("run", "p.lua", program=CRASHING, env={"SLUICE_CRASH": where})
        self.assertIn(run.code, (0, -9), run.err)
        return run.code == -9

    def assert_same(self, wanted):
        got = self.outputs()
        self.assertEqual(sorted(got), sorted(wanted))
        for name, text in wanted.items():
            self.assertEqual(got[name], text, name)


class FileExactlyOnceTest(FileSinkCase):
    def test_killed_at_each_place(self):
        wanted, reached = self.undisturbed(), set()
        for point in points():
            for nth in TIMES.get(point, (2,)):
                with self.subTest(point, nth=nth):
                    self.write_script(f"{point}-{nth}")
                    if self.crash(f"{point}:{nth}"):
                        reached.add(point)
                        self.finish()
                    self.assert_same(wanted)
                    shutil.rmtree(self.folder)
        self.assertLessEqual({"file_appended", "file_hidden", "file_renamed", "flow_written", "flow_applied"},
                             reached)

    def test_killed_again_and_again(self):
        wanted = self.undisturbed()
        for point in ("file_appended", "file_renamed", "flow_saved", "flow_written"):
            with self.subTest(point):
                self.write_script(point)
                kills = 0
                while self.crash(f"{point}:{kills % 3 + 2}"):
                    kills += 1
                    self.assertLess(kills, 100, "it does not get on")
                self.assertGreater(kills, 3)
                self.assert_same(wanted)


OWN_SINK = """
local own = sluice.sink { by_batch = true,
   open = function(system) return { io = system.io, os = system.os, lines = {} } end,
   write = function(rows, batch, to)
      local seen = assert(to.io.open("seen.txt", "a"))
      seen:write(batch.id, " ", tostring(batch.may_repeat), "\\n")
      seen:close()
      for _, row in ipairs(rows) do table.insert(to.lines, tostring(row.value.n)) end
      local path = ("windows/own-%06d.txt"):format(batch.id)
      local file = assert(to.io.open(path .. ".part", "w"))
      file:write(table.concat(to.lines, " "))
      file:close()
      to.lines = {}
      return to.os.rename(path .. ".part", path)
   end }
"""


class OwnSinkTest(FileExactlyOnceTest):
    """A sink of the script's own, that says `by_batch`, beside files."""

    def write_script(self, name):
        super().write_script(name)
        path = os.path.join(self.folder, "p.lua")
        text = harness.read(path).replace("return sluice.pipeline", OWN_SINK + "return sluice.pipeline")
        text = text.replace("trigger =", 'delivery = "exactly-once", trigger =')
        self.file("p.lua", text.replace('sluice.file { path = "rows.jsonl", append = true }', "own"))
        self.file("rows.jsonl", "")
        os.mkdir(os.path.join(self.folder, "windows"))

    def outputs(self):
        found = super().outputs()
        return {name: text for name, text in found.items() if not name.endswith(".part")}

    def test_a_batch_that_may_repeat_says_so(self):
        self.write_script("repeats")
        self.assertTrue(self.crash("flow_produced:3"))
        self.finish()
        seen = [line.split() for line in harness.read(os.path.join(self.folder, "seen.txt")).splitlines()]
        told = [number for number, may_repeat in seen if may_repeat == "true"]
        self.assertEqual(told, ["0", "2"])  # the first of each process
        twice = [number for number, _ in seen if [one for one, _ in seen].count(number) > 1]
        self.assertEqual(twice, ["2", "2"])


class UpdateToFileTest(FileExactlyOnceTest):
    mode = "update"


class EndedTest(FileSinkCase):
    def test_a_file_that_was_read_to_its_end(self):
        """Windows are closed behind the end: a second run has nothing to do, and more is refused."""
        wanted = self.undisturbed()
        self.finish()
        self.assert_same(wanted)
        with open(os.path.join(self.folder, "in.jsonl"), "a") as file:
            file.write(self.lines[0] + "\n")
        run = self.run_sluice("run", "p.lua")
        self.assertEqual(run.code, 4, run.err)
        self.assertIn("had ended, and everything was closed; it has more now", run.err)
        self.assert_same(wanted)


class OnceTest(FileSinkCase):
    def test_a_batch_that_is_done_again_is_the_one_of_its_run(self):
        """`once` after a death is that batch and no other: so a script is run to its end before it changes."""
        self.write_script("once")
        text = harness.read(os.path.join(self.folder, "p.lua"))
        self.file("p.lua", text.replace("available-now", "once"))
        self.assertTrue(self.crash("flow_planned:1"))
        self.finish()
        kept = [json.loads(line)["n"] for line in harness.read(os.path.join(self.folder, "rows.jsonl")).splitlines()]
        self.assertEqual(kept, [n for n in range(0, A_BATCH, 3) if n % 97 != 13])


class KafkaToFileTest(FileExactlyOnceTest):
    def setUp(self):
        super().setUp()
        self.input = self.topic(name="once-in")
        self.client.produce(self.input, [{"value": line, "key": "k"} for line in self.lines])

    def source(self):
        return (f'sluice.kafka {{ topics = "{self.input}", max_records = {A_BATCH}, '
                'max_time = "1 minute" }')
