"""execve and execveat: another program in the same host process.

Everything that can fail is done while the old image still stands. A program of the
host itself is a real execve. So is that of a process whose memory is also another one's, which
the old image has to be left to: there qusr is started anew (qusr/again.py), or, where that
cannot be, the new program gets an address space of its own in the same host memory.
"""

from __future__ import annotations

import os

from qusr import _native, again, loader
from qusr.execution import Command, Leaving
from qusr.options import Exited, UsageError
from qusr.syscalls.context import NO_RESULT, Context, fail

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from qusr.running import Process

_WORD = (1 << 64) - 1


def execve(ctx: Context, path: int, argv: int, envp: int) -> int:
    """execve(2)."""
    return _exec(ctx, "execve", path, argv, envp)


def execveat(ctx: Context, dirfd: int, path: int, argv: int, envp: int, flags: int) -> int:
    """execveat(2); with AT_EMPTY_PATH the file is `dirfd` itself."""
    return _exec(ctx, "execveat", dirfd, path, argv, envp, flags)


def _exec(ctx: Context, name: str, *values: int) -> int:
    arguments = [value & _WORD for value in values]
    process = ctx.process

    def prepare() -> tuple[_native.Prepared, list[bytes]]:
        ready: tuple[_native.Prepared, list[bytes]] = ctx.thread.prepare_exec(
            f"exec:{name}", arguments, process.exe
        )
        return ready

    prepared, environment = prepare()
    if process.shares_files and prepared.plan is not None and len(process.threads) == 1:
        # What is opened for the program must not stay open in the table that it shared until now.
        prepared.close()
        _own_files(process)
        prepared, environment = prepare()
    command = None
    if prepared.plan is None:
        path = os.fsencode(prepared.host_path)
        command = Command(path, prepared.argv, environment)
    elif process.shares_memory:
        command = again.command(ctx, prepared, environment)
    if command is not None:
        # What is left behind in another process's memory must not own a descriptor.
        prepared.close()
        return _leave(ctx, command)

    def replace() -> None:
        _replace(process, prepared, environment)
        process.main.native.inherit(ctx.thread)

    return _as_first_thread(ctx, replace)


def _as_first_thread(ctx: Context, replace: Callable[[], None]) -> int:
    """Does `replace` when the first thread is the only one: it stays (fs/exec.c, de_thread)."""
    process, caller = ctx.process, ctx.caller
    main = process.main
    if main.exec_request is not None:
        # Another thread's execve came first: it ends this thread, too.
        caller.leave()
        return NO_RESULT
    if len(process.threads) == 1 and caller is main and process.loan is None:
        replace()
        return NO_RESULT

    def as_first() -> None:
        if caller is not main:
            main.native.take_mask(ctx.thread)
        replace()

    main.exec_request = as_first
    for thread in list(process.threads.values()):
        thread.doom()
    caller.ended = True
    if caller is not main:
        ctx.thread.ends()
    return NO_RESULT


def _leave(ctx: Context, command: Command) -> int:
    """A real execve, of a program of this machine: the kernel runs it.

    Errors come back as from any execve. Descriptors close themselves.
    """
    process, thread = ctx.process, ctx.thread
    if not process.shares_memory:
        result: int = thread.exec_host(command.path, command.argv, command.envp)
        command.close()
        raise fail(-result)

    def failed(number: int) -> None:
        command.close()
        if thread is process.main.native:
            thread.finish_call(-number)
        else:
            # Its thread is gone: too late to go back, as in _replace.
            process.ends(Exited(0, 9))

    def leave() -> None:
        main = process.main
        if process.loan is not None:
            process.leaving = Leaving(command.path, command.argv, command.envp, failed)
        else:
            failed(-main.native.exec_host(command.path, command.argv, command.envp))

    return _as_first_thread(ctx, leave)


def _own_files(process: Process) -> None:
    """A program begins with descriptors of its own (fs/exec.c, begin_new_exec)."""
    if process.shares_files:
        _native.unshare_files()
        process.shares_files = False


def _replace(process: Process, prepared: _native.Prepared, environment: list[bytes]) -> None:
    """The point of no return (fs/exec.c, begin_new_exec)."""
    if process.loan is not None:
        process.loan.release_parent()
        process.vforked = False
    if process.traced_from_exec:
        process.trace_me()
    shared = process.shares_memory
    _own_files(process)
    main = process.main
    mask = main.native.leave_for_exec(shared)
    keep = {prepared.fd, prepared.interp_fd}
    for fd in _native.close_on_exec():
        if fd not in keep and not process.owns_fd(fd):
            os.close(fd)
    process.envp = environment
    try:
        process.load(prepared)
    except (loader.LoadError, UsageError):
        # Too late to go back: the kernel kills the process then.
        process.ends(Exited(0, 11))
        return
    finally:
        prepared.close()
    process.main.native.set_mask(mask)
    process.publish()
