"""The conversation with a debugger: which stop is reported when, and who goes on silently.

All-stop mode (the other one is that of :mod:`.nonstop`): while the program runs nothing is said to
the debugger. One stop is reported, when all threads of all its processes have stopped; what else
happened meanwhile waits until it lets the program go on.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from abc import ABC, abstractmethod

from qusr import arch
from qusr.debug.gdb import description
from qusr.debug.gdb.calls import Calls
from qusr.debug.gdb.checkpoints import Checkpoints
from qusr.debug.gdb.debugger import Debugger
from qusr.debug.gdb.nonstop import NonStop
from qusr.debug.gdb.options import Options
from qusr.debug.gdb.packets import Link
from qusr.debug.gdb.reports import Event, is_step, thread_id
from qusr.ptrace import block as b
from qusr.ptrace import tracee as kinds
from qusr.ptrace.tracee import status_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from qusr.arch.tracing import ByteOrder
    from qusr.ptrace.tracee import Tracee
    from qusr.ptrace.tracer import Ready

#: SIGHUP, SIGINT, SIGQUIT and SIGTERM.
_ENDING = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14
#: How long a debugger may take to go when there is nothing left, in seconds.
_PATIENCE = 10


class Session(ABC):
    """One server: its processes, and the debugger while there is one.

    Args:
        listener: where debuggers connect.
        start: begins a program under the debugger (vRun), the last one for None; its process id.
    """

    def __init__(
        self,
        listener: socket.socket,
        start: Callable[[Session, list[bytes] | None], int] | None = None,
    ) -> None:
        self.listener = listener
        self.start = start
        self.debugger = Debugger()
        self.link: Link | None = None
        self.options = Options()
        self.nonstop = NonStop(self)
        self.calls = Calls(self.say)
        #: Whether threads run, as far as the debugger knows.
        self.running = False
        self.waiting: list[Event] = []
        #: The stop that was reported last.
        self.last: Event | None = None
        #: The debugger wanted the program to stop when it did not run, or had something else to
        #: tell: it stops when it goes on, as gdbserver's SIGINT then waits for it. Debuggers make
        #: steps of their own.
        self.interrupt_due = False
        #: Forked children: what waits for their first stop (None: they are let go then).
        self.born: dict[int, Event | None] = {}
        #: Threads that the debugger keeps stopped while others go on: their stops are told when it
        #: lets them go.
        self.kept: set[int] = set()
        #: How threads were let go: the mode, and the range that a step is to stay in.
        self.modes: dict[int, tuple[int, range | None]] = {}
        #: The threads that packets are about.
        self.general = 0
        self.quits = False
        self.deadline: float | None = None
        #: The standard streams of the first program, for others (vRun).
        self.streams: list[int] = []
        #: Memory that a debugger had allocated in processes: address and size.
        self.allocated: dict[int, int] = {}
        #: Registers of threads that it has put aside.
        self.saved: list[tuple[int, list[int]]] = []
        #: What the debugger takes the ids of processes to be that are others by now (checkpoints).
        self.shown: dict[int, int] = {}
        self.checkpoints = Checkpoints(self)
        #: Descriptors that the debugger has opened (vFile).
        self.files: set[int] = set()
        wake, told = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self.wake = wake
        signal.set_wakeup_fd(told, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    @abstractmethod
    def take(self, item: Ready) -> Event | None:
        """What of a change of state the debugger is to hear; None: nothing, it was seen to."""

    @abstractmethod
    def answer(self, packet: bytes) -> bytes | None:
        """The answer to a packet; None: there is none, or none yet."""

    # --- the loop ---

    def first_stop(self, pid: int) -> None:
        """Waits until a program that was just loaded is before its first instruction."""
        self.general = pid
        while True:
            tracee = self.debugger.tracees.get(pid)
            if tracee is None:
                return
            if tracee.report is not None:
                break
            self.debugger.service()
            select.select([self.wake], [], [], 0.01)
        # The SIGTRAP of its beginning is ours. A signal that was sent since we trace it may stand
        # before that: the debugger is to hear of it.
        if not tracee.drop_pending(b.SIGTRAP):
            self.debugger.ready = [item for item in self.debugger.ready if item.tid != pid]
            self.debugger.interrupted.add(pid)

    def go(self) -> None:
        """Lets everything run without a debugger. What one would have seen to happens."""
        self.running = True
        told = {event.tid for event in self.waiting}
        self.waiting = []
        for tracee in list(self.debugger.tracees.values()):
            if tracee.report is not None:
                number = self.delivered(tracee) if tracee.tid in told else 0
                self.let(tracee, b.CONTINUE, number)

    def attach(self, pid: int) -> None:
        """Traces a process that runs, and stops it. OSError: it may not be traced."""
        inferior = self.debugger.begin(pid, None, attached=True)
        self.stop_everything()
        self.general = pid
        tracee = self.chosen()
        if tracee is not None:
            root = self.debugger.ask(tracee, b.ASK_ROOT) or b""
            inferior.sysroot = os.fsdecode(root) or None

    def run(self) -> None:
        """Serves debuggers until there is nothing left to debug."""
        while not self.quits:
            sources: list[int | socket.socket] = [self.wake, self.listener]
            if self.link is not None:
                sources[1] = self.link.socket
            behind = [self.link.socket] if self.link is not None and self.link.behind else []
            ready, writable, _ = select.select(sources, behind, [], 1.0)
            if writable and self.link is not None:
                self.link.flush()
            if self.wake in ready:
                try:
                    os.read(self.wake, 4096)
                except BlockingIOError:
                    pass
            self.pump()
            if self.link is None and not self.running and self._is_to_end():
                self.go()
            self.end_if_done()
            if self.deadline is not None and time.monotonic() > self.deadline:
                self.disconnect()
            if self.listener in ready:
                self._connect()
            elif self.link is not None and self.link.socket in ready:
                self._listen()

    def _is_to_end(self) -> bool:
        """Whether somebody wants a program to end that waits for its debugger (the terminal's
        Ctrl-C, say): it goes on and does.
        """
        return any(map(self._is_told_to_end, self.debugger.tracees.values()))

    def _is_told_to_end(self, tracee: Tracee) -> bool:
        # The host kernel has what came since the thread stopped, we have what stopped it.
        tid, report = tracee.tid, tracee.report
        came = status_number(tid, b"ShdPnd", 16) | status_number(tid, b"SigPnd", 16)
        came &= ~status_number(tid, b"SigBlk", 16)
        numbers = [number for kind, number, _ in tracee.pending if kind == kinds.SIGNAL]
        if report is not None and report.kind == kinds.SIGNAL:
            numbers.append(report.signal)
        return bool((came | sum(1 << number - 1 for number in set(numbers))) & _ENDING)

    def _connect(self) -> None:
        try:
            connection, _ = self.listener.accept()
        except OSError:
            return
        self.link = Link(connection)
        self.options = Options()
        self.nonstop = NonStop(self)
        self.calls = Calls(self.say)
        self.interrupt_due = False
        self.stop_everything()
        self.running = False

    def _listen(self) -> None:
        link = self.link
        assert link is not None
        for kind, contents in link.receive():
            if kind == "interrupt":
                self.interrupt()
            else:
                answer = self.answer(contents)
                if answer is not None:
                    link.send(answer)
            if self.link is not link:
                break
        if link.gone and self.link is link:
            self.disconnect()

    def disconnect(self) -> None:
        """The debugger is gone: the program goes on, and another debugger may come."""
        if self.link is not None:
            self.link.close()
            self.link = None
        for fd in self.files:
            os.close(fd)
        self.files.clear()
        self.calls = Calls(self.say)
        self.checkpoints.clear()
        if self.nonstop.on:
            self.stop_everything()
            self.nonstop = NonStop(self)
        for inferior in list(self.debugger.inferiors.values()):
            inferior.stops.leave()
            inferior.catches = None
            self.debugger.give_stops(inferior)
        self.go()
        self.end_if_done()

    def delivered(self, tracee: Tracee) -> int:
        """The signal that a stopped thread gets when the debugger lets it go without a word."""
        report = tracee.report
        if report is None or report.kind not in (kinds.SIGNAL, kinds.FAULT) or is_step(report):
            return 0
        if tracee.tid in self.debugger.interrupted:
            return 0
        allowed = self.options.program
        # A SIGTRAP that nobody asked for is a debugger's (gdbserver, get_detach_signal).
        passes = report.signal != b.SIGTRAP if allowed is None else report.signal in allowed
        return report.signal if passes else 0

    def end_if_done(self) -> None:
        """Without processes there is nothing to serve, unless the debugger may start one. It goes
        away first, when it has heard of that.
        """
        if not self.debugger.inferiors:
            self.checkpoints.clear()
            self.quits = self.link is None or self.link.gone
            if not self.quits and not self.options.extended and self.deadline is None:
                self.deadline = time.monotonic() + _PATIENCE

    # --- what happens ---

    def pump(self) -> None:
        """Takes in what happened to threads, and tells the debugger if it waits for that."""
        for item in self.debugger.events():
            event = self.take(item)
            if event is not None:
                self.waiting.append(event)
        if self.nonstop.on and self.link is not None:
            self.nonstop.tell()
        elif self.running and self.link is not None and any(map(self._is_due, self.waiting)):
            self.stop_everything()
            self.tell()
        elif self.link is None:
            if any(event.reply[:1] in (b"W", b"X") for event in self.waiting):
                self.end_if_done()
            if self.running:
                self._run_unattended()

    def _run_unattended(self) -> None:
        """Without a debugger signals take their course."""
        events, self.waiting = self.waiting, []
        for event in events:
            tracee = self.debugger.tracees.get(event.tid)
            if tracee is not None and tracee.report is not None:
                own = tracee.report.kind in (kinds.SIGNAL, kinds.FAULT)
                self.let(tracee, b.CONTINUE, tracee.report.signal if own else 0)

    def tell(self) -> None:
        """Reports the first stop that waits."""
        while self.link is not None:
            event = next(filter(self._is_due, self.waiting), None)
            if event is None:
                return
            self.waiting.remove(event)
            if not self.still_holds(event):
                tracee = self.thread(event.tid)
                if tracee is not None:
                    # It may be put in again before the thread goes on.
                    tracee.dirty |= b.FORGETS_OVER
                continue
            self.running = False
            self.last = event
            if event.tid in self.debugger.tracees:
                self.general = event.tid
            self.link.send(self.stop_reply(event))
            return

    def _is_due(self, event: Event) -> bool:
        """Whether a stop is of a thread that goes on, as far as the debugger knows."""
        return event.tid not in self.kept or event.tid not in self.debugger.tracees

    def unknown(self) -> set[int]:
        """Forked processes of whose birth the debugger was not told yet: it must not meet them."""
        return {event.child for event in self.waiting} | set(self.born)

    def say(self, text: str) -> None:
        """Prints in the debugger's console."""
        if self.link is not None:
            self.link.send(b"O" + text.encode().hex().encode())

    def known_threads(self) -> list[Tracee]:
        """The threads that a debugger may be told of."""
        unknown = self.unknown()
        found = self.debugger.tracees.values()
        return [t for t in found if t.tgid in self.debugger.inferiors and t.tgid not in unknown]

    def still_holds(self, event: Event) -> bool:
        """Whether a stop is still one: a breakpoint may have been taken out meanwhile."""
        if event.code_stop is None:
            return True
        inferior = self.debugger.inferiors.get(event.pid)
        return inferior is not None and inferior.stops.at(event.code_stop) is not None

    # --- going on and stopping ---

    def let(
        self, tracee: Tracee, mode: int, number: int = 0, *, within: range | None = None
    ) -> None:
        """Lets a thread go on."""
        self.nonstop.goes_on(tracee)
        self.modes[tracee.tid] = mode, within
        if mode == b.CONTINUE and "strace" in self.calls.items:
            mode = b.CALLS
        self.debugger.go_on(tracee, mode, number)

    def again(self, tracee: Tracee) -> None:
        """Lets a thread go on as it was let go before."""
        mode, within = self.modes.get(tracee.tid, (b.CONTINUE, None))
        self.let(tracee, mode, within=within)

    def stop_everything(self) -> None:
        """Stops all threads. What happens to them meanwhile waits."""
        while left := [one for one in self.debugger.tracees.values() if one.report is None]:
            self.stop_threads(left)

    def stop_threads(self, tracees: list[Tracee]) -> None:
        """Stops some threads."""
        running, self.running = self.running, False
        self.debugger.stop(tracees)
        for item in self.debugger.events():
            event = self.take(item)
            if event is not None:
                self.waiting.append(event)
        self.running = running

    def interrupt(self) -> None:
        """The debugger wants the program to stop."""
        if self.nonstop.on:
            self.nonstop.interrupt()
            return
        self.interrupt_due = True
        if not self.running:
            return
        self.stop_everything()
        self.tell()
        if not self.running:
            return
        self.interrupt_due = False
        tracee = self.thread(self.general) or next(iter(self.debugger.tracees.values()), None)
        if tracee is not None and self.link is not None:
            self.running = False
            self.general = tracee.tid
            self.link.send(self.stop_reply(Event(tracee.tid, tracee.tgid, b"T02")))

    def stops_changed(self, pid: int) -> None:
        """Breakpoints of a process are others: in non-stop mode its threads are to know at once."""
        inferior = self.debugger.inferiors.get(pid)
        if self.nonstop.on and inferior is not None:
            with self.nonstop.held(pid):
                self.debugger.give_stops(inferior)

    def thread(self, tid: int) -> Tracee | None:
        """A thread that is stopped."""
        tracee = self.debugger.tracees.get(tid)
        return tracee if tracee is not None and tracee.report is not None else None

    def chosen(self) -> Tracee | None:
        """The thread that packets about registers and memory are for."""
        found = self.thread(self.general)
        if found is None:
            stopped = (t for t in self.debugger.tracees.values() if t.report is not None)
            found = next(stopped, None)
        return found

    def need(self) -> Tracee:
        """The same; ValueError when none is stopped."""
        tracee = self.chosen()
        if tracee is None:
            raise ValueError("no thread is stopped")
        return tracee

    def selected(self) -> Tracee:
        """The thread that packets about registers are for. ValueError: it is not stopped."""
        found = self.thread(self.general) if self.nonstop.on else self.chosen()
        if found is None:
            raise ValueError("the thread is not stopped")
        return found

    def pc(self, tracee: Tracee) -> int:
        """The address of a stopped thread's next instruction."""
        number = self.debugger.tracing(tracee).registers.pc
        return tracee.registers(number + 1)[number]

    def forget(self, pid: int) -> None:
        """What waits of a process is not to be told any more."""
        self.waiting = [event for event in self.waiting if event.pid != pid]

    def keep_streams(self) -> None:
        """Opens what the program has as its standard streams."""
        tracee = self.chosen()
        if self.streams or tracee is None:
            return
        for number, flags in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
            try:
                found = os.open(f"/proc/{tracee.tgid}/fd/{number}", flags | os.O_CLOEXEC)
            except OSError:
                found = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
            self.streams.append(found)

    def run_program(self, words: list[bytes] | None) -> bytes:
        """Begins a program under the debugger; the answer."""
        if self.start is None:
            return b"E01"
        self.checkpoints.clear()
        pid = self.start(self, words)
        self.general = pid
        return self.stop_reply(Event(pid, pid, b"T05"))

    # --- words ---

    def order(self, core: str) -> ByteOrder:
        """The byte order of the guest that the cores call so."""
        return "big" if arch.on_core(core).big_endian else "little"

    def real(self, number: int) -> int:
        """The process, or its first thread, that the debugger calls so."""
        return next((real for real, shown in self.shown.items() if shown == number), number)

    def thread_id(self, text: bytes) -> tuple[int, int]:
        """The process and the thread of a thread-id of the protocol, as `resuming.thread_id`."""
        pid, tid = thread_id(text)
        return self.real(pid), self.real(tid)

    def thread_name(self, pid: int, tid: int) -> bytes:
        """A thread-id of the protocol."""
        pid, tid = self.shown.get(pid, pid), self.shown.get(tid, tid)
        return b"p%x.%x" % (pid, tid) if self.options.multiprocess else b"%x" % tid

    def stop_reply(self, event: Event) -> bytes:
        """The whole packet for an event."""
        if event.reply[:1] != b"T":
            return event.reply
        reply = event.reply + b"thread:" + self.thread_name(event.pid, event.tid) + b";"
        tracee = self.thread(event.tid)
        if tracee is not None:
            if tracee.report is not None and tracee.report.kind == kinds.SIGNAL:
                # It came before the instruction that the thread stopped at: that stops again.
                tracee.dirty |= b.FORGETS_OVER
            reply += self._expedited(tracee)
        return reply + self._all_threads() if self.options.lists else reply

    def _all_threads(self) -> bytes:
        """All threads that are stopped and where they are, for LLDB's stop replies."""
        known = [tracee for tracee in self.known_threads() if tracee.report is not None]
        names = b",".join(self.thread_name(tracee.tgid, tracee.tid) for tracee in known)
        places = b",".join(b"%x" % self.pc(tracee) for tracee in known)
        return b"threads:" + names + b";thread-pcs:" + places + b";"

    def _expedited(self, tracee: Tracee) -> bytes:
        """The registers that a stop reply tells without being asked: pc and sp."""
        header = tracee.header()
        tracing = self.debugger.tracing(tracee)
        known = tracing.registers
        values = description.values_of(tracee)
        order = self.order(header.guest)
        out = b""
        for number, register in enumerate(description.of(tracee)):
            if register.number in (known.pc, known.sp):
                data = description.pack(register, values, order)
                out += b"%x:%s;" % (number, data.hex().encode())
        return out
