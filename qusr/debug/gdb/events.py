"""What happens to threads: which of it a debugger is told, and who goes on silently."""

from __future__ import annotations

from qusr.debug.gdb.reports import Event, is_step
from qusr.debug.gdb.signals import to_gdb
from qusr.debug.gdb.stops import HARDWARE, NAMES
from qusr.ptrace import block as b
from qusr.ptrace import tracee as kinds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from qusr.debug.gdb.debugger import Inferior
    from qusr.debug.gdb.session import Session
    from qusr.ptrace.tracee import Report, Tracee
    from qusr.ptrace.tracer import Ready


class Events:
    """Makes events out of what the host kernel tells of tracees."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def take(self, item: Ready) -> Event | None:
        """What of a change of state the debugger is to hear; None: nothing, it was seen to."""
        if not item.stopped:
            return self._ended(item)
        tracee = self.session.debugger.tracees.get(item.tid)
        if tracee is None or tracee.report is None:
            return None
        report = tracee.report
        inferior = self.session.debugger.inferior_of(tracee)
        if inferior is None:
            # A child of whose birth its parent has not told us yet.
            if tracee.tid not in self.session.born:
                self.session.born[tracee.tid] = None
            return self._first_stop(tracee)
        if report.kind == kinds.TRAP:
            return self._told_to_stop(tracee, inferior)
        if report.kind == kinds.STOP:
            return self._at_stop(tracee, inferior, report)
        if report.kind in (kinds.ENTRY, kinds.EXIT):
            return self._at_call(tracee, inferior, report)
        if report.kind == kinds.EVENT:
            return self._at_event(tracee, inferior, report)
        return self._at_signal(tracee, inferior, report)

    def _ended(self, item: Ready) -> Event | None:
        self.session.modes.pop(item.tid, None)
        inferior = self.session.debugger.inferiors.pop(item.tid, None)
        status = item.status
        owner = self.session.debugger.owners.pop(item.tid, 0)
        if inferior is None:
            if self.session.options.thread_events and owner in self.session.debugger.inferiors:
                code = status & 0x7F or status >> 8 & 0xFF
                name = self.session.thread_name(owner, item.tid)
                return Event(item.tid, owner, b"w%02x;" % code + name)
            return None
        pid = inferior.pid
        shown = self.session.shown.pop(pid, pid)
        suffix = b";process:%x" % shown if self.session.options.multiprocess else b""
        if status & 0x7F:
            return Event(pid, pid, b"X%02x" % to_gdb(status & 0x7F) + suffix)
        return Event(pid, pid, b"W%02x" % (status >> 8 & 0xFF) + suffix)

    def _told_to_stop(self, tracee: Tracee, inferior: Inferior) -> Event | None:
        if tracee.tid in self.session.born:
            return self._first_stop(tracee)
        fresh = tracee.tid in self.session.debugger.fresh
        self.session.debugger.fresh.discard(tracee.tid)
        if not fresh and tracee.tid in self.session.debugger.interrupted:
            return None
        if fresh and self.session.options.thread_events:
            self.session.debugger.interrupted.discard(tracee.tid)
            return Event(tracee.tid, inferior.pid, b"T05create:;")
        if self.session.running or self.session.link is None:
            # A new thread; or one that was to stop, but had something else to tell.
            self.session.again(tracee)
        else:
            self.session.debugger.interrupted.add(tracee.tid)
        return None

    def _first_stop(self, tracee: Tracee) -> Event | None:
        """A forked child is ready to be debugged, or let go."""
        self.session.debugger.fresh.discard(tracee.tid)
        event = self.session.born.get(tracee.tid)
        inferior = self.session.debugger.inferiors.get(tracee.tid)
        if inferior is None:
            # Its parent's event comes next.
            self.session.debugger.interrupted.add(tracee.tid)
            return None
        del self.session.born[tracee.tid]
        if event is None:
            self.session.debugger.let_free(inferior)
            return None
        self.session.debugger.interrupted.add(tracee.tid)
        return event

    def _at_stop(self, tracee: Tracee, inferior: Inferior, report: Report) -> Event | None:
        code, address = report.status >> 16, report.message
        if code == 0:
            kind = inferior.stops.at(
                address & ~1 if inferior.stops.at(address) is None else address
            )
            if kind is not None:
                name = b"hwbreak" if kind == HARDWARE else b"swbreak"
                told = name if name.decode() in self.session.options.features else b""
                text = told + b":;" if told else b""
                return Event(tracee.tid, inferior.pid, b"T05" + text, address)
        else:
            found = inferior.stops.watching(address, write=code == 2)
            if found is not None:
                text = NAMES[found[0]] + b":%x;" % found[1]
                return Event(tracee.tid, inferior.pid, b"T05" + text)
        self.session.again(tracee)
        return None

    def _at_call(self, tracee: Tracee, inferior: Inferior, report: Report) -> Event | None:
        self.session.calls.tell(tracee, report)
        number = tracee.header().number
        wanted = inferior.catches
        if wanted is not None and (not wanted or number in wanted):
            name = b"syscall_entry" if report.kind == kinds.ENTRY else b"syscall_return"
            return Event(tracee.tid, inferior.pid, b"T05" + name + b":%x;" % number)
        self.session.again(tracee)
        return None

    def _at_event(self, tracee: Tracee, inferior: Inferior, report: Report) -> Event | None:
        event, tid, pid = report.status >> 16, tracee.tid, inferior.pid
        names = {b.EVENT_FORK: b"fork", b.EVENT_VFORK: b"vfork"}
        if event in names:
            child = report.message
            self.session.debugger.adopt_child(inferior, child, borrows=event == b.EVENT_VFORK)
            told = names[event].decode() + "-events" in self.session.options.features
            news = None
            if told and self.session.link is not None:
                text = names[event] + b":" + self.session.thread_name(child, child) + b";"
                news = Event(tid, pid, b"T05" + text, child=child)
            self.session.born[child] = news
            known = self.session.debugger.tracees.get(child)
            if known is not None and known.report is not None:
                self.session.debugger.interrupted.discard(child)
                answer = self._first_stop(known)
                if answer is None:
                    self.session.again(tracee)
                return answer
            if news is None:
                self.session.again(tracee)
            return None
        if event == b.EVENT_VFORK_DONE and "vfork-events" in self.session.options.features:
            return Event(tid, pid, b"T05vforkdone:;")
        if event == b.EVENT_EXEC:
            counting = inferior.stops.counting
            inferior.stops.clear()
            inferior.stops.counting = counting
            inferior.stops.given = b"?"
            inferior.borrows = False
            if "exec-events" in self.session.options.features:
                path = self.session.debugger.ask(tracee, b.ASK_EXE) or b""
                return Event(tid, pid, b"T05exec:" + path.hex().encode() + b";")
            return Event(tid, pid, b"T05")
        self.session.again(tracee)
        return None

    def _passes(self, tracee: Tracee, report: Report) -> bool:
        """Whether the program gets a signal without a word."""
        sent, own = self.session.debugger.sent, (tracee.tid, report.signal)
        if own in sent:
            sent.discard(own)
            return True
        return report.signal in self.session.options.passed

    def _at_signal(self, tracee: Tracee, inferior: Inferior, report: Report) -> Event | None:
        mode, within = self.session.modes.get(tracee.tid, (b.CONTINUE, None))
        if not is_step(report):
            self.session.calls.tell(tracee, report)
        if is_step(report):
            if mode == b.STEP and within is not None and self.session.pc(tracee) in within:
                self.session.let(tracee, b.STEP, within=within)
                return None
        elif report.kind == kinds.SIGNAL and self._passes(tracee, report):
            self.session.let(tracee, mode, report.signal, within=within)
            return None
        return Event(tracee.tid, inferior.pid, b"T%02x" % to_gdb(report.signal))
