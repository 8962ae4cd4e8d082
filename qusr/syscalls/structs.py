"""Structs that several families of calls use (files: see `common`).

The kernel's names and field names; sources: include/uapi/linux/{time,time_types,
resource,uio}.h, include/uapi/asm-generic/siginfo.h, include/linux/compat.h.
"""

from __future__ import annotations

from qusr.syscalls.common import TIMESPEC, TIMESPEC64, TIMEVAL
from qusr.syscalls.layout import (
    CType,
    Fields,
    PerAbi,
    Struct,
    child_status,
    errno32,
    long,
    s32,
    si_code,
    signo,
    u32,
    ulong,
)

ITIMERSPEC = Struct("itimerspec", [("it_interval", TIMESPEC), ("it_value", TIMESPEC)])
ITIMERSPEC64 = Struct(
    "__kernel_itimerspec", [("it_interval", TIMESPEC64), ("it_value", TIMESPEC64)]
)

ITIMERVAL = Struct("itimerval", [("it_interval", TIMEVAL), ("it_value", TIMEVAL)])
TIMEZONE = Struct("timezone", [("tz_minuteswest", s32), ("tz_dsttime", s32)])

RLIMIT = Struct("rlimit", [("rlim_cur", ulong), ("rlim_max", ulong)])
RUSAGE = Struct(
    "rusage",
    [
        ("ru_utime", TIMEVAL),
        ("ru_stime", TIMEVAL),
        ("ru_maxrss", long),
        ("ru_ixrss", long),
        ("ru_idrss", long),
        ("ru_isrss", long),
        ("ru_minflt", long),
        ("ru_majflt", long),
        ("ru_nswap", long),
        ("ru_inblock", long),
        ("ru_oublock", long),
        ("ru_msgsnd", long),
        ("ru_msgrcv", long),
        ("ru_nsignals", long),
        ("ru_nvcsw", long),
        ("ru_nivcsw", long),
    ],
)

# sigev_value is the program's own: it comes back in si_value as it was given. The
# union after sigev_notify is only used for SIGEV_THREAD_ID.
SIGEVENT = Struct(
    "sigevent",
    [
        ("sigev_value", ulong),
        ("sigev_signo", signo),
        ("sigev_notify", s32),
        ("sigev_notify_thread_id", s32),
    ],
    pad_to=64,
)

_HEADS: dict[str, Fields] = {
    # arch/mips/include/uapi/asm/siginfo.h, __ARCH_HAS_SWAPPED_SIGINFO
    "code_first": [("si_signo", signo), ("si_code", si_code), ("si_errno", errno32)],
    "": [("si_signo", signo), ("si_errno", errno32), ("si_code", si_code)],
}


def _siginfo(name: str, fields: Fields, pad_to: int = 0) -> PerAbi:
    """siginfo_t with one form of its union, which holds pointers, so that 64-bit ABIs have a gap
    before it.
    """
    variants: dict[str, CType] = {}
    for order, head in _HEADS.items():
        for bits, gap in (("64", [("_pad", s32)]), ("32", [])):
            struct = Struct(name, [*head, *gap, *fields], pad_to=pad_to)
            variants[order + bits if order else bits] = struct
    return PerAbi(name, variants)


SIGINFO_CHILD = _siginfo(
    "siginfo_child", [("si_pid", s32), ("si_uid", u32), ("si_status", child_status)]
)
"""As much of siginfo_t as waitid writes (kernel/exit.c)."""

SIGINFO_QUEUE = _siginfo(
    "siginfo_queue", [("si_pid", s32), ("si_uid", u32), ("si_value", ulong)], pad_to=128
)
"""siginfo_t of a signal sent with a value (SI_QUEUE and other negative codes)."""
