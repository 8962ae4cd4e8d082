"""execve and execveat: another program in the same host process.

Everything that can fail is done while the old image still stands. A program of the
host itself is a real execve. So is that of a process whose memory is also another one's, which
the old image has to be left to: there qusr is started anew (qusr/again.py), or, where that
cannot be, the new program gets an address space of its own in the same host memory.
"""

from __future__ import annotations

import errno
import fcntl
import os

from qusr import _native, again, loader
from qusr.execution import Command, Leaving
from qusr.options import Exited
from qusr.syscalls.context import NO_RESULT, Context, fail

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from qusr.running import Process

AT_FDCWD = -100
AT_SYMLINK_NOFOLLOW = 0x100
AT_EMPTY_PATH = 0x1000
_MAX_ARG_STRLEN = 131072
RLIMIT_STACK = 3


def execve(ctx: Context, path: int, argv: int, envp: int) -> int:
    """execve(2)."""
    name = ctx.read_path(path)
    if not name:
        raise fail(errno.ENOENT)
    return _exec(ctx, name, argv, envp)


def execveat(ctx: Context, dirfd: int, path: int, argv: int, envp: int, flags: int) -> int:
    """execveat(2); with AT_EMPTY_PATH the file is `dirfd` itself."""
    if flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH):
        raise fail(errno.EINVAL)
    name = ctx.read_path(path)
    if not name:
        if not flags & AT_EMPTY_PATH:
            raise fail(errno.ENOENT)
        return _exec(ctx, b"/dev/fd/%d" % dirfd, argv, envp, fd=dirfd, hidden=_hidden(dirfd))
    if flags & AT_SYMLINK_NOFOLLOW and os.path.islink(ctx.host_path(dirfd, path, follow=False)):
        raise fail(errno.ELOOP)
    if dirfd == AT_FDCWD or name.startswith(b"/"):
        return _exec(ctx, name, argv, envp)
    # The kernel's own name for it (fs/exec.c, alloc_bprm), also what a script is told.
    return _exec(ctx, b"/dev/fd/%d/%s" % (dirfd, name), argv, envp, hidden=_hidden(dirfd))


def _hidden(fd: int) -> bool:
    """Whether the new program could not open a script that is named by `fd`."""
    if fd < 0:  # which fcntl.fcntl refuses with a ValueError
        raise fail(errno.EBADF)
    return bool(fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC)


def _exec(
    ctx: Context, name: bytes, argv: int, envp: int, *, fd: int = -1, hidden: bool = False
) -> int:
    process = ctx.process
    word, big_endian = ctx.abi.word, ctx.abi.big_endian
    arguments = process.memory.read_strings(argv, word, big_endian, _MAX_ARG_STRLEN)
    environment = process.memory.read_strings(envp, word, big_endian, _MAX_ARG_STRLEN)
    if fd >= 0:
        fd = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 0)
        try:
            opened = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            pass  # no /proc: the copy has to do, unless it is one of O_PATH
        else:
            os.close(fd)
            fd = opened

    # Whatever file it leads to, the program is called what the caller called it.
    called = name
    if fd < 0 and (mapped := ctx.thread.map_file(AT_FDCWD, name)) is not None:
        name = mapped

    def prepare(name: bytes, fd: int) -> _native.Prepared:
        path, argv = os.fsdecode(name), arguments or [b""]
        machine = process.arch.elf_machine
        return loader.prepare(path, argv, process.sysroot, caller=machine, fd=fd, execfn=called)

    try:
        prepared = prepare(name, fd)
        if process.is_own_exe(os.fstat(prepared.fd)) and _native.leads_to_own_exe(AT_FDCWD, name):
            prepared.close()
            name = process.exe
            prepared = prepare(name, -1)
    except loader.LoadError as error:
        raise fail(error.errno) from None
    try:
        if hidden and prepared.path != os.fsdecode(name):
            # fs/binfmt_script.c, BINPRM_FLAGS_PATH_INACCESSIBLE
            raise loader.LoadError("a script that its interpreter cannot open", errno.ENOENT)
        stack = process.native.limit(RLIMIT_STACK)[0]
        prepared.check_arguments(environment, stack)
    except loader.LoadError as error:
        prepared.close()
        raise fail(error.errno) from None
    if prepared.plan is None:
        path = os.fsencode(prepared.host_path)
        return _leave(ctx, prepared, Command(path, prepared.argv, environment))
    if ctx.process.shares_memory:
        command = again.command(ctx, prepared, environment)
        if command is not None:
            return _leave(ctx, prepared, command)

    def replace() -> None:
        _replace(process, prepared, environment)
        process.main.native.inherit_seccomp(ctx.thread)

    return _as_first_thread(ctx, replace)


def _as_first_thread(ctx: Context, replace: Callable[[], None]) -> int:
    """Does `replace` when the first thread is the only one: it stays (fs/exec.c, de_thread)."""
    process, caller = ctx.process, ctx.caller
    main = process.main
    if len(process.threads) == 1 and caller is main and process.loan is None:
        replace()
        return NO_RESULT
    main.exec_request = replace
    for thread in list(process.threads.values()):
        thread.doom()
    caller.ended = True
    if caller is not main:
        ctx.thread.ends()
    return NO_RESULT


def _leave(ctx: Context, prepared: _native.Prepared, command: Command) -> int:
    """A real execve, of a program of this machine: the kernel runs it.

    Errors come back as from any execve. Descriptors close themselves.
    """
    process, thread = ctx.process, ctx.thread
    if not process.shares_memory:
        result: int = thread.exec_host(command.path, command.argv, command.envp)
        command.close()
        prepared.close()
        raise fail(-result)

    def failed(number: int) -> None:
        command.close()
        prepared.close()
        if thread is process.main.native:
            thread.finish_call(-number)
        else:
            # Its thread is gone: too late to go back, as in _replace.
            process.ends(Exited(0, 9))

    def leave() -> None:
        main = process.main
        if main.native is not thread:
            main.native.take_mask(thread)
        if process.loan is not None:
            process.leaving = Leaving(command.path, command.argv, command.envp, failed)
        else:
            failed(-main.native.exec_host(command.path, command.argv, command.envp))

    return _as_first_thread(ctx, leave)


def _replace(process: Process, prepared: _native.Prepared, environment: list[bytes]) -> None:
    """The point of no return (fs/exec.c, begin_new_exec)."""
    if process.loan is not None:
        process.loan.release_parent()
        process.vforked = False
    if process.traced_from_exec:
        process.trace_me()
    shared = process.shares_memory
    if process.shares_files:
        _native.unshare_files()
        process.shares_files = False
    main = process.main
    mask = main.native.leave_for_exec(shared)
    keep = {prepared.fd, prepared.interp_fd}
    for fd in _native.close_on_exec():
        if fd not in keep and not process.owns_fd(fd):
            os.close(fd)
    process.envp = environment
    try:
        process.load(prepared)
    except loader.LoadError:
        # Too late to go back: the kernel kills the process then.
        process.ends(Exited(0, 11))
        return
    finally:
        prepared.close()
    process.main.native.set_mask(mask)
    process.publish()
