"""A wrong or damaged program of each instruction set: one line that says what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from qusr import arch
from qusr.arch.base import Guest
from tests.emulators import Emulator
from tests.loader.elfmaker import PT_INTERP, PT_LOAD, Elf, Phdr, R, X
from tests.test_bad_input import executable, one_line

GUESTS = arch.guests()
INTERPRETER = b"/lib/ld-qusr-test.so.1\0"


def program(guest: Guest, *, interpreter: bool = False) -> Elf:
    """One that the guest would load."""
    base = 0x10000
    phdrs = [Phdr(PT_LOAD, R | X, 0, base, 0x400, 0x400)]
    contents = {}
    if interpreter:
        phdrs.append(Phdr(PT_INTERP, R, 0x200, base + 0x200, len(INTERPRETER), len(INTERPRETER)))
        contents[0x200] = INTERPRETER
    return Elf(
        guest.machine, guest.bits, guest.big_endian,
        entry=base + 0x300, flags=flags(guest), phdrs=phdrs, contents=contents, size=0x400,
    )  # fmt: skip


def flags(guest: Guest) -> int:
    """e_flags as compilers write them: of Arm's EABI 5, of MIPS' ABI, of others none."""
    o32, release2 = 0x1000, 0x7000_0000
    if guest.machine == 40:
        return 0x0500_0000 | (0x0080_0000 if guest.big_endian else 0)
    if guest.machine == 8:
        return release2 | guest.flags[1] | (0 if guest.flags[1] or guest.bits == 64 else o32)
    return guest.flags[1]


@pytest.fixture(params=GUESTS, ids=lambda guest: guest.name)
def guest(request: pytest.FixtureRequest) -> Guest:
    found: Guest = request.param
    return found


@pytest.fixture
def run(guest: Guest, qusr: Callable[[str], Emulator]) -> Emulator:
    return qusr(guest.name)


def test_cut_off(guest: Guest, run: Emulator, tmp_path: Path) -> None:
    whole = program(guest).bytes()
    head = 64 if guest.bits == 64 else 52
    for size in (5, 19, head - 1, head + 8):
        line = one_line(run(executable(tmp_path / f"cut{size}", whole[:size])), 126, f"cut{size}")
        assert "unknown machine" not in line


def test_damaged_table(guest: Guest, run: Emulator, tmp_path: Path) -> None:
    elf = program(guest)
    elf.phnum = 0xFFFF
    one_line(run(executable(tmp_path / "many", elf.bytes())), 126, "program headers")


def test_other_guest(guest: Guest, run: Emulator, tmp_path: Path) -> None:
    """Each command knows the programs of every other one."""
    for other in GUESTS:
        if other is guest:
            continue
        path = executable(tmp_path / other.name, program(other).bytes())
        one_line(run(path), 126, f"qusr-{other.name}", other.title)


def test_other_byte_order(guest: Guest, run: Emulator, tmp_path: Path) -> None:
    """A byte of the identification is damaged: everything behind it is read the other way."""
    data = bytearray(program(guest).bytes())
    data[5] ^= 3
    said = "little-endian" if guest.big_endian else "big-endian"
    one_line(run(executable(tmp_path / "order", bytes(data))), 126, "damaged", f"says {said}")


def test_other_class(guest: Guest, run: Emulator, tmp_path: Path) -> None:
    """A header of the other word size is one that a guest has, or of an odd kind of this one."""
    elf = program(guest)
    elf.bits = 96 - elf.bits
    line = one_line(run(executable(tmp_path / "class", elf.bytes())), 126, "built for")
    assert "unknown machine" not in line


def test_missing_interpreter(guest: Guest, run: Emulator, tmp_path: Path) -> None:
    path = executable(tmp_path / "dynamic", program(guest, interpreter=True).bytes())
    name = INTERPRETER.rstrip(b"\0").decode()
    hint = guest.libraries.split()[0] if guest.libraries else "-L"
    one_line(run(path), 127, name, hint, "-L")
