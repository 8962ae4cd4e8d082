"""Handlers of the file calls by themselves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from qusr import _native
from qusr.arch import abi_named
from qusr.syscalls import layout
from qusr.syscalls.compiler import MOVE_CHECKED, MOVE_ID16, conversion_program
from qusr.syscalls.context import pack, unpack
from qusr.syscalls.metadata import STAT, STAT64

AT_FDCWD = -100


def _kernel_name(path: str) -> bytes:
    fd = os.open(path, os.O_PATH | os.O_NOFOLLOW)
    try:
        return os.readlink(b"/proc/self/fd/%d" % fd)
    finally:
        os.close(fd)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/proc/self/maps", b"maps"),
        ("/proc/thread-self/stat", b"stat"),
        ("/proc/PID/task/PID/comm", b"comm"),
        ("/proc/self/exe", b"exe"),
        ("/proc/1/stat", None),
        ("/proc/cpuinfo", None),
        ("/etc/passwd", None),
        ("/proc/self/net/dev", None),
    ],
)
def test_own_files(path: str, name: bytes | None) -> None:
    path = path.replace("PID", str(os.getpid()))
    assert _native.own_proc_file(_kernel_name(path)) == name


def test_what_leads_to_our_executable(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("/proc/self/exe")
    second = tmp_path / "second"
    second.symlink_to("link")
    loop = tmp_path / "loop"
    loop.symlink_to("loop")
    for path in ("/proc/self/exe", str(link), str(second)):
        assert _native.leads_to_own_exe(AT_FDCWD, path.encode())
    for path in (os.readlink("/proc/self/exe"), "/proc/1/exe", str(loop), "/nowhere"):
        assert not _native.leads_to_own_exe(AT_FDCWD, path.encode())
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        assert _native.leads_to_own_exe(fd, b"second")
        assert not _native.leads_to_own_exe(fd, b"second", hops=1)
    finally:
        os.close(fd)


def test_a_value_may_be_there_twice() -> None:
    arm = abi_named("arm")
    values = unpack(STAT64, pack(STAT64, {"st_ino": 0x1_2345_6789}, arm), arm)
    assert values["st_ino"] == 0x1_2345_6789
    assert values["st_ino~old"] == 0x2345_6789


def test_old_stat_says_what_must_fit() -> None:
    program = conversion_program(STAT, STAT, abi_named("arm"))
    # Behind the moves is the number of tables of flags, of which there are none here.
    head, size, tail = 11, 20, 2
    flags = {
        int.from_bytes(program[at + 1 : at + 5], "little"): program[at + 17]
        for at in range(head, len(program) - tail, size)
    }
    offsets = {leaf.path: leaf.offset for leaf in layout.leaves(STAT, abi_named("arm"))}
    assert flags[offsets["st_ino"]] & MOVE_CHECKED
    assert flags[offsets["st_size"]] & MOVE_CHECKED
    assert not flags[offsets["st_blocks"]] & MOVE_CHECKED
    assert flags[offsets["st_uid"]] & MOVE_ID16
