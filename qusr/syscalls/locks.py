"""fcntl and file locks."""

from __future__ import annotations

import errno
from collections.abc import Mapping

from qusr.syscalls.common import OPEN
from qusr.syscalls.decl import (
    IN,
    INOUT,
    OUT,
    Arg,
    Array,
    Case,
    Constant,
    Enum,
    Fd,
    Flags,
    FlagTable,
    Host,
    Int,
    Long,
    Named,
    Pid,
    Ptr,
    Ret,
    RetFlags,
    RetSignal,
    Signal,
    Switch,
    Syscall,
)
from qusr.syscalls.layout import CType, Fields, PerAbi, Struct, long, s16, s32, s64, u16, u32, u64

# asm-generic/fcntl.h. Offsets of the `long` form that do not fit are EOVERFLOW
# (posix_lock_to_flock of fs/locks.c).
_FLOCK: Fields = [("l_type", s16), ("l_whence", s16), ("l_start", long), ("l_len", long)]
FLOCK = PerAbi(
    "flock",
    {
        # arch/mips/include/uapi/asm/fcntl.h
        "irix32": Struct(
            "flock",
            [*_FLOCK, ("_l_sysid", long), ("l_pid", s32), ("_pad", long * 4)],
            checked=True,
        ),
        "*": Struct("flock", [*_FLOCK, ("l_pid", s32)], checked=True),
    },
)
FLOCK64 = Struct(
    "flock64",
    [("l_type", s16), ("l_whence", s16), ("l_start", s64), ("l_len", s64), ("l_pid", s32)],
)
OWNER_EX = Struct("f_owner_ex", [("type", s32), ("pid", s32)])
DELEGATION = Struct("delegation", [("d_flags", u32), ("d_type", u16), ("_pad", u16)])

FD_FLAGS = FlagTable({"FD_CLOEXEC": 1})
SEALS = FlagTable(
    {
        "F_SEAL_SEAL": 1, "F_SEAL_SHRINK": 2, "F_SEAL_GROW": 4, "F_SEAL_WRITE": 8,
        "F_SEAL_FUTURE_WRITE": 0x10, "F_SEAL_EXEC": 0x20,
    }
)  # fmt: skip
NOTIFY = FlagTable(
    {
        "DN_ACCESS": 1, "DN_MODIFY": 2, "DN_CREATE": 4, "DN_DELETE": 8, "DN_RENAME": 0x10,
        "DN_ATTRIB": 0x20, "DN_MULTISHOT": 0x80000000,
    }
)  # fmt: skip
LOCK = FlagTable(
    {
        "LOCK_SH": 1, "LOCK_EX": 2, "LOCK_NB": 4, "LOCK_UN": 8, "LOCK_MAND": 0x20,
        "LOCK_READ": 0x40, "LOCK_WRITE": 0x80,
    }
)  # fmt: skip
LEASES = {0: "F_RDLCK", 1: "F_WRLCK", 2: "F_UNLCK"}

_LINUX = 1024
"""F_LINUX_SPECIFIC_BASE"""

Cases = list[tuple[Constant, Case]]


def _case(number: int, name: str, *args: Arg, ret: Ret | None = None) -> tuple[Constant, Case]:
    return Named(number, "fcntl", name), Case(*args, name=name, ret=ret)


