"""What LLDB asks of threads beside gdb's packets (lldb/docs/lldb-gdb-remote.txt).

There is no QThreadSuffixSupported. Who has it numbers signals as the program's system does, says
LLDB (`UsesNativeSignals`), and not as the protocol.
"""

from __future__ import annotations

import json

from qusr.debug.gdb import description
from qusr.debug.gdb.objects import name_of
from qusr.debug.gdb.packets import escape
from qusr.debug.gdb.reports import Event
from qusr.debug.gdb.resuming import ERROR
from qusr.ptrace import registers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from qusr.debug.gdb.session import Session
    from qusr.ptrace.tracee import Tracee

OK = b"OK"
#: LLDB's names of sets of registers.
_SETS = {
    "general": "General Purpose Registers",
    "float": "Floating Point Registers",
    "vector": "Vector Registers",
}
_NO_INDEX = (1 << 32) - 1
"""LLDB_INVALID_INDEX32: it looks for the watchpoint by the address."""


def lists(session: Session, _: bytes) -> bytes:
    """QListThreadsInStopReply."""
    session.options.lists = True
    return OK


def errors(session: Session, _: bytes) -> bytes:
    """QEnableErrorStrings."""
    session.options.words = True
    return OK


def _stop(session: Session, tid: int) -> bytes | None:
    """Why a thread is stopped. That has been told then: LLDB steps over breakpoints itself that it
    finds a thread at. None: it is not.
    """
    tracee = session.thread(tid)
    if tracee is None:
        return None
    event = session.last
    if event is None or event.tid != tid:
        event = next((one for one in session.waiting if one.tid == tid and not one.child), None)
        if event is None or event.reply[:1] != b"T" or not session.still_holds(event):
            return session.stop_reply(Event(tid, tracee.tgid, b"T00"))
        session.waiting.remove(event)
    return session.stop_reply(event)


def stop_info(session: Session, text: bytes) -> bytes:
    """`qThreadStopInfoTID`."""
    return _stop(session, session.real(int(text, 16))) or ERROR


def infos(session: Session, _: bytes) -> bytes:
    """jThreadsInfo: the stop replies of all threads, as JSON."""
    found = [
        _info(session, tracee) for tracee in session.known_threads() if tracee.report is not None
    ]
    return escape(json.dumps(found, separators=(",", ":")).encode())


def _info(session: Session, tracee: Tracee) -> dict[str, object]:
    reply = _stop(session, tracee.tid) or b"T00"
    info: dict[str, object] = {
        "tid": session.shown.get(tracee.tid, tracee.tid),
        "name": name_of(tracee.tid),
        "signal": int(reply[1:3], 16),
    }
    values: dict[str, str] = {}
    for field in reply[3:].split(b";"):
        key, _, value = field.decode().partition(":")
        if key in ("watch", "rwatch", "awatch"):
            info["reason"] = "watchpoint"
            info["description"] = f"{int(value, 16)} {_NO_INDEX}"
        elif key and key not in ("thread", "threads", "thread-pcs") and _is_number(key):
            values[str(int(key, 16))] = value
    return {**info, "registers": values}


def _is_number(key: str) -> bool:
    return all(sign in "0123456789abcdef" for sign in key)


def register_info(session: Session, text: bytes) -> bytes:
    """`qRegisterInfoNUMBER`: what the target description says, for who does not read that."""
    tracee = session.need()
    tracing, known = session.debugger.tracing(tracee), description.of(tracee)
    number = int(text, 16)
    if not 0 <= number < len(known):
        return b"E45"
    register = known[number]
    roles = {tracing.registers.pc: "pc", tracing.registers.sp: "sp"}
    for place, argument in enumerate(tracing.registers.args, 1):
        roles.setdefault(argument, f"arg{place}")
    is_float = register.type in ("ieee_single", "ieee_double", "i387_ext", "float")
    is_vector = register.bits > 64 and not is_float
    facts = {
        "name": register.name,
        "bitsize": register.bits,
        "offset": sum(one.bits for one in known[:number]) // 8,
        "encoding": "ieee754" if is_float else "vector" if is_vector else "uint",
        "format": "float" if is_float else "vector-uint8" if is_vector else "hex",
        "set": _SETS.get(register.group, "System Registers"),
        "generic": roles.get(register.number) if register.number is not None else None,
    }
    return "".join(f"{key}:{value};" for key, value in facts.items() if value is not None).encode()


def save(session: Session, _: bytes) -> bytes:
    """QSaveRegisterState: keeps all registers of a thread; the number to have them back by."""
    tracee = session.selected()
    session.saved.append((tracee.tid, description.values_of(tracee)))
    return b"%d" % len(session.saved)


def restore(session: Session, text: bytes) -> bytes:
    """`QRestoreRegisterState:NUMBER`: each number is good for one time."""
    tracee = session.selected()
    number = int(text)
    if not 0 < number <= len(session.saved) or session.saved[number - 1][0] != tracee.tid:
        return ERROR
    _, values = session.saved[number - 1]
    session.saved[number - 1] = (0, [])
    for register, value in enumerate(values[:-1]):
        registers.store(tracee, register, value)
    return OK
