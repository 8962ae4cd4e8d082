"""What tracee and tracer share: numbers and layout of native/kernel/src/process/tracee, and the
host's numbers for ptrace(2).
"""

from __future__ import annotations

import struct

# --- requests (include/uapi/linux/ptrace.h), the same numbers on host and guests ---
TRACEME, PEEKTEXT, PEEKDATA, PEEKUSR, POKETEXT, POKEDATA, POKEUSR, CONT, KILL, SINGLESTEP = range(
    10
)
ATTACH, DETACH, SYSCALL = 16, 17, 24
SETOPTIONS, GETEVENTMSG, GETSIGINFO, SETSIGINFO = 0x4200, 0x4201, 0x4202, 0x4203
GETREGSET, SETREGSET, SEIZE, INTERRUPT, LISTEN = 0x4204, 0x4205, 0x4206, 0x4207, 0x4208
PEEKSIGINFO, GETSIGMASK, SETSIGMASK, GET_SYSCALL_INFO = 0x4209, 0x420A, 0x420B, 0x420E
HOST_GETREGS = 12

EVENT_FORK, EVENT_VFORK, EVENT_CLONE, EVENT_EXEC, EVENT_VFORK_DONE, EVENT_EXIT = range(1, 7)
EVENT_STOP = 128
O_SYSGOOD = 1
O_EXITKILL = 1 << 20
O_ALL = 0xFF | O_EXITKILL | 1 << 21
"""PTRACE_O_MASK; the last one is PTRACE_O_SUSPEND_SECCOMP."""

SIGKILL, SIGTRAP, SIGSEGV, SIGSTOP = 9, 5, 11, 19
STOP_SIGNALS = (19, 20, 21, 22)
SI_QUEUE = -1
SI_USER = 0

# --- messages: the upper 16 bits of a queued SIGSEGV's value (signal/host/message.rs, Message) ---
BELL, STOP, DIE, DOOM, REPORT, KILL_MESSAGE = 0x5152, 0x5153, 0x5154, 0x5155, 0x5156, 0x5157

# --- Kind ---
BOUNDARY, ENTRY, EXIT, FAULT, EVENT, STOP_HERE = range(1, 7)

# --- Mode ---
CONTINUE, CALLS, STEP, EMULATE, DETACHED, COPY = range(6)

# --- requests to a stopped tracee ---
(
    ASK_MAPS, ASK_AUXV, ASK_EXE, ASK_SMAPS, ASK_ROOT, ASK_ALLOCATE, ASK_RELEASE, ASK_SIGNALS,
    ASK_SEEK,
) = range(1, 10)  # fmt: skip

#: The code of a `STOP_HERE` behind a call that makes a copy.
COPIED = 3

MAGIC = 0x7265636172545351
HEADER = struct.Struct("<QIIQQQ16sIIIIIIQqQQIIQQQQ")
INFO_AT, INFO_SIZE = 152, 128
REGISTERS_AT, REGISTERS = 288, 640
assert HEADER.size == INFO_AT

# Offsets of what the tracer writes.
MODE_AT = 60
RESUME = struct.Struct("<5I")
"""mode, options, seized, resume_signal, dirty"""
BLOCKED_AT, NUMBER_AT, FIRST_ARG_AT, REQUEST_AT, ARGUMENTS_AT = 80, 88, 96, 112, 120
DIRTY_REGISTERS, DIRTY_MASK, FORGETS_OVER = 1, 2, 4
RING_SIZE = 256
NOT_COUNTED = (1 << 64) - 1
# Where a debugger's stops go (tracee/stops.rs, Orders): counters, the size, the bytes.
ORDERS_WRITTEN, ORDERS_SIZE, ORDERS_BYTES, ORDERS_ROOM = 0, 16, 24, 1 << 18


class Header:
    """The first fields of a tracee's block."""

    __slots__ = (
        "audit", "base", "blocked", "cloning", "code", "code_ring", "dirty", "executed",
        "first_arg", "guest", "kind", "limit", "magic", "message", "mode", "number", "options",
        "orders", "reply", "reply_size", "request", "resume_signal", "seized",
    )  # fmt: skip

    def __init__(self, data: bytes) -> None:
        (
            self.magic, self.kind, self.code, self.message, self.base, self.limit,
            name, self.audit, self.mode, self.options, self.seized,
            self.resume_signal, self.dirty, self.blocked, self.number, self.first_arg,
            self.code_ring, self.request, self.cloning, self.reply, self.reply_size,
            self.orders, executed,
        ) = HEADER.unpack(data)  # fmt: skip
        #: Guest instructions that the thread has completed, if somebody wants them counted.
        self.executed: int | None = executed if executed != NOT_COUNTED else None
        #: As `Abi.core` has it.
        self.guest = name.rstrip(b"\0").decode()


def siginfo(signal: int, code: int, pid: int = 0, uid: int = 0, value: int = 0) -> bytes:
    """A host's siginfo_t with the fields of SI_QUEUE."""
    return struct.pack("<iiiiiIQ", signal, 0, code, 0, pid, uid, value).ljust(INFO_SIZE, b"\0")


def bell(restart: int) -> bytes:
    """The message that has a tracee come to the next guest instruction; `restart` is the
    ERESTART* number with which its host call was interrupted, or 0.
    """
    return siginfo(SIGSEGV, SI_QUEUE, value=BELL << 48 | restart)


def report() -> bytes:
    """The message that has a guest thread note where it is, between two guest instructions."""
    return siginfo(SIGSEGV, SI_QUEUE, value=REPORT << 48)


def code_of(info: bytes) -> int:
    """si_code."""
    return int(struct.unpack_from("<i", info, 8)[0])


def value_of(info: bytes) -> int:
    """si_value of a queued signal."""
    return int(struct.unpack_from("<Q", info, 24)[0])
