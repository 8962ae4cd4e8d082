"""Debian's LLDB on guests, by gdb's protocol with LLDB's own packets.

LLDB 14 knows no big-endian Arm (its table of cores has them little-endian only), and cannot unwind
RISC-V.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.emulators import ENVIRONMENT, need
from tests.gdb.conftest import LIBC, Begin, Debugged, in_order
from tests.gdb.test_gdb import END

QUIET = "process handle SIGUSR1 -s false -n false -p true"


def lldb(program: Debugged, *commands: str) -> str:
    """What LLDB prints for commands behind the connection."""
    connect = f"process connect --plugin gdb-remote unix-connect://{program.socket}"
    words: list[str | Path] = [need("lldb"), "--no-use-colors", "--no-lldbinit", "--batch"]
    for command in ("settings set target.disable-aslr false", connect, QUIET, *commands):
        words += ["-o", command]
    run = subprocess.run(
        [*words, program.program], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, check=False, timeout=120, env=ENVIRONMENT,
    )  # fmt: skip
    return run.stdout


@pytest.mark.parametrize("arch", LIBC)
def test_lldb(begin: Begin, arch: str) -> None:
    """Breakpoints, steps, frames, a watchpoint with both values, a call that LLDB compiles."""
    program = begin(arch, "events")
    text = lldb(
        program, "breakpoint set -n add", "continue", "bt", "frame variable x",
        "thread step-inst", "finish", "breakpoint delete -f", "expression add(4)",
        "watchpoint set variable counter",
        "continue", "continue", "watchpoint delete -f", "breakpoint set -n work -c 'n == 1'",
        "continue", "thread list", "breakpoint delete -f",
        "memory read -c 4 &counter", "detach",
    )  # fmt: skip
    in_order(
        text, r"stop reason = breakpoint 1\.1", r"frame #1: .*loop", r"frame #2: .*main",
        r"\(int\) x = 0", r"stop reason = instruction step", r"stop reason = step out",
        r"\(int\) \$1 = 0", r"new value: 0", r"old value: 0\s+new value: 1",
        r"stop reason = breakpoint 2\.1",
        r"argument=0x0*1\)", r"05 00 00 00", "detached",
    )  # fmt: skip
    assert program.end() == (5, END)
