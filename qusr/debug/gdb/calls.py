"""`monitor syscalls` and `monitor log`: what the program does, told in the debugger's console."""

from __future__ import annotations

from qusr import arch
from qusr.arch.abi import HOST
from qusr.ptrace import registers
from qusr.ptrace import tracee as kinds
from qusr.syscalls import strace_values as values
from qusr.syscalls import table
from qusr.syscalls.strace import result_text
from qusr.syscalls.strace_args import Printer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from qusr.arch.abi import Abi
    from qusr.ptrace.tracee import Report, Tracee

#: Items of -d that can be begun and ended while a program runs.
ITEMS = {
    "strace": "each system call with arguments and result",
    "int": "signals and faults of the guest",
}


class _Memory:
    """A guest's memory, read as the emulator reads its own."""

    def __init__(self, tracee: Tracee) -> None:
        self._tracee = tracee

    def read(self, address: int, size: int) -> bytes:
        data = self._tracee.peek(address, size)
        if len(data) < size:
            raise OSError(14, "no memory")
        return data

    def read_cstr(self, address: int, limit: int) -> bytes:
        text, end, _ = self._tracee.peek(address, limit).partition(b"\0")
        if not end:
            raise OSError(14, "no memory")
        return text


class _Guest:
    """What a printer asks of a process."""

    def __init__(self, tracee: Tracee) -> None:
        core = tracee.header().guest
        self.abi: Abi = next(abi for abi in arch.on_core(core).abis.values() if abi.core == core)
        self.memory = _Memory(tracee)


class Calls:
    """What is told, and of which calls the beginning was seen."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._write = say
        self.items: set[str] = set()
        self._begun: dict[int, tuple[str, Printer, str]] = {}

    def tell(self, tracee: Tracee, report: Report) -> None:
        """A thread is at the beginning or the end of a call, or of a signal."""
        if report.kind in (kinds.SIGNAL, kinds.FAULT):
            if "int" in self.items:
                abi = _Guest(tracee).abi
                name = values.signal_name(report.signal, HOST)
                info = b"" if report.info is None else registers.siginfo_of(tracee, report.info)
                self._say(tracee, f"--- {name} {values.siginfo(info, abi)} ---")
        elif "strace" in self.items and report.kind == kinds.ENTRY:
            self._begin(tracee)
        elif "strace" in self.items and report.kind == kinds.EXIT:
            self._end(tracee)

    def _begin(self, tracee: Tracee) -> None:
        guest = _Guest(tracee)
        header = tracee.header()
        args = registers.call_arguments(tracee)
        numbers = {number: name for name, number in table.numbers(guest.abi).items()}
        name = numbers.get(header.number, f"syscall_{header.number:#x}")
        call = table.declarations(guest.abi).get(name)
        printer = Printer(guest, call, args)  # type: ignore[arg-type]
        text = f"{name}(" + printer.before()
        if name in ("exit", "exit_group"):
            self._say(tracee, text + ") = ?")
        else:
            self._begun[tracee.tid] = name, printer, text

    def _end(self, tracee: Tracee) -> None:
        begun = self._begun.pop(tracee.tid, None)
        if begun is None:
            return
        name, printer, text = begun
        result = registers.call_result(tracee)
        rest = printer.rest(result)
        self._say(tracee, f"{text}{rest}) = {result_text(printer, name, result)}")

    def _say(self, tracee: Tracee, text: str) -> None:
        self._write(f"{tracee.tid} {text}\n")
