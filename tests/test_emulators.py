"""The harness: a program that hangs is ended with all that it started."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from tests.emulators import NATIVE, TooLongError

LEAVES_CHILDREN = """
import os, sys, time

def child(prepare):
    if os.fork() == 0:
        prepare()
        with open(f"{os.getpid()}", "w"):
            time.sleep(600)

child(lambda: None)
child(lambda: os.setpgid(0, 0))
child(os.setsid)
"""


def _is_alive(pid: int) -> bool:
    """Whether it runs; nobody may have waited for what was killed."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(") ")[2].split()[0] not in ("Z", "X")


def test_children_that_keep_the_output_open(tmp_path: Path) -> None:
    """The program has ended, but its output has not: its children go, wherever they are."""
    with pytest.raises(TooLongError, match="not done after 2 s"):
        NATIVE(sys.executable, "-c", LEAVES_CHILDREN, cwd=tmp_path, timeout=2)
    children = [int(file.name) for file in tmp_path.iterdir()]
    assert len(children) == 3
    for _ in range(500):  # dying closes files before it is over
        if not any(map(_is_alive, children)):
            return
        time.sleep(0.01)
    pytest.fail("a child is still there")
