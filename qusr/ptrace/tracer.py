"""What the host kernel tells of tracees, and what of it the guest is told."""

from __future__ import annotations

import errno
import os
import struct
import time

from qusr import _native
from qusr.ptrace import block as b
from qusr.ptrace import tracee as kinds
from qusr.ptrace.tracee import Report, Tracee, is_guest, status_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Tracing(Protocol):
        """What of a process its tracers need; `native` changes with an execve."""

        @property
        def native(self) -> _native.Process:
            """Its Rust half."""


_WNOHANG, _WALL = 1, 0x40000000
_RESTARTS = (-512, -513, -514, -516)
"""ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND, ERESTART_RESTARTBLOCK."""
_CAUSED = (4, 5, 7, 8, 11)
"""Signals that the emulator's own instructions can cause."""
_SIGSYS, _SYS_USER_DISPATCH = 31, 2
"""What tells the emulator of a system call of code that the host's processor runs."""
_SI_TKILL = -6
_RAX, _ORIG_RAX = 10, 15


class Ready:
    """A change of state that a wait can give: status and rusage are wait4(2)'s."""

    __slots__ = ("status", "tid", "trapped", "usage")

    def __init__(self, tid: int, status: int, usage: bytes) -> None:
        self.tid = tid
        self.status = status
        self.usage = usage
        self.trapped = True

    @property
    def stopped(self) -> bool:
        """Whether it is a stop, not an end."""
        return self.status & 0xFF == 0x7F


