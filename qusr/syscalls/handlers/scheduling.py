"""Scheduling calls whose form differs on the host."""

from __future__ import annotations

import errno

from qusr.syscalls.context import Context, fail

PRIO_PROCESS = 0


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
