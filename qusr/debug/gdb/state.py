"""All of a stopped process in one place: threads with their registers, memory, signals and
descriptors.

What stands in guest memory is read there (`Tracee.peek`, by the mappings). Names of the fields are
those of the kernel's structures.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass

from qusr.ptrace import block as b
from qusr.ptrace import registers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from qusr.debug.gdb.debugger import Debugger
    from qusr.ptrace.tracee import Tracee

_WORDS = struct.Struct("<260Q")


@dataclass(frozen=True)
class Action:
    """What a process does about a signal (struct sigaction)."""

    handler: int
    flags: int
    restorer: int
    mask: int


@dataclass(frozen=True)
class Thread:
    """A thread.

    Attributes:
        executed: instructions that it has completed; None: nobody has them counted.
        registers: by their names (`qusr.arch`).
        blocked, pending: sets of signals; `pending` has those of the process, too.
        altstack: address, size and flags of sigaltstack(2).
    """

    tid: int
    executed: int | None
    registers: dict[str, int]
    blocked: int
    pending: int
    altstack: tuple[int, int, int]


@dataclass(frozen=True)
class Mapping:
    """A line of /proc/PID/maps, in the guest's addresses."""

    start: int
    end: int
    rights: str
    offset: int
    name: str


@dataclass(frozen=True)
class Descriptor:
    """An open file: its position and flags are those of /proc/PID/fdinfo."""

    number: int
    name: str
    position: int
    flags: int


@dataclass(frozen=True)
class State:
    """A process. `actions` are by signal number."""

    pid: int
    threads: list[Thread]
    mappings: list[Mapping]
    actions: dict[int, Action]
    descriptors: list[Descriptor]


def of(debugger: Debugger, pid: int) -> State:
    """The state of a process. ValueError: not all of its threads are stopped where they answer."""
    threads: list[Thread] = []
    actions: dict[int, Action] = {}
    mappings: list[Mapping] = []
    for tracee in debugger.threads(pid):
        thread, actions = _thread(debugger, tracee)
        threads.append(thread)
        if not mappings:
            text = debugger.ask(tracee, b.ASK_MAPS) or b""
            mappings = [mapping(line) for line in text.decode(errors="replace").splitlines()]
    if not threads:
        raise ValueError("no such process")
    return State(pid, threads, mappings, actions, _descriptors(pid))


def _thread(debugger: Debugger, tracee: Tracee) -> tuple[Thread, dict[int, Action]]:
    data = debugger.ask(tracee, b.ASK_SIGNALS)
    if data is None or len(data) != _WORDS.size:
        raise ValueError(f"thread {tracee.tid} is not stopped")
    words = _WORDS.unpack(data)
    header = tracee.header()
    values = registers.all_registers(tracee)
    names = registers.tracing(header).registers.numbers
    pending = words[0]
    for _, number, _ in tracee.pending:
        pending |= 1 << number - 1
    thread = Thread(
        tracee.tid, header.executed, {name: values[at] for name, at in names.items()},
        header.blocked, pending, (words[1], words[2], words[3]),
    )  # fmt: skip
    return thread, {n: Action(*words[4 * n : 4 * n + 4]) for n in range(1, 65)}


def mapping(line: str) -> Mapping:
    """What a line says: ``start-end rights offset device inode name``."""
    words = line.split(None, 5)
    start, _, end = words[0].partition("-")
    name = words[5] if len(words) > 5 else ""
    return Mapping(int(start, 16), int(end, 16), words[1], int(words[2], 16), name)


def _descriptors(pid: int) -> list[Descriptor]:
    found = []
    for name in sorted(os.listdir(f"/proc/{pid}/fd"), key=int):
        with open(f"/proc/{pid}/fdinfo/{name}", encoding="utf-8") as file:
            facts = dict(line.partition(":")[::2] for line in file)
        target = os.readlink(f"/proc/{pid}/fd/{name}")
        found.append(Descriptor(int(name), target, int(facts["pos"]), int(facts["flags"], 8)))
    return found


def text(state: State) -> str:
    """For a person to read."""
    out = [f"process {state.pid}"]
    for thread in state.threads:
        count = "" if thread.executed is None else f", {thread.executed} instructions"
        sp, size, flags = thread.altstack
        out.append(
            f"thread {thread.tid}{count}: blocked {thread.blocked:#x}, pending "
            f"{thread.pending:#x}, alternate stack {sp:#x} size {size:#x} flags {flags}"
        )
        out += [f"  {name:12}{value:#x}" for name, value in thread.registers.items()]
    out.append("signals that are caught or ignored")
    for number, action in state.actions.items():
        if action.handler:
            out.append(
                f"  {number:<4}handler {action.handler:#x} flags {action.flags:#x} "
                f"mask {action.mask:#x}"
            )
    out.append("mappings")
    for one in state.mappings:
        line = f"  {one.start:x}-{one.end:x} {one.rights} {one.offset:08x} {one.name}"
        out.append(line.rstrip())
    out.append("descriptors")
    for fd in state.descriptors:
        out.append(f"  {fd.number:<4}{fd.name} position {fd.position} flags {fd.flags:#o}")
    return "\n".join(out) + "\n"
