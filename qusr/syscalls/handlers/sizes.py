"""Structs that may grow, in a size that is not that of their only version so far.

`copy_struct_from_user` and `copy_struct_to_user` (include/linux/uaccess.h): a larger struct is
fine as long as what is unknown of it is zero.
"""

from __future__ import annotations

import errno

from qusr.syscalls.context import NO_RESULT, Context, fail

_PAGE = 4096
FILE_ATTR_SIZE_VER0 = 24
XATTR_ARGS_SIZE_VER0 = 16
_AT_KNOWN = 0x100 | 0x1000
"""AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH"""


def xattr_args(
    ctx: Context, dirfd: int, path: int, flags: int, name: int, address: int, size: int
) -> int:
    """setxattrat(2), getxattrat(2): path_setxattrat of fs/xattr.c."""
    _check(size, XATTR_ARGS_SIZE_VER0)
    _check_rest(ctx, address, size, XATTR_ARGS_SIZE_VER0)
    return _again(ctx, 5, XATTR_ARGS_SIZE_VER0)


def file_attr(ctx: Context, dirfd: int, path: int, address: int, size: int, flags: int) -> int:
    """file_getattr(2), file_setattr(2): fs/file_attr.c."""
    if flags & 0xFFFFFFFF & ~_AT_KNOWN:
        raise fail(errno.EINVAL)
    _check(size, FILE_ATTR_SIZE_VER0)
    number, _ = ctx.thread.call_registers()
    gets = ctx.process.call_name(number) == "file_getattr"
    if not gets:
        _check_rest(ctx, address, size, FILE_ATTR_SIZE_VER0)
    result = _again(ctx, 3, FILE_ATTR_SIZE_VER0)
    if gets and ctx.thread.reg(ctx.process.arch.registers.result) == 0:
        ctx.write(address + FILE_ATTR_SIZE_VER0, bytes(size - FILE_ATTR_SIZE_VER0))
    return result


def _check(size: int, least: int) -> None:
    if size > _PAGE:
        raise fail(errno.E2BIG)
    if size < least:
        raise fail(errno.EINVAL)


def _check_rest(ctx: Context, address: int, size: int, known: int) -> None:
    if any(ctx.read(address, size)[known:]):
        raise fail(errno.E2BIG)


def _again(ctx: Context, slot: int, size: int) -> int:
    """Makes the call with the size that is known; its result is in the registers then."""
    number, args = ctx.thread.call_registers()
    slots = list(args)
    slots[slot] = size
    ctx.thread.make_call(number, tuple(slots))
    return NO_RESULT
