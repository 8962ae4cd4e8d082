"""wait4 and waitid in a process with tracees: their stops come from the tracer's books, all
else from the host kernel.
"""

from __future__ import annotations

import errno
import os
import struct
from abc import ABC, abstractmethod

from qusr import _native
from qusr.ptrace.tracee import status_number
from qusr.ptrace.tracer import Ready, Tracer
from qusr.syscalls.context import Context, fail, unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from qusr.running import Thread

_WNOHANG, _WSTOPPED, _WEXITED, _WCONTINUED = 1, 2, 4, 8
_WNOWAIT, _WALL = 0x1000000, 0x40000000
_P_ALL, _P_PID, _P_PGID, _P_PIDFD = range(4)
_CLD_EXITED, _CLD_KILLED, _CLD_DUMPED, _CLD_TRAPPED = range(1, 5)
_SIGCHLD = 17
_PAUSE = struct.pack("<qq", 0, 2_000_000)


def tracer_of(thread: Thread) -> Tracer:
    """The books of a thread, begun if need be."""
    if thread.tracer is None:
        thread.tracer = Tracer(thread.process)
    return thread.tracer


def review(ctx: Context, name: str | None, args: list[int], result: int) -> int:
    """A wait with the raw registers `args`. `result` is -1 if the host has not made it, else
    what that gave: a child of ours has stopped, which perhaps called PTRACE_TRACEME.
    """
    waiting = _wait4(ctx, args) if name == "wait4" else _waitid(ctx, args)
    if result >= 0:
        tid = waiting.told(ctx, result)
        if not _met(ctx, tid):
            return result
        if not waiting.keeps:
            waiting.take(ctx, tid)  # the host no longer has this stop
    return waiting.run(ctx)


def _met(ctx: Context, tid: int) -> bool:
    """Whether a child is traced by the calling thread."""
    tracer = tracer_of(ctx.caller)
    if tid in tracer.tracees:
        return True
    if status_number(tid, b"TracerPid") != ctx.caller.tid:
        return False
    tracer.meet(tid)
    return True


class Wait(ABC):
    """What a wait is for: `which` and `number` as for waitid(2)."""

    def __init__(self, which: int, number: int, options: int) -> None:
        self.which = which
        self.number = number
        self.options = options

    @property
    def keeps(self) -> bool:
        """WNOWAIT: what is found stays to be found again."""
        return bool(self.options & _WNOWAIT)

    @abstractmethod
    def told(self, ctx: Context, result: int) -> int:
        """Whom a call that the host made, and that gave `result`, was about."""

    @abstractmethod
    def take(self, ctx: Context, tid: int) -> None:
        """Enters a stop that the host's call has consumed into the books."""

    @abstractmethod
    def give(self, ctx: Context, item: Ready) -> int:
        """Tells the guest."""

    @abstractmethod
    def on_host(self, ctx: Context) -> Ready | None:
        """Asks the host kernel, without waiting. ECHILD as it says."""

    def nothing(self, ctx: Context) -> int:
        """WNOHANG, and nothing happened."""
        return 0

    def concerns(self, tid: int) -> bool:
        """Whether the wait is for this tracee."""
        if self.which == _P_ALL:
            return True
        if self.which == _P_PID:
            return self.number == tid
        if self.which == _P_PIDFD:
            return status_number_of_pidfd(self.number) == tid
        try:
            return os.getpgid(tid) == (self.number or os.getpgid(0))
        except OSError:
            return False

    def stops_wanted(self) -> bool:
        """Whether stops of tracees are asked for."""
        return True

    def run(self, ctx: Context) -> int:
        """The call's result."""
        tracer = tracer_of(ctx.caller)
        while True:
            progress = tracer.service()
            for item in tracer.ready:
                wanted = self.stops_wanted() if item.stopped else self.options & _WEXITED
                if wanted and self.concerns(item.tid):
                    if not self.keeps:
                        tracer.ready.remove(item)
                    return self.give(ctx, item)
            ours = any(self.concerns(tid) for tid in tracer.tracees)
            try:
                found = self.on_host(ctx)
            except OSError as error:
                if error.errno != errno.ECHILD or not ours:
                    raise
                found = None
            if found is not None and found.tid in tracer.tracees:
                if not self.keeps:
                    tracer.take(found.tid, found.status, found.usage)
                continue
            if found is not None and found.stopped and _met(ctx, found.tid):
                if not self.keeps:
                    tracer.take(found.tid, found.status, found.usage)
                continue
            if found is not None:
                return self.give(ctx, found)
            if self.options & _WNOHANG:
                return self.nothing(ctx)
            if not progress:
                self._sleep(ctx, tracer)

    def _sleep(self, ctx: Context, tracer: Tracer) -> None:
        """Until any child or tracee changes its state."""
        info = bytearray(128)
        changes = _WEXITED | _WSTOPPED | _WCONTINUED | _WNOWAIT | _WALL
        which, number = _P_ALL, 0
        if len(tracer.tracees) <= 1 and self.which in (_P_PID, _P_PGID):
            which, number = self.which, self.number
            if any(not self.concerns(tid) for tid in tracer.tracees):
                which, number = _P_ALL, 0
        ctx.host_call("waitid", which, number, info, changes, 0)
        if self.on_host_unchanged(tracer):
            # A child is ready for which nobody waits now.
            ctx.host_call("ppoll", 0, 0, _PAUSE, 0, 8)

    def on_host_unchanged(self, tracer: Tracer) -> bool:
        """Whether what ended the sleep is of no use."""
        return not tracer.service() and not self._peek()

    def _peek(self) -> bool:
        """Whether the host has something for this very wait."""
        options = self.options & 0x7FFFFFFF | _WNOHANG | _WNOWAIT
        try:
            return os.waitid(self.which, self.number, options) is not None
        except OSError:
            return True


