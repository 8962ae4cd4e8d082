"""READ_IMPLIES_EXEC: who starts with it. What it means is testbins/c/memory/read_implies_exec.c."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.emulators import Emulator

PT_NULL, PT_GNU_STACK = 0, 0x6474E551


def without_stack_header(program: Path, to: Path) -> Path:
    """The program as an old linker made it: nothing says whether its stack is executable."""
    data = bytearray(program.read_bytes())
    wide = data[4] == 2
    phoff = struct.unpack_from("<Q", data, 32)[0] if wide else struct.unpack_from("<I", data, 28)[0]
    entsize, count = struct.unpack_from("<HH", data, 54 if wide else 42)
    for at in range(phoff, phoff + count * entsize, entsize):
        if struct.unpack_from("<I", data, at)[0] == PT_GNU_STACK:
            struct.pack_into("<I", data, at, PT_NULL)
            break
    else:
        raise AssertionError("no PT_GNU_STACK")
    to.write_bytes(data)
    to.chmod(0o755)
    return to


@pytest.mark.parametrize(("arch", "old"), [("arm", "implied r-xp\n"), ("aarch64", "not r--p\n")])
def test_programs_without_a_stack_header(
    arch: str,
    old: str,
    qusr: Callable[[str], Emulator],
    testbin: Callable[..., Path],
    tmp_path: Path,
) -> None:
    """The tables in arch/arm/kernel/elf.c and arch/arm64/include/asm/elf.h."""
    program = testbin("c/memory/read_implies_exec", arch)
    assert qusr(arch)(program, "show").check().out == "not r--p\n"
    changed = without_stack_header(program, tmp_path / "old")
    assert qusr(arch)(changed, "show").check().out == old


def test_execve(
    qusr: Callable[[str], Emulator], testbin: Callable[..., Path], tmp_path: Path
) -> None:
    """A 32-bit program keeps it for the next, a 64-bit one is started without it."""
    programs = {arch: testbin("c/memory/read_implies_exec", arch) for arch in ("arm", "aarch64")}
    old = without_stack_header(programs["arm"], tmp_path / "old")
    run = qusr("arm")(old, "exec", programs["arm"], "exec", programs["aarch64"], "show").check()
    assert run.out == "implied r-xp\nimplied r-xp\nnot r--p\n"
