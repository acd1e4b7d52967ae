"""What end-to-end tests share: one broker for all of them, a fresh topic and folder for each, and the
release build of sluice as a child process that never outlives its test."""
import contextlib
import itertools
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import broker as kafka
import kit
import quorum
import server as s3_server

SLUICE = os.environ.get("SLUICE", os.path.join(kit.ROOT, "build", "release", "sluice"))

_shared = {}
_numbers = itertools.count(1)


def shared_broker(secure=False):
    """The broker of all tests that do not break theirs; started at its first use."""
    if secure not in _shared:
        _shared[secure] = kafka.Broker(secure=secure).start()
    return _shared[secure]


def shared_s3():
    """The S3 server of all tests that do not break theirs; started at its first use."""
    if "s3" not in _shared:
        _shared["s3"] = s3_server.S3().start()
    return _shared["s3"]


def open_folder():
    """All temporary files of the run lie in one folder, which `close` removes."""
    tempfile.tempdir = tempfile.mkdtemp(prefix="sluice-e2e-")
    # of control sockets: others on this machine run pipelines of the same names
    os.environ["SLUICE_RUN_DIR"] = tempfile.mkdtemp(prefix="run-")
    os.environ["SLUICE_CACHE_DIR"] = tempfile.mkdtemp(prefix="cache-")


def close():
    for one in _shared.values():
        one.close()
    _shared.clear()
    if tempfile.tempdir:
        shutil.rmtree(tempfile.tempdir, ignore_errors=True)


def within(seconds):
    """How long something may take that takes at most so long on a calm machine: more on one that is loaded.
    To wait for something: kit.patience."""
    return seconds * min(max(1, kit.load()), 10)


def pace_s():
    """An interval in which much can be done before its next batch."""
    return max(4, int(within(2)))


def fresh(name):
    """A name that nobody has had in this run."""
    return f"{name}-{next(_numbers)}"


def elsewhere():
    """The environment of a process as on another machine: it does not see who runs on this one, nor the other way
    round."""
    return {"SLUICE_RUN_DIR": tempfile.mkdtemp(prefix="run-")}


def sets(*settings):
    """`--set` for each."""
    return [argument for setting in settings for argument in ("--set", setting)]


class Process:
    """A running sluice: `send`, `wait`, and what it wrote so far."""

    peak_mb = cpu_s = 0

    def __init__(self, arguments, folder, env, program=SLUICE):
        self.out_path, self.err_path = (os.path.join(folder, f"sluice-{next(_numbers)}.{end}")
                                        for end in ("out", "err"))
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self.process = subprocess.Popen([program, *arguments], stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=err, cwd=folder, env=dict(os.environ, **env),
                                            preexec_fn=kafka.die_with_parent)

    @property
    def out(self):
        return read(self.out_path)

    @property
    def err(self):
        return read(self.err_path)

    @property
    def running(self):
        return self.process.poll() is None

    @property
    def stands_still(self):
        """By SIGSTOP."""
        with open(f"/proc/{self.process.pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "T"

    @property
    def has_pending(self):
        """A signal that was sent, and not yet taken."""
        with open(f"/proc/{self.process.pid}/status") as file:
            return any(int(line.split()[1], 16) for line in file if line.startswith(("SigPnd", "ShdPnd")))

    def send(self, number):
        """Returns when the process has taken it: two of a kind that wait are one."""
        self.process.send_signal(number)
        deadline = time.monotonic() + kit.patience(5)
        while self.running and time.monotonic() < deadline:
            if self.stands_still or number != signal.SIGSTOP and not self.signals("ShdPnd") >> (number - 1) & 1:
                break
            time.sleep(0.001)

    def signals(self, which):
        """A set of signals as /proc tells it: "ShdPnd", those that wait; "SigCgt", those that it handles itself."""
        with open(f"/proc/{self.process.pid}/status") as file:
            return int(re.search(rf"(?m)^{which}:\s*(\w+)$", file.read())[1], 16)

    @property
    def handles_stop(self):
        """It is far enough for SIGTERM to be a request."""
        return bool(self.signals("SigCgt") >> (signal.SIGTERM - 1) & 1)

    def stop(self, timeout_s=30):
        """SIGTERM; returns the exit code."""
        self.send(signal.SIGTERM)
        return self.wait(timeout_s)

    def wait(self, timeout_s=30):
        """The exit code (negative: the signal). Kills it and fails when the time is up."""
        deadline = time.monotonic() + kit.patience(timeout_s)
        while self.running:
            if time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"sluice still runs after {timeout_s} s\n{self.err[-4000:]}")
            time.sleep(0.005)
            self.look()
        return self.process.returncode

    def kill(self):
        if self.running:
            self.process.kill()
            self.process.wait()

    def look(self):
        """Keep the highest memory seen, as `peak_mb`, and what it has taken of processors, as `cpu_s`."""
        with contextlib.suppress(OSError, IndexError):
            self.peak_mb = max(self.peak_mb, self.rss_mb())
            with open(f"/proc/{self.process.pid}/stat") as file:
                self.cpu_s = sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13])) / os.sysconf("SC_CLK_TCK")

    def rss_mb(self):
        with open(f"/proc/{self.process.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


class E2ETest(unittest.TestCase):
    maxDiff = 4000

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="test-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.processes = []

    @property
    def broker(self):
        return shared_broker()

    @property
    def client(self):
        return self.broker.client

    @property
    def brokers(self):
        """Where scripts that name no brokers find them."""
        return self.broker.bootstrap

    def topic(self, partitions=1, configs=None, name="t"):
        """A fresh topic; returns its name."""
        name = fresh(name)
        self.client.create_topic(name, partitions, configs)
        return name

    def own_broker(self, **options):
        """A broker for this test alone, to be killed, paused and restarted at will."""
        one = kafka.Broker(**{"libs": kit.TO_KILL, **options}).start()
        self.addCleanup(one.close)
        return one

    def file(self, name, text):
        """Write a file into the test's folder; returns its path."""
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def start(self, *arguments, env=None, program=SLUICE):
        """Start sluice in the test's folder, with the test's broker as the default one; returns a
        Process."""
        one = Process(arguments, self.folder, dict({"KAFKA_BROKERS": self.brokers}, **env or {}), program)
        self.addCleanup(one.kill)
        self.processes.append(one)
        return one

    def run_sluice(self, *arguments, timeout_s=60, env=None, program=SLUICE):
        """Run sluice to its end; returns a Process whose exit code is `.code`."""
        one = self.start(*arguments, env=env, program=program)
        one.code = one.wait(timeout_s)
        return one

    def wait_for(self, what, condition, timeout_s=30):
        """Poll `condition` until it is true; returns what it returned."""
        deadline = time.monotonic() + kit.patience(timeout_s)
        while time.monotonic() < deadline:
            value = condition()
            if value:
                return value
            time.sleep(0.02)
        self.fail(f"waited {timeout_s} s for {what}")


def read(path):
    with open(path, errors="replace") as file:
        return file.read()


class WithRights:
    """Mixed in: a broker of the test's own that allows an account nothing but what it is told."""

    @property
    def broker(self):
        if not hasattr(self, "mine"):
            self.mine = self.own_broker(secure=True, settings={
                "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                "super.users": "User:ANONYMOUS"})
        return self.mine


class OnQuorum:
    """Mixed into a test: its broker is three, of its own, as `self.quorum`; up when first asked for."""
    quorum_settings = None

    @property
    def broker(self):
        if not hasattr(self, "quorum"):
            self.quorum = quorum.Quorum(self.quorum_settings).start()
            self.addCleanup(self.quorum.close)
        return self.quorum
