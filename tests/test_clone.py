"""clone(2): which flags make a child, what it shares, and what it must not inherit."""

from __future__ import annotations

import subprocess
import time
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


LOGGED = ("-d", "python")
"""With a log a program is executed in its parent's memory."""


@pytest.mark.parametrize(
    ("arch", "engine", "options", "kinds"),
    [
        ("aarch64", "native", (), "spawn miss exit kill nest look share"),
        ("aarch64", "native", LOGGED, "look nest share"),
        ("aarch64", "unicorn", (), "spawn exit share"),
        ("riscv64", "unicorn", (), "spawn kill look"),
    ],
)
def test_children_leave_no_memory(
    arch: str,
    engine: str,
    options: tuple[str, ...],
    kinds: str,
    qusr: Callable[[str], Emulator],
    testbin: Callable[..., Path],
    tmp_path: Path,
) -> None:
    """A child in borrowed memory has its CPU there, too: 0.6 MiB (86 KiB of it touched) that were
    left with the native core, 64 (1.1) with Unicorn.
    """
    emulator = qusr(arch)
    # What Unicorn's CPUs leave of a heap that is in pieces, under load up to 4 MiB, does not grow
    # with the number of children.
    children = 60 if engine == "unicorn" else 15
    words = ["--core", engine, *options, *(("-D", str(tmp_path / "log")) if options else ())]
    command = [*emulator.prefix, *words, str(testbin("c/process/spawns", arch))]
    for kind in kinds.split():
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(emulator.environment)
        ) as program:
            sizes = [_after(program, f"{kind} {children}") for _ in range(7)]
            assert program.stdin is not None
            program.stdin.close()
            assert program.wait(60) == 0
        # The last child may still be cleaned up behind.
        early, late = sizes[1:4], sizes[4:]
        mapped, touched = (
            min(size[which] for size in late) - min(size[which] for size in early)
            for which in range(2)
        )
        assert mapped < 3 * children * 300, kind
        assert touched < 3 * children * 40, kind


def _after(program: subprocess.Popen[bytes], wish: str) -> tuple[int, int]:
    """KiB that are mapped and touched once the program has done it.

    The least of what is seen in the moments behind: the last child's CPU goes on a thread of its
    own.
    """
    assert program.stdin is not None and program.stdout is not None
    program.stdin.write(f"{wish}\n".encode())
    program.stdin.flush()
    assert program.stdout.readline() == f"ok {wish.partition(' ')[0]}\n".encode()
    seen = []
    for _ in range(10):
        status = Path(f"/proc/{program.pid}/status").read_text()
        seen.append(
            tuple(int(status.partition(name)[2].split()[0]) for name in ("VmData:", "VmRSS:"))
        )
        time.sleep(0.02)
    return min(mapped for mapped, _ in seen), min(touched for _, touched in seen)


def test_no_lock_of_malloc_is_inherited(
    qusr: Callable[[str], Emulator], testbin: Callable[..., Path], tmp_path: Path
) -> None:
    """With one arena all threads of the emulator have the same lock: a child that fork(2) does not
    make would find it held."""
    emulator = qusr("aarch64")
    one_arena = {**emulator.environment, "GLIBC_TUNABLES": "glibc.malloc.arena_max=1"}
    program = testbin("c/process/clone_beside_threads", "aarch64")
    Emulator(emulator.prefix, one_arena)(program, cwd=tmp_path, timeout=120).check(0)
