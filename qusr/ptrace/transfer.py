"""process_vm_readv and process_vm_writev in a process that traces others: a tracee's guest
memory may lie at another host address than ours.
"""

from __future__ import annotations

import errno
import os

from qusr import _native
from qusr.ptrace.waiting import tracer_of
from qusr.syscalls.context import Context, fail

_UIO_MAXIOV = 1024
_MOST = 0x7FFFF000
_PIECE = 1 << 16


def move(ctx: Context, write: bool, args: list[int]) -> int:
    """One of the two calls, with its raw registers."""
    pid, flags = args[0] & 0x7FFFFFFF, args[5]
    if flags:
        raise fail(errno.EINVAL)
    local = _vectors(ctx, args[1], args[2])
    remote = _vectors(ctx, args[3], args[4])
    room = sum(size for _, size in local)
    if room > _MOST:
        raise fail(errno.EINVAL)
    transfer = _Transfer(ctx, pid, local)
    for start, wanted in remote:
        end = start + min(wanted, room - transfer.done)
        for address in range(start, end, _PIECE):
            part = min(_PIECE, end - address)
            if transfer.piece(write, address, part) < part:
                # The kernel tells of what it could do before a fault.
                if transfer.done == 0:
                    raise fail(errno.EFAULT)
                return transfer.done
    return transfer.done


class _Transfer:
    """Moves between our vectors, from byte `done` of them on, and the memory of a process."""

    def __init__(self, ctx: Context, pid: int, local: list[tuple[int, int]]) -> None:
        self.ctx = ctx
        self.pid = pid
        self.local = local
        self.done = 0
        self.base, self.limit = _memory_of(ctx, pid)

    def piece(self, write: bool, address: int, size: int) -> int:
        """Moves as much as can be of the next bytes."""
        size = min(size, max(0, self.limit - address))
        if size == 0:
            return 0
        try:
            count = self._write(address, size) if write else self._read(address, size)
        except OSError as error:
            if error.errno != errno.EFAULT:
                raise
            count = 0
        self.done += count
        return count

    def _write(self, address: int, size: int) -> int:
        parts = _slice(self.local, self.done, size)
        data = b"".join(self.ctx.read(where, part) for where, part in parts)
        return _native.process_write(self.pid, self.base + address, data)

    def _read(self, address: int, size: int) -> int:
        data = _native.process_read(self.pid, self.base + address, size)
        taken = 0
        for where, part in _slice(self.local, self.done, len(data)):
            self.ctx.write(where, data[taken : taken + part])
            taken += part
        return taken


def _slice(vectors: list[tuple[int, int]], at: int, size: int) -> list[tuple[int, int]]:
    """The parts of the vectors that hold bytes `at` to `at + size` of them all."""
    parts = []
    for address, length in vectors:
        if at < length and size > 0:
            part = min(length - at, size)
            parts.append((address + at, part))
            size -= part
            at = 0
        else:
            at = max(0, at - length)
    return parts


def _vectors(ctx: Context, address: int, count: int) -> list[tuple[int, int]]:
    if count > _UIO_MAXIOV:
        raise fail(errno.EINVAL)
    word = ctx.abi.word
    data = ctx.read(address, 2 * word * count)
    order = ctx.abi.byte_order
    numbers = [int.from_bytes(data[at : at + word], order) for at in range(0, len(data), word)]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _memory_of(ctx: Context, pid: int) -> tuple[int, int]:
    """Base and size of a process's guest memory: of a tracee by what it says, of others by
    assuming that it lies where ours does (as a forked child's).
    """
    tracer = tracer_of(ctx.caller)
    for tracee in tracer.tracees.values():
        if tracee.block and pid in (tracee.tid, tracee.tgid):
            header = tracee.header()
            return header.base, header.limit
    os.kill(pid, 0)
    return ctx.process.memory.base, ctx.process.memory.limit
