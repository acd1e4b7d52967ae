"""What README.md and docs/ show is run here. Code blocks mean:

    ```lua                  a script, if it makes a pipeline: `sluice check` passes without a warning; else
                            stages (the block begins with `:`) or statements about `rides`, which load
    ```lua NAME             the same, and a file of that name for the commands of the page
    ```lua refused          as above, but it is refused; the message follows in a block ```text
    ```lua spec             a spec, or statements of one: `sluice test` passes beside scripts/*.lua
    ```lua X_spec.lua       a spec, for the commands of the page
    ```jsonl NAME, ```text NAME   a file
    ```console              `$ ` begins a command, the rest is what it writes; … is anything in a line
    ```sh                   not run here: what changes the machine; tests below or other suites run it

Commands run in bash, in one folder a page, with `sluice` on the path and the tests' Kafka as the default
one; what a page does to that folder stays until its end."""
import contextlib
import json
import math
import os
import re
import signal
import subprocess

import expect
import harness
import kit

PAGES = ["README.md", *(f"docs/{name}" for name in sorted(os.listdir(os.path.join(kit.ROOT, "docs")))
                        if name.endswith(".md"))]
BLOCK = re.compile(r"^```(\S*)[ ]?([^\n]*)\n(.*?)^```$", re.M | re.S)

# Around a block that is a part of a script.
BEFORE = """local sluice = require "sluice"
local rides = sluice.kafka { topics = "ride_events" }
   :json { sluice.string "event_id" :required(), sluice.string "user_id" :required(),
           sluice.string "event_type", sluice.double "amount", sluice.int64 "ts" :required() }
"""
TIMED = '   :event_time("ts", { delay = "10 minutes" })\n'
AFTER = '\nreturn sluice.pipeline { name = "part", checkpoint = "none", %s }\n'


class Block:
    def __init__(self, page, match, text):
        self.kind, self.name, self.body = match.groups()
        self.line = text.count("\n", 0, match.start()) + 1
        self.place = f"{page}:{self.line}"


def blocks(page):
    with open(os.path.join(kit.ROOT, page)) as file:
        text = file.read()
    return [Block(page, match, text) for match in BLOCK.finditer(text)]


def script_of(block):
    """A whole script around a block."""
    timed = "" if ":event_time" in block.body else TIMED
    if "sluice.pipeline" in block.body:
        return block.body if 'require "' in block.body else BEFORE + timed + block.body
    body = block.body
    if not body.startswith((":", "   :")):
        body = body + "\nlocal part = rides\n"
    else:
        body = "local part = rides\n" + body
    if ":to(" in block.body or "local rides" in block.body:
        end = "part" if ":to(" in body.split("local part")[-1] else 'part:to(sluice.file { path = "-" })'
    elif ":aggregate" in body.split("local part")[-1]:
        end = 'part:to(sluice.file { path = "-", mode = "update" })'
    else:
        end = 'part:to(sluice.file { path = "-" })'
    return BEFORE + timed + body + AFTER % end


def spec_of(block):
    """A whole spec around statements."""
    if "describe" in block.body:
        return block.body
    return ('local sluice = require "sluice"\nlocal test = require "sluice.test"\n'
            f'it("runs", function()\n{block.body}end)\n')


def commands(body):
    """(command, what it writes) of a console block; a command goes on behind a backslash."""
    found = []
    for line in body.splitlines(keepends=True):
        if line.startswith("$ "):
            found.append([line[2:], ""])
        elif found and found[-1][0].endswith("\\\n"):
            found[-1][0] += line
        elif found:
            found[-1][1] += line
    return found


def pattern_of(shown):
    """A line of … stands for any lines, … in a line for any characters."""
    parts = []
    for line in shown.splitlines():
        if line.strip() == "…":
            parts.append(r"(?:[^\n]*\n)*")
        else:
            parts.append("[^\n]*".join(re.escape(part) for part in line.split("…")) + r"\n")
    return "".join(parts)


