"""Calls that tell of the machine."""

from __future__ import annotations

import os
import signal

from qusr.arch.abi import HOST
from qusr.syscalls.context import Context, unpack
from qusr.syscalls.system import SYSINFO, UTSNAME

_MEMORY = ("totalram", "freeram", "sharedram", "bufferram", "totalswap", "freeswap",
           "totalhigh", "freehigh")  # fmt: skip


def uname(ctx: Context, address: int) -> int:
    """The host's names, with the guest's machine and the release that `-r` gave."""
    data = bytearray(UTSNAME.size(HOST))
    ctx.host_call("uname", data)
    values = unpack(UTSNAME, bytes(data))
    values["machine"] = ctx.process.arch.uname_of(ctx.process.cpu_model).encode()
    if ctx.process.uname_release is not None:
        values["release"] = ctx.process.uname_release.encode()
    ctx.write_struct(UTSNAME, address, values)
    return 0


def sysinfo(ctx: Context, address: int) -> int:
    """Sizes that do not fit a word are given in larger units (kernel/sys.c,
    compat_sys_sysinfo).
    """
    data = bytearray(SYSINFO.size(HOST))
    ctx.host_call("sysinfo", data)
    values = unpack(SYSINFO, bytes(data))
    unit = values["mem_unit"]
    largest = max(values["totalram"], values["totalswap"])
    shift = 0
    if largest * unit >> 32:
        page = os.sysconf("SC_PAGESIZE")
        while unit << shift < page:
            shift += 1
        values["mem_unit"] = unit << shift
        for name in _MEMORY:
            values[name] >>= shift
    ctx.write_struct(SYSINFO, address, values)
    return 0


def arm_breakpoint(ctx: Context, r0: int) -> int:
    """The breakpoint of old ARM debuggers: SIGTRAP (arch/arm/kernel/traps.c)."""
    ctx.host_call("tgkill", os.getpid(), ctx.host_call("gettid"), signal.SIGTRAP)
    return r0
