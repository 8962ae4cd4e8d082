"""Futexes. They work on guest memory itself, so that guest and host processes can share them.
A process that has mapped memory which processes share gives up its robust futexes whichever way
it ends: by itself, by a signal's default action, by a SIGKILL that a guest sends to it (not to its
group). Of one that is killed otherwise (by a program of the host, for want of memory) a futex is
given up when somebody waits for it (FUTEX_WAIT, FUTEX_WAIT_BITSET, FUTEX_LOCK_PI, futex_wait,
futex_waitv) in memory that processes share, within 0.2 s of the owner's end; a trylock alone finds
it locked. The owner must be in a PID namespace that the waiter sees, or it counts as ended.
"""

from __future__ import annotations

from qusr.syscalls.common import TIMESPEC, TIMESPEC64
from qusr.syscalls.decl import (
    IN,
    Array,
    Case,
    Enum,
    Flags,
    FlagTable,
    Host,
    Int,
    Pid,
    Ptr,
    Raw,
    Size,
    Switch,
    Syscall,
    UInt,
    ULong,
    Word32,
)
from qusr.syscalls.layout import CType, Struct, be32, ptr64, u32, u64

OPERATIONS = {
    0: "FUTEX_WAIT", 1: "FUTEX_WAKE", 2: "FUTEX_FD", 3: "FUTEX_REQUEUE",
    4: "FUTEX_CMP_REQUEUE", 5: "FUTEX_WAKE_OP", 6: "FUTEX_LOCK_PI", 7: "FUTEX_UNLOCK_PI",
    8: "FUTEX_TRYLOCK_PI", 9: "FUTEX_WAIT_BITSET", 10: "FUTEX_WAKE_BITSET",
    11: "FUTEX_WAIT_REQUEUE_PI", 12: "FUTEX_CMP_REQUEUE_PI", 13: "FUTEX_LOCK_PI2",
}  # fmt: skip
PRIVATE, CLOCK_REALTIME = 128, 256
FUTEX2 = FlagTable(
    {"FUTEX2_NUMA": 4, "FUTEX2_PRIVATE": 128},
    fields=[(3, {0: "FUTEX2_SIZE_U8", 1: "FUTEX2_SIZE_U16", 2: "FUTEX2_SIZE_U32"})],
)
CLOCKS = {0: "CLOCK_REALTIME", 1: "CLOCK_MONOTONIC"}

FUTEX_WAITV = Struct(
    "futex_waitv", [("val", u64), ("uaddr", ptr64), ("flags", u32), ("reserved", u32)]
)
# The kernel compares the value with a word in its own order, so it stays as the guest has it.
_REST: list[tuple[str, CType]] = [("uaddr", ptr64), ("flags", u32), ("reserved", u32)]
_BIG_WAITV = Struct("futex_waitv", [("high", u32), ("val", be32), *_REST])
_SWAPPED_WAITV = Struct("futex_waitv", [("val", be32), ("high", u32), *_REST])

_BE_WORDS = "FUTEX_WAKE_OP and the PI operations compute on words in the host's byte order"


def _futex(name: str, timespec: CType, *, big_endian: bool = False) -> Syscall:
    """futex(uaddr, op, val, timeout or val2, uaddr2, val3)."""
    timeout = Ptr("timeout", timespec, IN)
    wait = Case(Word32("val"), timeout)
    wait_bitset = Case(Word32("val"), timeout, Raw("uaddr2"), UInt("val3"))
    wake = Case(UInt("val"), Raw("timeout"), Raw("uaddr2"), UInt("val3"))
    requeue = Case(UInt("val"), ULong("val2"), Raw("uaddr2"), Word32("val3"))
    # The kernel itself stores thread ids into the words of PI futexes.
    missing = "no big-endian form"
    lock = Case(UInt("val"), timeout) if not big_endian else Case(enosys=missing)
    unlock = Case(UInt("val")) if not big_endian else Case(enosys=missing)
    wake_op = Case(UInt("val"), ULong("val2"), Raw("uaddr2"), UInt("val3"))
    wait_requeue_pi = Case(UInt("val"), timeout, Raw("uaddr2"))
    cases = {
        0: wait, 1: wake, 3: requeue, 4: requeue,
        5: Case(enosys=missing) if big_endian else wake_op, 6: lock, 7: unlock, 8: unlock,
        9: wait_bitset, 10: wake, 11: Case(enosys=missing) if big_endian else wait_requeue_pi,
        12: Case(enosys=missing) if big_endian else requeue, 13: lock,
    }  # fmt: skip
    return Syscall(
        name,
        Raw("uaddr"),
        Switch(
            "op", list(cases.items()), default=Case(enosys="unknown operation"),
            mask=~(PRIVATE | CLOCK_REALTIME) & 0xFFFFFFFF, names=OPERATIONS,
        ),
        host=Host("futex"),
        partial=_BE_WORDS if big_endian else None,
        families=("be",) if big_endian else None,
    )  # fmt: skip


_CLOCK = Enum("clockid", CLOCKS)


def _waiters(count: int | str, *, big_endian: bool) -> Array:
    if not big_endian:
        return Array("waiters", FUTEX_WAITV, IN, count=count)
    return Array("waiters", _BIG_WAITV, IN, count=count, host=_SWAPPED_WAITV)


def _waitv(*, big_endian: bool = False) -> Syscall:
    """futex_waitv(waiters, nr_futexes, flags, timeout, clockid)."""
    return Syscall(
        "futex_waitv", _waiters("nr_futexes", big_endian=big_endian), UInt("nr_futexes"),
        UInt("flags"), Ptr("timeout", TIMESPEC64, IN), _CLOCK,
        families=("be",) if big_endian else None,
    )  # fmt: skip


def _requeue(*, big_endian: bool = False) -> Syscall:
    """futex_requeue(waiters, flags, nr_wake, nr_requeue)."""
    return Syscall(
        "futex_requeue", _waiters(2, big_endian=big_endian), UInt("flags"), Int("nr_wake"),
        Int("nr_requeue"), families=("be",) if big_endian else None,
    )  # fmt: skip


CALLS = (
    _futex("futex", TIMESPEC),
    _futex("futex", TIMESPEC, big_endian=True),
    _futex("futex_time64", TIMESPEC64),
    _futex("futex_time64", TIMESPEC64, big_endian=True),
    _waitv(),
    _requeue(),
    _waitv(big_endian=True),
    _requeue(big_endian=True),
    Syscall("futex_wake", Raw("uaddr"), ULong("mask"), Int("nr"), Flags("flags", FUTEX2)),
    # A word of 32 bits, the only size that the kernel has.
    Syscall("futex_wait", Raw("uaddr"), Word32("val"), ULong("mask"), Flags("flags", FUTEX2),
            Ptr("timeout", TIMESPEC64, IN), _CLOCK),
    Syscall("set_robust_list", Raw("head"), Size("len"), builtin="set_robust_list"),
    Syscall("get_robust_list", Pid("pid"), Raw("head_ptr"), Raw("len_ptr"),
            builtin="get_robust_list"),
)  # fmt: skip
