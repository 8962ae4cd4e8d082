"""Files of /proc that tell of the guest instead of the emulator.

`_native` hands over results that may concern them: a descriptor on procfs or of the
emulator's executable was opened, a symbolic link or a stat named that executable.
What programs open often, and their own link /proc/self/exe, it deals with itself
(`native/kernel/src/thunk/procfs.rs`).

Whichever way led there, the kernel's name of the opened file says what it is, so
directory descriptors, symbolic links and openat2 need nothing of their own.

A file with the guest's text is a sealed memfd in the place of the descriptor: its text
is that of the moment of opening, and fstatfs tells it from procfs.
"""

from __future__ import annotations

import os

from qusr import _native
from qusr.syscalls.context import Context, unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from qusr.ptrace.tracee import Tracee
    from qusr.syscalls.layout import CType

AT_FDCWD = -100


def review(ctx: Context, kind: str, number: int, args: list[int], result: int) -> int:
    """The result for the guest of a call that gave `result`; `args` are its raw registers."""
    name = ctx.process.call_name(number)
    if kind == "memory":
        from qusr.syscalls.handlers import procmem

        return procmem.access(ctx, name, args)
    if kind == "tracer":
        from qusr.ptrace import transfer, waiting

        if name in ("process_vm_readv", "process_vm_writev"):
            return transfer.move(ctx, name == "process_vm_writev", args)
        return waiting.review(ctx, name, args, result)
    if kind == "fd":
        dirfd, path = _path_arguments(name, args)
        return _review_fd(ctx, result, dirfd, path)
    if kind == "exelink":
        return _review_link(ctx, name, args, result)
    return _review_stat(ctx, name, args, result)


def review_fd(ctx: Context, fd: int, dirfd: int = AT_FDCWD, path: int = 0) -> int:
    """`fd`, with the guest's file behind it where the kernel's would tell of the emulator.

    `dirfd` and `path` (a guest address) are what it was opened by.
    """
    return _review_fd(ctx, fd, dirfd, path) if ctx.thread.review_fd(fd) else fd


def _review_fd(ctx: Context, fd: int, dirfd: int, path: int) -> int:
    name = _name(fd)
    if name is None:
        return fd
    from qusr.syscalls.handlers import procmem, proctext
    from qusr.syscalls.handlers.descriptors import reopen, replace

    file = _native.own_proc_file(name)
    text = None
    if file is not None:
        if file in (b"mem", b"pagemap"):
            procmem.stand_in(ctx, fd, file.decode())
            return fd
        text = proctext.of_process(ctx, file, fd)
    elif (found := _tracee_file(ctx, name)) is not None:
        from qusr.ptrace import procfiles

        if found[1] == b"mem":
            procmem.stand_in(ctx, fd, "mem", found[0].tid)
            return fd
        text = procfiles.text(ctx, *found)
    elif name == os.readlink(b"/proc/self/exe") and path:
        if _native.leads_to_own_exe(dirfd, ctx.host_path(dirfd, path)):
            replace(fd, reopen(fd, ctx.process.exe))
        return fd
    if text is not None:
        _native.stand_in(fd, name, text)
    return fd


def _tracee_file(ctx: Context, name: bytes) -> tuple[Tracee, bytes] | None:
    if ctx.caller.tracer is None:
        return None
    from qusr.ptrace import procfiles

    return procfiles.find(ctx, name)


def _name(fd: int) -> bytes | None:
    """What the kernel calls the file behind a descriptor."""
    try:
        return os.readlink(b"/proc/self/fd/%d" % fd)
    except OSError:
        return None


# --- links and stats that name the emulator ----------------------------------------


def _path_arguments(name: str | None, args: list[int]) -> tuple[int, int]:
    """Directory descriptor and path of a call, from its registers."""
    at = name is not None and ("at" in name.removeprefix("stat").removeprefix("lstat"))
    if at or name == "statx":
        dirfd = args[0] & 0xFFFFFFFF
        return dirfd - (1 << 32) if dirfd >> 31 else dirfd, args[1]
    return AT_FDCWD, args[0]


def _review_link(ctx: Context, name: str | None, args: list[int], result: int) -> int:
    dirfd, address = _path_arguments(name, args)
    buffer, size = args[2:4] if name == "readlinkat" else args[1:3]
    whole = _exe_of_tracee(ctx, dirfd, ctx.host_path(dirfd, address, follow=False))
    if whole is None:
        return result
    link = whole[: size & 0x7FFFFFFF]
    # What the kernel wrote behind it is taken away: many a program gives a buffer of zeros
    # and relies on those behind the result, which readlink does not terminate.
    ctx.write(buffer, link.ljust(result, b"\0"))
    return len(link)


def _exe_of_tracee(ctx: Context, dirfd: int, path: bytes) -> bytes | None:
    """The program of a tracee, if `path` is the `exe` in its /proc/PID."""
    if ctx.caller.tracer is None:
        return None
    from qusr.ptrace import procfiles

    try:
        flags = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(path, flags, dir_fd=None if dirfd == AT_FDCWD else dirfd)
    except OSError:
        return None
    try:
        name = _name(fd)
    finally:
        os.close(fd)
    found = None if name is None else procfiles.find(ctx, name)
    if found is None or found[1] != b"exe":
        return None
    return procfiles.text(ctx, *found)


def _review_stat(ctx: Context, name: str | None, args: list[int], result: int) -> int:
    from qusr.arch.abi import HOST
    from qusr.syscalls.metadata import STAT, STAT64, STATX

    if name in ("fstat", "fstat64"):
        return result  # the descriptor was looked at when it was opened
    dirfd, address = _path_arguments(name, args)
    path = ctx.read_path(address)
    if not path or not _native.leads_to_own_exe(dirfd, ctx.host_path(dirfd, address)):
        return result
    exe = ctx.process.exe + b"\0"
    struct: CType
    if name == "statx":
        struct, target = STATX, args[4]
        data = bytearray(STATX.size(HOST))
        ctx.host_call("statx", AT_FDCWD, exe, args[2] & 0xFFFFFFFF, args[3] & 0xFFFFFFFF, data)
    else:
        struct = STAT64 if name is not None and name.endswith("64") else STAT
        target = args[1] if name is not None and name.startswith(("stat", "lstat")) else args[2]
        data = bytearray(STAT.size(HOST))
        ctx.host_call("newfstatat", AT_FDCWD, exe, data, 0)
    ctx.write_struct(struct, target, unpack(struct, bytes(data)))
    return result
