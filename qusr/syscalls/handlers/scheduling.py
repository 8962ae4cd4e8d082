"""Scheduling calls whose form differs on the host."""

from __future__ import annotations

import errno

from qusr.syscalls.context import Context, fail, pack, unpack
from qusr.syscalls.scheduling import SCHED_ATTR

PRIO_PROCESS = 0
_PAGE = 4096
_SIZE_VER0, _SIZE = 48, 56
"""Of struct sched_attr, which big-endian guests have in another byte order."""


def nice(ctx: Context, increment: int) -> int:
    """nice(2), which x86-64 kernels do not have (kernel/sched/syscalls.c)."""
    increment = max(-40, min(40, increment))
    now = 20 - ctx.host_call("getpriority", PRIO_PROCESS, 0)
    wanted = max(-20, min(19, now + increment))
    try:
        ctx.host_call("setpriority", PRIO_PROCESS, 0, wanted)
    except OSError as error:
        if error.errno == errno.EACCES:
            raise fail(errno.EPERM) from error
        raise
    return 0


def sched_setattr(ctx: Context, pid: int, attr: int, flags: int) -> int:
    """sched_setattr(2): sched_copy_attr of kernel/sched/syscalls.c."""
    if not attr or pid < 0 or flags:
        raise fail(errno.EINVAL)
    order = ctx.abi.byte_order
    size = int.from_bytes(ctx.read(attr, 4), order) or _SIZE_VER0
    known = min(size, _SIZE)
    if not _SIZE_VER0 <= size <= _PAGE or any(ctx.read(attr, size)[known:]):
        ctx.write(attr, _SIZE.to_bytes(4, order))
        raise fail(errno.E2BIG)
    values = unpack(SCHED_ATTR, ctx.read(attr, known).ljust(_SIZE, b"\0"), ctx.abi)
    return ctx.host_call("sched_setattr", pid, pack(SCHED_ATTR, {**values, "size": known}), 0)


def sched_getattr(ctx: Context, pid: int, attr: int, size: int, flags: int) -> int:
    """sched_getattr(2)."""
    if not attr or pid < 0 or flags or not _SIZE_VER0 <= size <= _PAGE:
        raise fail(errno.EINVAL)
    known = min(size, _SIZE)
    found = bytearray(_SIZE)
    result = ctx.host_call("sched_getattr", pid, found, known, 0)
    ctx.write(attr, pack(SCHED_ATTR, unpack(SCHED_ATTR, bytes(found)), ctx.abi)[:known])
    return result
