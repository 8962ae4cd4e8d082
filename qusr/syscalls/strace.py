"""-strace: each system call with its arguments and result, as strace(1) writes them.

Everything is taken from the declarations; a call is printed the same whether Rust, a
builtin or a Python handler does it. As with strace, the arguments that the kernel reads
are written before the call is made and those that it stores after it, so that no line is
lost when the call never returns. When another thread or process writes in between, the
line is broken off ("<unfinished ...>") and taken up again ("<... read resumed>").
"""

from __future__ import annotations

import _thread
import errno

from qusr.arch.abi import HOST
from qusr.syscalls import decl, table
from qusr.syscalls import strace_values as values
from qusr.syscalls.strace_args import Printer, forwarded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from qusr._native import Thread
    from qusr.arch.abi import Abi
    from qusr.debug.log import Log
    from qusr.options import Exited
    from qusr.running import Process

#: Calls whose result is an address.
_ADDRESS_RESULTS = frozenset({"mmap", "mmap2", "mremap", "brk", "shmat"})
#: Calls after which the registers are not those of a call that returned.
_NO_RESULT = frozenset({"rt_sigreturn", "sigreturn"})
#: include/uapi/linux/auxvec.h
AT_EXECFN = 31
#: pc moves by itself: no sign of a restart.
_MOVES_PC = frozenset({"execve", "execveat", *_NO_RESULT})


class Strace:
    """Prints the system calls of one guest process and its forked children."""

    def __init__(self, process: Process) -> None:
        from qusr._native import SharedLock, SharedNumber
        from qusr.debug.log import Log

        self.process = process
        self.log: Log = process.log or Log()
        self._pending: dict[int, _Pending] = {}
        # Whose line is open, shared with forked children: they write to the same file.
        self._open_line = SharedNumber()
        # Held from the look at whose line is open until the line is written.
        self._lock = SharedLock()
        self._alone = "tid" in self.log.items
        # With a file for each thread: those whose last line is open.
        self._open_files: set[int] = set()
        self._abi: Abi | None = None
        self._calls: dict[str, decl.Syscall] = {}

    def lend(self, process: Process) -> Strace:
        """For a process that lives in this one's memory; the lines go to the same file."""
        other = Strace(process)
        other._open_line, other._lock = self._open_line, self._lock
        return other

    # --- what happens ---

    def begins(self) -> None:
        """The execve(2) of the program, of which strace(1) sees the end: its words as they are on
        the guest's stack.
        """
        process, word = self.process, self.process.abi.word
        argv = process.stack.sp + word
        addresses = dict(process.stack.auxv).get(AT_EXECFN, 0), argv, argv + word * (
            len(process.argv) + 1
        )  # fmt: skip
        printer = Printer(process, table.declarations(process.abi)["execve"], addresses)
        text = f"execve({printer.before()}{printer.rest(0)}) = 0\n"
        self._write(_thread.get_native_id(), text, done=True)

    def enter(self, thread: Thread, name: str, args: Sequence[int]) -> None:
        """A call begins."""
        if self._abi is not self.process.abi:
            self._abi = self.process.abi
            self._calls = table.declarations(self._abi)
        tid = _thread.get_native_id()
        call = self._calls.get(name)
        shown, call, args = forwarded(self.process, name, call, args, self._calls)
        printer = Printer(self.process, call, args)
        pending = _Pending(name, printer, thread.reg(self.process.arch.registers.pc), shown)
        self._pending[tid] = pending
        text = f"{shown}(" + printer.before()
        if name in ("exit", "exit_group"):
            self._write(tid, text + ") = ?\n", done=True)
            del self._pending[tid]
            return
        self._write(tid, text, done=False)

    def leave(self, thread: Thread, name: str, result: int) -> None:
        """A call has returned `result`, the value of the result register."""
        tid = _thread.get_native_id()
        pending = self._pending.pop(tid, None)
        if pending is None or pending.name != name:
            # A forked child returns from a call that its parent made, and has printed.
            self._pending.clear()
            return
        registers = self.process.arch.registers
        if name not in _MOVES_PC and thread.reg(registers.pc) != pending.pc:
            end = pending.printer.rest(-errno.EINTR)
            text = f"{end}) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)\n"
        else:
            number = self._signed(result)
            failed = registers.failed
            if failed is not None and thread.reg(failed) & registers.failed_bits:
                number = -number
            end = pending.printer.rest(number)
            text = f"{end}) = {result_text(pending.printer, pending.shown, number)}\n"
        self._write(tid, text, done=True, resumed=pending.shown)

    def gone(self, name: str) -> None:
        """The calling thread does not come back from the call."""
        tid = _thread.get_native_id()
        pending = self._pending.pop(tid, None)
        if pending is not None:
            self._write(tid, ") = ?\n", done=True, resumed=pending.shown)

    def exited(self, how: Exited) -> None:
        """The process ends."""
        tid = _thread.get_native_id()
        pending = self._pending.get(tid)
        if pending is not None:
            self.gone(pending.name)
        if how.signal is None:
            text = f"+++ exited with {how.status} +++\n"
        else:
            dumped = "" if how.core is None else " (core dumped)"
            text = f"+++ killed by {values.signal_name(how.signal, HOST)}{dumped} +++\n"
        self._write(tid, text, done=True)

    def signalled(self, number: int, info: bytes) -> None:
        """A signal is delivered; `info` is its siginfo_t in the guest's layout."""
        text = values.siginfo(info, self.process.abi)
        name = values.signal_name(number, HOST)
        self._write(_thread.get_native_id(), f"--- {name} {text} ---\n", done=True)

    # --- lines ---

    def _write(self, tid: int, text: str, *, done: bool, resumed: str = "") -> None:
        """Writes `text`, which ends a line or (not `done`) leaves it open.

        `resumed`: the call whose begun line the text goes on with.
        """
        if self._alone:
            if tid not in self._open_files:
                text = f"{tid} {_resumed(resumed)}{text}"
            (self._open_files.discard if done else self._open_files.add)(tid)
            self.log.write(text)
            return
        with self._lock:
            owner = self._open_line.value
            if owner != tid:
                text = f"{tid} {_resumed(resumed)}{text}"
                if owner:
                    text = f" <unfinished ...>\n{text}"
            self._open_line.value = 0 if done else tid
            self.log.write(text)

    # --- results ---

    def _signed(self, value: int) -> int:
        bits = self.process.abi.word * 8
        value &= (1 << bits) - 1
        return value - (1 << bits) if value >> bits - 1 else value


def result_text(printer: Printer, name: str, number: int) -> str:
    """A call's result as strace(1) writes it."""
    abi = printer.abi
    if name in _NO_RESULT:
        return "?"
    if -4096 < number < 0:
        return values.error(-number, abi)
    ret = printer.ret
    if name == "umask":
        return f"0{number:02o}"
    if isinstance(ret, decl.RetFlags):
        names = values.flags(ret.table, number, abi)
        return f"{number:#x} (flags {names})"
    if name in _ADDRESS_RESULTS:
        return f"{number & (1 << abi.word * 8) - 1:#x}"
    return str(number)


def _resumed(name: str) -> str:
    return f"<... {name} resumed>" if name else ""


class _Pending:
    """A call that has begun in some thread."""

    __slots__ = ("name", "pc", "printer", "shown")

    def __init__(self, name: str, printer: Printer, pc: int, shown: str) -> None:
        self.name = name
        #: The call that it stands for.
        self.shown = shown
        self.printer = printer
        self.pc = pc
