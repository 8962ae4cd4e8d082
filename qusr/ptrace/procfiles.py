"""Files of a tracee's /proc/PID: the tracee itself says what is in them."""

from __future__ import annotations

from qusr.ptrace import block as b
from qusr.ptrace.tracee import Tracee
from qusr.syscalls.context import Context

_QUESTIONS = {b"maps": b.ASK_MAPS, b"auxv": b.ASK_AUXV, b"exe": b.ASK_EXE}


def find(ctx: Context, path: bytes) -> tuple[Tracee, bytes] | None:
    """The tracee and the name of the file, when the kernel calls it `path`."""
    if ctx.caller.tracer is None:
        return None
    parts = path.split(b"/")
    if len(parts) < 3 or not parts[-2].isdigit():
        return None
    # The number of a procfs that counts like ours; of another one there is no such tracee.
    number = int(parts[-2])
    for tracee in ctx.caller.tracer.tracees.values():
        if number in (tracee.tid, tracee.tgid) and tracee.block:
            return tracee, parts[-1]
    return None


def text(ctx: Context, tracee: Tracee, name: bytes) -> bytes | None:
    """The guest's text of a file; None where the kernel's is right, or the tracee runs."""
    question = _QUESTIONS.get(name)
    tracer = ctx.caller.tracer
    if question is None or tracer is None:
        return None
    return tracer.ask(tracee, question)
