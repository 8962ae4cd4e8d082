"""Python's own tests, in the guest: python_suite.py RESULTS TEST...

RESULTS gets a line of JSON for each test when it ends, so that a hang or a crash loses none. What a
test prints goes where it wants to.
"""

from __future__ import annotations

import faulthandler
import json
import os
import sys
import tempfile
import time
import unittest
from typing import Any

from test import support  # type: ignore[import-not-found]

HANGS_AFTER = 300


class Lines(unittest.TestResult):
    """Writes outcomes down; the first bad one of a test and its subtests is the test's."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
        self.start = time.monotonic()
        self.bad = False

    def write(self, test: unittest.TestCase, outcome: str, text: str = "") -> None:
        row = {"test": test.id(), "outcome": outcome, "text": text[-4000:]}
        row["seconds"] = str(round(time.monotonic() - self.start, 2))
        with open(self.path, "a") as file:
            file.write(json.dumps(row) + "\n")

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self.start = time.monotonic()
        self.bad = False
        print("##", test.id(), file=sys.stderr, flush=True)
        # Where a test hangs is shown, and it is the end.
        faulthandler.dump_traceback_later(HANGS_AFTER, exit=True, file=2)

    def stopTest(self, test: unittest.TestCase) -> None:
        super().stopTest(test)
        faulthandler.cancel_dump_traceback_later()

    def _bad(self, test: unittest.TestCase, err: Any) -> None:
        if not self.bad:
            kind = getattr(test, "failureException", AssertionError)
            outcome = "fail" if issubclass(err[0], kind) else "error"
            self.write(test, outcome, self._exc_info_to_string(err, test))  # type: ignore[attr-defined]
        self.bad = True

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:
        self._bad(test, err)

    def addError(self, test: unittest.TestCase, err: Any) -> None:
        self._bad(test, err)

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:
        if err is not None:
            self._bad(test, err)

    def addSuccess(self, test: unittest.TestCase) -> None:
        if not self.bad:
            self.write(test, "ok")

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        self.write(test, "skip", reason)

    def addExpectedFailure(self, test: unittest.TestCase, err: Any) -> None:
        self.write(test, "ok")

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
        self.write(test, "fail", "unexpected success")


def main() -> None:
    """Runs the tests as `python3 -m test` does: nothing of the network, no big files."""
    results, *names = sys.argv[1:]
    support.use_resources = []
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name in names:
            try:
                suite = unittest.defaultTestLoader.loadTestsFromName(f"test.{name}")
            except unittest.SkipTest as why:
                print(name, why, file=sys.stderr)
                continue
            suite.run(Lines(results))
            support.reap_children()
        os.chdir("/")


if __name__ == "__main__":
    main()
