"""Letting threads go on: vCont, and the packets from before it."""

from __future__ import annotations

from qusr.debug.gdb.signals import from_gdb
from qusr.ptrace import block as b

TYPE_CHECKING = False
if TYPE_CHECKING:
    from qusr.debug.gdb.session import Session
    from qusr.ptrace.tracee import Tracee

SUPPORTED = b"vCont;c;C;s;S;t;r"
ERROR = b"E01"


class Action:
    """What threads are to do.

    Attributes:
        kind: the letter in lower case: c, s, r or t.
        number: the signal to be delivered.
        within: the range of a range step.
        pid, tid: whose action it is; -1: all of them.
    """

    def __init__(self, text: bytes, pid: int, tid: int) -> None:
        self.pid = pid
        self.tid = tid
        self.number = 0
        self.within: range | None = None
        letter = text[:1]
        if letter in (b"C", b"S"):
            self.number = from_gdb(int(text[1:3], 16))
        elif letter == b"r":
            start, _, end = text[1:].partition(b",")
            self.within = range(int(start, 16), int(end, 16))
        elif letter not in (b"c", b"s", b"t"):
            raise ValueError("no such action")
        self.kind = letter.lower().decode()

    def concerns(self, tracee: Tracee) -> bool:
        """Whether it is for a thread."""
        return self.pid in (-1, tracee.tgid) and self.tid in (-1, 0, tracee.tid)


def vcont(session: Session, text: bytes) -> bytes | None:
    """`vCont;ACTION[:THREAD]…`. The answer comes when the program stops."""
    actions = []
    for word in text.split(b";"):
        if not word:
            continue
        action, colon, who = word.partition(b":")
        pid, tid = session.thread_id(who) if colon else (-1, -1)
        actions.append(Action(action, pid, tid))
    if not actions:
        return ERROR
    return resume(session, actions)


def resume(session: Session, actions: list[Action]) -> bytes | None:
    """Lets each thread do the first action that is for it."""
    plan: list[tuple[Tracee, Action]] = []
    stopping: list[Tracee] = []
    unknown = session.unknown()
    for tracee in session.debugger.tracees.values():
        if tracee.tgid in unknown:
            continue
        action = next((found for found in actions if found.concerns(tracee)), None)
        if action is not None and action.kind == "t":
            stopping.append(tracee)
        elif tracee.report is not None and action is not None:
            plan.append((tracee, action))
    if session.nonstop.on:
        return _one_by_one(session, plan, stopping)
    if any(action.kind == "t" for action in actions) and not plan:
        return b"OK"
    session.running = True
    session.last = None
    tids = {tracee.tid for tracee, _ in plan}
    stopped = {tid for tid, one in session.debugger.tracees.items() if one.report is not None}
    session.kept = stopped - tids
    # What happened already comes before anything else happens.
    if any(event.tid in tids or event.tid not in session.debugger.tracees
           for event in session.waiting):  # fmt: skip
        session.tell()
        if not session.running:
            return None
    if not plan:
        session.running = False
        return b"N" if "no-resumed" in session.options.features else ERROR
    for pid in {tracee.tgid for tracee, action in plan if action.kind == "c"}:
        inferior = session.debugger.inferiors.get(pid)
        if inferior is not None:
            session.debugger.give_stops(inferior)
    for tracee, action in plan:
        _let(session, tracee, action)
    if session.interrupt_due:
        session.interrupt()
    return None


def _let(session: Session, tracee: Tracee, action: Action) -> None:
    mode = b.CONTINUE if action.kind == "c" else b.STEP
    session.let(tracee, mode, action.number, within=action.within)


def _one_by_one(
    session: Session, plan: list[tuple[Tracee, Action]], stopping: list[Tracee]
) -> bytes:
    """In non-stop mode: who stops is told of later, as are those who have stopped meanwhile."""
    waiting = {event.tid for event in session.waiting}
    plan = [(tracee, action) for tracee, action in plan if tracee.tid not in waiting]
    for pid in {tracee.tgid for tracee, _ in plan}:
        session.stops_changed(pid)
    for tracee, action in plan:
        _let(session, tracee, action)
    link = session.link
    if link is not None:
        link.send(b"OK")
    session.nonstop.stop(stopping)
    return None  # type: ignore[return-value]


def old(letter: str, session: Session, text: bytes) -> bytes | None:
    """The packets c, C, s and S, with their optional address."""
    number = b""
    if letter in "CS":
        number, _, text = text.partition(b";")
    tracee = session.chosen()
    if text and tracee is not None:
        registers = session.debugger.tracing(tracee).registers
        tracee.set_register(registers.pc, int(text, 16))
    action = letter.encode() + number.rjust(2, b"0") if number else letter.encode()
    actions = [Action(action, -1, -1)]
    if letter in "sS" and tracee is not None:
        actions = [Action(action, -1, tracee.tid), Action(b"c", -1, -1)]
    return resume(session, actions)
