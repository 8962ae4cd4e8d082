"""One traced thread, as its tracer knows it."""

from __future__ import annotations

import errno
import os
import struct

from qusr import _native
from qusr.ptrace import block as b
from qusr.ptrace.block import Header
from qusr.syscalls import fail

# What a stop was reported as.
SIGNAL, FAULT, ENTRY, EXIT, EVENT, GROUP, TRAP, STOP = (
    "signal", "fault", "entry", "exit", "event", "group", "trap", "stop",
)  # fmt: skip


class Report:
    """A stop that the guest is told of.

    Attributes:
        kind: one of the words above; TRAP is PTRACE_EVENT_STOP, STOP a debugger's own (`event` says
            which, `message` where).
        status: wait(2)'s.
        info: the host's siginfo_t that PTRACE_GETSIGINFO gives, None for a group-stop.
        message: PTRACE_GETEVENTMSG's.
        on_host: whether the host kernel is in this very stop.
    """

    __slots__ = ("info", "kind", "message", "on_host", "signal", "status")

    def __init__(
        self, kind: str, signal: int, info: bytes | None, *, event: int = 0, message: int = 0,
        on_host: bool = False,
    ) -> None:  # fmt: skip
        self.kind = kind
        self.signal = signal
        self.status = event << 16 | signal << 8 | 0x7F
        self.info = info
        self.message = message
        self.on_host = on_host


