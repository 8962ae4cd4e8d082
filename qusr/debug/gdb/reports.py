"""What a debugger is told of."""

from __future__ import annotations

from qusr.ptrace import block as b
from qusr.ptrace import tracee as kinds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from qusr.ptrace.tracee import Report

_TRAP_TRACE = 2


class Event:
    """Something to tell the debugger.

    Attributes:
        tid, pid: the thread and its process; the thread may be gone.
        reply: the packet's beginning: T and the signal with what is said of it, W or X.
        code_stop: where a breakpoint was met; None: it is another event.
        child: the process that a fork has made; the debugger does not know it before.
    """

    def __init__(
        self, tid: int, pid: int, reply: bytes, code_stop: int | None = None, child: int = 0
    ) -> None:
        self.tid = tid
        self.pid = pid
        self.reply = reply
        self.code_stop = code_stop
        self.child = child


def is_step(report: Report) -> bool:
    """Whether a stop is the end of a step."""
    if report.kind != kinds.FAULT or report.signal != b.SIGTRAP or report.info is None:
        return False
    return b.code_of(report.info) == _TRAP_TRACE


def thread_id(text: bytes) -> tuple[int, int]:
    """(pid, tid) of a thread-id; -1 for all, and the process is -1 where none is named."""
    if not text.startswith(b"p"):
        number = _signed(text)
        return -1, number
    process, dot, thread = text[1:].partition(b".")
    return _signed(process), _signed(thread) if dot else -1


def _signed(text: bytes) -> int:
    return -1 if text == b"-1" else int(text, 16)
