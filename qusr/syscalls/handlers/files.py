"""Opening files in the ways that the thunks cannot."""

from __future__ import annotations

import errno
import os

from qusr import _native
from qusr.arch.abi import HOST
from qusr.syscalls.common import O_NOFOLLOW, OPEN
from qusr.syscalls.context import Context, fail, pack, unpack
from qusr.syscalls.decl import FlagTable
from qusr.syscalls.files import OPEN_HOW
from qusr.syscalls.handlers import procfs

RESOLVE_NO_SYMLINKS, RESOLVE_BENEATH, RESOLVE_IN_ROOT = 4, 8, 0x10
_PAGE = 4096


def host_flags(table: FlagTable, value: int, ctx: Context) -> int:
    """The guest's flag bits in the host's values."""
    guest, host = table.for_abi(ctx.abi), table.for_abi(HOST)
    moved = [(guest[name], host[name]) for name in guest if guest[name] != host[name]]
    cleared = value
    added = 0
    for from_bits, to_bits in moved:
        if value & from_bits == from_bits:
            added |= to_bits
        cleared &= ~from_bits
    return cleared | added


def openat2(ctx: Context, dirfd: int, pathname: int, how: int, size: int) -> int:
    """openat2(2): open_how holds flags, so that no mechanical conversion fits."""
    known = OPEN_HOW.size(ctx.abi)
    if size < known:
        raise fail(errno.EINVAL)
    if size > _PAGE:
        raise fail(errno.E2BIG)
    data = ctx.read(how, size)
    if any(data[known:]):
        # copy_struct_from_user: a newer struct is fine as long as its new parts are zero.
        raise fail(errno.E2BIG)
    values = unpack(OPEN_HOW, data[:known], ctx.abi)
    values["flags"] = host_flags(OPEN, values["flags"], ctx)
    if values["resolve"] & (RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH | RESOLVE_IN_ROOT):
        # The walk is to be the kernel's own from here on.
        path = ctx.read_path(pathname)
    else:
        follow = not values["flags"] & (O_NOFOLLOW | os.O_EXCL)
        path = ctx.host_path(dirfd, pathname, follow=follow)
    if values["flags"] & os.O_TRUNC and _native.is_running(dirfd, path):
        raise fail(errno.ETXTBSY)
    host_how = pack(OPEN_HOW, values)
    fd = ctx.host_call("openat2", dirfd, path + b"\0", host_how, len(host_how))
    return procfs.review_fd(ctx, fd, dirfd, pathname)
