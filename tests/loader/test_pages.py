"""Programs of a guest whose pages are larger than the host's."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from qusr.loader.errors import LoadError

from . import loading
from .elfmaker import EM_AARCH64, ET_DYN, Elf, Phdr, R, W, X

if TYPE_CHECKING:
    from qusr import _native as native
else:
    native = pytest.importorskip("qusr._native")

#: Those of a loongarch64 kernel.
LARGE = 16 << 10
TEXT, DATA = 0x400000, 0x410800


def program(path: Path, **more: object) -> str:
    """Text, and data of 0x100 bytes with 0x5000 of zeros behind them."""
    made = Elf(
        machine=EM_AARCH64,
        entry=TEXT + 0x100,
        phdrs=[
            Phdr(flags=R | X, vaddr=TEXT, filesz=0x400, memsz=0x400),
            Phdr(flags=R | W, offset=0x800, vaddr=DATA, filesz=0x100, memsz=0x5100),
        ],
        size=0xA00,
    )
    for name, value in more.items():
        setattr(made, name, value)
    path.write_bytes(made.bytes())
    path.chmod(0o755)
    return str(path)


def load(path: str, space: native.AddressSpace) -> native.Image:
    with open(path, "rb") as file:
        plan = native.read_plan(file.fileno(), os.fsencode(path), page_size=LARGE)
        elf_file = loading.elf_file(plan, file.fileno(), path)
        return loading.load(space, elf_file, stack_size=1 << 20)


def test_segments_stack_and_break_are_of_its_pages(tmp_path: Path) -> None:
    space = native.AddressSpace(64, page_size=LARGE)
    loaded = load(program(tmp_path / "x"), space)
    ranges = [(start, end) for start, end, *_ in space.regions()]
    assert all(start % LARGE == end % LARGE == 0 for start, end in ranges)
    assert (TEXT, TEXT + LARGE) in ranges
    data = DATA // LARGE * LARGE
    assert (data, data + LARGE) in ranges
    assert (data + LARGE, data + 2 * LARGE) in ranges
    assert loaded.brk == data + 2 * LARGE == space.brk(0)
    # What is behind the data in the file's page is not the file's.
    assert space.read(DATA + 0x100, data + LARGE - DATA - 0x100).count(0) == LARGE - 0x900
    assert space.brk(loaded.brk + 1) == loaded.brk + 1
    space.write(loaded.brk + LARGE - 1, b"x")

    built = native.build_stack(
        loaded.stack_top, [b"x"], [], b"x", bits=64, big_endian=False, platform=b"",
        random=bytes(16), page_size=LARGE,
    )  # fmt: skip
    assert (loading.AT_PAGESZ, LARGE) in built.auxv
    assert struct.pack("<QQ", loading.AT_PAGESZ, LARGE) in built.data


def test_a_file_that_fits_smaller_pages_only_is_refused(tmp_path: Path) -> None:
    phdrs = [
        Phdr(flags=R | X, vaddr=TEXT, filesz=0x400, memsz=0x400),
        Phdr(flags=R | W, offset=0x1800, vaddr=TEXT + 0x2800, filesz=0x100, memsz=0x100),
    ]
    path = program(tmp_path / "x", phdrs=phdrs, size=0x1A00)
    with open(path, "rb") as file, pytest.raises(LoadError, match="offset that does not fit"):
        native.read_plan(file.fileno(), os.fsencode(path), page_size=LARGE)


def test_a_program_without_an_address_of_its_own(tmp_path: Path) -> None:
    phdrs = [Phdr(flags=R | X, vaddr=0, filesz=0x400, memsz=0x400)]
    path = program(tmp_path / "x", type=ET_DYN, entry=0x100, phdrs=phdrs, size=0x400)
    space = native.AddressSpace(64, page_size=LARGE)
    assert load(path, space).bias % LARGE == 0
