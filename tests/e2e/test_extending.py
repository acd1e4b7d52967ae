"""What docs/extending.md shows is added here: each of its files, and its line in the table, goes into a copy
of the sources, a sluice of its own is linked with them, and the scripts of the page run on it."""
import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile

import harness
import kit

BUILD = os.path.join(kit.ROOT, "build", "release")
# "… of `FILE`:" or "… in `TABLE` of `FILE`:", and the indented block below
SHOWN = re.compile(r"(?:`(\w+)`\sof\s)?`([\w./]+)`:\n\n((?: {4}.*\n|\n(?= {4}))+)")


def shown():
    """What the page has: text by file, lines by file and table."""
    with open(os.path.join(kit.ROOT, "docs", "extending.md")) as file:
        found = SHOWN.findall(file.read())
    files, lines = {}, {}
    for table, path, block in found:
        text = re.sub(r"^ {4}", "", block, flags=re.M)
        if table:
            lines.setdefault(path, []).append((table, text))
        else:
            files[path] = text
    return files, lines


def with_line(text, table, line):
    """A line as the first one of a table in C (`#define TABLE …`) or Lua (`TABLE = {`)."""
    start = re.compile(rf"^(#define {table}\b[^\n]*|[^\n]*\b{table} = {{)\n", re.M)
    if len(start.findall(text)) != 1 or line.count("\n") != 1:
        raise AssertionError(f"{table}: {start.findall(text)}, {line!r}")
    return start.sub(lambda found: found[0] + line, text)


