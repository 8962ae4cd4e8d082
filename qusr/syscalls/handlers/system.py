"""Calls that tell of the machine."""

from __future__ import annotations

import errno
import os
import struct

from qusr.syscalls.context import Context, fail

_READ_IMPLIES_EXEC = 0x400000
_SIGTRAP = 5


def personality(ctx: Context, persona: int) -> int:
    """All of it is the host's but READ_IMPLIES_EXEC, which is about the guest's memory."""
    persona &= 0xFFFFFFFF
    process = ctx.process
    before = _READ_IMPLIES_EXEC if process.read_implies_exec else 0
    if persona == 0xFFFFFFFF:
        return ctx.host_call("personality", persona) | before
    before |= ctx.host_call("personality", persona & ~_READ_IMPLIES_EXEC)
    process.set_read_implies_exec(bool(persona & _READ_IMPLIES_EXEC))
    return before


def breakpoint(ctx: Context, r0: int) -> int:
    """The breakpoint of old ARM debuggers: SIGTRAP (arch/arm/kernel/traps.c)."""
    ctx.host_call("tgkill", os.getpid(), ctx.host_call("gettid"), _SIGTRAP)
    return r0


PERF_TYPE_SOFTWARE, PERF_TYPE_TRACEPOINT = 1, 2
PERF_ATTR_SIZE_VER0 = 64


def perf_event_open(
    ctx: Context, address: int, pid: int, cpu: int, group_fd: int, flags: int
) -> int:
    """Events that the kernel counts itself; struct perf_event_attr has one layout."""
    kind, size = struct.unpack("<II", ctx.read(address, 8))
    size = size or PERF_ATTR_SIZE_VER0
    if not PERF_ATTR_SIZE_VER0 <= size <= os.sysconf("SC_PAGESIZE"):
        raise fail(errno.E2BIG)
    attr = bytearray(ctx.read(address, size))
    if kind not in (PERF_TYPE_SOFTWARE, PERF_TYPE_TRACEPOINT):
        raise fail(errno.ENOENT)
    try:
        return ctx.host_call("perf_event_open", attr, pid, cpu, group_fd, flags)
    except OSError as error:
        if error.errno == errno.E2BIG:
            # The kernel says which size it knows.
            ctx.write(address + 4, bytes(attr[4:8]))
        raise
