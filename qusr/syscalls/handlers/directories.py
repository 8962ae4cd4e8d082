"""File handles of big-endian guests."""

from __future__ import annotations

import errno
import struct

from qusr.syscalls.common import OPEN
from qusr.syscalls.context import Context, fail
from qusr.syscalls.handlers import procfs
from qusr.syscalls.handlers.files import host_flags

MAX_HANDLE = 128


def name_to_handle_at(
    ctx: Context, dirfd: int, pathname: int, handle: int, mount_id: int, flags: int
) -> int:
    """name_to_handle_at(2) for a big-endian guest: size, type and mount id are swapped."""
    room = int.from_bytes(ctx.read(handle, 4), "big")
    if room > MAX_HANDLE:
        raise fail(errno.EINVAL)
    host = bytearray(struct.pack("<Ii", room, 0) + bytes(room))
    host_id = bytearray(8)
    path = ctx.host_path(dirfd, pathname, follow=bool(flags & 0x400))
    unique = bool(flags & 1)
    try:
        result = ctx.host_call("name_to_handle_at", dirfd, path + b"\0", host, host_id, flags)
    except OSError as error:
        if error.errno == errno.EOVERFLOW:
            ctx.write(handle, struct.pack(">I", *struct.unpack_from("<I", host)))
        raise
    ctx.write(handle, struct.pack(">Ii", *struct.unpack_from("<Ii", host)) + bytes(host[8:]))
    ctx.write(mount_id, bytes(host_id[: 8 if unique else 4])[::-1])
    return result


def open_by_handle_at(ctx: Context, mount_fd: int, handle: int, flags: int) -> int:
    """open_by_handle_at(2) for a big-endian guest."""
    size, kind = struct.unpack(">Ii", ctx.read(handle, 8))
    if not 0 < size <= MAX_HANDLE:
        raise fail(errno.EINVAL)
    host = struct.pack("<Ii", size, kind) + ctx.read(handle + 8, size)
    fd = ctx.host_call("open_by_handle_at", mount_fd, host, host_flags(OPEN, flags, ctx))
    return procfs.review_fd(ctx, fd)
