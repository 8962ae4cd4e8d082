"""Constants that an ABI has other numbers for: errnos, flags, signals, options, commands.

The ABIs are 64-bit MIPS and Alpha, which are no guests yet: calls are made through their tables
on a thread of another guest, whose registers do as well. Expected numbers are those of
arch/mips/include/uapi/asm and arch/alpha/include/uapi/asm.
"""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import signal
import socket
import struct
import sys
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from qusr import _native, arch
from qusr.arch.abi import HOST, Abi
from qusr.arch.mips import constants_n64
from qusr.cpu import unicorn
from qusr.syscalls import common, decl, table
from qusr.syscalls import strace_values as values
from qusr.syscalls.compiler import OP_FLAGS, OP_VALUE, compile_table
from qusr.syscalls.ioctl_codes import coded, ior
from qusr.syscalls.layout import s32
from tests.abis import alpha

CALLS = (
    "openat", "fcntl", "mmap", "madvise", "kill", "socket", "setsockopt", "getsockopt", "ioctl",
    "getrlimit", "dup3", "read", "close",
)  # fmt: skip
NUMBERS = {name: number for number, name in enumerate(CALLS)}
PAGE = 0x10000


def made_abi(name: str, module: object, monkeypatch: pytest.MonkeyPatch) -> Abi:
    monkeypatch.setitem(sys.modules, f"qusr.arch.made_{name}", module)
    return Abi(name, numbers="", constants=f"made_{name}", word=8, families=("64",))


@pytest.fixture
def mips(monkeypatch: pytest.MonkeyPatch) -> Abi:
    return made_abi("mips_n64", constants_n64, monkeypatch)


class Guest(NamedTuple):
    """A thread that makes calls by a table, and its memory."""

    thread: _native.Thread
    space: _native.AddressSpace
    abi: Abi

    def call(self, name: str, *args: int) -> int:
        """The result register, signed, after a call."""
        padded = (*(arg & (1 << 64) - 1 for arg in args), *[0] * (8 - len(args)))
        assert self.thread.make_call(NUMBERS[name], padded) is None
        value = self.thread.reg(0)
        return value - (1 << 64) if value >> 63 else value

    def put(self, data: bytes) -> int:
        """Where `data` is in guest memory."""
        self.space.write(PAGE, data)
        return PAGE


def compiled(abi: Abi) -> bytes:
    calls = table.declarations(abi)
    return compile_table({name: calls[name] for name in CALLS}, NUMBERS, table.numbers(HOST), abi)


@pytest.fixture
def guest(mips: Abi) -> Guest:
    processor = arch.by_name("aarch64")
    assert processor is not None
    space = _native.AddressSpace(48)
    space.mmap(PAGE, PAGE, 3, 0x32)
    process = _native.Process(space, _native.Table(compiled(mips)), "aarch64")
    core = unicorn.arguments(processor, processor.default_model, "")
    return Guest(_native.Thread(process, *core), space, mips)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, two = socket.socketpair()
    with one, two:
        yield one, two


# --- results ---


def test_errnos_are_the_guests(guest: Guest) -> None:
    assert guest.call("close", 10_000) == -errno.EBADF  # 9 everywhere
    stream = socket.socket()
    with stream:
        level, option = 0xFFFF, 9999
        result = guest.call("getsockopt", stream.fileno(), level, option, PAGE, guest.put(b"\4"))
    assert result == -99  # ENOPROTOOPT
    path = guest.put(b"/proc/self/exe\0")
    # O_NOFOLLOW is the host's: ELOOP is 90.
    assert guest.call("openat", -100, path, 0o400000) == -90
    assert guest.call("madvise", 0x7000_0000, 4096, 4) == -errno.ENOMEM


def test_a_call_that_python_decides_gives_the_guests_errno(guest: Guest) -> None:
    guest.thread.finish_call(-errno.ENOSYS)
    assert guest.thread.reg(0) == (1 << 64) - 89
    guest.thread.finish_call(-errno.ENOENT)
    assert guest.thread.reg(0) == (1 << 64) - 2
    guest.thread.finish_call(38)
    assert guest.thread.reg(0) == 38


# --- flags ---


