"""Files of /proc that tell of the guest instead of the emulator.

`_native` hands over results that may concern them: a descriptor on procfs or of the
emulator's executable was opened, a symbolic link or a stat named that executable.
Whichever way led there, the kernel's name of the opened file says what it is, so
directory descriptors, symbolic links and openat2 need nothing of their own.

A file with the guest's text is a sealed memfd in the place of the descriptor: its text
is that of the moment of opening, and fstatfs tells it from procfs.
"""

from __future__ import annotations

import os
import stat

from qusr.syscalls.context import Context, unpack

# The C library of most guests reads the link /proc/self/exe when a program starts. So what other
# files need is imported where they are dealt with.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from qusr.process import Process
    from qusr.ptrace.tracee import Tracee
    from qusr.syscalls.layout import CType

AT_FDCWD = -100
_MAX_LINKS = 40
_FOUR_SEALS = 0xF
_F_ADD_SEALS = 1033


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
        return review_fd(ctx, result, dirfd, path)
    if kind == "exelink":
        return _review_link(ctx, name, args, result)
    return _review_stat(ctx, name, args, result)


def review_fd(ctx: Context, fd: int, dirfd: int = AT_FDCWD, path: int = 0) -> int:
    """`fd`, with the guest's file behind it where the kernel's would tell of the emulator.

    `dirfd` and `path` (a guest address) are what it was opened by.
    """
    name = _name(fd)
    if name is None:
        return fd
    import fcntl

    from qusr.syscalls.handlers import procmem, proctext
    from qusr.syscalls.handlers.descriptors import reopen, replace

    file = own_file(name)
    text = None
    if file is not None:
        if file == b"mem":
            procmem.stand_in(ctx, fd)
            return fd
        text = proctext.of_process(ctx, file, fd)
    elif (found := _tracee_file(ctx, name)) is not None:
        from qusr.ptrace import procfiles

        if found[1] == b"mem":
            procmem.stand_in(ctx, fd, found[0].tid)
            return fd
        text = procfiles.text(ctx, *found)
    elif name.endswith((b"/cpuinfo", b"/sys/kernel/osrelease")):
        text = proctext.of_system(ctx.process, name)
    elif name == os.readlink(b"/proc/self/exe") and path:
        if leads_to_own_exe(dirfd, ctx.host_path(dirfd, path)):
            replace(fd, reopen(fd, ctx.process.exe))
        return fd
    if text is not None and fcntl.fcntl(fd, fcntl.F_GETFL) & _NOT_READING == os.O_RDONLY:
        replace(fd, _text_file(fd, name, text))
    return fd


def _tracee_file(ctx: Context, name: bytes) -> tuple[Tracee, bytes] | None:
    if ctx.caller.tracer is None:
        return None
    from qusr.ptrace import procfiles

    return procfiles.find(ctx, name)


_NOT_READING = os.O_ACCMODE | os.O_PATH


def _name(fd: int) -> bytes | None:
    """What the kernel calls the file behind a descriptor."""
    try:
        return os.readlink(b"/proc/self/fd/%d" % fd)
    except OSError:
        return None


def own_file(path: bytes) -> bytes | None:
    """The name of a file in our own /proc/PID, /proc/PID/task/TID or /proc/TID; else None.

    The procfs may be mounted anywhere and count processes in a namespace of its own, so its
    link `self` says which is ours.
    """
    parts = path.split(b"/")
    below = 4 if len(parts) > 4 and parts[-3] == b"task" else 2
    if len(parts) < below + 1 or not parts[-below].isdigit():
        return None
    root = b"/".join(parts[:-below])
    try:
        own = os.readlink(root + b"/self")
    except OSError:
        return None
    if parts[-below] == own or os.path.isdir(root + b"/self/task/" + parts[-below]):
        return parts[-1]
    return None


def leads_to_own_exe(dirfd: int, path: bytes, *, hops: int = _MAX_LINKS) -> bool:
    """Whether a path ends at our /proc/PID/exe, itself or by symbolic links."""
    for _ in range(hops):
        if path:
            flags = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
            try:
                fd = os.open(path, flags, dir_fd=None if dirfd == AT_FDCWD else dirfd)
            except OSError:
                return False
        else:
            fd = os.dup(dirfd)
        try:
            if not stat.S_ISLNK(os.fstat(fd).st_mode):
                return False
            name = _name(fd)
            if name is None:
                return False
            if own_file(name) == b"exe":
                return True
            target = os.readlink(b"", dir_fd=fd)
        except OSError:
            return False
        finally:
            os.close(fd)
        dirfd, path = AT_FDCWD, os.path.join(os.path.dirname(name), target)
    return False


def exe_path(ctx: Context) -> bytes:
    """The guest's executable as the guest calls it: inside the sysroot, if there is one."""
    return os.fsencode(ctx.process.sysroot.guest_path(os.fsdecode(_present_name(ctx.process))))


def _present_name(process: Process) -> bytes:
    """What the kernel calls the executable's file now: it may have been renamed or deleted."""
    code = process.image.code_range()[0]
    for start, end, *_ in process.memory.regions():
        if start <= code < end:
            base = process.memory.base
            try:
                return os.readlink(b"/proc/self/map_files/%x-%x" % (base + start, base + end))
            except OSError:
                break  # not mapped from the file, or split
    return process.exe


# --- putting another file behind a descriptor -------------------------------------


def _text_file(fd: int, name: bytes, text: bytes) -> int:
    """A read-only file with this text, opened like `fd`."""
    import fcntl

    flags = fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK
    mode = stat.S_IMODE(os.fstat(fd).st_mode)
    try:
        # The name is what readlink shows of it.
        store = os.memfd_create(os.fsdecode(name)[-200:], os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            view = memoryview(text)
            while view:
                view = view[os.write(store, view) :]
            fcntl.fcntl(store, _F_ADD_SEALS, _FOUR_SEALS)
            os.fchmod(store, mode)
            return os.open(b"/proc/self/fd/%d" % store, os.O_RDONLY | os.O_CLOEXEC | flags)
        finally:
            os.close(store)
    except OSError:
        os.close(fd)
        raise


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
    path = ctx.host_path(dirfd, address, follow=False)
    whole: bytes | None
    if leads_to_own_exe(dirfd, path, hops=1):
        whole = exe_path(ctx)
    else:
        whole = _exe_of_tracee(ctx, dirfd, path)
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
    if not path or not leads_to_own_exe(dirfd, ctx.host_path(dirfd, address)):
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
