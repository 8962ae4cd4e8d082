"""/proc/self/mem and pagemap: the guest's memory, by the guest's addresses.

The kernel's files would show the emulator. In their place is an empty memfd, so that the
kernel still keeps position, access mode and duplicates; `_native` hands reads and writes
of such a file over to :func:`access`.
"""

from __future__ import annotations

import errno
import os

from qusr.syscalls.context import Context, fail
from qusr.syscalls.handlers.descriptors import reopen, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from qusr.ptrace.tracee import Tracee

_PAGE = 4096
_MOST = 1 << 20
_ENTRY = 8
"""The size of a pagemap's entry (PM_ENTRY_BYTES of fs/proc/task_mmu.c)."""
_UIO_MAXIOV = 1024


def stand_in(ctx: Context, fd: int, kind: str, tracee: int = 0) -> None:
    """Replaces an opened /proc/self/mem or pagemap, or the `mem` of a tracee."""
    try:
        store = os.memfd_create(kind, os.MFD_CLOEXEC)
    except OSError:
        os.close(fd)
        raise
    try:
        replace(fd, reopen(fd, b"/proc/self/fd/%d" % store))
        status = os.fstat(store)
        ctx.process.add_memory_file(status.st_dev, status.st_ino)
        if tracee and ctx.caller.tracer is not None:
            ctx.caller.tracer.memory_files[status.st_dev, status.st_ino] = tracee
    finally:
        os.close(store)


def access(ctx: Context, name: str | None, args: list[int]) -> int:
    """read(2) and its like with these raw registers (mem_rw of fs/proc/base.c, pagemap_read)."""
    assert name is not None
    fd, writes = args[0] & 0x7FFFFFFF, "write" in name
    buffers = _vector(ctx, args[1], args[2]) if "v" in name else [(args[1], min(args[2], _MOST))]
    position = _position(ctx, name, args)
    # The kernel checks the mode: an empty access to the stand-in fails as the real one would.
    ctx.host_call("write" if writes else "read", fd, b"", 0)
    at = ctx.host_call("lseek", fd, 0, os.SEEK_CUR) if position is None else position
    move: Callable[[int, int, int], int]
    if os.readlink(b"/proc/self/fd/%d" % fd).startswith(b"/memfd:pagemap"):
        if writes:
            raise fail(errno.EINVAL)
        move = lambda at, buffer, size: _pagemap(ctx, at, buffer, size)  # noqa: E731
    else:
        owner = _owner(ctx, fd)
        step = _poke if writes else _peek
        move = lambda at, buffer, size: _all_or_error(  # noqa: E731
            step(ctx, owner, at, buffer, size), size
        )
    done = 0
    for buffer, size in buffers:
        try:
            count = move(at + done, buffer, size)
        except OSError:
            if done:
                break
            raise
        done += count
        if count < size:
            break
    if position is None:
        ctx.host_call("lseek", fd, done, os.SEEK_CUR)
    return done


def _all_or_error(done: int, size: int) -> int:
    if done == 0 and size:
        raise fail(errno.EIO)
    return done


def _vector(ctx: Context, address: int, count: int) -> list[tuple[int, int]]:
    """The buffers of an array of struct iovec (import_iovec of lib/iov_iter.c)."""
    count &= (1 << 64) - 1
    if count > _UIO_MAXIOV:
        raise fail(errno.EINVAL)
    word = ctx.abi.word
    data = ctx.read(address, 2 * word * count)
    order = ctx.abi.byte_order
    numbers = [int.from_bytes(data[at : at + word], order) for at in range(0, len(data), word)]
    if any(size >> (8 * word - 1) for size in numbers[1::2]):
        raise fail(errno.EINVAL)
    return [
        (base, min(size, _MOST)) for base, size in zip(numbers[::2], numbers[1::2], strict=True)
    ]


def _position(ctx: Context, name: str, args: list[int]) -> int | None:
    """Where a call with a position of its own begins; None: at the file's."""
    if not name.startswith("p"):
        return None
    if ctx.abi.word == 8 or (ctx.abi.register == 8 and "v" not in name):
        position = args[3]
    elif "v" in name:  # pos_from_hilo of fs/read_write.c: the low half first, whatever the order
        position = (args[4] & 0xFFFFFFFF) << 32 | args[3] & 0xFFFFFFFF
    else:
        first, second = args[4:6] if ctx.abi.pair_align else args[3:5]
        high, low = (first, second) if ctx.abi.big_endian else (second, first)
        position = (high & 0xFFFFFFFF) << 32 | low & 0xFFFFFFFF
    if name.endswith("v2") and position == (1 << 64) - 1:
        return None
    return position


def _pagemap(ctx: Context, position: int, buffer: int, size: int) -> int:
    """Entries of the host's pagemap for the guest's pages, zeros for what is not the guest's."""
    if position % _ENTRY or size % _ENTRY:
        raise fail(errno.EINVAL)
    memory = ctx.process.memory
    first = position // _ENTRY
    last = min(first + size // _ENTRY, memory.limit // _PAGE)
    if first >= last:
        return 0
    start, end = first * _PAGE, last * _PAGE
    data = bytearray((last - first) * _ENTRY)
    fd = os.open("/proc/self/pagemap", os.O_RDONLY | os.O_CLOEXEC)
    try:
        for region in memory.regions():
            low, high = max(region[0], start), min(region[1], end)
            if low < high:
                wanted = (high - low) // _PAGE * _ENTRY
                part = os.pread(fd, wanted, (memory.base + low) // _PAGE * _ENTRY)
                at = (low - start) // _PAGE * _ENTRY
                data[at : at + len(part)] = part
    finally:
        os.close(fd)
    if ctx.abi.big_endian:
        words = [data[at : at + _ENTRY][::-1] for at in range(0, len(data), _ENTRY)]
        data = bytearray().join(words)
    ctx.write(buffer, bytes(data))
    return len(data)


def _owner(ctx: Context, fd: int) -> int:
    """Which tracee's memory a stand-in is for; 0 for ours."""
    if ctx.caller.tracer is None:
        return 0
    status = os.fstat(fd)
    return ctx.caller.tracer.memory_files.get((status.st_dev, status.st_ino), 0)


def _tracee(ctx: Context, tid: int) -> Tracee:
    found = None if ctx.caller.tracer is None else ctx.caller.tracer.tracees.get(tid)
    if found is None:
        raise fail(errno.ESRCH)
    return found


def _pieces(position: int, size: int) -> list[tuple[int, int]]:
    """(address, size) of the parts of a range, cut at page boundaries."""
    pieces = []
    end = position + size
    while position < end:
        cut = min(end, (position | _PAGE - 1) + 1)
        pieces.append((position, cut - position))
        position = cut
    return pieces


def _peek(ctx: Context, owner: int, position: int, buffer: int, size: int) -> int:
    done, own = 0, ctx.process.memory
    for address, part in _pieces(position, size):
        try:
            data = _tracee(ctx, owner).peek(address, part) if owner else own.peek(address, part)
        except (OSError, OverflowError):
            break
        ctx.write(buffer + done, data)
        done += part
    return done


def _poke(ctx: Context, owner: int, position: int, buffer: int, size: int) -> int:
    done = 0
    for address, part in _pieces(position, size):
        data = ctx.read(buffer + done, part)
        try:
            if owner:
                _tracee(ctx, owner).poke(address, data)
            else:
                ctx.process.memory.poke(address, data)
        except (OSError, OverflowError):
            break
        done += part
    return done
