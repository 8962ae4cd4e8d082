"""Resource limits.

RLIMIT_AS, RLIMIT_DATA and RLIMIT_STACK of the host process would count the
emulator's memory (its reservation alone is larger than any sensible RLIMIT_AS), so
the guest's values are kept here and the guest's address space obeys them. They
outlive execve and are inherited by fork like the process's other limits.
"""

from __future__ import annotations

import errno
import os
import struct

from qusr import _native
from qusr.syscalls.context import Context, fail

# The C library of most guests asks for RLIMIT_STACK when a program starts. So nothing is imported
# here that this does not need, such as the declarations.

INFINITY = (1 << 64) - 1
RLIMIT_DATA, RLIMIT_STACK, RLIMIT_AS = 2, 3, 9
CAP_SYS_RESOURCE = 24
_CAPABILITY_VERSION_3 = 0x20080522

Limit = tuple[int, int]

_own: dict[int, Limit] = {}


def _host_limit(ctx: Context, pid: int, which: int, new: Limit | None = None) -> Limit:
    """prlimit64 on the host."""
    old = bytearray(16)
    ctx.host_call("prlimit64", pid, which, struct.pack("<QQ", *new) if new else 0, old)
    current, maximum = struct.unpack("<QQ", old)
    return current, maximum


def current(ctx: Context, which: int) -> Limit:
    """The guest's limit `which`."""
    if which in _own:
        return _own[which]
    return _native.getrlimit(which)


def _may_raise(ctx: Context) -> bool:
    header = struct.pack("<Ii", _CAPABILITY_VERSION_3, 0)
    data = bytearray(24)
    ctx.host_call("capget", header, data)
    return bool(int.from_bytes(data[:4], "little") >> CAP_SYS_RESOURCE & 1)


def change(ctx: Context, which: int, new: Limit) -> None:
    """Sets the limit `which`, by the rules of kernel/sys.c, do_prlimit."""
    from qusr.syscalls.process import OWN_LIMITS

    if which not in OWN_LIMITS:
        _host_limit(ctx, 0, which, new)
        ctx.process.native.core_limit_changed()
        return
    soft, hard = new
    if soft > hard:
        raise fail(errno.EINVAL)
    if hard > current(ctx, which)[1] and not _may_raise(ctx):
        raise fail(errno.EPERM)
    _own[which] = new
    values = []
    for kept in (RLIMIT_AS, RLIMIT_DATA, RLIMIT_STACK):
        value = _own.get(kept, (INFINITY, INFINITY))[0]
        values.append(None if value == INFINITY else value)
    ctx.process.memory.set_rlimits(*values)


def recorded() -> dict[int, Limit]:
    """The limits that the guest set and the host does not know: those that a host
    program executed by the guest is to be given.
    """
    return dict(_own)


def _infinity(ctx: Context) -> int:
    return (1 << 8 * ctx.abi.word) - 1


def getrlimit(ctx: Context, which: int, address: int) -> int:
    """getrlimit and ugetrlimit: what does not fit a word is RLIM_INFINITY."""
    top = _infinity(ctx)
    soft, hard = (min(value, top) for value in current(ctx, which))
    from qusr.syscalls.structs import RLIMIT

    ctx.write_struct(RLIMIT, address, {"rlim_cur": soft, "rlim_max": hard})
    return 0


def setrlimit(ctx: Context, which: int, address: int) -> int:
    """setrlimit: the largest word means no limit."""
    from qusr.syscalls.structs import RLIMIT

    values = ctx.read_struct(RLIMIT, address)
    top = _infinity(ctx)
    soft, hard = (
        INFINITY if values[name] == top else values[name] for name in ("rlim_cur", "rlim_max")
    )
    change(ctx, which, (soft, hard))
    return 0


def _rlimit64(ctx: Context) -> str:
    """struct rlimit64 of every ABI: two 64-bit numbers."""
    return ">QQ" if ctx.abi.big_endian else "<QQ"


def prlimit64(ctx: Context, pid: int, which: int, new: int, old: int) -> int:
    """prlimit64 for the limits that are kept here."""
    wanted = None
    if new:
        soft, hard = struct.unpack(_rlimit64(ctx), ctx.read(new, 16))
        wanted = soft, hard
    if pid not in (0, os.getpid()):
        # Another process, an emulator or not: its limits are the host's.
        before = _host_limit(ctx, pid, which, wanted)
        ctx.process.native.core_limit_changed()  # `pid` may be one of our threads
    else:
        before = current(ctx, which)
        if wanted is not None:
            change(ctx, which, wanted)
    if old:
        ctx.write(old, struct.pack(_rlimit64(ctx), *before))
    return 0