def test_open_takes_the_guests_flags_and_gives_them_back(guest: Guest, tmp_path: object) -> None:
    path = guest.put(os.fsencode(f"{tmp_path}/new\0"))
    # O_CREAT, O_EXCL, O_APPEND, O_NONBLOCK, O_RDWR
    fd = guest.call("openat", -100, path, 0x100 | 0x400 | 8 | 0x80 | 2, 0o600)
    assert fd >= 0
    try:
        have = fcntl.fcntl(fd, fcntl.F_GETFL)
        assert have & (os.O_APPEND | os.O_NONBLOCK | os.O_ACCMODE) == have & ~0o100000
        assert have & (os.O_APPEND | os.O_NONBLOCK | os.O_RDWR) == 0o2000 | 0o4000 | 2
        shown = guest.call("fcntl", fd, 3, 0)  # F_GETFL
        assert shown & ~0x2000 == 8 | 0x80 | 2  # but for O_LARGEFILE
        assert guest.call("fcntl", fd, 4, 0x10) == 0  # F_SETFL: O_DSYNC cannot be changed
        assert fcntl.fcntl(fd, fcntl.F_GETFL) & (os.O_APPEND | os.O_NONBLOCK) == 0
        assert guest.call("openat", -100, path, 0x500, 0o600) == -errno.EEXIST
    finally:
        os.close(fd)


def test_flags_made_of_others(guest: Guest, tmp_path: object) -> None:
    """O_SYNC has O_DSYNC in it, on both sides."""
    path = guest.put(os.fsencode(f"{tmp_path}/new\0"))
    for flags, expected in ((0x4010, os.O_SYNC), (0x10, os.O_DSYNC), (0, 0)):
        fd = guest.call("openat", -100, path, 0x102 | flags, 0o600)
        assert fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_SYNC == expected
        assert guest.call("fcntl", fd, 3, 0) & 0x4010 == flags
        os.close(fd)


def test_mmap_is_a_builtin_with_flags(guest: Guest) -> None:
    where = guest.call("mmap", 0, 4096, 3, 0x802, -1, 0)  # MAP_ANONYMOUS | MAP_PRIVATE
    assert where > 0
    guest.space.write(where, b"x")
    # The host's MAP_ANONYMOUS means something else here (MAP_RENAME): a file is asked for.
    assert guest.call("mmap", 0, 4096, 3, 0x22, -1, 0) == -errno.EBADF


def test_numbers_of_the_host_alone_mean_nothing(guest: Guest) -> None:
    """SIGCHLD is 18; 17 is SIGUSR2, and the number of SIGSTKFLT is SIGUSR1."""
    got: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: got.append(number))
        for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD)
    }
    try:
        for number in (16, 17, 18):
            assert guest.call("kill", os.getpid(), number) == 0
            signal.sigtimedwait([], 0)  # let Python run its handlers
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert got == [signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD]
    assert guest.call("kill", os.getpid(), 0) == 0
    assert guest.call("kill", os.getpid(), 200) == -errno.EINVAL


# --- commands and options ---


def test_socket_options(guest: Guest, pair: tuple[socket.socket, socket.socket]) -> None:
    fd = pair[0].fileno()
    on = guest.put(b"\1\0\0\0")
    assert guest.call("setsockopt", fd, 0xFFFF, 8, on, 4) == 0  # SO_KEEPALIVE
    assert pair[0].getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    length = guest.put(b"\4\0\0\0")
    assert guest.call("getsockopt", fd, 0xFFFF, 0x1008, PAGE + 64, length) == 0  # SO_TYPE
    assert guest.space.read(PAGE + 64, 4) == struct.pack("<i", socket.SOCK_STREAM)
    # The host's level and numbers are nobody's here.
    assert guest.call("setsockopt", fd, 1, 9, on, 4) < 0
    assert guest.call("getsockopt", fd, 0xFFFF, 3, PAGE + 64, length) == -99


def test_ioctl_commands(guest: Guest, pair: tuple[socket.socket, socket.socket]) -> None:
    pair[1].send(b"12345")
    fd = pair[0].fileno()
    assert guest.call("ioctl", fd, 0x467F, PAGE) == 0  # FIONREAD
    assert guest.space.read(PAGE, 4) == struct.pack("<i", 5)
    assert guest.call("ioctl", fd, 0x667E, guest.put(b"\1\0\0\0")) == 0  # FIONBIO
    assert not os.get_blocking(fd)