class Tracee:
    """A thread that a thread of ours traces.

    Attributes:
        block: the address of its block; 0 before its first stop between two instructions.
        parked: it is in such a stop, so the block is as it says.
        report: the stop that the guest was or will be told of; None while it runs.
        pending: signals and stops that the host kernel told of elsewhere in the emulator,
            to be reported when the tracee is parked.
        asked: it goes on only to answer a question in the same stop.
        unwanted: the host kernel attached it, but the guest did not ask for that.
        interrupted: it was told to stop, and has told of no stop since.
    """

    def __init__(self, tid: int, *, seized: bool, options: int = 0) -> None:
        self.tid = tid
        self.seized = seized
        self.options = options
        self.block = 0
        self.parked = False
        self.report: Report | None = None
        self.pending: list[tuple[str, int, bytes]] = []
        self.unwanted = False
        self.interrupted = False
        self.prepared = False
        self.dirty = 0
        self.asked = False
        self._tgid = 0

    @property
    def tgid(self) -> int:
        """The process that the thread belongs to."""
        if not self._tgid:
            self._tgid = status_number(self.tid, b"Tgid")
        return self._tgid

    # --- the block ---

    def read(self, address: int, size: int) -> bytes:
        """Host memory of the tracee."""
        data = _native.process_read(self.tid, address, size)
        if len(data) < size:
            raise fail(errno.EFAULT)
        return data

    def write(self, address: int, data: bytes) -> None:
        """Writes host memory of the tracee."""
        if _native.process_write(self.tid, address, data) < len(data):
            raise fail(errno.EFAULT)

    def header(self) -> Header:
        """The block's first fields. ESRCH when there is no block yet."""
        if not self.block:
            raise fail(errno.ESRCH)
        header = Header(self.read(self.block, b.HEADER.size))
        if header.magic != b.MAGIC:
            raise fail(errno.ESRCH)
        return header

    def registers(self, count: int) -> list[int]:
        """The first registers, by the numbers of the cores."""
        assert count <= b.REGISTERS
        self.header()
        data = self.read(self.block + b.REGISTERS_AT, 16 * count)
        return [int.from_bytes(data[at : at + 16], "little") for at in range(0, 16 * count, 16)]

    def set_register(self, number: int, value: int) -> None:
        """Changes a register."""
        assert 0 <= number < b.REGISTERS
        data = value.to_bytes(16, "little")
        self.write(self.block + b.REGISTERS_AT + 16 * number, data)
        self.dirty |= b.DIRTY_REGISTERS

    # --- guest memory ---

    def _host_address(self, address: int, size: int) -> int:
        header = self.header()
        if address < 0 or address + size > header.limit:
            raise fail(errno.EIO)
        host: int = header.base + address
        return host

    def peek(self, address: int, size: int) -> bytes:
        """Guest memory, as much of it as there is. EIO when there is none."""
        header = self.header()
        size = min(size, header.limit - address)
        if size <= 0:
            raise fail(errno.EIO)
        try:
            return _native.process_read(self.tid, header.base + address, size)
        except OSError as error:
            raise fail(errno.EIO) if error.errno == errno.EFAULT else error from None

    def poke(self, address: int, data: bytes) -> None:
        """Writes guest memory whatever its protection is, and has code translated anew."""
        if len(self.peek(address, len(data))) < len(data):
            raise fail(errno.EIO)
        host = self._host_address(address, len(data))
        # By the file, since process_vm_writev(2) respects the protection.
        memory = os.open(f"/proc/{self.tid}/mem", os.O_WRONLY | os.O_CLOEXEC)
        try:
            if os.pwrite(memory, data, host) < len(data):
                raise fail(errno.EIO)
        finally:
            os.close(memory)
        self._code_changed(address, address + len(data))

    def _code_changed(self, start: int, end: int) -> None:
        ring = self.header().code_ring
        (written,) = struct.unpack("<Q", self.read(ring, 8))
        at = ring + 16 + written % b.RING_SIZE * 16
        self.write(at, struct.pack("<QQ", start, end))
        self.write(ring, struct.pack("<Q", written + 1))

    # --- going on ---

    def drop_pending(self, signal: int) -> bool:
        """Has one that waits to be reported go without a word; whether there is such a one."""
        for at, (kind, number, _) in enumerate(self.pending):
            if kind == SIGNAL and number == signal:
                del self.pending[at]
                return True
        return False

    def ring(self) -> None:
        """Rings the bell: the tracee is to come to the next guest instruction."""
        _native.queue_signal(self.tgid, self.tid, b.SIGSEGV, b.bell(0))

    def interrupt(self) -> None:
        """PTRACE_INTERRUPT. OSError: it is gone."""
        _native.ptrace(b.INTERRUPT, self.tid, 0, 0)
        self.interrupted = True

    def let_go(self, signal: int = 0, request: int = b.CONT) -> None:
        """Ends the host's stop."""
        self.parked = False
        if self.interrupted and request != b.DETACH:
            # Any stop takes the place of the one that was asked for (kernel/signal.c,
            # ptrace_stop), also one that nobody is told of.
            _native.ptrace(b.INTERRUPT, self.tid, 0, 0)
        _native.ptrace(request, self.tid, 0, signal)

    def prepare(self, mode: int, signal: int) -> None:
        """Writes into the block how the tracee is to go on."""
        if not self.block:
            return
        words = b.RESUME.pack(mode, self.options & 0xFFFFFFFF, self.seized, signal, self.dirty)
        self.write(self.block + b.MODE_AT, words)
        self.dirty = 0

    def host_options(self) -> int:
        """The host's options that carry the guest's."""
        options = 1 << b.EVENT_EXEC | self.options & b.O_EXITKILL
        if self.options & (1 << b.EVENT_FORK | 1 << b.EVENT_VFORK):
            options |= 1 << b.EVENT_FORK  # our vfork is a fork
        return options | self.options & (1 << b.EVENT_CLONE | 1 << b.EVENT_EXIT)


def status_number(pid: int, key: bytes, base: int = 10) -> int:
    """A number of /proc/PID/status; 0 when there is no such process."""
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            for line in file:
                if line.startswith(key + b":"):
                    return int(line.split()[1], base)
    except (OSError, ValueError, IndexError):
        pass
    return 0


def is_guest(pid: int) -> bool:
    """Whether a process is one of this very qusr."""
    own = _native.own_library()
    if own is None:
        return False
    try:
        with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as maps:
            return any(own in " ".join(line.split()[:6]) + " " for line in maps)
    except OSError:
        return False
