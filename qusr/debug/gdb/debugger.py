"""The guest processes of a debugger: what happens to their threads, and what makes them go on."""

from __future__ import annotations

import errno
import os
import signal

from qusr import _native
from qusr.arch.tracing import ORIGINAL
from qusr.debug.gdb.stops import Stops
from qusr.ptrace import block as b
from qusr.ptrace import registers
from qusr.ptrace import tracee as kinds
from qusr.ptrace.tracee import Report, Tracee
from qusr.ptrace.tracer import Ready, Tracer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from qusr.arch.tracing import Tracing

#: All events of ptrace(2) but those of exits and of seccomp.
_OPTIONS = (
    1 << b.EVENT_FORK | 1 << b.EVENT_VFORK | 1 << b.EVENT_CLONE | 1 << b.EVENT_EXEC
    | 1 << b.EVENT_VFORK_DONE | b.O_SYSGOOD
)  # fmt: skip


class _Books:
    """What a tracer wants of its own process, where there is no guest."""

    class native:
        """Its Rust half."""

        @staticmethod
        def set_tracing(on: bool) -> None:
            """Nothing depends on it here."""


class Inferior:
    """A guest process under the debugger.

    Attributes:
        pid: its id.
        attached: it ran before the debugger came, and is to run on behind it.
        stops: where it is to stop.
        sysroot: the folder that its paths are looked up in.
        catches: numbers of the system calls that stop it; empty: all; None: none.
        borrows: it lives in its parent's memory, where the parent's stops are, until it executes a
            program (vfork(2)).
    """

    def __init__(self, pid: int, sysroot: str | None, *, attached: bool) -> None:
        self.pid = pid
        self.sysroot = sysroot
        self.attached = attached
        self.stops = Stops()
        self.catches: frozenset[int] | None = None
        self.borrows = False