class _Wait4(Wait):
    def __init__(self, pid: int, status: int, options: int, usage: int) -> None:
        if options & ~(_WNOHANG | _WSTOPPED | _WCONTINUED | 0xE0000000):
            raise fail(errno.EINVAL)
        which = _P_ALL if pid == -1 else _P_PID if pid > 0 else _P_PGID
        super().__init__(which, abs(pid) if pid not in (0, -1) else 0, options | _WEXITED)
        self.pid = pid
        self.status = status
        self.usage = usage

    def told(self, ctx: Context, result: int) -> int:
        del ctx
        return result

    def take(self, ctx: Context, tid: int) -> None:
        status = 0x137F
        if self.status:
            order = ctx.abi.byte_order
            status = ctx.abi.wait_status_to_host(int.from_bytes(ctx.read(self.status, 4), order))
        tracer_of(ctx.caller).take(tid, status, bytes(144))

    def on_host(self, ctx: Context) -> Ready | None:
        options = self.options & ~_WEXITED | _WNOHANG
        pid, status, usage = _native.wait_child(self.pid, options - (options >> 31 << 32))
        return Ready(pid, status, usage) if pid else None

    def give(self, ctx: Context, item: Ready) -> int:
        from qusr.arch.abi import HOST
        from qusr.syscalls.structs import RUSAGE

        if self.status:
            order = ctx.abi.byte_order
            status = ctx.abi.wait_status_to_guest(item.status)
            ctx.write(self.status, status.to_bytes(4, order))
        if self.usage:
            ctx.write_struct(RUSAGE, self.usage, unpack(RUSAGE, item.usage, HOST))
        return item.tid


class _Waitid(Wait):
    def __init__(self, which: int, number: int, info: int, options: int, usage: int) -> None:
        known = _WNOHANG | _WSTOPPED | _WEXITED | _WCONTINUED | _WNOWAIT | 0xE0000000
        if options & ~known or not options & (_WSTOPPED | _WEXITED | _WCONTINUED):
            raise fail(errno.EINVAL)
        super().__init__(which, number, options)
        self.info = info
        self.usage = usage

    def stops_wanted(self) -> bool:
        return bool(self.options & _WSTOPPED)

    def told(self, ctx: Context, result: int) -> int:
        del result
        at = self.info + (16 if ctx.abi.word == 8 else 12)
        order = ctx.abi.byte_order
        return int.from_bytes(ctx.read(at, 4), order)

    def take(self, ctx: Context, tid: int) -> None:
        at = self.info + (24 if ctx.abi.word == 8 else 20)
        order = ctx.abi.byte_order
        status = int.from_bytes(ctx.read(at, 4), order)
        status = status & ~0x7F | ctx.abi.signal_to_host(status & 0x7F)
        tracer_of(ctx.caller).take(tid, status << 8 | 0x7F, bytes(144))

    def on_host(self, ctx: Context) -> Ready | None:
        info, usage = bytearray(128), bytearray(144)
        ctx.host_call("waitid", self.which, self.number, info, self.options | _WNOHANG, usage)
        _, _, code, _, pid, _, status = struct.unpack_from("<7i", info)
        if not pid:
            return None
        if code == _CLD_EXITED:
            return Ready(pid, (status & 0xFF) << 8, bytes(usage))
        if code in (_CLD_KILLED, _CLD_DUMPED):
            return Ready(pid, status | (0x80 if code == _CLD_DUMPED else 0), bytes(usage))
        if code == 6:  # CLD_CONTINUED
            return Ready(pid, 0xFFFF, bytes(usage))
        item = Ready(pid, status << 8 | 0x7F, bytes(usage))
        item.trapped = code == _CLD_TRAPPED
        return item

    def give(self, ctx: Context, item: Ready) -> int:
        from qusr.arch.abi import HOST
        from qusr.syscalls.structs import RUSAGE

        status = item.status
        if status == 0xFFFF:
            code, status = 6, 18
        elif item.stopped:
            code, status = _CLD_TRAPPED if item.trapped else 5, status >> 8
        elif status & 0x7F:
            code, status = _CLD_DUMPED if status & 0x80 else _CLD_KILLED, status & 0x7F
        else:
            code, status = _CLD_EXITED, status >> 8
        uid = os.getuid()
        try:
            uid = os.stat(f"/proc/{item.tid}").st_uid
        except OSError:
            pass  # it is gone
        if self.info:
            info = struct.pack("<iiiiiIi", _SIGCHLD, 0, code, 0, item.tid, uid, status)
            data = ctx.thread.siginfo_to_guest(info.ljust(128, b"\0"))
            # The kernel fills these fields only.
            ctx.write(self.info, data[: 28 if ctx.abi.word == 8 else 24])
        if self.usage:
            ctx.write_struct(RUSAGE, self.usage, unpack(RUSAGE, item.usage, HOST))
        return 0

    def nothing(self, ctx: Context) -> int:
        if self.info:
            ctx.write(self.info, bytes(28 if ctx.abi.word == 8 else 24))
        return 0


def _int(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


def _wait4(ctx: Context, args: list[int]) -> Wait:
    return _Wait4(_int(args[0]), args[1], args[2] & 0xFFFFFFFF, args[3])


def _waitid(ctx: Context, args: list[int]) -> Wait:
    return _Waitid(_int(args[0]), _int(args[1]), args[2], args[3] & 0xFFFFFFFF, args[4])


def status_number_of_pidfd(fd: int) -> int:
    """The process that a pidfd is for."""
    try:
        with open(f"/proc/self/fdinfo/{fd}", "rb") as file:
            for line in file:
                if line.startswith(b"Pid:"):
                    return int(line.split()[1])
    except OSError:
        pass
    return 0
