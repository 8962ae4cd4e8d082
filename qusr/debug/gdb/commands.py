"""The packets that are about registers, memory, breakpoints, threads and processes."""

from __future__ import annotations

import functools
import os

from qusr.debug.gdb import description, files, lldb, queries, resuming
from qusr.debug.gdb.packets import LONGEST, escape, unescape
from qusr.debug.gdb.reports import Event
from qusr.debug.gdb.resuming import ERROR
from qusr.debug.gdb.stops import Breakpoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from qusr.debug.gdb.debugger import Inferior
    from qusr.debug.gdb.session import Session
    from qusr.ptrace.tracee import Tracee

    Command = Callable[[Session, bytes], bytes | None]

UNKNOWN, OK = b"", b"OK"


def answer(session: Session, packet: bytes) -> bytes | None:
    """What to send for a packet; None: nothing now. One that makes no sense gets an error."""
    about = session.debugger.tracees.get(session.general)
    try:
        if about is not None and session.nonstop.on and _needs_a_stop(session, packet):
            with session.nonstop.held(about.tgid):
                return _answer(session, packet)
        return _answer(session, packet)
    except OSError as error:
        said = b";" + os.strerror(error.errno or 1).encode().hex().encode()
        return b"E%02x" % ((error.errno or 1) & 0xFF) + (said if session.options.words else b"")
    except (ValueError, IndexError, OverflowError, MemoryError):
        return ERROR


def _needs_a_stop(session: Session, packet: bytes) -> bool:
    """In non-stop mode: whether it is about the process as a whole, and all of it runs."""
    if session.chosen() is not None:
        return False
    return packet[:1] in b"mMxXZz_" or packet.startswith((b"qXfer:", b"qCRC", b"qSearch", b"qRcmd"))


def _answer(session: Session, packet: bytes) -> bytes | None:
    if packet.startswith(b"v"):
        return _v(session, packet)
    letter = packet[:1].decode("latin-1")
    for prefix, query in lldb.PACKETS:
        if packet.startswith(prefix):
            return query(session, packet[len(prefix) :])
    if letter in ("q", "Q"):
        return queries.answer(session, packet)
    function = COMMANDS.get(letter)
    return UNKNOWN if function is None else function(session, packet[1:])


def _v(session: Session, packet: bytes) -> bytes | None:
    for prefix, function in V_PACKETS:
        if packet.startswith(prefix):
            return function(session, packet[len(prefix) :])
    return UNKNOWN


def _inferior(session: Session) -> Inferior:
    inferior = session.debugger.inferior_of(session.need())
    if inferior is None:
        raise ValueError("no process")
    return inferior


# --- registers ---


def _read_all(session: Session, _: bytes) -> bytes:
    tracee = session.selected()
    values = description.values_of(tracee)
    order = session.order(tracee.header().guest)
    data = b"".join(
        description.pack(register, values, order) for register in description.of(tracee)
    )
    return data.hex().encode()