class Debugger(Tracer):
    """All processes that a debugger looks after. Stops are given by :meth:`events`."""

    def __init__(self) -> None:
        super().__init__(_Books)  # type: ignore[arg-type]
        self.inferiors: dict[int, Inferior] = {}
        #: Threads that stopped only because they were told to.
        self.interrupted: set[int] = set()
        #: Threads that tracees have made, until their first stop.
        self.fresh: set[int] = set()
        #: The processes of threads, of which some may be gone.
        self.owners: dict[int, int] = {}
        #: Signals that the debugger has sent: (thread, signal). They are no news to it.
        self.sent: set[tuple[int, int]] = set()

    # --- beginning and ending ---

    def begin(self, pid: int, sysroot: str | None, *, attached: bool) -> Inferior:
        """Traces a process. OSError: it may not be."""
        options = Tracee(0, seized=True, options=_OPTIONS).host_options()
        for tid in _threads(pid):
            try:
                _native.ptrace(b.SEIZE, tid, 0, options)
            except OSError:
                if tid == pid:
                    raise
                continue
            tracee = Tracee(tid, seized=True, options=_OPTIONS)
            tracee.prepared = True
            self.add(tracee)
            self.fresh.discard(tid)
        inferior = self.inferiors[pid] = Inferior(pid, sysroot, attached=attached)
        return inferior

    def adopt_child(self, parent: Inferior, pid: int, *, borrows: bool) -> Inferior:
        """The host kernel has attached a forked child: it inherits the stops."""
        child = Inferior(pid, parent.sysroot, attached=parent.attached)
        child.borrows = borrows
        child.stops.code = dict(parent.stops.code)
        child.stops.data = set(parent.stops.data)
        child.stops.counting = parent.stops.counting
        child.stops.given = parent.stops.given
        child.catches = parent.catches
        self.inferiors[pid] = child
        return child

    def let_free(
        self, inferior: Inferior, delivered: Callable[[Tracee], int] = lambda _: 0
    ) -> None:
        """Ends the tracing of a process, whose threads are all stopped. `delivered` says which
        signal a thread gets.
        """
        if not inferior.borrows:
            inferior.stops.clear()
            self.give_stops(inferior)
        for tracee in self.threads(inferior.pid):
            if tracee.report is not None:
                with _may_be_gone():
                    self.resume(tracee, b.DETACHED, delivered(tracee), b.DETACH)
        self.inferiors.pop(inferior.pid, None)

    def kill(self, inferior: Inferior) -> None:
        """Ends a process, and waits until it is gone."""
        with _may_be_gone():
            os.kill(inferior.pid, signal.SIGKILL)
        while self.threads(inferior.pid):
            if not self.service():
                _pause()
        self.ready = [item for item in self.ready if item.tid != inferior.pid]
        self.inferiors.pop(inferior.pid, None)

    def add(self, tracee: Tracee) -> None:
        """Begins to look after a thread."""
        super().add(tracee)
        self.owners[tracee.tid] = tracee.tgid
        self.fresh.add(tracee.tid)

    # --- who is there ---

    def threads(self, pid: int) -> list[Tracee]:
        """The threads of a process, the first one first."""
        found = [tracee for tracee in self.tracees.values() if tracee.tgid == pid]
        return sorted(found, key=lambda tracee: (tracee.tid != pid, tracee.tid))

    def inferior_of(self, tracee: Tracee) -> Inferior | None:
        """The process of a thread."""
        return self.inferiors.get(tracee.tgid)

    def tracing(self, tracee: Tracee) -> Tracing:
        """How debuggers see its guest."""
        return registers.tracing(tracee.header())

    # --- stopping ---

    def stop(self, tracees: list[Tracee]) -> None:
        """Has threads stop, and waits until each of them has or is gone."""
        waiting = set()
        for tracee in tracees:
            if tracee.report is None:
                with _may_be_gone():
                    tracee.interrupt()
                    waiting.add(tracee.tid)
        while any(tid in self.tracees and self.tracees[tid].report is None for tid in waiting):
            if not self.service():
                _pause()
        for tid in waiting & set(self.tracees):
            report = self.tracees[tid].report
            if report is not None and report.kind == kinds.TRAP:
                self.interrupted.add(tid)

    def _take_pending(self, tracee: Tracee) -> None:
        # In the host's own PTRACE_EVENT_STOP a thread answers nothing, so debuggers are without it.
        if tracee.pending and tracee.pending[0][0] == kinds.TRAP:
            _, number, _ = tracee.pending.pop(0)
            info = b.siginfo(number, b.EVENT_STOP << 8 | number, tracee.tid)
            self._tell(tracee, Report(kinds.TRAP, number, info, event=b.EVENT_STOP))
            return
        super()._take_pending(tracee)

    def _parked(self, tracee: Tracee) -> None:
        if not tracee.asked:
            header = tracee.header()
            if header.kind == b.STOP_HERE:
                info = b.siginfo(b.SIGTRAP, b.SIGTRAP, tracee.tid)
                report = Report(
                    kinds.STOP, b.SIGTRAP, info, event=header.code, message=header.message
                )
                self._tell(tracee, report)
                return
        super()._parked(tracee)

    def events(self) -> list[Ready]:
        """What happened since the last time."""
        self.service()
        found, self.ready = self.ready, []
        return found

    # --- going on ---

    def go_on(self, tracee: Tracee, mode: int, number: int = 0) -> None:
        """Lets a stopped thread go on with signal `number`."""
        self.interrupted.discard(tracee.tid)
        inferior = self.inferior_of(tracee)
        if mode == b.CONTINUE and inferior is not None and inferior.catches is not None:
            mode = b.CALLS
        report = tracee.report
        with _may_be_gone():
            if number and report is not None and report.kind not in (kinds.SIGNAL, kinds.FAULT):
                _native.queue_signal(
                    tracee.tgid, tracee.tid, number, b.siginfo(number, b.SI_QUEUE, os.getpid())
                )
                self.sent.add((tracee.tid, number))
                number = 0
            self.resume(tracee, mode, number)

    def give_stops(self, inferior: Inferior) -> None:
        """Tells a process, all of whose threads are stopped, where to stop.

        Not before it goes on: debuggers take breakpoints out for a step and put them in again.
        """
        tracee = next((found for found in self.threads(inferior.pid) if found.block), None)
        if tracee is None:
            return
        with _may_be_gone():
            length = registers.vector_length(tracee)
            found = self.tracing(tracee).gdb_registers(length)
            # Of what a core has not conditions know nothing.
            numbers = [None if one.number == ORIGINAL else one.number for one in found]
            packed = inferior.stops.packed(numbers)
            if packed == inferior.stops.given or len(packed) > b.ORDERS_ROOM:
                return
            if not inferior.stops.given and inferior.stops.none:
                return  # there never were any
            at = tracee.header().orders
            (written,) = (int.from_bytes(tracee.read(at, 8), "little"),)
            tracee.write(at + b.ORDERS_BYTES, packed)
            tracee.write(at + b.ORDERS_SIZE, len(packed).to_bytes(8, "little"))
            tracee.write(at + b.ORDERS_WRITTEN, (written + 1).to_bytes(8, "little"))
            inferior.stops.given = packed


class _may_be_gone:
    """Around what a thread that was just killed makes fail."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        gone = (errno.ESRCH, errno.EFAULT, errno.EIO)
        return isinstance(error, OSError) and error.errno in gone


def _threads(pid: int) -> list[int]:
    try:
        found = [int(name) for name in os.listdir(f"/proc/{pid}/task")]
    except OSError:
        return [pid]
    return sorted(found, key=lambda tid: (tid != pid, tid))


def _pause() -> None:
    import time

    time.sleep(0.0002)
