"""Programs of a guest whose pages are larger than the host's."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from qusr.loader import auxv
from qusr.loader.errors import LoadError
from qusr.loader.program import Prepared, prepare
from qusr.loader.sysroot import Sysroot

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


def prepared(path: str, monkeypatch: pytest.MonkeyPatch) -> Prepared:
    found = prepare(path, [os.fsencode(path)], Sysroot(None))
    assert found.plan is not None
    monkeypatch.setattr(type(found.plan.rules), "page_size", LARGE)
    return found


def test_segments_stack_and_break_are_of_its_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = prepared(program(tmp_path / "x"), monkeypatch)
    space = native.AddressSpace(64, page_size=LARGE)
    loaded = found.install(space, stack_size=1 << 20)
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

    built = found.build_stack(loaded, [], hwcap=0, hwcap2=None, platform=b"")
    assert struct.pack("<QQ", auxv.AT_PAGESZ, LARGE) in built.data


def test_a_file_that_fits_smaller_pages_only_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phdrs = [
        Phdr(flags=R | X, vaddr=TEXT, filesz=0x400, memsz=0x400),
        Phdr(flags=R | W, offset=0x1800, vaddr=TEXT + 0x2800, filesz=0x100, memsz=0x100),
    ]
    path = program(tmp_path / "x", phdrs=phdrs, size=0x1A00)
    found = prepared(path, monkeypatch)
    assert found.plan is not None
    with pytest.raises(LoadError, match="offset that does not fit"):
        found.plan.check(path, 0x1A00)


def test_a_program_without_an_address_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phdrs = [Phdr(flags=R | X, vaddr=0, filesz=0x400, memsz=0x400)]
    path = program(tmp_path / "x", type=ET_DYN, entry=0x100, phdrs=phdrs, size=0x400)
    found = prepared(path, monkeypatch)
    space = native.AddressSpace(64, page_size=LARGE)
    assert found.install(space, stack_size=1 << 20).bias % LARGE == 0
