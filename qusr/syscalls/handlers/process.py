"""clone, fork and vfork. A guest process is a host process, a guest thread a host thread."""

from __future__ import annotations

import _frozen_importlib
import _imp
import _thread
import errno
import gc
import os
import time

from qusr import _native
from qusr.syscalls.context import Context, fail, find_handler, unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    _Numbers = tuple[int, int, int, int, int, int, int, int, int]

CSIGNAL = 0xFF
CLONE_NEWTIME = 0x80
CLONE_VM = 0x100
CLONE_FS = 0x200
CLONE_FILES = 0x400
CLONE_SIGHAND = 0x800
CLONE_PIDFD = 0x1000
CLONE_VFORK = 0x4000
CLONE_PARENT = 0x8000
CLONE_THREAD = 0x10000
CLONE_NEWNS = 0x20000
CLONE_SYSVSEM = 0x40000
CLONE_SETTLS = 0x80000
CLONE_PARENT_SETTID = 0x100000
CLONE_CHILD_CLEARTID = 0x200000
CLONE_DETACHED = 0x400000
CLONE_UNTRACED = 0x800000
CLONE_CHILD_SETTID = 0x1000000
CLONE_NEWCGROUP = 0x2000000
CLONE_NEWUTS = 0x4000000
CLONE_NEWIPC = 0x8000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
CLONE_CLEAR_SIGHAND = 0x100000000

_EMULATED = (
    CLONE_VM | CLONE_SIGHAND | CLONE_VFORK | CLONE_THREAD | CLONE_SETTLS
    | CLONE_CHILD_CLEARTID | CLONE_DETACHED | CLONE_CLEAR_SIGHAND
)  # fmt: skip
_OWN_OF_THREADS = (
    CLONE_NEWTIME | CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET
)
"""What a thread can have of its own, by the flags that ask for it."""
_SHARED_BY_THREADS = CLONE_FS | CLONE_FILES | CLONE_SYSVSEM
"""And what it has of its own without them."""
_O_EXCL = 0o200
_THREAD_PIDFD = _O_EXCL
"""PIDFD_THREAD (linux/pidfd.h), since Linux 6.9."""
_NSIG = 64
"""Flags that are ours to keep; all others go to the host kernel."""

_SIGCHLD = 17
EVENT_FORK, EVENT_VFORK, EVENT_CLONE, EVENT_VFORK_DONE = 1, 2, 3, 5
"""PTRACE_EVENT_*."""
_CLONE_ARGS_VER0 = 64
_PAGE = 4096


class Request:
    """What a clone asks for, in guest terms; `sp` is 0 to keep the caller's."""

    __slots__ = (
        "cgroup", "child_tid", "exit_signal", "flags", "parent_tid", "pidfd", "set_tid",
        "set_tid_size", "sp", "tls",
    )  # fmt: skip

    def __init__(self, flags: int, exit_signal: int = _SIGCHLD, sp: int = 0) -> None:
        self.flags = flags
        self.exit_signal = exit_signal
        self.sp = sp
        self.tls = self.parent_tid = self.child_tid = self.pidfd = 0
        self.set_tid = self.set_tid_size = self.cgroup = 0


def fork(ctx: Context) -> int:
    """fork(2)."""
    return _clone(ctx, Request(0))


def vfork(ctx: Context) -> int:
    """vfork(2)."""
    return _clone(ctx, Request(CLONE_VM | CLONE_VFORK))


def clone(ctx: Context, flags: int, sp: int, parent_tid: int, child_tid: int, tls: int) -> int:
    """clone(2). The Rust side has put the arguments into this order (`CloneOrder`)."""
    # A sibling has its creator's signal (kernel/fork.c, copy_process).
    exit_signal = 0 if flags & CLONE_PARENT else ctx.abi.signal_to_host(flags & CSIGNAL)
    request = Request(flags & 0xFFFFFFFF & ~CSIGNAL, exit_signal, sp)
    request.tls, request.child_tid = tls, child_tid
    if flags & CLONE_PIDFD:
        if flags & CLONE_PARENT_SETTID:
            raise fail(errno.EINVAL)
        request.pidfd = parent_tid
    else:
        request.parent_tid = parent_tid
    return _clone(ctx, request)