class DocsTest(harness.E2ETest):
    def bash(self, command, timeout_s=300):
        path = os.path.dirname(os.path.abspath(harness.SLUICE)) + ":" + os.environ["PATH"]
        env = dict(os.environ, PATH=path, KAFKA_BROKERS=self.brokers)
        command = "timeout() { command timeout $(($1 * %d)) \"${@:2}\"; }\n" % math.ceil(harness.within(2)) + command
        shell = subprocess.Popen(["bash", "-c", command], cwd=self.folder, env=env, text=True, start_new_session=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(self.end_group, shell.pid)  # with what it left running
        out, err = shell.communicate(timeout=kit.patience(timeout_s))
        return subprocess.CompletedProcess(command, shell.returncode, out, err)

    def end_group(self, group):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)

    def check(self, block):
        name = block.name if block.name.endswith(".lua") else "part.lua"
        self.file(name, script_of(block))
        run = self.bash(f"sluice check {name}")
        if block.name == "refused":
            self.assertEqual(run.returncode, 2, block.place)
            return run.stderr
        # a part of a script may make streams that the text around it goes on from
        written = re.sub(r"warning: part\.lua:\d+: this (stream|source or sink) is never used [^\n]*\n", "", run.stderr)
        self.assertEqual((run.returncode, written), (0, ""), block.place)
        return ""

    def play(self, block):
        for script in os.listdir(SCRIPTS):
            if not os.path.exists(os.path.join(self.folder, script)):
                os.symlink(os.path.join(SCRIPTS, script), os.path.join(self.folder, script))
        self.file("part_spec.lua", spec_of(block))
        run = self.bash("sluice test part_spec.lua")
        self.assertEqual(run.returncode, 0, f"{block.place}: {run.stdout}{run.stderr}")

    def run_page(self, page):
        os.symlink(os.path.join(kit.ROOT, "scripts"), os.path.join(self.folder, "scripts"))
        refusal = ""
        for block in blocks(page):
            if block.kind == "lua" and block.name == "spec":
                self.play(block)
            elif block.kind == "lua" and block.name.endswith("_spec.lua"):
                self.file(block.name, block.body)
            elif block.kind == "lua":
                refusal = self.check(block)
            elif block.kind == "text" and refusal:
                self.assertRegex(refusal, r"\Asluice: " + pattern_of(block.body) + r"\Z", block.place)
                refusal = ""
            elif block.kind in ("jsonl", "text") and block.name:
                self.file(block.name, block.body)
            elif block.kind == "console":
                for command, shown in commands(block.body):
                    run = self.bash(command)
                    if not re.fullmatch(pattern_of(shown), run.stdout):
                        self.fail(f"{block.place}: {command}writes\n{run.stdout}{run.stderr}")

    def test_links_lead_somewhere(self):
        for page in PAGES:
            folder = os.path.dirname(os.path.join(kit.ROOT, page))
            with open(os.path.join(kit.ROOT, page)) as file:
                text = file.read()
            for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
                with self.subTest(page=page, target=target):
                    self.assertTrue(os.path.exists(os.path.join(folder, target)))


def add_test(page):
    def test(self):
        self.run_page(page)
    name = re.sub(r"\W+", "_", page.lower())
    setattr(DocsTest, f"test_examples_of_{name}", test)


for one in PAGES:
    if os.path.exists(os.path.join(kit.ROOT, one)):
        add_test(one)


MINUTE = 60_000
BASE_MS = 28_333_334 * MINUTE  # a whole minute and hour boundary does not matter here
SCRIPTS = os.path.join(kit.ROOT, "scripts")


def ride(number, event_type="ride_completed", amount=10.0, ms=BASE_MS, user="u-1", **more):
    value = {"event_id": f"e-{number}", "user_id": user, "event_type": event_type, "amount": amount,
             "ts": ms}
    return {"value": json.dumps(dict(value, **more)), "key": f"k-{number}"}


