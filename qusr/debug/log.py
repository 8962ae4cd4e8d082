"""The logs of -d, -strace, -D and -dfilter: qemu-user's items and syntax."""

from __future__ import annotations

import fcntl
import os

from qusr._native import number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: In the order and with the meaning that they have for qemu-user.
ITEMS = {
    "out_asm": "host code of each translated block",
    "in_asm": "guest code of each block when it is first met",
    "op": "intermediate code of each block",
    "op_opt": "nothing (qemu-user has it); 'op' shows all there is",
    "op_ind": "nothing (qemu-user has it)",
    "op_plugin": "nothing (qemu-user has it)",
    "mmu": "nothing (qemu-user has it)",
    "pcall": "nothing (qemu-user has it)",
    "cpu_reset": "nothing (qemu-user has it)",
    "plugin": "nothing (qemu-user has it)",
    "vpu": "as 'fpu'",
    "int": "signals, faults and exceptions of the guest",
    "exec": "a line before each block that is executed (lots)",
    "cpu": "the registers before each block (lots)",
    "fpu": "the FP and vector registers, too, with 'cpu'",
    "unimp": "what qusr does not implement",
    "guest_errors": "nothing (qemu-user has it)",
    "page": "the guest's memory map at the start",
    "python": "each time that the guest needs Python, and what for",
    "nochain": "blocks are not chained, so that 'exec' and 'cpu' show each",
    "strace": "each system call with arguments and result",
    "tid": "a file of its own for each thread; the name given with -D has a %d",
    "invalid_mem": "nothing (qemu-user has it); 'int' shows faults",
}

#: What only the native core, whose translator is ours, can tell.
NATIVE_ONLY = ("out_asm", "op")
BLOCK_ITEMS = ("in_asm", "exec", "cpu")

#: The log's descriptor is moved out of the way of those that a guest expects to get.
_HIGH_FD = 900


class LogError(Exception):
    """A log that cannot be; the message says why."""


class Log:
    """Where a guest's logs go, and which are wanted.

    Args:
        items: names out of :data:`ITEMS`; "all" is all of them but `tid` and `nochain`.
        file: a file's name, `%d` in it standing for the process (with `tid`: thread) id;
            None: stderr.
        ranges: of -dfilter: the code that block items are about.
    """

    def __init__(
        self, items: Sequence[str] = (), *, file: str | None = None, ranges: str | None = None
    ) -> None:
        self.items = _known(items)
        self.file = file
        self.ranges = parse_ranges(ranges) if ranges else None
        if "tid" in self.items and "%d" not in (file or ""):
            raise LogError("-d tid: -D FILE is needed, with a %d in the file's name")
        self._by_thread: dict[int, int] = {}
        self.fd = -1
        if "tid" not in self.items:
            self.fd = self._open(os.getpid())

    def wants(self, item: str) -> bool:
        """Whether -d names `item`."""
        return item in self.items

    def in_range(self, address: int) -> bool:
        """Whether -dfilter lets code at `address` through."""
        if self.ranges is None:
            return True
        return any(start <= address <= last for start, last in self.ranges)

    def wants_blocks(self) -> bool:
        """Whether -d names an item that is about blocks."""
        return not self.items.isdisjoint((*BLOCK_ITEMS, *NATIVE_ONLY))

    def native_items(self) -> list[str]:
        """For the native core: what it is to hand to `BlockLog.native`."""
        items = {"in_asm", "op", "out_asm", "exec", "unimp"} & self.items
        if items & set(NATIVE_ONLY) and self.ranges:
            items.add("in_asm")  # tells which block the others are about
        if "cpu" in self.items:
            items.add("exec")  # has each block come back
        words = [f"log-{item}" for item in sorted(items)]
        if "nochain" in self.items:
            words.append("no-chain")
        return words

    # --- lines ---

    def write(self, text: str) -> None:
        """Appends whole lines, in one write so that those of others stay whole."""
        data = memoryview(text.encode(errors="surrogateescape"))
        fd = self._thread_fd() if "tid" in self.items else self.fd
        while data:
            try:
                data = data[os.write(fd, data) :]
            except BlockingIOError:
                continue
            except OSError:
                # The guest closed a descriptor that it did not open (as daemons do).
                fd = self._reopen()
                if fd < 0:
                    return

    def unimp(self, text: str) -> None:
        """Something that qusr does not implement."""
        if "unimp" in self.items:
            self.write(text + "\n")

    def signalled(self, number: int, pc: int) -> None:
        """A signal is delivered to the guest; `pc` is where it goes on, its handler."""
        if "int" in self.items:
            from signal import Signals

            name = Signals(number).name if number in list(Signals) else f"signal {number}"
            self.write(f"{name} delivered, next pc {pc:#x}\n")

    # --- files ---

    def owns(self, fd: int) -> bool:
        """Whether `fd` is a descriptor of the log's own."""
        return fd > 2 and (fd == self.fd or fd in self._by_thread.values())

    def _open(self, number: int, *, again: bool = False) -> int:
        if self.file is None:
            fd = 2
        else:
            name = self.file.replace("%d", str(number))
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            try:
                # What there was before Python began may have its lines in it.
                again = again or "python" in self.items
                fd = os.open(name, flags if again else flags | os.O_TRUNC, 0o666)
            except OSError as error:
                raise LogError(f"-D {name}: {error.strerror}") from None
        try:
            high = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _HIGH_FD)
        except OSError:
            return fd  # stderr may be closed, or the limit of descriptors be low
        if fd != 2:
            os.close(fd)
        return high

    def _reopen(self) -> int:
        """-1 when there is nowhere to write to."""
        if self.file is None:
            return -1
        try:
            number = _thread_id() if "tid" in self.items else os.getpid()
            fd = self._open(number, again=True)
        except LogError:
            return -1
        if "tid" in self.items:
            self._by_thread[number] = fd
        else:
            self.fd = fd
        return fd

    def _thread_fd(self) -> int:
        tid = _thread_id()
        fd = self._by_thread.get(tid)
        if fd is None:
            fd = self._by_thread[tid] = self._open(tid)
        return fd


def _thread_id() -> int:
    import _thread

    return _thread.get_native_id()


def _known(items: Sequence[str]) -> frozenset[str]:
    known: set[str] = set()
    for item in items:
        if item == "all":
            known.update(set(ITEMS) - {"tid", "nochain"})
        elif item in ITEMS:
            known.add("fpu" if item == "vpu" else item)
        elif item.startswith("trace:"):
            continue  # events of qemu's own
        elif item:
            raise LogError(f"-d {item}: no such log item (-d help lists them)")
    return frozenset(known)


def parse_ranges(text: str) -> list[tuple[int, int]]:
    """-dfilter's ranges as (first, last) addresses: START..END, START+SIZE, END-SIZE."""
    ranges = []
    for part in text.split(","):
        try:
            first, rest = number(part)
            if rest.startswith(".."):
                second, rest = number(rest[2:])
                found = (first, second)
            elif rest[:1] in ("+", "-"):
                sign = rest[0]
                second, rest = number(rest[1:])
                found = (first, first + second - 1) if sign == "+" else (first - second + 1, first)
            else:
                raise LogError(f"-dfilter {part}: not START..END, START+SIZE or END-SIZE")
        except ValueError as error:
            raise LogError(f"-dfilter {error}") from None
        if rest or found[0] > found[1]:
            raise LogError(f"-dfilter {part}: not a range of addresses")
        ranges.append((max(found[0], 0), found[1]))
    return ranges
