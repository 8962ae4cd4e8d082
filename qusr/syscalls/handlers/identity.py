"""Calls with 16-bit user and group ids (kernel/uid16.c)."""

from __future__ import annotations

import errno
import struct

from qusr.syscalls.context import Context, fail

OVERFLOW_ID = 65534
NGROUPS_MAX = 65536


def narrow(wide: int) -> int:
    """high2lowuid: an id that does not fit becomes the overflow id."""
    return wide if wide <= 0xFFFF else OVERFLOW_ID


def widen(short: int) -> int:
    """low2highuid: 0xffff means "none" in either size."""
    return 0xFFFFFFFF if short & 0xFFFF == 0xFFFF else short & 0xFFFF


def _order(ctx: Context) -> str:
    return ">" if ctx.abi.big_endian else "<"


def getuid16(ctx: Context) -> int:
    """The real user id."""
    return narrow(ctx.host_call("getuid"))


def geteuid16(ctx: Context) -> int:
    """The effective user id."""
    return narrow(ctx.host_call("geteuid"))


def getgid16(ctx: Context) -> int:
    """The real group id."""
    return narrow(ctx.host_call("getgid"))


def getegid16(ctx: Context) -> int:
    """The effective group id."""
    return narrow(ctx.host_call("getegid"))


def setfsuid16(ctx: Context, uid: int) -> int:
    """Sets the file-system user id and gives the one before."""
    return narrow(ctx.host_call("setfsuid", widen(uid)))


def setfsgid16(ctx: Context, gid: int) -> int:
    """Sets the file-system group id and gives the one before."""
    return narrow(ctx.host_call("setfsgid", widen(gid)))


def _triple(ctx: Context, name: str, *addresses: int) -> int:
    found = [bytearray(4) for _ in addresses]
    ctx.host_call(name, *found)
    for address, value in zip(addresses, found, strict=True):
        short = narrow(int.from_bytes(value, "little"))
        ctx.write(address, struct.pack(_order(ctx) + "H", short))
    return 0


def getresuid16(ctx: Context, ruid: int, euid: int, suid: int) -> int:
    """Real, effective and saved user id."""
    return _triple(ctx, "getresuid", ruid, euid, suid)


def getresgid16(ctx: Context, rgid: int, egid: int, sgid: int) -> int:
    """Real, effective and saved group id."""
    return _triple(ctx, "getresgid", rgid, egid, sgid)


def getgroups16(ctx: Context, size: int, address: int) -> int:
    """The supplementary groups."""
    if not 0 <= size <= 0x7FFFFFFF:
        raise fail(errno.EINVAL)
    room = min(size, NGROUPS_MAX)
    found = bytearray(4 * room)
    count = ctx.host_call("getgroups", room, found)
    if size:
        groups = struct.unpack(f"<{count}I", found[: 4 * count])
        ctx.write(address, struct.pack(f"{_order(ctx)}{count}H", *map(narrow, groups)))
    return count


def setgroups16(ctx: Context, size: int, address: int) -> int:
    """Sets the supplementary groups."""
    if not 0 <= size <= NGROUPS_MAX:
        raise fail(errno.EINVAL)
    shorts = struct.unpack(f"{_order(ctx)}{size}H", ctx.read(address, 2 * size))
    return ctx.host_call("setgroups", size, struct.pack(f"<{size}I", *map(widen, shorts)))