def run(command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode:
        raise AssertionError(f"{command}\n{done.stdout}")
    return done.stdout


class Sources:
    """A copy of what the page changes; `lua` and `sluice` are made of it."""

    def __init__(self, folder):
        self.folder = folder
        self.files, self.lines = shown()
        self.lua, self.sluice = os.path.join(folder, "lua"), os.path.join(folder, "sluice")
        shutil.copytree(os.path.join(kit.ROOT, "lua"), self.lua)
        for path in self.files:
            if "/" in path:
                self.write(path, self.files[path])
        for path, lines in self.lines.items():
            text = harness.read(os.path.join(kit.ROOT, path))
            for table, line in lines:
                text = with_line(text, table, line)
            self.write(path, text)
        self.link()

    def write(self, path, text):
        if not path.startswith("lua/") and not path.startswith("runtime/"):
            raise AssertionError(f"{path} is neither C nor Lua")
        whole = os.path.join(self.folder, path)
        os.makedirs(os.path.dirname(whole), exist_ok=True)
        with open(whole, "w") as file:
            file.write(text)

    def objects(self):
        """Every C file as an object, by the flags of its folder."""
        with open(os.path.join(BUILD, "compile_commands.json")) as file:
            flags = {os.path.dirname(os.path.relpath(one["file"], kit.ROOT)): shlex.split(one["command"])
                     for one in json.load(file) if one["file"].endswith(".c")}
        for path in sorted({*self.files, *self.lines}):
            if path.endswith(".c"):
                command, source = flags[os.path.dirname(path)], os.path.join(self.folder, path)
                at = command.index("-o")
                run([*command[:at], "-o", source + ".o", "-c", source], cwd=BUILD)
                yield source + ".o"

    def link(self):
        """As the release build links its own, with these objects in front of the libraries."""
        linking = run(["ninja", "-C", BUILD, "-t", "commands", "sluice"]).splitlines()[-1]
        objects = shlex.join(self.objects())
        if linking.count(" -o sluice ") != 1:
            raise AssertionError(f"how is this linked? {linking}")
        run(linking.replace(" -o sluice ", f" {objects} -o {shlex.quote(self.sluice)} "), shell=True, cwd=BUILD)


class ExtendingTest(harness.E2ETest):
    brokers = "127.0.0.1:1"  # nothing here asks a broker

    @classmethod
    def setUpClass(cls):
        folder = tempfile.mkdtemp(prefix="extending-")
        cls.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
        cls.sources = Sources(folder)

    def result(self, script, code=0):
        """Run a script of the page, after `sluice check`; its process."""
        self.file(script, self.sources.files[script])
        env = {"SLUICE_LUA": self.sources.lua}
        for command in ("check", "run"):
            one = self.run_sluice(command, script, env=env, program=self.sources.sluice)
            self.assertEqual(one.code, code, one.err)
        return one

    def rows(self, script):
        return [json.loads(line) for line in self.result(script).out.splitlines()]

    def json_lines(self, name, *rows):
        self.file(name, "".join(json.dumps(row) + "\n" for row in rows))

    def test_the_page_shows_one_of_each_kind(self):
        places = {os.path.dirname(path) for path in self.sources.files if "/" in path}
        self.assertEqual(places, {"lua/sluice/aggregate", "lua/sluice/window", "lua/sluice/format",
                                  "lua/sluice/source", "lua/sluice/sink", "runtime/codec", "runtime/connect"})
        lines = sorted((path, table) for path, lines in self.sources.lines.items() for table, _ in lines)
        self.assertEqual(lines, [
            ("lua/sluice/aggregate.lua", "BUILTINS"), ("lua/sluice/connector.lua", "ENDS"),
            ("lua/sluice/connector.lua", "ENDS"), ("lua/sluice/format.lua", "FORMATS"),
            ("lua/sluice/window.lua", "KINDS"), ("runtime/codec/codec.c", "FORMATS"),
            ("runtime/connect/connectors.c", "SINKS"), ("runtime/connect/connectors.c", "SOURCES")])

    def test_an_aggregate(self):
        self.json_lines("sales.jsonl", {"amount": 2}, {"amount": 8}, {"amount": -1})
        [row] = self.rows("means.lua")
        self.assertAlmostEqual(row["mean"], 4)

    def test_a_window(self):
        """2024-05-05 was a Sunday."""
        self.json_lines("rides.jsonl", *({"at": at} for at in (
            "2024-05-05T23:59:59.999Z", "2024-05-06T00:00:00Z", "2024-05-12T23:00:00Z",
            "2024-05-13T00:00:00Z", "2024-06-01T00:00:00Z")))
        rows = self.rows("weeks.lua")
        self.assertEqual([(row["window_start"][:10], row["window_end"][:10], row["rides"]) for row in rows],
                         [("2024-04-29", "2024-05-06", 1), ("2024-05-06", "2024-05-13", 2),
                          ("2024-05-13", "2024-05-20", 1), ("2024-05-27", "2024-06-03", 1)])

    def test_a_format(self):
        self.file("service.log", 'level=info msg="it works" ms=12 retried other=1\n'
                                 'level=warn msg="a \\"quote\\" = 1" ms=300\n'
                                 "level=info msg= ms=4\nms=99 level=\nms=many\nmsg=\"no end\n")
        rows = self.rows("slow.lua")
        self.assertEqual(rows, [
            {"level": "info", "msg": "it works", "ms": 12, "retried": True},
            {"level": "warn", "msg": 'a "quote" = 1', "ms": 300, "retried": False},
            {"level": None, "msg": None, "ms": 99, "retried": False}])
        bad = [json.loads(line) for line in
               harness.read(os.path.join(self.folder, "slow-quarantine.jsonl")).splitlines()]
        self.assertEqual(len(bad), 2)
        self.assertEqual([(one["headers"]["sluice.field"], one["headers"]["sluice.reason"]) for one in bad],
                         [("ms", "seen many, wanted an int32"), ("msg", "its quote does not end")])

    def test_a_format_in_a_spec(self):
        self.file("slow.lua", self.sources.files["slow.lua"])
        self.file("slow_spec.lua", """
local test = require "sluice.test"
it("takes rows", function()
   local p = test.pipeline "slow.lua"
   p:batch { { level = 'a "b"', ms = 20 }, { level = "c", ms = 1 } }
   local rows = p:output()
   assert.same({ 1, 'a "b"', 20 }, { #rows, rows[1].level, rows[1].ms })
end)
""")
        run = self.run_sluice("test", "slow_spec.lua", env={"SLUICE_LUA": self.sources.lua},
                              program=self.sources.sluice)
        self.assertEqual(run.code, 0, run.out + run.err)

    def test_a_source(self):
        rows = [row["value"] for row in self.rows("ticks.lua")]
        self.assertEqual(rows, [rows[0], rows[0] + 100, rows[0] + 200])
        self.assertEqual(rows[0] % 100, 0)

    def test_a_sink(self):
        self.json_lines("sales.jsonl", {"shop": "north", "amount": 2}, {"shop": "south", "amount": 7},
                        {"shop": "north", "amount": 3}, {"shop": "a/b", "amount": 1})
        run = self.result("totals.lua")
        totals = os.path.join(self.folder, "totals")
        self.assertEqual({name: json.loads(harness.read(os.path.join(totals, name)))["total"]
                          for name in os.listdir(totals)}, {"north": 5, "south": 7})
        refused = harness.read(os.path.join(self.folder, "totals-quarantine.jsonl"))
        self.assertIn("its key is no name of a file", refused)
        self.assertIn("a/b", refused)
        self.assertEqual(refused.count("\n"), 1, run.err)