_COMMON: Cases = [
    _case(0, "F_DUPFD", Fd("arg")),
    _case(1, "F_GETFD"),
    _case(2, "F_SETFD", Flags("arg", FD_FLAGS)),
    _case(3, "F_GETFL", ret=RetFlags(OPEN)),
    _case(4, "F_SETFL", Flags("arg", OPEN)),
    _case(8, "F_SETOWN", Pid("arg")),
    _case(9, "F_GETOWN"),
    _case(10, "F_SETSIG", Signal("arg")),
    _case(11, "F_GETSIG", ret=RetSignal()),
    _case(15, "F_SETOWN_EX", Ptr("arg", OWNER_EX, IN)),
    _case(16, "F_GETOWN_EX", Ptr("arg", OWNER_EX, OUT)),
    _case(17, "F_GETOWNER_UIDS", Array("arg", u32, OUT, count=2)),
    _case(_LINUX, "F_SETLEASE", Enum("arg", LEASES)),
    _case(_LINUX + 1, "F_GETLEASE"),
    _case(_LINUX + 2, "F_NOTIFY", Flags("arg", NOTIFY)),
    _case(_LINUX + 3, "F_DUPFD_QUERY", Fd("arg")),
    _case(_LINUX + 4, "F_CREATED_QUERY"),
    _case(_LINUX + 6, "F_DUPFD_CLOEXEC", Fd("arg")),
    _case(_LINUX + 7, "F_SETPIPE_SZ", Int("arg")),
    _case(_LINUX + 8, "F_GETPIPE_SZ"),
    _case(_LINUX + 9, "F_ADD_SEALS", Flags("arg", SEALS)),
    _case(_LINUX + 10, "F_GET_SEALS"),
    _case(_LINUX + 11, "F_GET_RW_HINT", Ptr("arg", u64, OUT)),
    _case(_LINUX + 12, "F_SET_RW_HINT", Ptr("arg", u64, IN)),
    _case(_LINUX + 13, "F_GET_FILE_RW_HINT", Ptr("arg", u64, OUT)),
    _case(_LINUX + 14, "F_SET_FILE_RW_HINT", Ptr("arg", u64, IN)),
    _case(_LINUX + 15, "F_GETDELEG", Ptr("arg", DELEGATION, INOUT)),
    _case(_LINUX + 16, "F_SETDELEG", Ptr("arg", DELEGATION, IN)),
]


def _locks(struct: CType, numbers: Mapping[str, tuple[Constant, int]]) -> Cases:
    """Lock commands: name to (guest's number, host's number)."""
    return [
        (
            guest,
            Case(
                Ptr("lock", struct, INOUT if "_GET" in name else IN),
                host=None if guest == host and not isinstance(guest, Named) else host,
                name=name,
            ),
        )
        for name, (guest, host) in numbers.items()
    ]


_PLAIN = {
    name: (Named(number, "fcntl", name), number)
    for name, number in (("F_GETLK", 5), ("F_SETLK", 6), ("F_SETLKW", 7))
}
_OFD = {"F_OFD_GETLK": (36, 36), "F_OFD_SETLK": (37, 37), "F_OFD_SETLKW": (38, 38)}
_WIDE = {"F_GETLK64": (12, 5), "F_SETLK64": (13, 6), "F_SETLKW64": (14, 7)}
# arch/mips/include/uapi/asm/fcntl.h
_WIDE_IRIX = {"F_GETLK64": (33, 5), "F_SETLK64": (34, 6), "F_SETLKW64": (35, 7)}


_NO_OFD: Cases = [(number, Case(errno=errno.EINVAL)) for number, _ in _OFD.values()]
"""A 32-bit kernel has these only in fcntl64 (do_fcntl of fs/fcntl.c)."""


def _fcntl(cases: Cases) -> tuple[Arg, ...]:
    return Fd("fd"), Switch("cmd", [*_COMMON, *cases], default=Case(Long("arg")))


CALLS = (
    Syscall("fcntl", *_fcntl([*_locks(FLOCK, _PLAIN), *_locks(FLOCK, _OFD)])),
    Syscall("fcntl", *_fcntl([*_locks(FLOCK, _PLAIN), *_NO_OFD]), families=("32",)),
    Syscall(
        "fcntl64",
        *_fcntl([*_locks(FLOCK, _PLAIN), *_locks(FLOCK64, _WIDE), *_locks(FLOCK64, _OFD)]),
        host=Host("fcntl"),
    ),
    Syscall(
        "fcntl64",
        *_fcntl([*_locks(FLOCK, _PLAIN), *_locks(FLOCK64, _WIDE_IRIX), *_locks(FLOCK64, _OFD)]),
        host=Host("fcntl"),
        families=("irix32",),
    ),
    Syscall("flock", Fd("fd"), Flags("operation", LOCK)),
)
