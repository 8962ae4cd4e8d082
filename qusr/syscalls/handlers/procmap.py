"""PROCMAP_QUERY: asking an open /proc/self/maps for one mapping (Linux 6.11, do_procmap_query).

The text that stands for the file is of the moment of opening; a query tells of its own moment.
"""

from __future__ import annotations

import errno
import os
import re
import struct

from qusr.syscalls.context import Context, fail, pack, unpack
from qusr.syscalls.ioctl_misc import PROCMAP_QUERY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from qusr.syscalls.context import Values

    _Numbers = tuple[int, int, int, int]

_PAGE = 4096
_LEAST = 24
"""A caller's struct must reach to the end of query_addr."""
_READABLE, _WRITABLE, _EXECUTABLE, _SHARED, _OR_NEXT, _FILE_BACKED = 1, 2, 4, 8, 16, 32
_REGION_SHARED = 1
_LINE = re.compile(rb"[0-9a-f]+-[0-9a-f]+ (....) [0-9a-f]+ ([0-9a-f]+):([0-9a-f]+) (\d+) *(.*)")
_PT_NOTE, _NT_GNU_BUILD_ID = 4, 3


def query(ctx: Context, fd: int, _request: int, address: int) -> int:
    """The ioctl with the guest's struct at `address`."""
    try:
        name = os.readlink(b"/proc/self/fd/%d" % fd)
    except OSError:
        raise fail(errno.EBADF) from None
    if not re.fullmatch(rb"/memfd:.*/maps \(deleted\)", name):
        raise fail(errno.ENOTTY)
    size = int.from_bytes(ctx.read(address, 8), ctx.abi.byte_order)
    whole = PROCMAP_QUERY.size(ctx.abi)
    if size > _PAGE:
        raise fail(errno.E2BIG)
    if size < _LEAST:
        raise fail(errno.EINVAL)
    data = ctx.read(address, size)
    if data[whole:].strip(b"\0"):
        raise fail(errno.E2BIG)
    asked = unpack(PROCMAP_QUERY, data[:whole].ljust(whole, b"\0"), ctx.abi)
    if asked["query_flags"] & ~0x3F:
        raise fail(errno.EINVAL)
    for what in ("vma_name", "build_id"):
        if bool(asked[f"{what}_size"]) != bool(asked[f"{what}_addr"]):
            raise fail(errno.EINVAL)
    found = _find(ctx, asked["query_flags"], asked["query_addr"])
    _fill(ctx, asked, found)
    # What the caller's struct has room for (copy_to_user of its size).
    ctx.write(address, pack(PROCMAP_QUERY, asked, ctx.abi)[:size])
    return 0


def _find(ctx: Context, flags: int, address: int) -> tuple[_Numbers, bytes, re.Match[bytes]]:
    """The first mapping that fits: its numbers, the host's path of its file, its line in maps."""
    root = os.fsencode(ctx.process.sysroot.root or "")
    lines = ctx.process.memory.maps_text(root).splitlines()
    for (start, end, prot, bits, kind, path, offset), line in zip(
        ctx.process.memory.regions(), lines, strict=False
    ):
        if end <= address:
            continue
        if start > address and not flags & _OR_NEXT:
            break
        match = _LINE.fullmatch(line)
        assert match is not None
        shared = _SHARED if bits & _REGION_SHARED else 0
        wanted = flags & (_READABLE | _WRITABLE | _EXECUTABLE | _SHARED)
        backed = match[4] != b"0"
        if wanted & ~(prot | shared) == 0 and (backed or not flags & _FILE_BACKED):
            file = path if kind == "file" else b""
            return (start, end, prot | shared, offset), file, match
        if not flags & _OR_NEXT:
            break
    raise fail(errno.ENOENT)


def _fill(ctx: Context, asked: Values, found: tuple[_Numbers, bytes, re.Match[bytes]]) -> None:
    (start, end, flags, offset), file, line = found
    asked.update(vma_start=start, vma_end=end, vma_flags=flags, vma_page_size=_PAGE)
    inode = int(line[4])
    asked.update(vma_offset=offset if inode else 0, inode=inode)
    asked.update(dev_major=int(line[2], 16), dev_minor=int(line[3], 16))
    if asked["build_id_size"]:
        build_id = _build_id(file)
        if len(build_id) > asked["build_id_size"]:
            raise fail(errno.ENAMETOOLONG)
        ctx.write(asked["build_id_addr"], build_id)
        asked["build_id_size"] = len(build_id)
    if asked["vma_name_size"]:
        name = line[5] + b"\0" if line[5] else b""
        if len(name) > asked["vma_name_size"]:
            raise fail(errno.ENAMETOOLONG)
        ctx.write(asked["vma_name_addr"], name)
        asked["vma_name_size"] = len(name)


def _build_id(path: bytes) -> bytes:
    """The build id of an ELF file (lib/buildid.c), or nothing."""
    if not path:
        return b""
    try:
        with open(path, "rb") as file:
            head = file.read(_PAGE)
            wide, order = head[4] == 2, "<" if head[5] == 1 else ">"
            if not head.startswith(b"\x7fELF"):
                return b""
            at, size, count = (
                (_number(head, order, 0x20, 8), 56, _number(head, order, 0x38, 2))
                if wide
                else (_number(head, order, 0x1C, 4), 32, _number(head, order, 0x2C, 2))
            )
            for index in range(count):
                header = head[at + index * size :][:size]
                if len(header) < size or _number(header, order, 0, 4) != _PT_NOTE:
                    continue
                where, length = (8, 32) if wide else (4, 16)
                width = 8 if wide else 4
                file.seek(_number(header, order, where, width))
                notes = file.read(min(_number(header, order, length, width), _PAGE))
                if found := _note(notes, order):
                    return found
    except (OSError, IndexError, struct.error):
        pass
    return b""


def _number(data: bytes, order: str, at: int, size: int) -> int:
    value: int = struct.unpack_from(order + {2: "H", 4: "I", 8: "Q"}[size], data, at)[0]
    return value


def _note(notes: bytes, order: str) -> bytes:
    """The build id among the notes of a segment."""
    at = 0
    while at + 12 <= len(notes):
        name_size, size, kind = struct.unpack_from(order + "3I", notes, at)
        body = at + 12 + (name_size + 3 & ~3)
        if kind == _NT_GNU_BUILD_ID and notes[at + 12 :][:name_size] == b"GNU\0":
            return notes[body : body + size]
        at = body + (size + 3 & ~3)
    return b""