class Tracer:
    """All that one guest thread traces."""

    def __init__(self, process: Tracing) -> None:
        self.process = process
        self.tracees: dict[int, Tracee] = {}
        self.ready: list[Ready] = []
        self.memory_files: dict[tuple[int, int], int] = {}
        self.early: dict[int, tuple[int, bytes]] = {}

    def add(self, tracee: Tracee) -> None:
        """Begins to look after a thread that the host kernel has attached to ours."""
        self.tracees[tracee.tid] = tracee
        self.process.native.set_tracing(True)

    def meet(self, tid: int) -> bool:
        """Whether an unknown child of ours has become our tracee by PTRACE_TRACEME.

        The host kernel also attaches what tracees clone, and may tell of its first stop
        before the clone's event: such a thread is not in the books before that.
        """
        processes = {tracee.tgid for tracee in self.tracees.values()}
        if {status_number(tid, b"PPid"), status_number(tid, b"Tgid")} & processes:
            return False
        self.add(Tracee(tid, seized=False))
        return True

    def remove(self, tid: int) -> None:
        """The thread is no longer traced."""
        self.tracees.pop(tid, None)
        self.ready = [item for item in self.ready if item.tid != tid]

    def service(self) -> bool:
        """Takes what happened to the tracees since the last time; whether anything did."""
        any_news = False
        while True:
            news = False
            for tid in list(self.tracees):
                try:
                    pid, status, usage = _native.wait_child(tid, _WNOHANG | _WALL)
                except OSError:
                    self.remove(tid)  # somebody else has waited for its end
                    continue
                if pid:
                    news = any_news = True
                    self.take(tid, status, usage)
            if not news:
                return any_news

    def take(self, tid: int, status: int, usage: bytes) -> None:
        """One result of wait4(2) for a tracee."""
        tracee = self.tracees.get(tid)
        if tracee is None:
            self.early[tid] = status, usage
            return
        if status & 0xFF != 0x7F:
            self.remove(tid)
            if not tracee.unwanted:
                self.ready.append(Ready(tid, status, usage))
            return
        try:
            self._stopped(tracee, status >> 8 & 0xFF, status >> 16)
        except OSError as error:
            # It was killed meanwhile: its end is the next that we hear of it.
            if error.errno not in (errno.ESRCH, errno.EFAULT):
                raise

    # --- stops of the host ---

    def _stopped(self, tracee: Tracee, signal: int, event: int) -> None:
        if not tracee.prepared:
            tracee.prepared = True
            if not is_guest(tracee.tid):
                self._lose(tracee)
                return
            _native.ptrace(b.SETOPTIONS, tracee.tid, 0, tracee.host_options())
        if event in (b.EVENT_FORK, b.EVENT_VFORK, b.EVENT_CLONE):
            self._cloned(tracee)
        elif event == b.EVENT_EXEC:
            self._lose(tracee)  # our own execve stays within the process
        elif tracee.unwanted:
            _native.ptrace(b.DETACH, tracee.tid, 0, 0)
            self.remove(tracee.tid)
        elif event == b.EVENT_EXIT:
            parked = tracee.parked
            code = _message(tracee.tid)
            self._report_event(tracee, b.EVENT_EXIT, code, on_host=True)
            tracee.parked = parked
        elif event == b.EVENT_STOP:
            self._trapped(tracee, signal)
        else:
            self._signalled(tracee, signal)

    def _cloned(self, tracee: Tracee) -> None:
        child = Tracee(_message(tracee.tid), seized=tracee.seized, options=tracee.options)
        child.prepared = True
        if tracee.block:
            cloning = tracee.header().cloning
            child.unwanted = cloning != 0 and not tracee.options >> cloning & 1
        self.add(child)
        tracee.let_go()
        early = self.early.pop(child.tid, None)
        if early is not None:
            self.take(child.tid, *early)

    def _lose(self, tracee: Tracee) -> None:
        """A tracee runs a program of the host, in which we see no guest. For its tracer it ends
        here, unless that is its parent: then it goes on as any other child.
        """
        _native.ptrace(b.DETACH, tracee.tid, 0, 0)
        own = status_number(tracee.tid, b"PPid") == os.getpid()
        self.remove(tracee.tid)
        if not own and not tracee.unwanted:
            self.ready.append(Ready(tracee.tid, 0, bytes(144)))

    def _trapped(self, tracee: Tracee, signal: int) -> None:
        """PTRACE_EVENT_STOP, in a group-stop if `signal` is not SIGTRAP."""
        tracee.interrupted = False
        if tracee.parked:
            info = b.siginfo(signal, b.EVENT_STOP << 8 | signal, tracee.tid)
            self._tell(tracee, Report(kinds.TRAP, signal, info, event=b.EVENT_STOP, on_host=True))
            return
        tracee.pending.append((kinds.TRAP, signal, b""))
        tracee.ring()
        tracee.let_go()

    def _signalled(self, tracee: Tracee, signal: int) -> None:
        try:
            info = _native.ptrace_get(b.GETSIGINFO, tracee.tid, 0, b.INFO_SIZE)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            self._group_stopped(tracee, signal)
            return
        code, value = b.code_of(info), b.value_of(info)
        message = value >> 48 if code == b.SI_QUEUE else 0
        if signal == b.SIGSEGV and message == b.STOP:
            tracee.block = value & 0xFFFFFFFFFFFF
            tracee.parked = True
            self._parked(tracee)
        elif signal == b.SIGSEGV and message == b.BELL:
            self._pass_bell(tracee)
        elif message == b.DIE or (signal == b.SIGSEGV and message == b.DOOM):
            tracee.let_go(signal)
        elif signal in _CAUSED and code > 0:
            tracee.let_go(signal)  # the emulator's own business
        elif signal == _SIGSYS and code == _SYS_USER_DISPATCH:
            tracee.let_go(signal)
        elif code == _SI_TKILL and _is_own(signal) and not _catches(tracee.tid, signal):
            # The emulator dies of what the tracer has let through (memory/fault.rs, pass_on).
            tracee.let_go(signal)
        else:
            tracee.pending.append((kinds.SIGNAL, signal, info))
            self._pass_bell(tracee)

    def _group_stopped(self, tracee: Tracee, signal: int) -> None:
        if tracee.parked:
            self._tell(tracee, Report(kinds.GROUP, signal, None, on_host=True))
            return
        tracee.pending.append((kinds.GROUP, signal, b""))
        tracee.ring()
        tracee.let_go()

    def _pass_bell(self, tracee: Tracee) -> None:
        """Has the signal of this stop arrive as the bell."""
        regs = struct.unpack("<27Q", _native.ptrace_get(b.HOST_GETREGS, tracee.tid, 0, 27 * 8))
        restart = 0
        if not regs[_ORIG_RAX] >> 63:
            result = regs[_RAX] - (1 << 64)
            restart = -result if result in _RESTARTS else 0
        _native.ptrace_set(b.SETSIGINFO, tracee.tid, 0, b.bell(restart))
        tracee.let_go(b.SIGSEGV)

    # --- stops between guest instructions ---

    def _parked(self, tracee: Tracee) -> None:
        if tracee.asked:
            tracee.asked = False
            return
        header = tracee.header()
        uid = os.getuid()
        if header.kind == b.BOUNDARY:
            self._take_pending(tracee)
        elif header.kind in (b.ENTRY, b.EXIT):
            good = 0x80 if tracee.options & b.O_SYSGOOD else 0
            signal = b.SIGTRAP | good
            info = b.siginfo(b.SIGTRAP, signal, tracee.tid, uid)
            kind = kinds.ENTRY if header.kind == b.ENTRY else kinds.EXIT
            message = 1 if header.kind == b.ENTRY else 2
            self._tell(tracee, Report(kind, signal, info, message=message))
        elif header.kind == b.FAULT:
            info = tracee.read(tracee.block + b.INFO_AT, b.INFO_SIZE)
            self._tell(tracee, Report(kinds.FAULT, header.code, info))
        else:
            self._report_event(tracee, header.code, header.message)

    def _take_pending(self, tracee: Tracee) -> None:
        if not tracee.pending:
            tracee.let_go()
            return
        kind, signal, info = tracee.pending.pop(0)
        if kind == kinds.SIGNAL:
            self._tell(tracee, Report(kind, signal, info))
        elif kind == kinds.GROUP:
            self._tell(tracee, Report(kind, signal, None))
        else:
            # The host kernel is to be in this stop: it traps again at once, before any
            # guest instruction, and knows whether a group-stop is still in force.
            _native.ptrace(b.INTERRUPT, tracee.tid, 0, 0)
            _native.ptrace(b.CONT, tracee.tid, 0, 0)

    def _report_event(
        self, tracee: Tracee, event: int, message: int, *, on_host: bool = False
    ) -> None:
        info = b.siginfo(b.SIGTRAP, event << 8 | b.SIGTRAP, tracee.tid, os.getuid())
        self._tell(
            tracee,
            Report(kinds.EVENT, b.SIGTRAP, info, event=event, message=message, on_host=on_host),
        )

    def _tell(self, tracee: Tracee, report: Report) -> None:
        tracee.report = report
        tracee.interrupted = False
        self.ready = [item for item in self.ready if item.tid != tracee.tid]
        self.ready.append(Ready(tracee.tid, report.status, bytes(144)))

    # --- questions ---

    def ask(self, tracee: Tracee, question: int, *arguments: int) -> bytes | None:
        """Has a tracee answer in its stop; None when it is in none that it can do so in. Up to two
        numbers go with the question.
        """
        report = tracee.report
        if report is None or not tracee.parked or report.on_host:
            return None
        if arguments:
            words = struct.pack(f"<{len(arguments)}Q", *arguments)
            tracee.write(tracee.block + b.ARGUMENTS_AT, words)
        tracee.write(tracee.block + b.REQUEST_AT, struct.pack("<I", question))
        tracee.asked = True
        tracee.let_go()
        while tracee.asked:
            self.service()
            if tracee.tid not in self.tracees:
                return None
            if tracee.asked:
                time.sleep(0.0002)
        header = tracee.header()
        return tracee.read(header.reply, header.reply_size) if header.reply_size else b""

    # --- going on ---

    def resume(self, tracee: Tracee, mode: int, signal: int, request: int = b.CONT) -> None:
        """Lets a tracee go on from its report; `request` may be PTRACE_DETACH."""
        report = tracee.report
        assert report is not None
        injected, answer = signal, 0
        if report.kind == kinds.SIGNAL:
            if signal == report.signal and report.info is not None:
                _native.ptrace_set(b.SETSIGINFO, tracee.tid, 0, report.info)
                signal = 0
        elif report.kind == kinds.FAULT:
            if signal == report.signal:
                injected, answer = 0, signal
                if report.info is not None:
                    tracee.write(tracee.block + b.INFO_AT, report.info)
        else:
            # Only after a system call does this send a signal (ptrace_report_syscall).
            injected = 0
            if signal and report.kind in (kinds.ENTRY, kinds.EXIT):
                _send(tracee, signal)
        if injected and signal:
            # As ptrace_signal of kernel/signal.c does; the stop's own info is a message of ours.
            info = b.siginfo(injected, b.SI_USER, os.getpid(), os.getuid())
            _native.ptrace_set(b.SETSIGINFO, tracee.tid, 0, info)
        tracee.prepare(mode, answer)
        tracee.report = None
        self.ready = [item for item in self.ready if item.tid != tracee.tid]
        if request == b.DETACH:
            for kind, later, info in tracee.pending:
                if kind == kinds.SIGNAL:
                    _send(tracee, later, info)
            self.remove(tracee.tid)
        elif tracee.pending:
            tracee.ring()
        tracee.let_go(injected, request)
        # A stop that such a signal makes comes before the next guest instruction.
        tracee.parked = injected in b.STOP_SIGNALS


def _send(tracee: Tracee, signal: int, info: bytes | None = None) -> None:
    if info is not None and b.code_of(info) < 0:
        try:
            _native.queue_signal(tracee.tgid, tracee.tid, signal, info)
            return
        except OSError:
            pass  # SI_TKILL may only be sent by oneself
    os.kill(tracee.tid, signal) if tracee.tid == tracee.tgid else _tkill(tracee, signal)


def _tkill(tracee: Tracee, signal: int) -> None:
    info = b.siginfo(signal, b.SI_QUEUE, os.getpid(), os.getuid())
    _native.queue_signal(tracee.tgid, tracee.tid, signal, info)


def _message(tid: int) -> int:
    """The host's PTRACE_GETEVENTMSG."""
    return int.from_bytes(_native.ptrace_get(b.GETEVENTMSG, tid, 0, 8), "little")


def _is_own(signal: int) -> bool:
    """Whether the emulator always catches it."""
    return _native.own_signals() >> (signal - 1) & 1 != 0


def _catches(tid: int, signal: int) -> bool:
    """Whether a thread's process has a handler on the host."""
    return status_number(tid, b"SigCgt", 16) >> signal - 1 & 1 != 0
