"""clone(2): which flags make a child, what it shares, and what it must not inherit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from testbins import build
from tests.emulators import Emulator

PARTS = 9
"""Of a thousand rows; each part has some of every kind."""


@pytest.mark.parametrize("arch", ["aarch64", "arm"])
@pytest.mark.parametrize(
    "part",
    [pytest.param(part, marks=pytest.mark.slow if part else []) for part in range(PARTS)],
)
def test_clones_are_the_hosts(
    arch: str,
    part: int,
    qusr: Callable[[str], Emulator],
    native: Emulator,
    testbin: Callable[..., Path],
) -> None:
    """The table that the program prints is that of its native build."""
    words = (str(part), str(PARTS))
    own = native(testbin("c/process/clone_table", build.NATIVE), *words).check(0)
    guest = qusr(arch)(testbin("c/process/clone_table", arch), *words, timeout=300).check(0)
    wanted, found = own.out.splitlines(), guest.out.splitlines()
    assert len(wanted) > 100
    assert found == wanted


def test_a_vforks_parent_waits_for_a_child_that_needs_python(
    qusr: Callable[[str], Emulator], testbin: Callable[..., Path]
) -> None:
    """Python's start takes longer where it says what for."""
    program = testbin("c/process/clone_table", "arm")
    for _ in range(5):
        # CLONE_VM, CLONE_VFORK and CLONE_CHILD_CLEARTID: the child sleeps before it ends.
        ran = qusr("arm")(program, "405", "999", options=["-d", "python"]).check(0)
        assert ran.out.startswith("clone VM VFORK CHILD_CLEARTID signal 17: made waited-for ")


def test_no_lock_of_malloc_is_inherited(
    qusr: Callable[[str], Emulator], testbin: Callable[..., Path], tmp_path: Path
) -> None:
    """With one arena all threads of the emulator have the same lock: a child that fork(2) does not
    make would find it held."""
    emulator = qusr("aarch64")
    one_arena = {**emulator.environment, "GLIBC_TUNABLES": "glibc.malloc.arena_max=1"}
    program = testbin("c/process/clone_beside_threads", "aarch64")
    Emulator(emulator.prefix, one_arena)(program, cwd=tmp_path, timeout=120).check(0)
