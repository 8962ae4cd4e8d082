"""Flag tables and structs that several families use."""

from __future__ import annotations

from qusr.syscalls.decl import FlagTable
from qusr.syscalls.layout import PerAbi, Struct, long, s32, s64, u32

# --- flags ----------------------------------------------------------------------

# asm-generic/fcntl.h
OPEN = FlagTable(
    {
        "O_CREAT": 0o100, "O_EXCL": 0o200, "O_NOCTTY": 0o400, "O_TRUNC": 0o1000,
        "O_APPEND": 0o2000, "O_NONBLOCK": 0o4000, "O_SYNC": 0o4010000, "O_DSYNC": 0o10000,
        "FASYNC": 0o20000, "O_DIRECT": 0o40000, "O_LARGEFILE": 0o100000,
        "O_TMPFILE": 0o20200000, "O_DIRECTORY": 0o200000, "O_NOFOLLOW": 0o400000,
        "O_NOATIME": 0o1000000, "O_CLOEXEC": 0o2000000, "O_PATH": 0o10000000,
    },
    family="open",
    fields=[(3, {0: "O_RDONLY", 1: "O_WRONLY", 2: "O_RDWR"})],
)  # fmt: skip
O_NOFOLLOW, O_EXCL = 0o400000, 0o200

AT_SYMLINK_NOFOLLOW, AT_SYMLINK_FOLLOW = 0x100, 0x400
AT = FlagTable(
    {
        "AT_SYMLINK_NOFOLLOW": AT_SYMLINK_NOFOLLOW, "AT_SYMLINK_FOLLOW": AT_SYMLINK_FOLLOW,
        "AT_NO_AUTOMOUNT": 0x800, "AT_EMPTY_PATH": 0x1000, "AT_RECURSIVE": 0x8000,
    },
    fields=[(0x6000, {0x2000: "AT_STATX_FORCE_SYNC", 0x4000: "AT_STATX_DONT_SYNC"})],
)  # fmt: skip

# --- time -----------------------------------------------------------------------

TIMEVAL = Struct("timeval", [("tv_sec", long), ("tv_usec", long)])
"""The guest's own `long`s: the time32 form of a 32-bit ABI."""
TIMESPEC = Struct("timespec", [("tv_sec", long), ("tv_nsec", long)])
# A 32-bit kernel looks at the low half of tv_nsec only: C programs leave the other half
# uninitialised (get_timespec64 of kernel/time/time.c).
TIMESPEC64 = PerAbi(
    "__kernel_timespec",
    {
        "be32": Struct("__kernel_timespec", [("tv_sec", s64), ("_pad", u32), ("tv_nsec", s32)]),
        "32": Struct("__kernel_timespec", [("tv_sec", s64), ("tv_nsec", s32), ("_pad", u32)]),
        "*": Struct("__kernel_timespec", [("tv_sec", s64), ("tv_nsec", s64)]),
    },
)
"""The time64 calls' type; the plain one of 64-bit ABIs."""
