"""Where each thread of a guest process is: ``qusr -threads PID``, and QUSR_DEBUG=1.

The threads keep records of it (native/kernel/src/process/whereabouts.rs), which are read in the
process's memory; who runs translated code is asked. A process that hangs need not have been
prepared for it, and nothing changes for its guest.
"""

from __future__ import annotations

import os
import struct
import time
from dataclasses import dataclass

from qusr import _native, arch
from qusr.arch.abi import HOST
from qusr.ptrace import block
from qusr.syscalls import table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qusr.arch.base import Guest
    from qusr.debug.symbols import Row, Symbols

MAGIC = 0x0465_7265_6857_5351
#: As many arguments as the kernel side keeps of a call (MAX_SLOTS of thunk/table.rs).
_ARGS = 8
_RECORD = struct.Struct(f"<QIIQQQQ{_ARGS}QQQQQ32Q")
_EMULATOR, _GUEST_CODE, _CALL = range(3)
_NO_CALL = (1 << 64) - 1
_TABLE = struct.Struct("<QQ4Q")
#: Futex bits of a robust or PI futex's value (include/uapi/linux/futex.h): who holds it.
_FUTEX_TID = 0x3FFF_FFFF
#: How long to wait for the answer of a thread that runs, in seconds. It gives one at the end of
#: a block.
_PATIENCE = 1.0
#: More records than threads can be: the list is damaged.
_MOST = 1 << 20


class UnknownError(Exception):
    """The process cannot be looked at; the message says why."""


@dataclass(frozen=True)
class Record:
    """What a thread has noted."""

    tid: int
    stage: int
    number: int
    pc: int
    args: tuple[int, ...]
    answers: int
    answer: int
    base: int
    guest: int
    locks: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class HostState:
    """What the host's kernel says of a thread: its name, its state, and in which of the host's
    system calls it is (number, arguments); None where it runs or where that is not told.
    """

    name: str
    state: str
    call: tuple[int, tuple[int, ...]] | None


def report(pid: int) -> str:
    """The threads of a process, a line each.

    Raises:
        UnknownError: it is no process of qusr's, or one may not look into it.
    """
    from qusr.debug.symbols import Symbols, rows

    try:
        mapped = rows(pid)
        records = _asked(pid, _place(mapped))
        tids = _tids(pid)
        if records.keys().isdisjoint(tids.values()):
            raise UnknownError("no guest runs in the process")
    except OSError as error:
        raise UnknownError(_why(pid, error)) from None
    symbols: dict[int, Symbols] = {}
    lines = []
    for tid, own in tids.items():
        host = _host_state(pid, tid)
        if host is None:
            continue  # it has ended meanwhile
        record = records.get(own)
        if record is None:
            what = "no thread of the guest's" + _in_host(host)
        else:
            if record.base not in symbols:
                guest = _guest(record)
                marked = guest is not None and guest.marks_functions
                symbols[record.base] = Symbols(pid, mapped, record.base, marked)
            what = describe(pid, record, host, symbols[record.base])
        lines.append(f"{tid} {host.name} [{host.state}]: {what}\n")
    return "".join(lines)


def describe(pid: int, record: Record, host: HostState, symbols: Symbols) -> str:
    """Where a thread is, in words."""
    return _Thread(pid, record, host, symbols).describe()


def _why(pid: int, error: OSError) -> str:
    if isinstance(error, FileNotFoundError | ProcessLookupError):
        return f"there is no process {pid}"
    if isinstance(error, PermissionError):
        return f"process {pid} may not be looked into (ptrace(2)): {error.strerror}"
    return f"process {pid}: {error.strerror}"


# --- the records ---


def _place(mapped: Sequence[Row]) -> int:
    """Where the table of records is in the process that has these mappings."""
    from qusr.debug.symbols import rows

    library = _native.own_library()
    own = [row.start for row in rows(os.getpid()) if row.identity == library]
    theirs = [row for row in mapped if row.identity == library]
    if own and theirs:
        return _native.whereabouts_table() - own[0] + theirs[0].start
    for row in mapped:
        if "/qusr/_native." in row.path:
            raise UnknownError(f"the process runs another build of qusr ({row.path}): use its own")
    raise UnknownError("that is no process of qusr")


def _records(pid: int, place: int) -> dict[int, Record]:
    """The records by thread."""
    magic, at, *interpreter = _TABLE.unpack(_native.process_read(pid, place, _TABLE.size))
    if magic != MAGIC:
        raise UnknownError("the process runs another version of qusr")
    found = {}
    names: dict[tuple[int, int], str] = {}
    for _ in range(_MOST):
        if at == 0:
            break
        data = _native.process_read(pid, at, _RECORD.size)
        at, used, tid, stage, number, pc, _sp, *rest = _RECORD.unpack(data)
        args, rest = tuple(rest[:_ARGS]), rest[_ARGS:]
        answers, answer, base, guest, *held = rest
        if used and tid:
            locks = _locks(pid, (*held, *interpreter), names)
            found[tid] = Record(tid, stage, number, pc, args, answers, answer, base, guest, locks)
    return found


def _locks(
    pid: int, words: tuple[int, ...], names: dict[tuple[int, int], str]
) -> tuple[tuple[str, int, int], ...]:
    """Name, address and size of each lock in a record."""
    found = []
    for at in range(0, len(words), 4):
        text, length, start, size = words[at : at + 4]
        if not text:
            continue
        key = text, min(length, 256)
        if key not in names:
            names[key] = _native.process_read(pid, *key).decode(errors="replace")
        found.append((names[key], start, size))
    return tuple(found)


