"""What a core file is called and where it goes: core(5), fs/coredump.c's `format_corename`."""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from qusr.running import Process, Thread

_PATTERN = "/proc/sys/kernel/core_pattern"
_USES_PID = "/proc/sys/kernel/core_uses_pid"

INSTEAD_OF_PIPE = b"core.%p"
"""A pattern that begins with a pipe (or a socket, since Linux 6.16) names a program of the host's.
Only the kernel can start it, with the core of a process of its own. The guest's goes here."""


def expand(process: Process, thread: Thread, number: int, limit: int) -> bytes:
    """The file's name for the core of `thread`'s death by signal `number`; empty for none."""
    pattern = _read(_PATTERN, b"core")
    if pattern[:1] in (b"|", b"@"):
        pattern = INSTEAD_OF_PIPE
    values: dict[bytes, Callable[[], bytes]] = {
        b"p": lambda: b"%d" % os.getpid(),
        b"P": lambda: b"%d" % os.getpid(),
        b"i": lambda: b"%d" % thread.tid,
        b"I": lambda: b"%d" % thread.tid,
        b"u": lambda: b"%d" % os.getuid(),
        b"g": lambda: b"%d" % os.getgid(),
        b"d": lambda: b"1",
        b"s": lambda: b"%d" % number,
        b"t": lambda: b"%d" % time.time(),
        b"h": lambda: _safe(os.fsencode(os.uname().nodename)),
        b"e": lambda: _safe(_read(f"/proc/self/task/{thread.tid}/comm", process.comm)),
        b"f": lambda: _safe(os.path.basename(process.exe)),
        b"E": lambda: _safe(process.exe),
        b"c": lambda: b"%d" % min(limit, (1 << 64) - 1),
        b"%": lambda: b"%",
    }
    name = b""
    has_pid = False
    at = 0
    while at < len(pattern):
        char = pattern[at : at + 1]
        if char == b"%":
            at += 1
            kind = pattern[at : at + 1]
            has_pid = has_pid or kind in (b"p", b"P")
            # What is not known is dropped, and so is a % at the end.
            name += values[kind]() if kind in values else b""
        else:
            name += char
        at += 1
    if not has_pid and _read(_USES_PID, b"0") != b"0":
        name += b".%d" % os.getpid()
    return name


def create(name: bytes) -> int:
    """A new file of that name, below the current directory if it is relative.

    One that is there is unlinked, not followed and not written into, as by `do_coredump`.
    """
    try:
        os.unlink(name)
    except FileNotFoundError:
        pass
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(name, flags, 0o600)


def _safe(text: bytes) -> bytes:
    """A part of a name, not a path (`cn_esc_printf`)."""
    text = text.replace(b"/", b"!")
    return text if text.strip(b".") or len(text) > 2 else text.replace(b".", b"!", 1)


def _read(path: str, otherwise: bytes) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read().rstrip(b"\n")
    except OSError:
        return otherwise
