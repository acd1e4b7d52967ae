"""A ledger and its sinks by hand: tests/driver/ledger_driver.c as a child process."""
import os
import subprocess
import threading

import harness
import kit

PROGRAM = os.environ.get("LEDGER_DRIVER",
                         os.path.join(os.path.dirname(harness.SLUICE), "ledger_driver"))
FENCED, REFUSED, BROKER, AUTH, STOPPED = 11, 12, 7, 9, 10


class Refused(Exception):
    """A command's error."""

    def __init__(self, line):
        _, code, retriable, fatal, milliseconds, self.message = line.split(" ", 5)
        self.code, self.retriable, self.fatal = int(code), retriable == "1", fatal == "1"
        self.milliseconds = int(milliseconds)
        super().__init__(line)


class Driver:
    """`call` a command and wait for its answer; `send` one, and `answer` later."""

    def __init__(self, brokers, log_path):
        self.log_path = log_path
        with open(log_path, "ab") as log:
            self.process = subprocess.Popen([PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=log, text=True, bufsize=1,
                                            env=dict(os.environ, KAFKA_BROKERS=brokers),
                                            preexec_fn=harness.kafka.die_with_parent)
        self.milliseconds = 0

    def send(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def answer(self, timeout_s=120):
        """The words of an `ok`; raises Refused for an error. Kills it when the time is up."""
        timer = threading.Timer(kit.patience(timeout_s), self.process.kill)
        timer.start()
        line = self.process.stdout.readline().rstrip("\n")
        timer.cancel()
        if not line:
            raise AssertionError("the driver ended or was killed\n" + self.log[-4000:])
        if line.startswith("error"):
            raise Refused(line)
        words = line.split()
        self.milliseconds = int(words[1])
        return words[2:]

    def call(self, command, timeout_s=120):
        self.send(command)
        return self.answer(timeout_s)

    @property
    def log(self):
        return harness.read(self.log_path)

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
