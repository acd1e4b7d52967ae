"""What became of tests: counts, and the text of what failed. Can be sent to another process."""
import sys
import time
import unittest
from dataclasses import dataclass, field


class Result(unittest.TextTestResult):
    """Times every test, and counts what passed."""
    passed = 0

    def startTest(self, test):
        self.began = time.monotonic()
        super().startTest(test)

    def addSuccess(self, test):
        self.passed += 1
        super().addSuccess(test)

    def stopTest(self, test):
        self.stream.write(f"    {time.monotonic() - self.began:.1f} s\n")
        super().stopTest(test)

    def printErrors(self):
        """At the end, of all: Outcome.tell."""


@dataclass
class Outcome:
    ran: int = 0
    passed: int = 0
    bad: list = field(default_factory=list)   # (kind, test, text)
    seconds: float = 0
    each: float = 0   # seconds of all that were added

    @classmethod
    def of(cls, tests):
        """Runs them."""
        began = time.monotonic()
        result = unittest.TextTestRunner(sys.stdout, verbosity=2, resultclass=Result).run(tests)
        bad = [("ERROR", result.getDescription(test), text) for test, text in result.errors]
        bad += [("FAIL", result.getDescription(test), text) for test, text in result.failures]
        bad += [("SKIPPED", result.getDescription(test), text) for test, text in result.skipped]
        bad += [("UNEXPECTED SUCCESS", result.getDescription(test), "") for test in result.unexpectedSuccesses]
        return cls(result.testsRun, result.passed, bad, time.monotonic() - began)

    @property
    def failed(self):
        return len(self.bad)

    def add(self, other):
        self.ran += other.ran
        self.passed += other.passed
        self.bad += other.bad
        self.each += other.seconds

    def tell(self):
        for kind, test, text in self.bad:
            print(f"{'=' * 70}\n{kind}: {test}\n{'-' * 70}\n{text}")
        print(f"e2e: {self.passed} passed, {self.failed} failed", flush=True)
