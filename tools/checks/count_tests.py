#!/usr/bin/env python3
"""Prints "passed failed": the tests that a step's log tells of.

Counts plain `N passed, N failed` lines, GoogleTest's closing lines and Vitest's summary.
"""
import re
import sys

passed = failed = 0
for line in open(sys.argv[1], encoding="utf-8", errors="replace"):
    line = re.sub(r"\x1b\[[0-9;]*m", "", line).strip()
    line = re.sub(r"^\d+: ", "", line)  # ctest -V prefixes the test's number
    if match := re.match(r"^(\w+: )?(\d+) passed, (\d+) failed\b", line):
        passed += int(match[2])
        failed += int(match[3])
    elif match := re.match(r"^\[  PASSED  \] (\d+) tests?\.$", line):
        passed += int(match[1])
    elif match := re.match(r"^\[  FAILED  \] (\d+) tests?, listed below:$", line):
        failed += int(match[1])
    elif match := re.match(r"^Tests\s+(?:(\d+) failed \| )?(?:(\d+) passed)?", line):
        failed += int(match[1] or 0)
        passed += int(match[2] or 0)
print(passed, failed)
