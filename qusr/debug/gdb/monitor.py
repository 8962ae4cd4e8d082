"""What `monitor` understands: questions to the emulator rather than to the program."""

from __future__ import annotations

from qusr.debug import log
from qusr.debug.gdb import state
from qusr.debug.gdb.calls import ITEMS
from qusr.debug.gdb.checkpoints import CheckpointError
from qusr.ptrace import block as b

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from qusr.debug.gdb.checkpoints import Checkpoint
    from qusr.debug.gdb.session import Session


def run(session: Session, line: str) -> str:
    """What a command prints."""
    name, _, rest = line.strip().partition(" ")
    function = COMMANDS.get(name)
    if function is None:
        return f"no such command: {name or '(nothing)'}; monitor help lists them\n"
    return function(session, rest.strip())


def _help(_: Session, __: str) -> str:
    """this list"""
    lines = (f"{name:16}{function.__doc__}\n" for name, function in COMMANDS.items())
    return "".join(lines)


def _maps(session: Session, _: str) -> str:
    """the program's mappings, as in its /proc/self/maps"""
    tracee = session.chosen()
    found = None if tracee is None else session.debugger.ask(tracee, b.ASK_MAPS)
    return "no thread is stopped\n" if found is None else found.decode(errors="replace")


def _info(session: Session, about: str) -> str:
    """`info registers`: all registers of the chosen thread, as the emulator has them"""
    tracee = session.chosen()
    if about != "registers":
        return "monitor info registers\n"
    if tracee is None:
        return "no thread is stopped\n"
    known = session.debugger.tracing(tracee).registers
    values = tracee.registers(len(known.numbers))
    return "".join(f"{name:12}{values[number]:#x}\n" for name, number in known.numbers.items())


def _checkpoint(session: Session, rest: str) -> str:
    """keeps a copy of the program to go back to; `checkpoint list`, `checkpoint delete N`"""
    known = session.checkpoints
    words = rest.split()
    try:
        if not words:
            number = known.take()
            return f"checkpoint {number} at {known.kept[number].where:#x}\n"
        if words == ["list"]:
            return (
                "".join(_described(number, one) for number, one in known.kept.items()) or "none\n"
            )
        if len(words) == 2 and words[0] == "delete" and words[1].isdecimal():
            known.delete(int(words[1]))
            return ""
    except (CheckpointError, OSError) as error:
        return f"checkpoint: {error}\n"
    return "monitor checkpoint [list|delete N]\n"


def _described(number: int, checkpoint: Checkpoint) -> str:
    count = checkpoint.executed
    behind = "" if count is None else f" behind {count} instructions"
    return f"{number}: process {checkpoint.tracee.tid} at {checkpoint.where:#x}{behind}\n"


def _restart(session: Session, rest: str) -> str:
    """`restart N`: goes on at checkpoint N; then say `maintenance flush register-cache`"""
    if not rest.isdecimal():
        return "monitor restart N\n"
    try:
        session.checkpoints.restart(int(rest))
    except (CheckpointError, OSError) as error:
        return f"restart: {error}\n"
    return ""


def _count(session: Session, rest: str) -> str:
    """`count on`, `count off`: counts instructions; `count`: how many of each thread since"""
    tracee = session.chosen()
    inferior = None if tracee is None else session.debugger.inferior_of(tracee)
    if inferior is None:
        return "no thread is stopped\n"
    if rest in ("on", "off"):
        inferior.stops.counting = rest == "on"
        # Steps are counted, too.
        if session.nonstop.on:
            session.stops_changed(inferior.pid)
        else:
            session.debugger.give_stops(inferior)
        return ""
    if rest:
        return "monitor count [on|off]\n"
    lines = []
    for one in session.debugger.threads(inferior.pid):
        executed = one.header().executed if one.report is not None and one.block else None
        lines.append(f"{one.tid}: {'not counted' if executed is None else executed}\n")
    return "".join(lines)


def _processes(session: Session, _: str) -> str:
    """the processes and threads that are debugged"""
    lines = []
    for pid in sorted(session.debugger.inferiors):
        tids = " ".join(str(tracee.tid) for tracee in session.debugger.threads(pid))
        lines.append(f"{pid}: threads {tids}\n")
    return "".join(lines)


def _state(session: Session, _: str) -> str:
    """threads with registers, signals, mappings and descriptors of the process, all at once"""
    tracee = session.chosen()
    if tracee is None:
        return "no thread is stopped\n"
    return state.text(state.of(session.debugger, tracee.tgid))


def _syscalls(session: Session, rest: str) -> str:
    """`syscalls on`, `syscalls off`: tells of each system call, as strace(1) does"""
    if rest not in ("on", "off"):
        return "monitor syscalls on|off\n"
    items = session.calls.items
    items.add("strace") if rest == "on" else items.discard("strace")
    return ""


def _log(session: Session, rest: str) -> str:
    """`log ITEM,...` or `log none`: what is told while the program runs; `log` lists items"""
    if not rest:
        now = session.calls.items
        lines = (
            f"{name:8}{'on ' if name in now else 'off'}  {about}\n" for name, about in ITEMS.items()
        )
        return "".join(lines)
    wanted = set() if rest == "none" else set(rest.split(","))
    for name in sorted(wanted - set(ITEMS)):
        if name in log.ITEMS:
            return f"log: {name} can only be begun with -d, when the program starts\n"
        return f"log: unknown item '{name}'\n"
    session.calls.items = wanted
    return ""


COMMANDS: dict[str, Callable[[Session, str], str]] = {
    "checkpoint": _checkpoint, "count": _count, "help": _help, "info": _info, "log": _log,
    "maps": _maps, "processes": _processes, "restart": _restart, "state": _state,
    "syscalls": _syscalls,
}  # fmt: skip
