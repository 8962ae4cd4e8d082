"""ptrace(2): who traces whom. What a stopped tracee is asked is in `qusr.ptrace.requests`."""

from __future__ import annotations

import errno
import os

from qusr import _native
from qusr.ptrace import block as b
from qusr.ptrace.tracee import Tracee, is_guest
from qusr.ptrace.tracer import Tracer
from qusr.ptrace.waiting import tracer_of
from qusr.syscalls.context import Context, fail


def ptrace(ctx: Context, request: int, pid: int, addr: int, data: int) -> int:
    """ptrace(2)."""
    from qusr.ptrace import requests

    word = (1 << ctx.abi.word * 8) - 1
    request, addr, data = request & 0xFFFFFFFF, addr & word, data & word
    if request == b.TRACEME:
        if ctx.process.parent_waits:
            # Stopped now, in its tracer's memory, it might keep the interpreter's lock from it.
            ctx.process.traced_from_exec = True
            return 0
        _native.ptrace(b.TRACEME, 0, 0, 0)
        ctx.thread.become_tracee()
        return 0
    tracer = tracer_of(ctx.caller)
    if request in (b.ATTACH, b.SEIZE):
        return _attach(tracer, request, pid, addr, data)
    tracee = _find(tracer, ctx, pid)
    if request == b.KILL:
        _native.ptrace(b.KILL, pid, 0, 0)
        return 0
    if request == b.INTERRUPT:
        if not tracee.seized:
            raise fail(errno.EIO)
        tracee.interrupt()
        return 0
    if tracee.report is None:
        tracer.service()
    if tracee.report is None:
        raise fail(errno.ESRCH)
    return requests.find(request)(ctx, tracer, tracee, addr, data)


def _attach(tracer: Tracer, request: int, pid: int, addr: int, data: int) -> int:
    from qusr.ptrace.requests import check_options

    tracee = Tracee(pid, seized=request == b.SEIZE)
    options = 0
    if request == b.SEIZE:
        if addr:
            raise fail(errno.EIO)
        if data & ~b.O_ALL:
            raise fail(errno.EIO)
        tracee.options = check_options(data)
        options = tracee.host_options()
    if _is_donor(pid):
        raise fail(errno.ESRCH)
    if os.path.isdir(f"/proc/{pid}") and not is_guest(pid):
        raise fail(errno.EPERM)  # a program of the host, in which we would see no guest
    _native.ptrace(request, pid, 0, options)
    tracee.prepared = request == b.SEIZE
    tracer.add(tracee)
    return 0


def _is_donor(tid: int) -> bool:
    """Whether a thread is none of the guest's (native/kernel/src/process/share.rs)."""
    try:
        with open(f"/proc/{tid}/comm", "rb") as file:
            return file.read() == b"qusr-donor\n"
    except OSError:
        return False


def _find(tracer: Tracer, ctx: Context, pid: int) -> Tracee:
    """The tracee, perhaps one that called PTRACE_TRACEME and was not waited for yet."""
    from qusr.ptrace.tracee import status_number

    tracee = tracer.tracees.get(pid)
    if tracee is None:
        if status_number(pid, b"TracerPid") != ctx.caller.tid:
            raise fail(errno.ESRCH)
        tracer.meet(pid)
        tracer.service()
        tracee = tracer.tracees.get(pid)
        if tracee is None:
            raise fail(errno.ESRCH)
    return tracee
