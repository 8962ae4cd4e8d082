"""move_pages(2): mm/migrate.c."""

from __future__ import annotations

import errno
import struct

from qusr.syscalls.context import Context

_PIECE = 4096
"""Pages whose places are asked for at once."""


def move_pages(
    ctx: Context, pid: int, count: int, pages: int, nodes: int, status: int, flags: int
) -> int:
    """Where a process's pages are, or to have them elsewhere.

    What is not the guest's memory is reserved on the host, and not there (ENOENT) instead of no
    memory at all.
    """
    word, order = ctx.abi.word, ">" if ctx.abi.big_endian else "<"
    result, done = 0, 0
    if not count:
        return ctx.host_call("move_pages", pid, 0, 0, 0, 0, flags)
    while done < count:
        piece = min(count - done, _PIECE)
        data = ctx.read(pages + done * word, piece * word)
        addresses = struct.unpack(f"{order}{piece}{'Q' if word == 8 else 'I'}", data)
        hosts = struct.pack(f"<{piece}Q", *map(ctx.pointer, addresses))
        wanted: bytes | int = 0
        if nodes:
            numbers = struct.unpack(f"{order}{piece}i", ctx.read(nodes + done * 4, piece * 4))
            wanted = struct.pack(f"<{piece}i", *numbers)
        found = bytearray(piece * 4)
        result += ctx.host_call("move_pages", pid, piece, hosts, wanted, found, flags)
        told = [
            -errno.EFAULT if state == -errno.ENOENT and not _is_mapped(ctx, address) else state
            for address, state in zip(addresses, struct.unpack(f"<{piece}i", found), strict=True)
        ]
        ctx.write(status + done * 4, struct.pack(f"{order}{piece}i", *told))
        done += piece
    return result


def _is_mapped(ctx: Context, address: int) -> bool:
    try:
        ctx.process.memory.peek(address, 1)
    except OSError:
        return False
    return True