class ExampleScriptsTest(harness.E2ETest):
    """Each script of scripts/ does what its first lines say."""

    def run_script(self, name, *settings, timeout_s=60):
        run = self.run_sluice("run", os.path.join(SCRIPTS, name), *harness.sets(*settings),
                              timeout_s=timeout_s)
        self.assertEqual(run.code, 0, run.err)
        return expect.Summary(run.err)

    def rows(self, topic):
        return [record.json() for record in self.client.consume(topic)]

    def test_all_pass_check_without_a_warning(self):
        for name in sorted(os.listdir(SCRIPTS)):
            if name.endswith("_spec.lua"):
                continue
            with self.subTest(name=name):
                run = self.run_sluice("check", "--strict", os.path.join(SCRIPTS, name))
                self.assertEqual((run.code, run.err), (0, ""))

    def test_embedded(self):
        """Any of them can be tried without a Kafka."""
        for name, topics in [("ride_counts.lua", {"ride_event_counts"}), ("user_totals.lua", {"user_totals"}),
                             ("late_rides.lua", {"ride_counts_by_minute", "large_payments"})]:
            with self.subTest(name=name):
                run = self.run_sluice("run", os.path.join(SCRIPTS, name), "--embedded", "--set",
                                      "trigger=available-now", env={"KAFKA_BROKERS": "127.0.0.1:1"})
                self.assertEqual(run.code, 0, run.err)
                self.assertLessEqual(topics, {json.loads(line)["topic"] for line in run.out.splitlines()})

    def test_generator(self):
        rides = self.topic(name="rides", partitions=2)
        self.run_script("generator.lua", "source.count=3000", "sink.topic=" + rides, "source.rate=100000")
        records = self.client.consume(rides)
        self.assertEqual(len(records), 3000)
        self.assertEqual({r.json()["event_id"] for r in records}, {f"e-{i}" for i in range(3000)})
        for record in records:
            self.assertEqual(record.key.decode(), record.json()["user_id"])
            self.assertLess(abs(record.json()["ts"] - record.timestamp), MINUTE)
            self.assertEqual(record.json()["amount"] is None,
                             record.json()["event_type"] != "ride_completed")

    def test_user_totals(self):
        rides, totals = self.topic(name="rides"), self.topic(name="totals")
        hour = BASE_MS - BASE_MS % (60 * MINUTE)
        self.client.produce(rides, [
            ride(1, amount=10, ms=hour), ride(2, amount=20, ms=hour + 1),
            ride(3, "ride_started", None, hour + 2), ride(4, amount=7.5, ms=hour + 3, user="u-2"),
            ride(5, amount=None, ms=hour + 4, user="u-3"),
            ride(6, amount=1, ms=hour + 90 * MINUTE)])
        self.run_script("user_totals.lua", "trigger=available-now", "source.topics=" + rides,
                        "sink.topic=" + totals)
        got = {(r["user_id"], r["window_start"]): (r["total"], r["spent_mean"], r["spent_deviation"],
                                                   r["spent_rides"], r["final"])
               for r in self.rows(totals)}
        self.assertEqual(got, {("u-1", hour): (30, 15, 5, 2, True),
                               ("u-2", hour): (7.5, 7.5, 0, 1, True),
                               ("u-3", hour): (None, None, None, 0, True),
                               ("u-1", hour + 60 * MINUTE): (1, 1, 0, 1, False)})

    def test_late_rides(self):
        rides, late, counts, large = (self.topic(name=n) for n in ("rides", "late", "counts", "large"))
        rows = [ride(1, amount=100), ride(2, "heartbeat", None, BASE_MS + 1),
                ride(3, ms=BASE_MS + 5 * MINUTE), ride(4, amount=90, ms=BASE_MS + 7)]
        self.client.produce(rides, rows)
        summary = self.run_script("late_rides.lua", "trigger=available-now", "source.topics=" + rides,
                                  "source.max_records=3", "late_rides.topic=" + late,
                                  "ride_counts_by_minute.topic=" + counts,
                                  "large_payments.topic=" + large)
        self.assertEqual([(r["event_type"], r["event_count"], r["revenue"]) for r in self.rows(counts)],
                         [("ride_completed", 1, 100)])
        self.assertEqual([(r["event_id"], r["fee"], r["at"]) for r in self.rows(large)],
                         [("e-1", 2, BASE_MS), ("e-4", 1.8, BASE_MS + 7)])
        self.assertEqual([r.key for r in self.client.consume(large)], [b"k-1", b"k-4"])
        (record,) = self.client.consume(late)
        headers = dict(record.headers)
        self.assertEqual(record.value, rows[3]["value"].encode())
        self.assertEqual(headers["sluice.offset"], b"3")
        self.assertEqual(headers["sluice.window_end"], str(BASE_MS + MINUTE).encode())
        self.assertEqual(headers["sluice.watermark"], str(BASE_MS + 5 * MINUTE - 10_000).encode())
        self.assertEqual(summary.source["late_windows"], 1)

    def test_redrive(self):
        """Rides with amounts as text go into the quarantine, are repaired, and are counted."""
        rides, counts, quarantine, dead = (self.topic(name=n) for n in ("rides", "counts", "ride-counts",
                                                                        "dead"))
        self.client.produce(rides, [ride(1, amount=10), ride(2, amount="12.50"), ride(3, amount="much"),
                                    {"value": "not JSON", "key": "k"}, ride(5, "party")])
        count = ["trigger=available-now", "source.start=earliest", "source.topics=" + rides,
                 "sink.topic=" + counts]
        name = "ride-counts-" + quarantine
        self.client.create_topic(name + "-quarantine")
        first = self.run_script("ride_counts.lua", "name=" + name, *count)
        self.assertEqual(first.source["quarantined"], 4)
        again = self.run_script("redrive.lua", f"source.topics={name}-quarantine",
                                "sink.topic=" + rides, "ride-dead-letters.topic=" + dead)
        self.assertEqual((again.source["passed"], again.source["quarantined"]), (1, 2))
        repaired = self.client.consume(rides)[-1]
        self.assertEqual(repaired.key, b"k-2")
        self.assertEqual(repaired.json(), {"event_id": "e-2", "user_id": "u-1", "amount": 12.5,
                                                "event_type": "ride_completed", "ts": BASE_MS})
        self.assertEqual({dict(r.headers)["sluice.topic"] for r in self.client.consume(dead)},
                         {(name + "-quarantine").encode()})
        self.assertEqual(self.run_script("ride_counts.lua", "name=" + name, *count).source["passed"], 1)

    def test_file_to_topic_and_back(self):
        """A file into a topic, its counts, and these on stdout."""
        rides, counts = self.topic(name="rides"), self.topic(name="counts")
        lines = [ride(n, ms=BASE_MS + n)["value"] for n in range(5)]
        self.file("my_rides.jsonl", "\n\n".join([*lines, '{"event_id":7}']))
        loaded = self.run_script("file_to_topic.lua", "source.path=my_rides.jsonl", "sink.topic=" + rides)
        self.assertEqual((loaded.source["passed"], loaded.source["quarantined"]), (5, 1))
        self.assertEqual([r.key for r in self.client.consume(rides)], [b"u-1"] * 5)
        self.run_script("ride_counts.lua", "trigger=available-now", "source.start=earliest",
                        "source.topics=" + rides, "sink.topic=" + counts, "name=" + harness.fresh("counts"))
        run = self.run_sluice("run", os.path.join(SCRIPTS, "topic_to_file.lua"), "--set", "source.topics=" + counts,
                              "--set", "sink.path=-")
        self.assertEqual(run.code, 0, run.err)
        rows = [json.loads(line) for line in run.out.splitlines()]
        self.assertEqual([(row["offset"], row["event_count"], row["revenue"]) for row in rows],
                         [(0, 5, 50), (1, 5, 50)])
        self.assertRegex(rows[0]["window_start"], r"^\d{4}-.*Z$")
        self.assertEqual({name for name in os.listdir(self.folder) if name.endswith(".jsonl")},
                         {"my_rides.jsonl", "file-to-topic-quarantine.jsonl"})

    def test_stdin_counts(self):
        lines = [{"page": "/", "ms": 12, "at": "2026-05-01T10:00:03Z"},
                 {"page": "/cart", "ms": 40, "at": "2026-05-01T10:00:20Z"},
                 {"page": "/", "ms": 35, "at": "2026-05-01T10:01:41+00:00"}]
        self.file("views.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
        script = os.path.join(SCRIPTS, "stdin_counts.lua")
        run = subprocess.run(f"cat views.jsonl | {harness.SLUICE} run {script}", shell=True,
                             cwd=self.folder, capture_output=True, text=True, timeout=300)
        rows = [json.loads(line) for line in run.stdout.splitlines()]
        self.assertEqual([tuple(row.values()) for row in rows], [
            ("/", "2026-05-01T10:00:00.000Z", "2026-05-01T10:01:00.000Z", 1, 0, 12),
            ("/cart", "2026-05-01T10:00:00.000Z", "2026-05-01T10:01:00.000Z", 1, 1, 40),
            ("/", "2026-05-01T10:01:00.000Z", "2026-05-01T10:02:00.000Z", 1, 1, 35)])


class ReadmeTest(harness.E2ETest):
    def test_the_command_for_a_real_kafka(self):
        """As it stands in README.md, but for the address."""
        with open(os.path.join(kit.ROOT, "README.md")) as file:
            (command,) = re.findall(r"^KAFKA_BROKERS=\S+ (build/release/sluice run .*)$", file.read(), re.M)
        for topic in "ride_events", "ride_event_counts":
            if topic not in self.client.topics():
                self.client.create_topic(topic, 2)
        self.client.produce("ride_events", [ride(number) for number in range(10)])
        command = command.replace("build/release/sluice", harness.SLUICE)
        command += " --set name=" + harness.fresh("readme")
        os.symlink(os.path.join(kit.ROOT, "scripts"), os.path.join(self.folder, "scripts"))
        run = subprocess.run(command, shell=True, cwd=self.folder, capture_output=True, text=True,
                             timeout=300, env=dict(os.environ, KAFKA_BROKERS=self.brokers))
        self.assertEqual(run.returncode, 0, run.stderr)
        counts = [r.json() for r in self.client.consume("ride_event_counts")]
        self.assertEqual([row["event_count"] for row in counts], [10, 10])