def _asked(pid: int, place: int) -> dict[int, Record]:
    """The records, once those that run guest code have said where."""
    before = _records(pid, place)
    end = time.monotonic() + _PATIENCE
    open_questions = {}
    for tid, own in _tids(pid).items():
        record = before.get(own)
        if record is None or record.stage != _GUEST_CODE or tid == _thread_id():
            continue
        host = _host_state(pid, tid)
        # Not one that sleeps: a signal would end some calls.
        if host is not None and host.call is None and host.state == "R":
            try:
                _native.queue_signal(pid, tid, block.SIGSEGV, block.report())
            except OSError:
                continue  # it has ended
            open_questions[own] = record
    now = before
    while open_questions and time.monotonic() < end:
        time.sleep(0.002)
        now = _records(pid, place)
        for own, asked in list(open_questions.items()):
            record = now.get(own)
            if record is None or record.stage == _CALL or record.answers != asked.answers:
                del open_questions[own]
    return now


def _thread_id() -> int:
    import _thread

    return _thread.get_native_id()


def _guest(record: Record) -> Guest | None:
    name = _native.guest_of_audit(record.guest)
    return None if name is None else arch.guest(name)


def _is_big(record: Record) -> bool:
    return not record.guest >> 30 & 1


# --- the host's kernel ---


def _tids(pid: int) -> dict[int, int]:
    """The threads of a process, and what each is called in its own PID namespace."""
    found = {}
    for name in sorted(os.listdir(f"/proc/{pid}/task"), key=int):
        own = int(name)
        for line in _lines(f"/proc/{pid}/task/{name}/status"):
            if line.startswith("NSpid:"):
                own = int(line.split()[-1])
        found[int(name)] = own
    return found


def _lines(path: str) -> Iterator[str]:
    try:
        with open(path, errors="surrogateescape") as file:
            yield from file
    except OSError:
        return


def _host_state(pid: int, tid: int) -> HostState | None:
    folder = f"/proc/{pid}/task/{tid}"
    stat = "".join(_lines(f"{folder}/stat"))
    if not stat:
        return None
    name = stat[stat.index("(") + 1 : stat.rindex(")")]
    state = stat[stat.rindex(")") + 2]
    words = "".join(_lines(f"{folder}/syscall")).split()
    call = None
    # "running", or "-1" and two addresses for a thread that is stopped elsewhere.
    if len(words) == 9:
        call = int(words[0]), tuple(int(word, 16) for word in words[1:7])
    return HostState(name, state, call)


def _host_name(number: int) -> str:
    names = {value: name for name, value in table.numbers(HOST).items()}
    return names.get(number, f"syscall_{number}")


def _in_host(host: HostState) -> str:
    return "" if host.call is None else f"; in the host's {_host_name(host.call[0])}"


# --- a line ---


class _Thread:
    """A guest thread to be described."""

    def __init__(self, pid: int, record: Record, host: HostState, symbols: Symbols) -> None:
        self._pid = pid
        self._record = record
        self._host = host
        self._symbols = symbols
        self._names: dict[int, str] = {}
        guest = _guest(record)
        for abi in () if guest is None else guest.abis.values():
            for name, number in table.numbers(abi).items():
                self._names.setdefault(number, name)

    def describe(self) -> str:
        """Where it is, in words."""
        record, held = self._record, self._held_up()
        if record.stage == _CALL:
            name = self._name()
            place = f"in {self._call()} at {self._symbols.describe(record.pc)}"
            if "futex" in name:
                place += self._futex()
            return place + held
        if record.stage == _GUEST_CODE:
            if record.answers:
                return f"runs guest code at {self._symbols.describe(record.answer)}{held}"
            return f"runs guest code{self._last()}{held}"
        return f"in the emulator{self._last()}{held}"

    def _name(self) -> str:
        number = self._record.number
        return self._names.get(number, f"syscall_{number}")

    def _call(self) -> str:
        # No call of the kernel's has more than six arguments; 64-bit ones take two slots.
        return f"{self._name()}({', '.join(f'{arg:#x}' for arg in self._record.args[:6])})"

    def _last(self) -> str:
        if self._record.number == _NO_CALL:
            return ""
        return f"; its last call was {self._call()} at {self._symbols.describe(self._record.pc)}"

    def _futex(self) -> str:
        """The guest's lock that it waits for, and who holds it if the lock says so."""
        address = self._record.args[0]
        text = f"; the lock is {self._symbols.describe(address)}"
        try:
            data = _native.process_read(self._pid, self._record.base + address, 4)
        except OSError:
            return text
        value = int.from_bytes(data, "big" if _is_big(self._record) else "little")
        text += f", its value {value:#x}"
        holder = value & _FUTEX_TID
        if os.path.exists(f"/proc/{self._pid}/task/{holder}"):
            text += f": thread {holder} holds it"
        return text

    def _held_up(self) -> str:
        """What the emulator waits for, where that is not what the guest waits for."""
        record, call = self._record, self._host.call
        if call is None:
            return ""
        number, args = call
        name = _host_name(number)
        if name == "futex":
            if record.stage == _CALL and args[0] == record.base + record.args[0]:
                return ""
            for what, start, size in record.locks:
                if start <= args[0] < start + size:
                    return f"; waits for the emulator's lock of {what}"
            return f"; waits for a lock of the emulator's at {args[0]:#x} of the host"
        if record.stage == _CALL and self._name() == name:
            return ""
        return f"; in the host's {name}"
