#!/usr/bin/env python3
"""Count cmocka's tests in ctest's JUnit report. A program that failed without a failed test (a crash,
a leak, a time-out) or printed no count is one failure more."""
import re
import sys
import xml.etree.ElementTree as xml


def count(program):
    text = program.findtext("system-out") or ""
    passed = sum(map(int, re.findall(r"\[  PASSED  \] (\d+) test", text)))
    failed = sum(map(int, re.findall(r"\[  FAILED  \] (?:\w+: )?(\d+) test", text)))
    if failed == 0 and (program.get("status") != "run" or passed == 0):
        print(f"unit: {program.get('name')}: {program.get('status')}, {passed} tests counted")
        failed = 1
    return passed, failed


def main(path):
    counts = [count(program) for program in xml.parse(path).getroot().iter("testcase")]
    passed, failed = (sum(column) for column in zip(*counts)) if counts else (0, 0)
    print(f"unit: {passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
