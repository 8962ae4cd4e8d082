"""/proc/self/mem: the guest's memory at the guest's addresses.

The kernel's file would show the emulator. In its place is an empty memfd, so that the
kernel still keeps position, access mode and duplicates; `_native` hands reads and writes
of such a file over to :func:`access`. Vectored ones are not seen: they find it empty.
"""

from __future__ import annotations

import errno
import os

from qusr.syscalls.context import Context, fail
from qusr.syscalls.handlers.descriptors import reopen, replace

_PAGE = 4096
_MOST = 1 << 20


def stand_in(ctx: Context, fd: int) -> None:
    """Replaces an opened /proc/self/mem."""
    try:
        store = os.memfd_create("mem", os.MFD_CLOEXEC)
    except OSError:
        os.close(fd)
        raise
    try:
        replace(fd, reopen(fd, b"/proc/self/fd/%d" % store))
        status = os.fstat(store)
        ctx.process.add_memory_file(status.st_dev, status.st_ino)
    finally:
        os.close(store)


def access(ctx: Context, name: str | None, args: list[int]) -> int:
    """read, write, pread64 or pwrite64 with these raw registers (mem_rw of fs/proc/base.c)."""
    fd, buffer, size = args[0] & 0x7FFFFFFF, args[1], min(args[2], _MOST)
    positioned = name in ("pread64", "pwrite64")
    if not positioned:
        position = ctx.host_call("lseek", fd, 0, os.SEEK_CUR)
    elif ctx.abi.word == 8:
        position = args[3]
    else:
        high, low = args[4:6] if ctx.abi.big_endian else (args[5], args[4])
        position = (high & 0xFFFFFFFF) << 32 | low & 0xFFFFFFFF
    # The kernel checks the mode: an empty access to the stand-in fails as the real one would.
    ctx.host_call("write" if name in ("write", "pwrite64") else "read", fd, b"", 0)
    move = _poke if name in ("write", "pwrite64") else _peek
    done = move(ctx, position, buffer, size)
    if done == 0 and size:
        raise fail(errno.EIO)
    if not positioned:
        ctx.host_call("lseek", fd, done, os.SEEK_CUR)
    return done


def _pieces(position: int, size: int) -> list[tuple[int, int]]:
    """(address, size) of the parts of a range, cut at page boundaries."""
    pieces = []
    end = position + size
    while position < end:
        cut = min(end, (position | _PAGE - 1) + 1)
        pieces.append((position, cut - position))
        position = cut
    return pieces


def _peek(ctx: Context, position: int, buffer: int, size: int) -> int:
    done = 0
    for address, part in _pieces(position, size):
        try:
            data = ctx.process.memory.peek(address, part)
        except (OSError, OverflowError):
            break
        ctx.write(buffer + done, data)
        done += part
    return done


def _poke(ctx: Context, position: int, buffer: int, size: int) -> int:
    done = 0
    for address, part in _pieces(position, size):
        data = ctx.read(buffer + done, part)
        try:
            ctx.process.memory.poke(address, data)
        except (OSError, OverflowError):
            break
        done += part
    return done