def clone3(ctx: Context, address: int, size: int) -> int:
    """clone3(2); copy_struct_from_user's rules for the size."""
    if size < _CLONE_ARGS_VER0:
        raise fail(errno.EINVAL)
    if size > _PAGE:
        raise fail(errno.E2BIG)
    # Not at the top: a fork needs no declarations.
    from qusr.syscalls import process as declared

    known = declared.CLONE_ARGS.size(ctx.abi)
    data = ctx.read(address, size)
    if any(data[known:]):
        raise fail(errno.E2BIG)
    args = unpack(declared.CLONE_ARGS, data[:known].ljust(known, b"\0"), ctx.abi)
    if args["exit_signal"] > _NSIG or args["flags"] & (CSIGNAL & ~CLONE_NEWTIME | CLONE_DETACHED):
        raise fail(errno.EINVAL)
    if args["exit_signal"] and args["flags"] & (CLONE_THREAD | CLONE_PARENT):
        raise fail(errno.EINVAL)
    if (args["stack"] == 0) != (args["stack_size"] == 0):
        raise fail(errno.EINVAL)
    request = Request(args["flags"], ctx.abi.signal_to_host(args["exit_signal"]))
    request.sp = args["stack"] + args["stack_size"] if args["stack"] else 0
    for name in ("tls", "parent_tid", "child_tid", "pidfd", "set_tid", "set_tid_size", "cgroup"):
        setattr(request, name, args[name])
    return _clone(ctx, request)


def _clone(ctx: Context, request: Request) -> int:
    flags = request.flags
    if flags & CLONE_THREAD and not flags & CLONE_SIGHAND:
        raise fail(errno.EINVAL)
    if flags & CLONE_SIGHAND and (not flags & CLONE_VM or flags & CLONE_CLEAR_SIGHAND):
        raise fail(errno.EINVAL)
    if flags & CLONE_PIDFD and flags & CLONE_DETACHED:
        raise fail(errno.EINVAL)
    if flags & CLONE_THREAD:
        return _new_thread(ctx, request)
    if flags & CLONE_VM:
        return _share(ctx, request)
    return _fork(ctx, request)


def _set_child_registers(ctx: Context, native: _native.Thread, request: Request) -> None:
    regs = ctx.process.arch.registers
    if request.sp:
        native.set_reg(regs.sp, request.sp)
    if request.flags & CLONE_SETTLS:
        native.set_reg(regs.tls, request.tls)
    native.finish_call(0)


def _new_thread(ctx: Context, request: Request) -> int:
    flags = request.flags
    # kernel/fork.c (copy_process) and kernel/nsproxy.c (copy_namespaces)
    if flags & (CLONE_NEWUSER | CLONE_NEWPID) or request.set_tid_size:
        raise fail(errno.EINVAL)
    for one, other in ((CLONE_NEWNS, CLONE_FS), (CLONE_NEWIPC, CLONE_SYSVSEM)):
        if flags & one and flags & other:
            raise fail(errno.EINVAL)
    if flags & CLONE_PIDFD:
        # Not to be had is known before there is a thread.
        os.close(os.pidfd_open(_thread.get_native_id(), _THREAD_PIDFD))
    own = flags & _OWN_OF_THREADS | ~flags & _SHARED_BY_THREADS
    if ctx.process.exited is not None:
        raise fail(errno.EAGAIN)
    native = ctx.thread.duplicate()
    _set_child_registers(ctx, native, request)
    if request.flags & CLONE_CHILD_CLEARTID:
        native.clear_child_tid = request.child_tid
    child = ctx.caller.sibling(native)

    def store_tids(tid: int) -> None:
        fd = -1
        if flags & CLONE_PIDFD:
            fd = os.pidfd_open(tid, _THREAD_PIDFD)
            _store_tid(ctx, request.pidfd, fd)
        number = native.unshare(own) if own else 0
        if fd >= 0 and (number or own & CLONE_FILES):
            # It is its creator's only.
            os.close(fd)
        if number:
            raise fail(number)
        for flag, address in (
            (CLONE_PARENT_SETTID, request.parent_tid),
            (CLONE_CHILD_SETTID, request.child_tid),
        ):
            if request.flags & flag:
                _store_tid(ctx, address, tid)

    # The new host thread inherits this mask: no signal may reach it before it has its own.
    _native.Thread.block_signals()
    ctx.thread.announce_clone(EVENT_CLONE)
    try:
        tid = child.start(store_tids)
    except RuntimeError:
        raise fail(errno.EAGAIN) from None
    finally:
        ctx.thread.announce_clone(0)
        ctx.thread.adopt()
    ctx.thread.trace_event(EVENT_CLONE, tid)
    if flags & CLONE_VFORK:
        ctx.thread.wait_for_child(tid)
    return tid


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
        from qusr.loader import auxv, image, program, script, stack
        from qusr.syscalls.handlers import exec as exec_calls
        from qusr.syscalls.handlers import procfs

        _warm.extend((auxv, image, program, script, stack, exec_calls, procfs))
        find_handler("exec:execve")
        gc.freeze()


