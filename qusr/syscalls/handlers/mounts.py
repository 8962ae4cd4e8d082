"""statmount(2) and listmount(2) of big-endian guests: fs/namespace.c."""

from __future__ import annotations

import errno
from itertools import pairwise

from qusr.syscalls.context import Context, fail, pack, unpack
from qusr.syscalls.directories import STATMOUNT

_PAGE = 4096
_REQUEST_SIZE_VER0 = 24
_MOST = 1_000_000
"""Mounts that are listed at once."""
_HEAD = 512
"""Of struct statmount before the strings."""


def _request(ctx: Context, address: int) -> bytes:
    """struct mnt_id_req: two words of 32 bits, then such of 64, as the kernel's grows."""
    order = ctx.abi.byte_order
    size = int.from_bytes(ctx.read(address, 4), order)
    if size > _PAGE:
        raise fail(errno.E2BIG)
    if size < _REQUEST_SIZE_VER0:
        raise fail(errno.EINVAL)
    data = ctx.read(address, size)
    ends = [0, 4, *range(8, size, 8), size]
    parts = (data[start:end] for start, end in pairwise(ends))
    return b"".join(int.from_bytes(part, order).to_bytes(len(part), "little") for part in parts)


def listmount(ctx: Context, request: int, ids: int, count: int, flags: int) -> int:
    """listmount(2)."""
    if not 0 <= count <= _MOST:
        raise fail(errno.EOVERFLOW)
    found = bytearray(count * 8)
    listed = ctx.host_call("listmount", _request(ctx, request), found, count, flags)
    order = ctx.abi.byte_order
    numbers = (found[at : at + 8] for at in range(0, listed * 8, 8))
    ctx.write(ids, b"".join(int.from_bytes(n, "little").to_bytes(8, order) for n in numbers))
    return listed


def statmount(ctx: Context, request: int, buffer: int, size: int, flags: int) -> int:
    """statmount(2); EOVERFLOW: the buffer is too small for the strings."""
    found = bytearray(min(size & (1 << 64) - 1, 1 << 20))
    result = ctx.host_call("statmount", _request(ctx, request), found, len(found), flags)
    used = int.from_bytes(found[:4], "little")
    head = pack(STATMOUNT, unpack(STATMOUNT, bytes(found[:_HEAD].ljust(_HEAD, b"\0"))), ctx.abi)
    ctx.write(buffer, (head + bytes(found[_HEAD:]))[: min(used, len(found))])
    return result
