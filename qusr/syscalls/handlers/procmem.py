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

TYPE_CHECKING = False
if TYPE_CHECKING:
    from qusr.ptrace.tracee import Tracee

_PAGE = 4096
_MOST = 1 << 20


def stand_in(ctx: Context, fd: int, tracee: int = 0) -> None:
    """Replaces an opened /proc/self/mem, or the `mem` of a tracee."""
    try:
        store = os.memfd_create("mem", os.MFD_CLOEXEC)
    except OSError:
        os.close(fd)
        raise
    try:
        replace(fd, reopen(fd, b"/proc/self/fd/%d" % store))
        status = os.fstat(store)
        ctx.process.add_memory_file(status.st_dev, status.st_ino)
        if tracee and ctx.caller.tracer is not None:
            ctx.caller.tracer.memory_files[status.st_dev, status.st_ino] = tracee
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
    done = move(ctx, _owner(ctx, fd), position, buffer, size)
    if done == 0 and size:
        raise fail(errno.EIO)
    if not positioned:
        ctx.host_call("lseek", fd, done, os.SEEK_CUR)
    return done


def _owner(ctx: Context, fd: int) -> int:
    """Which tracee's memory a stand-in is for; 0 for ours."""
    if ctx.caller.tracer is None:
        return 0
    status = os.fstat(fd)
    return ctx.caller.tracer.memory_files.get((status.st_dev, status.st_ino), 0)


def _tracee(ctx: Context, tid: int) -> Tracee:
    found = None if ctx.caller.tracer is None else ctx.caller.tracer.tracees.get(tid)
    if found is None:
        raise fail(errno.ESRCH)
    return found


def _pieces(position: int, size: int) -> list[tuple[int, int]]:
    """(address, size) of the parts of a range, cut at page boundaries."""
    pieces = []
    end = position + size
    while position < end:
        cut = min(end, (position | _PAGE - 1) + 1)
        pieces.append((position, cut - position))
        position = cut
    return pieces


def _peek(ctx: Context, owner: int, position: int, buffer: int, size: int) -> int:
    done, own = 0, ctx.process.memory
    for address, part in _pieces(position, size):
        try:
            data = _tracee(ctx, owner).peek(address, part) if owner else own.peek(address, part)
        except (OSError, OverflowError):
            break
        ctx.write(buffer + done, data)
        done += part
    return done


def _poke(ctx: Context, owner: int, position: int, buffer: int, size: int) -> int:
    done = 0
    for address, part in _pieces(position, size):
        data = ctx.read(buffer + done, part)
        try:
            if owner:
                _tracee(ctx, owner).poke(address, data)
            else:
                ctx.process.memory.poke(address, data)
        except (OSError, OverflowError):
            break
        done += part
    return done
