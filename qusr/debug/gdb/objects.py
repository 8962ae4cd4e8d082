"""`qXfer`: what there is to read of a process, and its siginfo to write."""

from __future__ import annotations

import os

from qusr import _native, arch
from qusr.debug.gdb import description, libraries
from qusr.debug.gdb.packets import LONGEST, escape, unescape
from qusr.debug.gdb.resuming import ERROR
from qusr.debug.gdb.xml import text as xml_text
from qusr.ptrace import block as b
from qusr.ptrace import registers, siginfo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from qusr.debug.gdb.session import Session


def name_of(tid: int) -> str:
    """A thread's name; empty when it is gone."""
    try:
        with open(f"/proc/{tid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().rstrip("\n")
    except OSError:
        return ""


def transfer(session: Session, text: bytes) -> bytes:
    """`OBJECT:read:ANNEX:OFFSET,LENGTH`, or `siginfo:write::OFFSET:DATA`."""
    words = text.split(b":")
    if words[:2] == [b"siginfo", b"write"] and len(words) > 4:
        return _write_siginfo(session, int(words[3], 16), unescape(b":".join(words[4:])))
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
    tracee = session.need()
    length = registers.vector_length(tracee)
    return description.xml(session.debugger.tracing(tracee), length).encode()


def _auxv(session: Session, _: bytes) -> bytes | None:
    return session.debugger.ask(session.need(), b.ASK_AUXV)


def _exec_file(session: Session, annex: bytes) -> bytes | None:
    tracee = session.need()
    if annex:
        threads = session.debugger.threads(session.real(int(annex, 16)))
        tracee = next((found for found in threads if found.report is not None), tracee)
    return session.debugger.ask(tracee, b.ASK_EXE)


def _siginfo(session: Session, _: bytes) -> bytes | None:
    tracee = session.need()
    info = None if tracee.report is None else tracee.report.info
    if info is None:
        return None
    return _native.siginfo_to_guest(info, tracee.header().guest)


def _write_siginfo(session: Session, offset: int, data: bytes) -> bytes:
    """Changes what the program will be told of the signal that the thread has stopped for."""
    tracee = session.need()
    report = tracee.report
    if report is None or report.info is None:
        return ERROR
    guest = tracee.header().guest
    now = bytearray(_native.siginfo_to_guest(report.info, guest))
    if offset + len(data) > len(now):
        return ERROR
    now[offset : offset + len(data)] = data
    report.info = siginfo.from_guest(bytes(now), arch.abi_on_core(guest))
    return b"%x" % len(data)


def _threads(session: Session, _: bytes) -> bytes:
    lines = ['<?xml version="1.0"?>', "<threads>"]
    for tracee in session.known_threads():
        name = session.thread_name(tracee.tgid, tracee.tid).decode()
        lines.append(f'<thread id="{name}" name="{xml_text(name_of(tracee.tid))}"/>')
    return "\n".join([*lines, "</threads>", ""]).encode()


def _osdata(_: Session, annex: bytes) -> bytes:
    """Tables of the system: the kinds there are, or one of them."""
    kind = annex.decode("latin-1") or "types"
    if kind == "types":
        rows = [
            {"Type": name, "Description": about, "Title": title}
            for name, (about, title, _) in _TABLES.items()
        ]
    else:
        rows = _TABLES[kind][2]() if kind in _TABLES else []
    items = "".join(
        "<item>"
        + "".join(f'<column name="{key}">{xml_text(value)}</column>' for key, value in row.items())
        + "</item>"
        for row in rows
    )
    head = '<?xml version="1.0"?><!DOCTYPE target SYSTEM "osdata.dtd">'
    return f'{head}<osdata type="{xml_text(kind)}">{items}</osdata>'.encode()


def _processes() -> list[dict[str, str]]:
    return [
        {"pid": name, "user": str(_owner(name)), "command": _command(name)}
        for name in _numbers("/proc")
    ]


def _all_threads() -> list[dict[str, str]]:
    return [
        {"pid": pid, "command": _command(pid), "tid": tid}
        for pid in _numbers("/proc")
        for tid in _numbers(f"/proc/{pid}/task")
    ]


def _descriptors() -> list[dict[str, str]]:
    rows = []
    for pid in _numbers("/proc"):
        for fd in _numbers(f"/proc/{pid}/fd"):
            try:
                path = os.readlink(f"/proc/{pid}/fd/{fd}")
            except OSError:
                continue
            rows.append({"pid": pid, "command": _command(pid), "file descriptor": fd, "name": path})
    return rows


def _numbers(folder: str) -> list[str]:
    try:
        return sorted(filter(str.isdigit, os.listdir(folder)), key=int)
    except OSError:
        return []


def _owner(pid: str) -> int:
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return -1


def _command(pid: str) -> str:
    """The command line: that of a guest process is the guest's."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().rstrip(b"\0").replace(b"\0", b" ")
    except OSError:
        words = b""
    return words.decode(errors="replace") or name_of(int(pid))


_TABLES: dict[str, tuple[str, str, Callable[[], list[dict[str, str]]]]] = {
    "processes": ("Listing of all processes", "Processes", _processes),
    "threads": ("Listing of all threads", "Threads", _all_threads),
    "files": ("Listing of all file descriptors", "File descriptors", _descriptors),
}


def _libraries(session: Session, _: bytes) -> bytes:
    return libraries.svr4(session)


OBJECTS: dict[str, Callable[[Session, bytes], bytes | None]] = {
    "features": _features, "auxv": _auxv, "exec-file": _exec_file, "siginfo": _siginfo,
    "threads": _threads, "osdata": _osdata, "libraries-svr4": _libraries,
}  # fmt: skip
