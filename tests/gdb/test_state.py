"""`monitor state`: what a program has made of itself, enumerated in one place."""

from __future__ import annotations

import re
import sys

import pytest

from tests.gdb.conftest import LIBC, Begin, in_order


@pytest.mark.parametrize("arch", LIBC)
def test_all_of_a_process(begin: Begin, arch: str) -> None:
    """Values are those that tests/gdb/signals.c asks for, by the numbers of Linux."""
    program = begin(arch, "signals", sys.executable)
    text = program.gdb(
        "monitor count on\nbreak ready\ncontinue\nprint/x $pc\nprint of_handler\nprint of_stack\n"
        "monitor state\ncontinue\n"
    )
    pc, handler, stack = re.findall(r"\$[123] = [^\n]*?(0x\w+)", text)
    state = text.partition("\nprocess ")[2]
    first, second = re.findall(r"thread (\d+), \d+ instructions: blocked", state)
    assert int(first) == program.process.pid != int(second)
    in_order(
        state, rf"thread {first}.* blocked 0x4200, pending 0x200, alternate stack {stack} "
        r"size 0x10000 flags 0\n", rf" (pc|pswa) +{pc}\n",
        rf"thread {second}.* blocked 0x0, pending 0x0, ",
        r" 12 +handler \w+ flags \w+ mask \w+\n", r" 13 +handler 0x1 flags",
        r"mappings", rf"r-xp .*signals-{arch}\n", r"rw-p .*\[stack\]",
        r"descriptors\n +0 +/dev/null position 0 flags 0\w+\n", r" 1 +pipe:",
        r" 77 +/\S*python\S* position 5 flags",
    )  # fmt: skip
    (known,) = re.findall(r"\n +12 +handler (\w+) flags (\w+) mask (\w+)\n", state)
    # SA_RESTART and SA_ONSTACK, perhaps with what the C library adds; SIGHUP.
    assert int(known[0], 16) == int(handler, 16)
    assert int(known[1], 16) & 0x18000000 == 0x18000000
    assert int(known[2], 16) == 1
    assert "exited normally" in text
