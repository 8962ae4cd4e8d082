"""`monitor checkpoint`: copies of the program, to which a debugger can go back.

A copy is a process that the program's own clone(2) has made
(native/kernel/src/process/tracee/copy.rs); it stands still, in the hands of the server, until
`monitor restart` makes another copy of it and puts that in the place of the program. What a process
is not alone with is not undone: files (but for the positions in them), pipes, other processes,
terminals, the clock. This is what gdb's own `checkpoint` does on Linux ("Setting a Bookmark to
Return to Later", gdb's manual), and as there the program has another process id behind it. To the
debugger it keeps the first one.
"""

from __future__ import annotations

import os
import time

from qusr import _native, arch
from qusr.debug.gdb.debugger import Inferior
from qusr.ptrace import block as b
from qusr.ptrace import tracee as kinds
from qusr.syscalls import table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from qusr.debug.gdb.session import Session
    from qusr.ptrace.tracee import Tracee

#: How long a copy may take, in seconds: it is a fork.
_PATIENCE = 30


class CheckpointError(Exception):
    """It cannot be; the message says why."""


class Checkpoint:
    """A copy of the program.

    Attributes:
        tracee: its only thread, which stands still.
        stops: what its cores know of breakpoints.
        where: the address of its next instruction.
        executed: how many instructions the program had executed, if that is known.
        positions: of its descriptors, by their numbers.
    """

    def __init__(
        self, tracee: Tracee, stops: bytes, where: int, executed: int | None,
        positions: dict[int, int],
    ) -> None:  # fmt: skip
        self.tracee = tracee
        self.stops = stops
        self.where = where
        self.executed = executed
        self.positions = positions


