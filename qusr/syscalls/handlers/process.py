"""clone, fork and vfork. A guest process is a host process, a guest thread a host thread."""

from __future__ import annotations

import _frozen_importlib
import _imp
import errno
import gc
import os
import time

from qusr import _native
from qusr.syscalls.context import NO_RESULT, Context, fail, find_handler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

CLONE_FILES = 0x400
CLONE_VFORK = 0x4000
CLONE_PARENT_SETTID = 0x100000
CLONE_UNTRACED = 0x800000
CLONE_CHILD_SETTID = 0x1000000
CLONE_CLEAR_SIGHAND = 0x100000000

_WORD = (1 << 64) - 1

EVENT_VFORK_DONE = 5
"""PTRACE_EVENT_VFORK_DONE."""


def fork(ctx: Context) -> int:
    """fork(2)."""
    return _clone(ctx, "fork")


def vfork(ctx: Context) -> int:
    """vfork(2)."""
    return _clone(ctx, "vfork")


def clone(ctx: Context, flags: int, sp: int, parent_tid: int, child_tid: int, tls: int) -> int:
    """clone(2). The Rust side has put the arguments into this order (`CloneOrder`)."""
    return _clone(ctx, "clone", flags, sp, parent_tid, child_tid, tls)


def clone3(ctx: Context, address: int, size: int) -> int:
    """clone3(2)."""
    return _clone(ctx, "clone3", address, size)


def _clone(ctx: Context, name: str, *values: int) -> int:
    request = ctx.thread.clone_request(f"process:{name}", [value & _WORD for value in values])
    if request.kind == "thread":
        return _new_thread(ctx, request)
    if request.kind == "borrower":
        return _share(ctx, request)
    return _fork(ctx, request)


def _new_thread(ctx: Context, request: _native.CloneRequest) -> int:
    if ctx.process.exited is not None:
        raise fail(errno.EAGAIN)
    if ctx.process.main.exec_request is not None:
        ctx.caller.leave()
        return NO_RESULT
    return ctx.caller.start_sibling(request)


def _store_tid(ctx: Context, address: int, tid: int) -> None:
    try:
        ctx.write(address, tid.to_bytes(4, ctx.abi.byte_order))
    except OSError:
        pass  # put_user's failure is ignored (kernel/fork.c)


_warm: list[object] = []
"""The modules that children need; empty before the first fork."""


def _warm_up() -> None:
    """Does once, before the first fork, what each child would otherwise do for itself.

    Most children execute a program, whose C library begins with a few calls that Python makes. And
    a garbage collection in a child would write to, and so copy, every page that holds objects.
    """
    if not _warm:
        # Those of the loader are there already unless the program was started without Python.
        from qusr.loader import program
        from qusr.syscalls.handlers import exec as exec_calls
        from qusr.syscalls.handlers import procfs

        _warm.extend((program, exec_calls, procfs))
        find_handler("exec:execve")
        gc.freeze()


def _fork(ctx: Context, request: _native.CloneRequest) -> int:
    _warm_up()
    event = request.event
    ctx.thread.announce_clone(event)
    pid: int = _without_imports(ctx.thread.fork, request)
    ctx.thread.announce_clone(0)
    if pid < 0:
        raise fail(-pid)
    if request.flags & CLONE_FILES:
        ctx.process.shares_files = True
    if pid == 0:
        _become_child(ctx, request)
        return 0
    if not request.flags & CLONE_UNTRACED:
        ctx.thread.trace_event(event, pid)
    if request.flags & CLONE_VFORK:
        ctx.thread.wait_for_child(pid)
        ctx.thread.trace_event(EVENT_VFORK_DONE, pid)
    return pid


def _without_imports(
    fork: Callable[[_native.CloneRequest], int], request: _native.CloneRequest
) -> int:
    """Forks while no thread imports a module.

    In the child that module would stay half made, with its lock held for ever: Python
    brings its global import lock through a fork, but not those of single modules.
    """
    while True:
        _imp.acquire_lock()
        # Module locks are made under the global lock, and are gone when nobody imports.
        if not _frozen_importlib._module_locks:  # type: ignore[attr-defined]
            break
        _imp.release_lock()
        time.sleep(0.0005)
    try:
        return fork(request)
    finally:
        _imp.release_lock()


def _become_child(ctx: Context, request: _native.CloneRequest) -> None:
    """The forking thread is the only one here, and the process is ours to end."""
    ctx.caller.become_first()
    ctx.thread.begin_fork(request)


def _share(ctx: Context, request: _native.CloneRequest) -> int:
    """A process that lives in this memory (qusr/borrower.py)."""
    from qusr import borrower

    process, flags = ctx.process, request.flags
    native = ctx.thread.lend(flags)
    native.begin_clone(request)
    child = process.lend(native)
    child.vforked = bool(flags & CLONE_VFORK)
    if flags & CLONE_FILES:
        process.shares_files = child.shares_files = True

    def begin() -> None:
        if flags & CLONE_CLEAR_SIGHAND:
            native.process.reset_actions()
        if flags & CLONE_CHILD_SETTID:
            _store_tid(ctx, request.child_tid, os.getpid())

    event, memory = request.event, process.memory
    # Its threads must not die, either, with what the child waits for.
    process.native.die_orderly()
    made = ctx.thread.share(
        request,
        native,
        lambda loan: borrower.live(child, loan, begin),
        lambda in_order: borrower.is_gone(child, memory, in_order),
    )
    if isinstance(made, int):
        raise fail(-made)
    pid: int = made.pid
    if flags & CLONE_PARENT_SETTID:
        _store_tid(ctx, request.parent_tid, pid)
    made.begin()
    if not flags & CLONE_UNTRACED:
        ctx.thread.trace_event(event, pid)
    if flags & CLONE_VFORK:
        ctx.thread.wait_for_borrower(made)
        ctx.thread.trace_event(EVENT_VFORK_DONE, pid)
    made.leave()
    return pid