def test_fcntl_commands(guest: Guest, pair: tuple[socket.socket, socket.socket]) -> None:
    fd = pair[0].fileno()
    assert guest.call("fcntl", fd, 24, os.getpid()) == 0  # F_SETOWN
    assert fcntl.fcntl(fd, fcntl.F_GETOWN) == os.getpid()
    assert guest.call("fcntl", fd, 23, 0) == os.getpid()  # F_GETOWN
    assert guest.call("fcntl", fd, 9, 0) == -errno.EINVAL  # the host's


def test_limits(guest: Guest) -> None:
    assert guest.call("getrlimit", 5, PAGE) == 0  # RLIMIT_NOFILE
    expected = struct.pack("<2Q", *resource.getrlimit(resource.RLIMIT_NOFILE))
    assert guest.space.read(PAGE, 16) == expected


def test_ioc_fields(mips: Abi) -> None:
    """_IOR('T', 0x30, unsigned int) and _IO('T', 0x37): TIOCGPTN and TIOCGPTPEER's kin."""
    assert ior("T", 0x30, s32)(HOST) == 0x80045430
    assert ior("T", 0x30, s32)(mips) == 0x40045430
    assert coded(0x40045431, mips) == 0x80045431  # _IOW
    assert coded(0x5441, mips) == 0x20005441  # _IO
    assert coded(0xC0185879, mips) == 0xC0185879  # _IOWR: 6 << 29


# --- the table, and who prints ---


def test_alpha_has_a_number_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    abi = made_abi("alpha", alpha, monkeypatch)
    assert _native.Table(compiled(abi))
    flags = common.OPEN.for_abi(abi)
    assert (flags["O_CREAT"], flags["O_DIRECTORY"], flags["O_CLOEXEC"]) == (
        0o1000,
        0o100000,
        0x200000,
    )
    assert abi.differing("errno")["EAGAIN"] == 35
    assert abi.differing("mmap")["MAP_FIXED"] == 0x100


def test_guests_that_agree_pay_nothing() -> None:
    """No operation more in their tables than before there were such ABIs."""
    for known in arch.guests():
        for abi in known.abis.values():
            if abi.constants:
                continue
            data = table.compile_for(abi)
            assert _native.Table(data)
            # Behind the head and the flag maps, of four numbers each: no others, none of errnos.
            none = struct.pack("<H2HBHIHI", 0, 0, 0xFFFF, 0, 0, 0, 0, 0)
            empty = compile_table({}, {}, {}, abi)
            assert empty.endswith(none)
            (count,) = struct.unpack_from("<H", data, at := len(empty) - len(none))
            at += 2
            for _ in range(count):
                at += 2 + 32 * int(struct.unpack_from("<H", data, at)[0])
            assert data[at : at + 5] == struct.pack("<2HB", 0, 0xFFFF, 0)


def test_a_damaged_map_is_refused(mips: Abi) -> None:
    data = compiled(mips)
    assert bytes([OP_VALUE]) in data and bytes([OP_FLAGS]) in data
    for cut in range(0, len(data), 7):
        with pytest.raises(ValueError, match="thunk"):
            _native.Table(data[:cut])


def test_strace_prints_the_guests_names(mips: Abi) -> None:
    assert values.error(125, mips) == "-1 EADDRINUSE (Address already in use)"
    assert values.error(2, mips) == "-1 ENOENT (No such file or directory)"
    assert values.signal_name(18, mips) == "SIGCHLD"
    assert values.signal_name(17, mips) == "SIGUSR2"
    assert values.signal_name(17, HOST) == "SIGCHLD"
    assert values.flags(common.OPEN, 0x101 | 0x80, mips) == "O_WRONLY|O_CREAT|O_NONBLOCK"
    names = decl.numbered({1: "SOL_SOCKET", 6: "SOL_TCP"}, "socket", mips)
    assert names == {0xFFFF: "SOL_SOCKET", 6: "SOL_TCP"}
