"""Directory listings of 32-bit and big-endian guests, seeking in them, file handles.

File systems number the positions in a directory with 64 bits (ext4: a hash of the
name), and inodes often too. A 32-bit C library refuses a whole listing when one does
not fit (EOVERFLOW). So a 32-bit guest sees positions of 1 GiB and more as *cookies*,
numbers from 1 GiB on that stand for them; lseek takes them back.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
from collections.abc import Iterator

from qusr.syscalls.common import OPEN
from qusr.syscalls.context import Context, fail
from qusr.syscalls.handlers import procfs
from qusr.syscalls.handlers.files import host_flags

FIRST_COOKIE, LAST_COOKIE = 0x4000_0000, 0x7FFF_FFFF
_GENERATION = 1 << 17
_HEAD = struct.Struct("<QqHB")
"""d_ino, d_off, d_reclen, d_type of the host's struct linux_dirent64."""
_LARGEST = 1 << 16
_SMALLEST = 512
MAX_HANDLE = 128


class Cookies:
    """Numbers for directory positions that 32 bits cannot hold.

    Old ones are forgotten by generations, so that a guest that lists millions of files
    does not fill memory.
    """

    def __init__(self) -> None:
        self.next = FIRST_COOKIE
        self.by_offset: dict[int, int] = {}
        self.offsets: dict[int, int] = {}
        self.older: dict[int, int] = {}

    def cookie(self, offset: int) -> int:
        """What stands for `offset`: itself if it is small."""
        if 0 <= offset < FIRST_COOKIE:
            return offset
        known = self.by_offset.get(offset)
        if known is not None:
            return known
        if len(self.offsets) >= _GENERATION:
            self.older, self.offsets, self.by_offset = self.offsets, {}, {}
        cookie = self.next
        self.next = FIRST_COOKIE if cookie == LAST_COOKIE else cookie + 1
        self.offsets[cookie] = offset
        self.by_offset[offset] = cookie
        return cookie

    def offset(self, cookie: int) -> int:
        """The position behind a cookie; other numbers are positions themselves."""
        return self.offsets.get(cookie, self.older.get(cookie, cookie))


_cookies = Cookies()


def _entries(data: memoryview) -> Iterator[tuple[int, int, int, bytes]]:
    """(d_ino, d_off, d_type, d_name) of each struct linux_dirent64."""
    at = 0
    while at < len(data):
        ino, offset, length, kind = _HEAD.unpack_from(data, at)
        name = bytes(data[at + _HEAD.size : at + length]).split(b"\0", 1)[0]
        yield ino, offset, kind, name
        at += length


def _listing(ctx: Context, fd: int, count: int) -> memoryview:
    """The next part of the directory, as the host gives it."""
    buffer = bytearray(min(max(count, _SMALLEST), _LARGEST))
    size = ctx.host_call("getdents64", fd, buffer, len(buffer))
    return memoryview(buffer)[:size]


def _position(ctx: Context, fd: int) -> int:
    try:
        return ctx.host_call("lseek", fd, 0, os.SEEK_CUR)
    except OSError:
        return 0  # not a directory, as getdents64 will say


def _fill(ctx: Context, fd: int, dirp: int, count: int, *, old: bool) -> int:
    order = ">" if ctx.abi.big_endian else "<"
    small = ctx.abi.word == 4
    head = struct.Struct(order + ("IIH" if old else "QqHB"))
    align = 4 if old else 8
    out = bytearray()
    first = start = _position(ctx, fd)
    for ino, host_offset, kind, name in _entries(_listing(ctx, fd, count)):
        offset = _cookies.cookie(host_offset) if small else host_offset
        # The name, its NUL and, in the old struct, the type in the last byte.
        length = head.size + len(name) + (2 if old else 1)
        length = (length + align - 1) // align * align
        if len(out) + length > count:
            # Entries are never larger than the host's: the buffer is a tiny one.
            ctx.host_call("lseek", fd, start, os.SEEK_SET)
            if not out:
                raise fail(errno.EINVAL)
            break
        if old:
            # An inode that does not fit is folded: "." and ".." apart, it is only shown.
            number = (ino ^ ino >> 32) & 0xFFFFFFFF if ino >> 32 else ino
            entry = head.pack(number or 1, offset, length) + name
            out += entry.ljust(length - 1, b"\0") + bytes([kind])
        else:
            out += (head.pack(ino, offset, length, kind) + name).ljust(length, b"\0")
        start = host_offset
    try:
        ctx.write(dirp, bytes(out))
    except OSError:
        ctx.host_call("lseek", fd, first, os.SEEK_SET)
        raise
    return len(out)


def getdents(ctx: Context, fd: int, dirp: int, count: int) -> int:
    """getdents(2) with the old struct linux_dirent of a 32-bit guest."""
    return _fill(ctx, fd, dirp, count, old=True)


def getdents64(ctx: Context, fd: int, dirp: int, count: int) -> int:
    """getdents64(2) for a guest that is 32-bit or big-endian."""
    return _fill(ctx, fd, dirp, count, old=False)


def _seek(ctx: Context, fd: int, offset: int, whence: int) -> int:
    """lseek by a number that may be a cookie; gives what the guest should see."""
    if whence == os.SEEK_SET and FIRST_COOKIE <= offset <= LAST_COOKIE:
        try:
            directory = stat.S_ISDIR(os.fstat(fd).st_mode)
        except OSError:
            directory = False
        if directory:
            ctx.host_call("lseek", fd, _cookies.offset(offset), whence)
            return offset
    return ctx.host_call("lseek", fd, offset, whence)


def lseek(ctx: Context, fd: int, offset: int, whence: int) -> int:
    """lseek(2) of a 32-bit guest, whose result must fit a `long`."""
    position = _seek(ctx, fd, offset, whence)
    if position > 0x7FFF_FFFF:
        raise fail(errno.EOVERFLOW)
    return position


def llseek(ctx: Context, fd: int, offset: int, result: int, whence: int) -> int:
    """_llseek(2)."""
    position = _seek(ctx, fd, offset, whence)
    ctx.write(result, position.to_bytes(8, "big" if ctx.abi.big_endian else "little"))
    return 0


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
