"""The guest address space through its Python binding (the Rust tests have the details)."""

import errno
import mmap
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qusr._native import AddressSpace

PAGE = 4096
RW = mmap.PROT_READ | mmap.PROT_WRITE
ANON = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
MAP_FIXED = 0x10
MAP_FIXED_NOREPLACE = 0x100000
MREMAP_MAYMOVE = 1
GIGABYTE = 1 << 30


@pytest.fixture
def space() -> AddressSpace:
    return AddressSpace(64, reserved_va=GIGABYTE)


def fails(call: Callable[..., Any], *args: object) -> int | None:
    """The errno with which a call fails."""
    with pytest.raises(OSError) as raised:
        call(*args)
    return raised.value.errno


def test_sizes() -> None:
    assert AddressSpace(32).limit == 1 << 32
    large = AddressSpace(64)
    assert large.limit > 1 << 32
    assert large.limit & (large.limit - 1) == 0
    assert large.limit >= 1 << 47
    assert large.map_window == 1 << 42
    assert large.base % GIGABYTE == 0


def test_several_spaces_are_whole() -> None:
    """A guest does not take another one's room: each has all addresses, and large reservations."""
    spaces = [AddressSpace(64) for _ in range(8)]
    noreserve, noreplace = 0x4000, 0x100000
    for number, space in enumerate(spaces):
        assert space.limit >= 1 << 47
        assert space.map_window == 1 << 42
        at = space.mmap(1 << 41, 1 << 40, RW, ANON | noreserve | noreplace)
        space.write(at, bytes([number]))
        high = space.mmap(0x5000_0000_0000, PAGE, RW, ANON | noreplace)
        space.write(high, bytes([100 + number]))
    rooms = [space.mmap(0, 1 << 44, 0, ANON) for space in spaces[:3]]
    for space, room in zip(spaces, rooms, strict=False):
        space.munmap(room, 1 << 44)
    for number, space in enumerate(spaces):
        assert space.read(1 << 41, 1) == bytes([number])
        assert space.read(0x5000_0000_0000, 1) == bytes([100 + number])
    # What one has, or gave back, does not count for another.
    del spaces[1:], space
    room = spaces[0].mmap(0, 1 << 46, 0, ANON)
    spaces[0].munmap(room, 1 << 46)


def test_what_the_host_has_cannot_be_had() -> None:
    space = AddressSpace(64)
    own = id(space)
    if not space.base < own < space.base + space.limit:
        pytest.skip("this Python's heap is below the window")
    at = own - space.base & ~(PAGE - 1)
    assert fails(space.mmap, at, PAGE, RW, ANON | 0x10) == errno.ENOMEM
    assert fails(space.mmap, at, PAGE, RW, ANON | 0x100000) == errno.EEXIST
    assert space.mmap(at, PAGE, RW, ANON) != at
    assert fails(space.read, at, 1) == errno.EFAULT
    assert space.host_pointer(at) == space.host_pointer((1 << 63) - 1)


def test_a_base_that_is_taken_is_an_error(space: AddressSpace) -> None:
    with pytest.raises(FileExistsError):
        AddressSpace(64, guest_base=space.base, reserved_va=GIGABYTE)
    assert fails(lambda: AddressSpace(64, guest_base=1, reserved_va=GIGABYTE)) == errno.EINVAL


def test_read_what_was_written(space: AddressSpace) -> None:
    at = space.mmap(0, 2 * PAGE, RW, ANON)
    assert space.read(at, 2 * PAGE) == bytes(2 * PAGE)
    space.write(at + PAGE - 3, b"hello\0")
    assert space.read(at + PAGE - 3, 5) == b"hello"
    assert space.read_cstr(at + PAGE - 3) == b"hello"
    assert fails(space.read_cstr, at + PAGE - 3, 5) == errno.ENAMETOOLONG
    space.fill_zero(at, PAGE)
    assert space.read(at + PAGE - 3, 5) == b"\0\0\0lo"
    assert space.read(at, 0) == b""


def test_bad_addresses_are_efault(space: AddressSpace) -> None:
    at = space.mmap(0, PAGE, mmap.PROT_READ, ANON)
    assert fails(space.write, at, b"x") == errno.EFAULT
    assert fails(space.read, at + PAGE - 4, 8) == errno.EFAULT
    assert fails(space.read, space.limit, 1) == errno.EFAULT
    assert fails(space.read, 2**64 - 1, 2**40) == errno.EFAULT
    assert fails(space.read_cstr, 0) == errno.EFAULT
    space.poke(at, b"debugger")
    assert space.read(at, 8) == space.peek(at, 8) == b"debugger"
    assert fails(space.poke, at + PAGE, b"x") == errno.EFAULT


def test_errors_have_the_guests_errno(space: AddressSpace) -> None:
    at = space.mmap(0, PAGE, RW, ANON)
    assert fails(space.mmap, 0, 0, RW, ANON) == errno.EINVAL
    assert fails(space.mmap, at, PAGE, RW, ANON | MAP_FIXED_NOREPLACE) == errno.EEXIST
    assert fails(space.mmap, 0, PAGE, RW, mmap.MAP_PRIVATE, 9999) == errno.EBADF
    assert fails(space.mprotect, at, 2 * PAGE, 0) == errno.ENOMEM
    assert fails(space.munmap, at + 1, PAGE) == errno.EINVAL
    assert fails(space.mremap, at, PAGE, 0, 0) == errno.EINVAL
    assert fails(space.shmdt, at) == errno.EINVAL