class Checkpoints:
    """Those of a session, by their numbers."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.kept: dict[int, Checkpoint] = {}
        self._last = 0

    def take(self) -> int:
        """Makes a checkpoint of the program; its number. CheckpointError, OSError: it cannot be."""
        inferior, tracee = self._program()
        if len(self.session.debugger.threads(inferior.pid)) > 1:
            raise CheckpointError("the program has several threads, of which a fork copies one")
        self._to_a_boundary(tracee)
        executed = tracee.header().executed
        copy = self._copy(tracee)
        _native.ptrace(b.SETOPTIONS, copy.tid, 0, copy.host_options() | b.O_EXITKILL)
        self._last += 1
        self.kept[self._last] = Checkpoint(
            copy, inferior.stops.given, self.session.pc(tracee), executed, _positions(inferior.pid)
        )
        return self._last

    def restart(self, number: int) -> None:
        """Puts a copy of a checkpoint in the place of the program, which ends.
        CheckpointError, OSError: it cannot be.
        """
        known = self._known(number)
        session, debugger = self.session, self.session.debugger
        inferior, _ = self._program()
        debugger.tracees[known.tracee.tid] = known.tracee
        try:
            copy = self._copy(known.tracee)
        finally:
            debugger.tracees.pop(known.tracee.tid, None)
        _native.ptrace(b.SETOPTIONS, copy.tid, 0, copy.host_options())
        shown = session.shown.pop(inferior.pid, inferior.pid)
        session.forget(inferior.pid)
        debugger.kill(inferior)
        again = Inferior(copy.tid, inferior.sysroot, attached=inferior.attached)
        again.stops, again.catches = inferior.stops, inferior.catches
        again.stops.given = known.stops
        debugger.tracees[copy.tid] = copy
        debugger.inferiors[copy.tid] = again
        debugger.interrupted.add(copy.tid)
        session.shown[copy.tid] = shown
        session.general = copy.tid
        for fd, position in known.positions.items():
            # The open file is the same one as before.
            debugger.ask(copy, b.ASK_SEEK, fd, position)

    def delete(self, number: int) -> None:
        """Gives a checkpoint up. CheckpointError: there is none of this number."""
        _end(self._known(number).tracee)
        del self.kept[number]

    def clear(self) -> None:
        """Gives all of them up."""
        for number in list(self.kept):
            self.delete(number)

    def _known(self, number: int) -> Checkpoint:
        if number not in self.kept:
            raise CheckpointError(f"there is no checkpoint {number}")
        return self.kept[number]

    def _program(self) -> tuple[Inferior, Tracee]:
        """The program, and a thread of it."""
        session = self.session
        tracee = session.chosen()
        inferior = None if tracee is None else session.debugger.inferior_of(tracee)
        if tracee is None or inferior is None:
            raise CheckpointError("no thread is stopped")
        if session.nonstop.on:
            raise CheckpointError("there are no checkpoints in non-stop mode")
        return inferior, tracee

    # --- copies ---

    def _to_a_boundary(self, tracee: Tracee) -> None:
        """Has a thread be in a stop between two instructions, not within one or a call."""
        report = tracee.report
        if report is None or report.kind in (kinds.ENTRY, kinds.EXIT, kinds.EVENT):
            raise CheckpointError("the program is in a system call")
        if report.kind == kinds.FAULT and report.signal != b.SIGTRAP:
            raise CheckpointError("the program is at an instruction that faults")
        if report.kind in (kinds.SIGNAL, kinds.TRAP):
            return
        debugger = self.session.debugger
        tracee.interrupt()
        debugger.resume(tracee, b.CONTINUE, 0)
        self._until(tracee, lambda: tracee.report is not None)
        debugger.ready = [item for item in debugger.ready if item.tid != tracee.tid]
        debugger.interrupted.add(tracee.tid)

    def _copy(self, tracee: Tracee) -> Tracee:
        """Has a thread at a boundary make a copy of its process, which stands still, too."""
        debugger = self.session.debugger
        before = tracee.report
        core = tracee.header().guest
        abi = next(abi for abi in arch.on_core(core).abis.values() if abi.core == core)
        number = table.numbers(abi)["clone"]
        tracee.write(tracee.block + b.ARGUMENTS_AT, number.to_bytes(8, "little"))
        mode = b.COPY
        signals = []
        debugger.resume(tracee, mode, 0)
        while True:
            self._until(tracee, lambda: tracee.report is not None)
            report = tracee.report
            assert report is not None
            if report.kind == kinds.STOP and report.status >> 16 == b.COPIED:
                break
            if report.kind == kinds.EVENT:
                mode = b.CONTINUE
            elif report.kind == kinds.SIGNAL and report.info is not None:
                signals.append((kinds.SIGNAL, report.signal, report.info))
            debugger.resume(tracee, mode, 0)
        made = report.message
        # They come when the thread goes on.
        tracee.pending = signals + tracee.pending
        if before is not None and before.kind == kinds.SIGNAL and before.info is not None:
            signals.append((kinds.SIGNAL, before.signal, before.info))
        tracee.report = before
        copy = debugger.tracees.get(made)
        if copy is None:
            why = os.strerror(-made & 0xFFF) if -made & 0xFFFFFFFF < 4096 else "no such process"
            raise CheckpointError(f"the program cannot fork: {why}")
        self._until(copy, lambda: copy.report is not None)
        debugger.tracees.pop(made)
        copy.pending = signals
        debugger.fresh.discard(made)
        debugger.ready = [item for item in debugger.ready if item.tid not in (made, tracee.tid)]
        return copy

    def _until(self, tracee: Tracee, holds: Callable[[], bool]) -> None:
        debugger = self.session.debugger
        end = time.monotonic() + _PATIENCE
        while not holds():
            if tracee.tid not in debugger.tracees or time.monotonic() > end:
                raise CheckpointError("the program is gone, or does not stop")
            if not debugger.service():
                time.sleep(0.0002)


def _end(tracee: Tracee) -> None:
    try:
        os.kill(tracee.tid, 9)
        _native.wait_child(tracee.tid, 0x40000000)  # __WALL
    except OSError:
        pass  # somebody else has killed it


def _positions(pid: int) -> dict[int, int]:
    found = {}
    for name in os.listdir(f"/proc/{pid}/fd"):
        with open(f"/proc/{pid}/fdinfo/{name}", encoding="ascii", errors="replace") as file:
            found[int(name)] = int(file.readline().split()[1])
    return found
