"""q and Q packets: what each side can, and what there is to know of processes."""

from __future__ import annotations

from qusr import _native, arch
from qusr.debug.gdb import description, monitor
from qusr.debug.gdb.options import MUTUAL
from qusr.debug.gdb.packets import LONGEST, escape, unescape
from qusr.debug.gdb.resuming import ERROR, thread_id
from qusr.debug.gdb.signals import from_gdb
from qusr.ptrace import block as b

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from qusr.debug.gdb.session import Session

    Query = Callable[[Session, bytes], bytes | None]

OK = b"OK"

_OURS = (
    "PacketSize=%x;QStartNoAckMode+;QPassSignals+;QProgramSignals+;QCatchSyscalls+;QThreadEvents+;"
    "QDisableRandomization+;QStartupWithShell+;QEnvironmentHexEncoded+;QEnvironmentUnset+;"
    "QEnvironmentReset+;QSetWorkingDir+;vContSupported+;ConditionalBreakpoints+;"
    "qXfer:features:read+;qXfer:auxv:read+;qXfer:exec-file:read+;qXfer:siginfo:read+;"
    "qXfer:threads:read+;qXfer:osdata:read+;binary-upload+"
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
    tracees = session.debugger.tracees.values()
    names = [
        session.thread_name(t.tgid, t.tid) for t in tracees if t.tgid in session.debugger.inferiors
    ]
    return b"m" + b",".join(names) if names else b"l"


def _attached(session: Session, text: bytes) -> bytes:
    pid = int(text[1:], 16) if text.startswith(b":") else 0
    inferior = session.debugger.inferiors.get(pid)
    if inferior is None:
        inferior = next(iter(session.debugger.inferiors.values()), None)
    return b"1" if inferior is not None and inferior.attached else b"0"


def _name(tid: int) -> str:
    try:
        with open(f"/proc/{tid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().rstrip("\n")
    except OSError:
        return ""


def _extra(session: Session, text: bytes) -> bytes:
    _, tid = thread_id(text)
    if tid not in session.debugger.tracees:
        return ERROR
    return (_name(tid) or "-").encode().hex().encode()


# --- qXfer ---


def _transfer(session: Session, text: bytes) -> bytes:
    """`OBJECT:read:ANNEX:OFFSET,LENGTH`"""
    words = text.split(b":")
    if len(words) < 4 or words[1] != b"read":
        return b""
    function = OBJECTS.get(words[0].decode("latin-1"))
    if function is None:
        return b""
    data = function(session, b":".join(words[2:-1]))
    if data is None:
        return b"E00"
    offset, size = (int(word, 16) for word in words[-1].split(b","))
    size = min(size, LONGEST // 2)
    part = data[offset : offset + size]
    return (b"m" if offset + size < len(data) else b"l") + escape(part)


def _features(session: Session, annex: bytes) -> bytes | None:
    if annex != b"target.xml":
        return None
    return description.xml(session.debugger.tracing(session.need())).encode()


def _auxv(session: Session, _: bytes) -> bytes | None:
    return session.debugger.ask(session.need(), b.ASK_AUXV)


def _exec_file(session: Session, annex: bytes) -> bytes | None:
    tracee = session.need()
    if annex:
        threads = session.debugger.threads(int(annex, 16))
        tracee = next((found for found in threads if found.report is not None), tracee)
    return session.debugger.ask(tracee, b.ASK_EXE)


def _siginfo(session: Session, _: bytes) -> bytes | None:
    tracee = session.need()
    info = None if tracee.report is None else tracee.report.info
    if info is None:
        return None
    guest = arch.on_core(tracee.header().guest)
    return _native.siginfo_to_guest(info, guest.bits, guest.big_endian)


def _threads(session: Session, _: bytes) -> bytes:
    lines = ['<?xml version="1.0"?>', "<threads>"]
    for tracee in session.debugger.tracees.values():
        if tracee.tgid in session.debugger.inferiors:
            name = session.thread_name(tracee.tgid, tracee.tid).decode()
            lines.append(f'<thread id="{name}" name="{_xml(_name(tracee.tid))}"/>')
    return "\n".join([*lines, "</threads>", ""]).encode()


def _xml(text: str) -> str:
    for sign, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        text = text.replace(sign, entity)
    return text


def _osdata(session: Session, annex: bytes) -> bytes:
    """The kinds of tables, or the processes that are debugged."""
    rows = []
    kind = "types"
    if annex in (b"", b"types"):
        rows = [
            {"Type": "processes", "Description": "Listing of all processes", "Title": "Processes"}
        ]
    elif annex == b"processes":
        kind = "processes"
        for pid in sorted(session.debugger.inferiors):
            rows.append({"pid": str(pid), "command": _name(pid)})
    items = "".join(
        "<item>"
        + "".join(f'<column name="{key}">{_xml(value)}</column>' for key, value in row.items())
        + "</item>"
        for row in rows
    )
    head = '<?xml version="1.0"?><!DOCTYPE target SYSTEM "osdata.dtd">'
    return f'{head}<osdata type="{kind}">{items}</osdata>'.encode()


OBJECTS: dict[str, Callable[[Session, bytes], bytes | None]] = {
    "features": _features, "auxv": _auxv, "exec-file": _exec_file, "siginfo": _siginfo,
    "threads": _threads, "osdata": _osdata,
}  # fmt: skip


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
    (b"qXfer:", _transfer),
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
    (b"QProgramSignals", _accept),
    (b"QCatchSyscalls:", _catch_syscalls),
    (b"QThreadEvents:", _thread_events),
    (b"QDisableRandomization:", _accept),
    (b"QStartupWithShell:", _accept),
    (b"QEnvironmentHexEncoded:", _environment),
    (b"QEnvironmentUnset:", _no_environment),
    (b"QEnvironmentReset", _reset_environment),
    (b"QSetWorkingDir:", _directory),
)