def test_a_mapped_file(space: AddressSpace, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"a" * PAGE + b"b" * PAGE)
    with path.open("r+b") as file:
        at = space.mmap(0, PAGE, RW, mmap.MAP_SHARED, file.fileno(), PAGE)
    assert space.read(at, 2) == b"bb"
    space.write(at, b"X")
    space.msync(at, PAGE, 4)
    assert path.read_bytes()[PAGE : PAGE + 2] == b"Xb"
    (region,) = space.regions()
    assert region[:3] == (at, at + PAGE, RW)
    assert region[4:] == ("file", os.fsencode(path), PAGE)
    os.truncate(path, 0)
    assert fails(space.read, at, 1) == errno.EFAULT


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGBUS])
@pytest.mark.parametrize("how", ["os.kill(os.getpid(), {0})", "ctypes.memset({1}, 0, 1)"])
@pytest.mark.parametrize("before", ["", "faulthandler.enable()", "signal.signal({0}, 1)"])
def test_host_signals_that_are_not_ours(number: int, how: str, before: str) -> None:
    """They do what they would do without us; the other handler's output shows it was called."""
    fault = "space.base + space.mmap(0, 4096, 3, 1, file.fileno())"
    if number == signal.SIGSEGV:
        fault = "space.base"
    before = before.replace("{0}, 1", "{0}, signal.SIG_IGN").format(int(number))
    lines = [
        "import ctypes, faulthandler, os, resource, signal, tempfile",
        "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))",
        before,
        "from qusr._native import AddressSpace",
        "space = AddressSpace(64, reserved_va=1 << 30)",
        "file = tempfile.TemporaryFile()",
        how.format(int(number), fault),
    ]
    command = [sys.executable, "-c", "\n".join(lines)]
    result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    ignored = "SIG_IGN" in before and "kill" in how
    assert result.returncode == (0 if ignored else -number), result.stderr
    assert ("most recent call first" in result.stderr) == ("faulthandler" in before)


def test_break_names_and_maps(space: AddressSpace, tmp_path: Path) -> None:
    space.set_brk(0x20000)
    assert space.brk(0x21001) == 0x21001
    assert space.brk_range() == (0x20000, 0x21001)
    at = space.mmap(0x50000, 2 * PAGE, RW, ANON | MAP_FIXED)
    space.set_name(at, PAGE, "[stack]")
    space.set_anon_name(at + PAGE, PAGE, b"arena 1")
    path = tmp_path / "lib.so"
    path.write_bytes(bytes(PAGE))
    with path.open("rb") as file:
        space.mmap(0x60000, PAGE, mmap.PROT_READ, mmap.MAP_PRIVATE | MAP_FIXED, file.fileno())
    expected = [
        r"00020000-00022000 rw-p 00000000 00:00 0 {34}\[heap\]",
        r"00050000-00051000 rw-p 00000000 00:00 0 {34}\[stack\]",
        r"00051000-00052000 rw-p 00000000 00:00 0 {34}\[anon:arena 1\]",
        r"00060000-00061000 r--p 00000000 [0-9a-f:]+ \d+ +/lib\.so",
    ]
    lines = space.maps_text(os.fsencode(tmp_path)).decode().splitlines()
    assert len(lines) == len(expected)
    for line, pattern in zip(lines, expected, strict=True):
        assert re.fullmatch(pattern, line), line
        assert re.search(r"\[|/", line).start() == 73  # type: ignore[union-attr]
    space.write(0x20000, b"x")
    smaps = space.smaps_text().decode()
    heap = smaps[: smaps.index("[stack]")]
    assert re.search(r"^Size: +8 kB$", heap, re.M)
    assert re.search(r"^Rss: +4 kB$", heap, re.M)


def test_moving_and_growing(space: AddressSpace) -> None:
    at = space.mmap(0x50000, PAGE, RW, ANON | MAP_FIXED)
    space.mmap(0x51000, PAGE, 0, ANON | MAP_FIXED)
    space.write(at, b"data")
    assert fails(space.mremap, at, PAGE, 2 * PAGE, 0) == errno.ENOMEM
    moved = space.mremap(at, PAGE, 2 * PAGE, MREMAP_MAYMOVE)
    assert moved != at
    assert space.read(moved, 4) == b"data"
    assert space.prot_at(at) is None
    assert space.prot_at(moved + PAGE) == RW
    space.clear()
    assert space.regions() == []


def test_pages_in_memory(space: AddressSpace) -> None:
    at = space.mmap(0, 3 * PAGE, RW, ANON)
    space.write(at + PAGE, b"x")
    assert space.mincore(at, 3 * PAGE) == b"\0\1\0"
    space.mlock2(at, 1)
    assert space.mincore(at, 3 * PAGE) == b"\1\1\0"
    space.munlock(at, 1)
    space.madvise(at, 3 * PAGE, mmap.MADV_DONTNEED)
    assert space.mincore(at, 3 * PAGE) == bytes(3)
    assert space.read(at + PAGE, 1) == b"\0"
