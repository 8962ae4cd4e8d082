"""Non-stop mode: threads stop one by one, the others go on ("Remote Non-Stop", gdb's manual).

A stop is told by a notification, `%Stop`, when none is under way; the debugger then asks for
those that came meanwhile with `vStopped` until it hears OK. Threads are never told to be stopped
twice, and one that the debugger takes to be running stays so or is told.
"""

from __future__ import annotations

import contextlib

from qusr.debug.gdb.reports import Event
from qusr.ptrace import block as b

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol

    from qusr.debug.gdb.debugger import Debugger
    from qusr.debug.gdb.packets import Link
    from qusr.ptrace.tracee import Tracee

    class Session(Protocol):
        """What of the conversation this is about."""

        debugger: Debugger
        link: Link | None
        running: bool
        waiting: list[Event]
        modes: dict[int, tuple[int, range | None]]
        general: int

        def thread(self, tid: int) -> Tracee | None:
            """A thread that is stopped."""

        def still_holds(self, event: Event) -> bool:
            """Whether a stop is still one."""

        def stop_reply(self, event: Event) -> bytes:
            """The whole packet for an event."""

        def stop_threads(self, tracees: list[Tracee]) -> None:
            """Stops some threads."""

        def again(self, tracee: Tracee) -> None:
            """Lets a thread go on as it was let go before."""

        def let(
            self, tracee: Tracee, mode: int, number: int = 0, *, within: range | None = None
        ) -> None:
            """Lets a thread go on."""


class NonStop:
    """The state of the mode.

    Attributes:
        on: whether the debugger has asked for it.
        told: threads that it knows to be stopped.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.on = False
        self.told: set[int] = set()
        self._under_way = False

    # --- telling ---

    def begin(self) -> bytes:
        """`?`: all threads that are stopped, one after the other."""
        self._under_way = False
        self.told.clear()
        session = self.session
        session.running = True
        waiting = {event.tid for event in session.waiting}
        for tracee in session.debugger.tracees.values():
            if tracee.report is not None and tracee.tid not in waiting:
                session.waiting.append(Event(tracee.tid, tracee.tgid, b"T00"))
        return self.stopped()

    def stopped(self) -> bytes:
        """vStopped: the next one, or OK."""
        event = self._next()
        self._under_way = event is not None
        return b"OK" if event is None else self.session.stop_reply(event)

    def tell(self) -> None:
        """Notifies the debugger of what waits, unless it is asking for that already."""
        link = self.session.link
        if self._under_way or link is None:
            return
        event = self._next()
        if event is not None:
            self._under_way = True
            link.notify(b"Stop:" + self.session.stop_reply(event))

    def _next(self) -> Event | None:
        session = self.session
        while session.waiting:
            event = session.waiting.pop(0)
            tracee = session.thread(event.tid)
            if session.still_holds(event):
                if tracee is not None:
                    self.told.add(event.tid)
                return event
            if tracee is not None:
                # The breakpoint may be there again.
                tracee.dirty |= b.FORGETS_OVER
                session.again(tracee)
        return None

    # --- stopping and going on ---

    def goes_on(self, tracee: Tracee) -> None:
        """A thread is about to be let go."""
        self.told.discard(tracee.tid)

    def stop(self, tracees: list[Tracee]) -> None:
        """Stops threads, each of which is told of."""
        session = self.session
        session.stop_threads(tracees)
        waiting = {event.tid for event in session.waiting}
        for tracee in tracees:
            tid = tracee.tid
            if session.thread(tid) is not None and tid not in self.told | waiting:
                session.waiting.append(Event(tid, tracee.tgid, b"T00"))
        self.tell()

    def interrupt(self) -> None:
        """A thread of the process that the debugger looks at stops, as for SIGINT."""
        session = self.session
        tracee = session.debugger.tracees.get(session.general)
        running = [one for one in session.debugger.tracees.values() if one.report is None]
        if tracee is None or tracee.report is not None:
            tracee = next(iter(running), None)
        if tracee is None:
            return
        session.stop_threads([tracee])
        if session.thread(tracee.tid) is not None and not any(
            event.tid == tracee.tid for event in session.waiting
        ):
            session.waiting.append(Event(tracee.tid, tracee.tgid, b"T02"))
        self.tell()

    @contextlib.contextmanager
    def held(self, pid: int) -> Iterator[None]:
        """Has all threads of a process stand still for a moment, of which nobody is told."""
        session = self.session
        threads = session.debugger.threads(pid)
        before = {tracee.tid for tracee in threads if tracee.report is not None}
        if len(before) == len(threads):
            yield
            return
        while left := [one for one in session.debugger.threads(pid) if one.report is None]:
            session.stop_threads(left)
        try:
            yield
        finally:
            waiting = {event.tid for event in session.waiting}
            for tracee in session.debugger.threads(pid):
                tid = tracee.tid
                if tid in session.debugger.interrupted and tid not in before | waiting | self.told:
                    if tid in session.modes:
                        session.again(tracee)
                    else:
                        session.let(tracee, b.CONTINUE)
