"""Operations of keyctl(2) whose arguments have a rule of their own."""

from __future__ import annotations

import errno
import struct

from qusr.syscalls.context import Context, fail

_INSTANTIATE_IOV = 20
_MOST_PARTS = 1024


def instantiate_iov(
    ctx: Context, _operation: int, key: int, parts: int, count: int, ring: int
) -> int:
    """keyctl_instantiate_key_iov of security/keys/keyctl.c: NULL is no parts, whatever `count`."""
    vector: bytes | int = 0
    if not parts:
        count = 0
    if count > _MOST_PARTS:
        raise fail(errno.EINVAL)
    if count:
        word, order = ctx.abi.word, ">" if ctx.abi.big_endian else "<"
        data = ctx.read(parts, count * 2 * word)
        numbers = struct.unpack(f"{order}{count * 2}{'Q' if word == 8 else 'I'}", data)
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        vector = b"".join(struct.pack("<2Q", ctx.pointer(at), size) for at, size in pairs)
    return ctx.host_call("keyctl", _INSTANTIATE_IOV, key, vector, count, ring)