def _write_all(session: Session, text: bytes) -> bytes:
    tracee = session.selected()
    data = bytes.fromhex(text.decode())
    order = session.order(tracee.header().guest)
    at = 0
    for register in description.of(tracee):
        part = data[at : at + register.bits // 8]
        at += register.bits // 8
        if len(part) == register.bits // 8:
            description.store(tracee, register, int.from_bytes(part, order))
    return OK


def _read_one(session: Session, text: bytes) -> bytes:
    tracee = session.selected()
    register = description.of(tracee)[_index(text)]
    values = description.values_of(tracee)
    order = session.order(tracee.header().guest)
    return description.pack(register, values, order).hex().encode()


def _write_one(session: Session, text: bytes) -> bytes:
    tracee = session.selected()
    number, _, value = text.partition(b"=")
    register = description.of(tracee)[_index(number)]
    data = bytes.fromhex(value.decode())
    if len(data) != register.bits // 8:
        return ERROR
    order = session.order(tracee.header().guest)
    description.store(tracee, register, int.from_bytes(data, order))
    return OK


def _index(text: bytes) -> int:
    number = int(text, 16)
    if number < 0:
        raise ValueError("no such register")
    return number


# --- memory ---


def _range(text: bytes) -> tuple[int, int]:
    address, comma, size = text.partition(b",")
    if not comma:
        raise ValueError("no length")
    found = int(address, 16), int(size, 16)
    if found[0] < 0 or found[1] < 0:
        raise ValueError("negative")
    return found


def read_memory(tracee: Tracee, address: int, size: int) -> bytes:
    """As much of guest memory as can be read from an address on. OSError: nothing."""
    return tracee.peek(address, min(size, LONGEST)) if size else b""


def _read(session: Session, text: bytes) -> bytes:
    address, size = _range(text)
    return read_memory(session.need(), address, min(size, LONGEST // 2)).hex().encode()


def _read_binary(session: Session, text: bytes) -> bytes:
    address, size = _range(text)
    return b"b" + escape(read_memory(session.need(), address, min(size, LONGEST // 2)))


def _write(session: Session, text: bytes) -> bytes:
    where, _, digits = text.partition(b":")
    return _store(session, where, bytes.fromhex(digits.decode()))


def _write_binary(session: Session, text: bytes) -> bytes:
    where, _, data = text.partition(b":")
    return _store(session, where, unescape(data))


def _store(session: Session, where: bytes, data: bytes) -> bytes:
    address, size = _range(where)
    if len(data) != size:
        return ERROR
    if data:
        session.need().poke(address, data)
    return OK


# --- breakpoints ---


def _insert(session: Session, text: bytes) -> bytes:
    place, _, rest = text.partition(b";")
    kind, address, size = (int(word, 16) for word in place.split(b","))
    conditions, rest = _expressions(rest)
    commands: list[bytes] = []
    persists = False
    if rest.startswith(b"cmds:"):
        flag, _, rest = rest.removeprefix(b"cmds:").partition(b",")
        persists = flag == b"1"
        commands, rest = _expressions(rest)
    inferior = _inferior(session)
    breakpoint_ = Breakpoint(conditions, commands, persists=persists)
    if not inferior.stops.insert(kind, address, size, breakpoint_):
        return UNKNOWN
    session.stops_changed(inferior.pid)
    return OK


def _expressions(text: bytes) -> tuple[list[bytes], bytes]:
    """`Xlength,code` one after the other, and what follows."""
    found = []
    while text.startswith(b"X"):
        length, _, tail = text[1:].partition(b",")
        digits = 2 * int(length, 16)
        found.append(bytes.fromhex(tail[:digits].decode()))
        text = tail[digits:].lstrip(b";")
    return found, text


def _remove(session: Session, text: bytes) -> bytes:
    kind, address, size = (int(word, 16) for word in text.partition(b";")[0].split(b","))
    inferior = _inferior(session)
    inferior.stops.remove(kind, address, size)
    session.stops_changed(inferior.pid)
    return OK


# --- threads and processes ---


def _choose(session: Session, text: bytes) -> bytes:
    pid, tid = session.thread_id(text[1:])
    if text[:1] != b"g":
        return OK  # vCont says it itself
    if tid > 0:
        if session.thread(tid) is None:
            return ERROR
        session.general = tid
    elif pid > 0:
        threads = session.debugger.threads(pid)
        if not threads:
            return ERROR
        session.general = threads[0].tid
    return OK


def _alive(session: Session, text: bytes) -> bytes:
    _, tid = session.thread_id(text)
    return OK if tid in session.debugger.tracees else ERROR


def _why(session: Session, _: bytes) -> bytes:
    """Why the program is stopped: it is when the debugger connects."""
    if session.nonstop.on:
        return session.nonstop.begin()
    if session.waiting:
        session.running = True
        session.tell()
        if not session.running:
            return None  # type: ignore[return-value]
    tracee = session.chosen()
    if tracee is None:
        return b"W00"
    session.general = tracee.tid
    return session.stop_reply(Event(tracee.tid, tracee.tgid, b"T05"))


def _stopped(session: Session, _: bytes) -> bytes:
    return session.nonstop.stopped()


def _interrupt(session: Session, _: bytes) -> None:
    """vCtrlC: what the byte 3 does outside of packets, with an answer."""
    assert session.link is not None
    session.link.send(OK)
    session.interrupt()


def _extended(session: Session, _: bytes) -> bytes:
    """!: the debugger may start programs, which get the streams of the first one."""
    session.options.extended = True
    session.keep_streams()
    return OK


def _detach(session: Session, text: bytes) -> bytes | None:
    pid = session.real(int(text[1:], 16)) if text.startswith(b";") else 0
    for inferior in list(session.debugger.inferiors.values()):
        if pid in (0, inferior.pid):
            while left := [t for t in session.debugger.threads(inferior.pid) if t.report is None]:
                session.stop_threads(left)
            session.forget(inferior.pid)
            session.debugger.let_free(inferior, session.delivered)
    session.running = session.nonstop.on
    return OK


def _kill(session: Session, _: bytes) -> None:
    """k: no answer."""
    for inferior in list(session.debugger.inferiors.values()):
        session.forget(inferior.pid)
        session.debugger.kill(inferior)
    if not session.options.extended:
        session.disconnect()


def _vkill(session: Session, text: bytes) -> bytes:
    inferior = session.debugger.inferiors.get(session.real(int(text, 16)))
    if inferior is None:
        return ERROR
    session.forget(inferior.pid)
    session.debugger.kill(inferior)
    return OK


def _attach(session: Session, text: bytes) -> bytes:
    pid = int(text, 16)
    session.attach(pid)
    if session.nonstop.on:
        session.nonstop.stop(session.debugger.threads(pid))
        return OK
    return session.stop_reply(Event(pid, pid, b"T00"))


def _run(session: Session, text: bytes) -> bytes:
    words = [bytes.fromhex(word.decode()) for word in text.split(b";") if word or text]
    return session.run_program([word for word in words if word] or None)


def _backward(_: Session, __: bytes) -> bytes:
    """bs and bc: nothing is recorded that could be executed backwards."""
    return UNKNOWN


def _restart(session: Session, _: bytes) -> None:
    """R: no answer."""
    for inferior in list(session.debugger.inferiors.values()):
        session.forget(inferior.pid)
        session.debugger.kill(inferior)
    session.run_program(None)


COMMANDS: dict[str, Command] = {
    "g": _read_all, "G": _write_all, "p": _read_one, "P": _write_one,
    "m": _read, "M": _write, "X": _write_binary, "x": _read_binary,
    "Z": _insert, "z": _remove, "H": _choose, "T": _alive, "?": _why, "!": _extended,
    "D": _detach, "k": _kill, "R": _restart, "b": _backward,
    **{letter: functools.partial(resuming.old, letter) for letter in "cCsS"},
}  # fmt: skip
V_PACKETS: tuple[tuple[bytes, Command], ...] = (
    (b"vCont?", lambda session, text: resuming.SUPPORTED),
    (b"vCont", resuming.vcont),
    (b"vFile:", files.answer),
    (b"vStopped", _stopped),
    (b"vCtrlC", _interrupt),
    (b"vKill;", _vkill),
    (b"vAttach;", _attach),
    (b"vRun;", _run),
)
