"""Socket options whose data is laid out differently for the guest."""

from __future__ import annotations

import errno
import struct

from qusr import _native
from qusr.arch.abi import HOST
from qusr.syscalls import layout
from qusr.syscalls.context import Context, fail, pack, unpack
from qusr.syscalls.sockets import BE_OPTIONS, BYTES, OPTIONS, SOCK_FILTER, SOCK_FPROG, SOL_SOCKET

SO_ATTACH_FILTER, SO_ATTACH_REUSEPORT_CBPF = 26, 51
MAX_SIZE = 1 << 16
"""Longer data than any option has."""


def _type_of(ctx: Context, level: int, option: int) -> layout.CType | None:
    table = BE_OPTIONS if ctx.abi.big_endian else OPTIONS
    return table.get((level, option))


def _swapped(ctx: Context, level: int, option: int, data: bytes) -> bytes:
    """A big-endian guest's data of an option without a declared type: 32-bit integers."""
    if not ctx.abi.big_endian or (level, option) in BYTES or len(data) % 4:
        return data
    return b"".join(data[at : at + 4][::-1] for at in range(0, len(data), 4))


def _program(ctx: Context, address: int, size: int) -> tuple[bytes, object]:
    """A classic BPF program for the host; the second item keeps its memory."""
    if size < SOCK_FPROG.size(ctx.abi):
        raise fail(errno.EINVAL)
    values = ctx.read_struct(SOCK_FPROG, address)
    step = SOCK_FILTER.size(ctx.abi)
    code = ctx.read(values["filter"], values["len"] * step)
    code = b"".join(
        pack(SOCK_FILTER, unpack(SOCK_FILTER, code[at : at + step], ctx.abi))
        for at in range(0, len(code), step)
    )
    memory = _native.Buffer(code or bytes(1))
    values["filter"] = memory.address
    return pack(SOCK_FPROG, values), memory


def setsockopt(ctx: Context, fd: int, level: int, option: int, address: int, size: int) -> int:
    """Options of OPTIONS and BE_OPTIONS, and integers of big-endian guests."""
    ctype = _type_of(ctx, level, option)
    if level == SOL_SOCKET and option in (SO_ATTACH_FILTER, SO_ATTACH_REUSEPORT_CBPF):
        data, memory = _program(ctx, address, size)
        result = ctx.host_call("setsockopt", fd, level, option, data, len(data))
        del memory
        return result
    if not 0 <= size <= MAX_SIZE:
        raise fail(errno.EINVAL)
    if ctype is not None and size >= ctype.size(ctx.abi):
        data = pack(ctype, ctx.read_struct(ctype, address))
    else:
        data = _swapped(ctx, level, option, ctx.read(address, size))
    return ctx.host_call("setsockopt", fd, level, option, data, len(data))


def getsockopt(ctx: Context, fd: int, level: int, option: int, address: int, sizes: int) -> int:
    """The way back; the kernel cuts the data to the guest's room."""
    order = ">" if ctx.abi.big_endian else "<"
    (room,) = struct.unpack(order + "i", ctx.read(sizes, 4))
    if room < 0:
        raise fail(errno.EINVAL)
    ctype = _type_of(ctx, level, option)
    size = min(room, MAX_SIZE) if ctype is None else ctype.size(HOST)
    data, filled = bytearray(size), bytearray(struct.pack("<i", size))
    result = ctx.host_call("getsockopt", fd, level, option, data, filled)
    found = bytes(data[: int.from_bytes(filled, "little")])
    if ctype is not None and len(found) >= ctype.size(HOST):
        found = pack(ctype, unpack(ctype, found), ctx.abi)[:room]
    else:
        found = _swapped(ctx, level, option, found)
    ctx.write(address, found)
    ctx.write(sizes, struct.pack(order + "i", len(found)))
    return result
