"""q and Q packets: what each side can, and what there is to know of processes."""

from __future__ import annotations

from qusr.debug.gdb import monitor, objects
from qusr.debug.gdb.options import MUTUAL
from qusr.debug.gdb.packets import LONGEST, unescape
from qusr.debug.gdb.resuming import ERROR
from qusr.debug.gdb.signals import from_gdb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from qusr.debug.gdb.session import Session

    Query = Callable[[Session, bytes], bytes | None]

OK = b"OK"

_OURS = (
    "PacketSize=%x;QStartNoAckMode+;QPassSignals+;QProgramSignals+;QCatchSyscalls+;QThreadEvents+;"
    "QDisableRandomization+;QStartupWithShell+;QEnvironmentHexEncoded+;QEnvironmentUnset+;"
    "QEnvironmentReset+;QSetWorkingDir+;vContSupported+;ConditionalBreakpoints+;BreakpointCommands+;QNonStop+;"
    "qXfer:features:read+;qXfer:auxv:read+;qXfer:exec-file:read+;qXfer:siginfo:read+;"
    "qXfer:siginfo:write+;qXfer:threads:read+;qXfer:osdata:read+;"
    "qXfer:libraries-svr4:read+;binary-upload+"
)


def answer(session: Session, packet: bytes) -> bytes | None:
    """The answer to a q or Q packet; empty where there is no such thing."""
    for prefix, function in QUERIES:
        if packet.startswith(prefix):
            return function(session, packet[len(prefix) :])
    return b""


def _supported(session: Session, text: bytes) -> bytes:
    said = {word.decode("latin-1") for word in text.lstrip(b":").split(b";")}
    session.options.features = {name for name in MUTUAL if name + "+" in said}
    words = [_OURS % LONGEST, *(f"{name}+" for name in sorted(session.options.features))]
    return ";".join(words).encode()


def _no_acks(session: Session, _: bytes) -> bytes:
    link = session.link
    assert link is not None
    link.send(OK)
    link.acknowledges = False
    return None  # type: ignore[return-value]


# --- threads ---


def _current(session: Session, _: bytes) -> bytes:
    tracee = session.chosen()
    return ERROR if tracee is None else b"QC" + session.thread_name(tracee.tgid, tracee.tid)


def _list_threads(session: Session, _: bytes) -> bytes:
    names = [session.thread_name(one.tgid, one.tid) for one in session.known_threads()]
    return b"m" + b",".join(names) if names else b"l"


def _attached(session: Session, text: bytes) -> bytes:
    pid = session.real(int(text[1:], 16)) if text.startswith(b":") else 0
    inferior = session.debugger.inferiors.get(pid)
    if inferior is None:
        inferior = next(iter(session.debugger.inferiors.values()), None)
    return b"1" if inferior is not None and inferior.attached else b"0"


def _extra(session: Session, text: bytes) -> bytes:
    _, tid = session.thread_id(text)
    if tid not in session.debugger.tracees:
        return ERROR
    return (objects.name_of(tid) or "-").encode().hex().encode()


# --- memory ---


def _crc(session: Session, text: bytes) -> bytes:
    """`qCRC:addr,length`: gdb's CRC, which is not zlib's (its bits are not reversed)."""
    address, size = (int(word, 16) for word in text.split(b","))
    crc = 0xFFFFFFFF
    tracee = session.need()
    while size:
        part = tracee.peek(address, min(size, 1 << 16))
        if not part:
            return ERROR
        for byte in part:
            crc = (crc << 8 & 0xFFFFFFFF) ^ _CRC_TABLE[crc >> 24 ^ byte]
        address += len(part)
        size -= len(part)
    return b"C%x" % crc


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = value << 1 ^ (0x04C11DB7 if value >> 31 else 0)
        table.append(value & 0xFFFFFFFF)
    return table


_CRC_TABLE = _crc_table()


def _search(session: Session, text: bytes) -> bytes:
    """`qSearch:memory:address;length;pattern`"""
    first, second, pattern = text.split(b";", 2)
    address, size, pattern = int(first, 16), int(second, 16), unescape(pattern)
    tracee = session.need()
    keep = b""
    while size > 0 and pattern:
        part = tracee.peek(address, min(size, 1 << 20))
        if not part:
            break
        found = (keep + part).find(pattern)
        if found >= 0:
            return b"1,%x" % (address - len(keep) + found)
        address += len(part)
        size -= len(part)
        keep = (keep + part)[-len(pattern) + 1 :] if len(pattern) > 1 else b""
    return b"0"


# --- what is asked for ---


def _numbers(text: bytes) -> frozenset[int]:
    return frozenset(int(word, 16) for word in text.lstrip(b":").split(b";") if word)


def _pass_signals(session: Session, text: bytes) -> bytes:
    session.options.passed = frozenset(map(from_gdb, _numbers(text)))
    return OK


def _program_signals(session: Session, text: bytes) -> bytes:
    session.options.program = frozenset(map(from_gdb, _numbers(text)))
    return OK


def _catch_syscalls(session: Session, text: bytes) -> bytes:
    """`0`, `1`, or `1;NUMBER…`: for all processes, as gdb means it."""
    caught = None if text[:1] == b"0" else _numbers(text[1:])
    tracee = session.chosen()
    for inferior in session.debugger.inferiors.values():
        if tracee is None or inferior.pid == tracee.tgid:
            inferior.catches = caught
    return OK


def _thread_events(session: Session, text: bytes) -> bytes:
    session.options.thread_events = text == b"1"
    return OK


def _non_stop(session: Session, text: bytes) -> bytes:
    session.nonstop.on = text == b"1"
    return OK


def _accept(_: Session, __: bytes) -> bytes:
    return OK


def _environment(session: Session, text: bytes) -> bytes:
    name, _, value = bytes.fromhex(text.decode()).partition(b"=")
    session.options.environment[name] = value
    return OK


def _no_environment(session: Session, text: bytes) -> bytes:
    session.options.environment[bytes.fromhex(text.decode())] = None
    return OK


def _reset_environment(session: Session, _: bytes) -> bytes:
    session.options.environment.clear()
    return OK


def _directory(session: Session, text: bytes) -> bytes:
    session.options.directory = bytes.fromhex(text.decode()) or None
    return OK


def _monitor(session: Session, text: bytes) -> bytes:
    said = monitor.run(session, bytes.fromhex(text.decode()).decode(errors="replace"))
    return said.encode().hex().encode() or OK


QUERIES: tuple[tuple[bytes, Query], ...] = (
    (b"qSupported", _supported),
    (b"QStartNoAckMode", _no_acks),
    (b"qXfer:", objects.transfer),
    (b"qfThreadInfo", _list_threads),
    (b"qsThreadInfo", lambda session, text: b"l"),
    (b"qThreadExtraInfo,", _extra),
    (b"qCRC:", _crc),
    (b"qC", _current),
    (b"qAttached", _attached),
    (b"qSearch:memory:", _search),
    (b"qSymbol", _accept),
    (b"qRcmd,", _monitor),
    (b"QPassSignals", _pass_signals),
    (b"QProgramSignals", _program_signals),
    (b"QCatchSyscalls:", _catch_syscalls),
    (b"QNonStop:", _non_stop),
    (b"QThreadEvents:", _thread_events),
    (b"QDisableRandomization:", _accept),
    (b"QStartupWithShell:", _accept),
    (b"QEnvironmentHexEncoded:", _environment),
    (b"QEnvironmentUnset:", _no_environment),
    (b"QEnvironmentReset", _reset_environment),
    (b"QSetWorkingDir:", _directory),
)
