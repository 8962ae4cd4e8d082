"""Scheduling calls whose form differs on the host."""

from __future__ import annotations

import errno

from qusr.syscalls.context import Context, fail

PRIO_PROCESS = 0


def sched_getaffinity(ctx: Context, pid: int, size: int, address: int) -> int:
    """The guest's mask is in words of its own size (kernel/sched/syscalls.c)."""
    word = ctx.abi.word
    if size % word:
        raise fail(errno.EINVAL)
    # Room for as many CPUs as any kernel has (NR_CPUS is at most 8192).
    mask = bytearray(1024)
    filled = ctx.host_call("sched_getaffinity", pid, len(mask), mask)
    data = bytes(mask[:filled])
    last = max((index for index, byte in enumerate(data) if byte), default=0)
    if size <= last:
        raise fail(errno.EINVAL)
    data = data[:size]
    if ctx.abi.big_endian:
        words = (data[at : at + word][::-1] for at in range(0, len(data), word))
        data = b"".join(words)
    ctx.write(address, data)
    return len(data)


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