def _numbers(ctx: Context, request: Request, event: int) -> _Numbers:
    def pointer(flag: int, address: int) -> int:
        return ctx.pointer(address) if request.flags & flag else 0

    flags = request.flags & ~_EMULATED
    if request.flags & CLONE_VM:
        # The ids are stored here, in the guest's byte order.
        flags &= ~(CLONE_PARENT_SETTID | CLONE_CHILD_SETTID)
        flags |= request.flags & CLONE_SIGHAND
    return (
        flags,
        request.exit_signal,
        pointer(CLONE_PIDFD, request.pidfd),
        pointer(CLONE_PARENT_SETTID, request.parent_tid),
        pointer(CLONE_CHILD_SETTID, request.child_tid),
        ctx.pointer(request.set_tid),
        request.set_tid_size,
        request.cgroup,
        event,
    )


def _fork(ctx: Context, request: Request) -> int:
    _warm_up()
    event = _event(request)
    ctx.thread.announce_clone(event)
    pid: int = _without_imports(ctx.thread.fork, _numbers(ctx, request, event))
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


def _event(request: Request) -> int:
    """The PTRACE_EVENT of a clone (kernel/fork.c, kernel_clone)."""
    if request.flags & CLONE_VFORK:
        return EVENT_VFORK
    return EVENT_FORK if request.exit_signal == _SIGCHLD else EVENT_CLONE


def _without_imports(fork: Callable[[_Numbers], int], numbers: _Numbers) -> int:
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
        return fork(numbers)
    finally:
        _imp.release_lock()


def _become_child(ctx: Context, request: Request) -> None:
    """The forking thread is the only one here, and the process is ours to end."""
    ctx.caller.become_first()
    ctx.thread.reset_after_fork(bool(request.flags & CLONE_CLEAR_SIGHAND))
    if request.flags & CLONE_CHILD_CLEARTID:
        ctx.thread.clear_child_tid = request.child_tid
    _set_child_registers(ctx, ctx.thread, request)


def _share(ctx: Context, request: Request) -> int:
    """A process that lives in this memory (qusr/borrower.py)."""
    from qusr import borrower

    process, flags = ctx.process, request.flags
    native = ctx.thread.lend(flags)
    _set_child_registers(ctx, native, request)
    if flags & CLONE_CHILD_CLEARTID:
        native.clear_child_tid = request.child_tid
    child = process.lend(native)
    child.vforked = bool(flags & CLONE_VFORK)

    def begin() -> None:
        if flags & CLONE_CLEAR_SIGHAND:
            native.process.reset_actions()
        if flags & CLONE_CHILD_SETTID:
            _store_tid(ctx, request.child_tid, os.getpid())

    event = _event(request)
    # Its threads must not die, either, with what the child waits for.
    process.native.die_orderly()
    made = ctx.thread.share(
        _numbers(ctx, request, event),
        native,
        lambda loan: borrower.live(child, loan, begin),
        lambda: borrower.is_gone(child, process),
    )
    if isinstance(made, int):
        raise fail(-made)
    pid: int = made.pid
    if flags & CLONE_PARENT_SETTID:
        _store_tid(ctx, request.parent_tid, pid)
    made.begin()
    if flags & CLONE_FILES:
        process.shares_files = child.shares_files = True
    if not flags & CLONE_UNTRACED:
        ctx.thread.trace_event(event, pid)
    if flags & CLONE_VFORK:
        made.wait()
        ctx.thread.trace_event(EVENT_VFORK_DONE, pid)
    made.leave()
    return pid
