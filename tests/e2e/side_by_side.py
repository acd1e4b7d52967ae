"""All tests in some processes side by side, each with a broker of its own: most of what tests do is wait. What
is given out is a class of tests, the longest first, to whoever is done with the one before."""
import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from dataclasses import asdict

import broker as kafka
from outcome import Outcome

HERE = os.path.dirname(os.path.abspath(__file__))
WORKER = "--worker="
WORKERS = 3
PATIENCE_S = 30


def classes(tests):
    """Names of the classes of all `tests`, each once."""
    for one in tests:
        if isinstance(one, unittest.TestSuite):
            yield from classes(one)
        else:
            yield f"{type(one).__module__}.{type(one).__name__}"


def seconds():
    """How long classes took that took long."""
    with open(os.path.join(HERE, "seconds.txt")) as file:
        return {name: float(took) for name, took in (line.split() for line in file if line[0] != "#")}


def run(tests):
    """Returns the Outcome of all."""
    names = list(dict.fromkeys(classes(tests)))
    took, began = seconds(), time.monotonic()
    todo = sorted(names, key=lambda name: -took.get(name, 0))
    total = Outcome()
    workers = [Worker() for _ in range(WORKERS)]
    threads = [threading.Thread(target=worker.run, args=(todo, total), daemon=True) for worker in workers]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        for worker in workers:
            worker.end()
    for name in todo:
        total.bad.append(("ERROR", name, "no process was left to run it"))
    total.seconds = time.monotonic() - began
    print(f"{total.ran} tests in {total.seconds:.1f} s, which took {total.each:.1f} s one by one")
    return total


class Worker:
    """A process that runs what it is told to."""
    lock = threading.Lock()

    def __init__(self):
        self.log, self.told = tempfile.TemporaryFile(), 0
        answers, theirs = os.pipe()
        self.answers = os.fdopen(answers)
        self.process = subprocess.Popen([sys.executable, os.path.join(HERE, "run"), f"{WORKER}{theirs}"],
                                        stdin=subprocess.PIPE, stdout=self.log, stderr=self.log, text=True,
                                        pass_fds=[theirs], preexec_fn=end_with_parent)
        os.close(theirs)

    def run(self, todo, total):
        while self.process.poll() is None:
            with self.lock:
                if not todo:
                    return
                name = todo.pop(0)
            outcome = self.outcome(name)
            with self.lock:
                total.add(outcome)
                print(f"{self.said()}{name}: {outcome.seconds:.1f} s\n", flush=True)

    def outcome(self, name):
        try:
            self.process.stdin.write(name + "\n")
            self.process.stdin.flush()
            answer = self.answers.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            return Outcome(bad=[("ERROR", name, f"its process ended: exit {self.process.wait()}")])
        return Outcome(**json.loads(answer))

    def said(self):
        """Since the last time. The file's place is the process's, too: it is read past it."""
        text = os.pread(self.log.fileno(), 1 << 26, self.told)
        self.told += len(text)
        return text.decode(errors="replace")

    def end(self):
        """With all that it has started."""
        self.process.stdin.close()
        self.process.terminate()
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def end_with_parent():
    ctypes.CDLL(None).prctl(kafka.PR_SET_PDEATHSIG, signal.SIGTERM)


def work(answers):
    """The process's side: names of classes come in, outcomes go out."""
    loader = unittest.TestLoader()
    for name in map(str.strip, iter(sys.stdin.readline, "")):
        outcome = Outcome.of(loader.loadTestsFromName(name))
        sys.stdout.flush()
        os.write(answers, (json.dumps(asdict(outcome)) + "\n").encode())
    return 0
