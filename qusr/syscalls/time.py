"""Clocks and timers, in the forms with the old and the 64-bit time_t."""

from __future__ import annotations

from qusr.syscalls.common import TIMESPEC, TIMESPEC64, TIMEVAL
from qusr.syscalls.decl import (
    IN,
    INOUT,
    INTERRUPTED,
    OUT,
    Arg,
    Enum,
    Fd,
    Flags,
    FlagTable,
    Host,
    Int,
    Ptr,
    Syscall,
    UInt,
)
from qusr.syscalls.layout import (
    CType,
    PerAbi,
    Struct,
    long,
    s32,
    s64,
    u32,
)
from qusr.syscalls.structs import ITIMERSPEC, ITIMERSPEC64, ITIMERVAL, SIGEVENT, TIMEZONE

CLOCKS = {
    0: "CLOCK_REALTIME", 1: "CLOCK_MONOTONIC", 2: "CLOCK_PROCESS_CPUTIME_ID",
    3: "CLOCK_THREAD_CPUTIME_ID", 4: "CLOCK_MONOTONIC_RAW", 5: "CLOCK_REALTIME_COARSE",
    6: "CLOCK_MONOTONIC_COARSE", 7: "CLOCK_BOOTTIME", 8: "CLOCK_REALTIME_ALARM",
    9: "CLOCK_BOOTTIME_ALARM", 11: "CLOCK_TAI",
}  # fmt: skip
ITIMERS = {0: "ITIMER_REAL", 1: "ITIMER_VIRTUAL", 2: "ITIMER_PROF"}
TIMER_FLAGS = FlagTable({"TIMER_ABSTIME": 1})
TFD_CREATE = FlagTable({"TFD_NONBLOCK": 0o4000, "TFD_CLOEXEC": 0o2000000}, family="open")
TFD_SETTIME = FlagTable({"TFD_TIMER_ABSTIME": 1, "TFD_TIMER_CANCEL_ON_SET": 2})

TMS = Struct(
    "tms", [("tms_utime", long), ("tms_stime", long), ("tms_cutime", long), ("tms_cstime", long)]
)


def _timex(name: str, word: CType, *, gaps: bool, time: CType) -> Struct:
    """struct timex (include/uapi/linux/timex.h): `gaps` are the y2038 form's."""
    fields: list[tuple[str, CType]] = []

    def add(names: str, ctype: CType, *, gap: bool = False) -> None:
        for field in names.split():
            fields.append((field, ctype))
            if gap:
                fields.append((f"_after_{field}", s32))

    add("modes", u32, gap=gaps)
    add("offset freq maxerror esterror", word)
    add("status", s32, gap=gaps)
    add("constant precision tolerance", word)
    add("time", time)
    add("tick ppsfreq jitter", word)
    add("shift", s32, gap=gaps)
    add("stabil jitcnt calcnt errcnt stbcnt", word)
    add("tai", s32)
    add("_reserved", s32 * 11)
    return Struct(name, fields)


TIMEVAL64 = Struct("__kernel_timex_timeval", [("tv_sec", s64), ("tv_usec", s64)])
TIMEX64 = _timex("__kernel_timex", s64, gaps=True, time=TIMEVAL64)
TIMEX = PerAbi("timex", {"32": _timex("timex", long, gaps=False, time=TIMEVAL), "*": TIMEX64})

_CLOCK = Enum("clockid", CLOCKS)


def _old_and_new(base: str, new: str, *args: Arg, old: CType, wide: CType) -> tuple[Syscall, ...]:
    """A call and its y2038 twin; `args` with the placeholder type :data:`_TIME`."""

    def typed(ctype: CType) -> list[Arg]:
        return [
            Ptr(arg.name, ctype, arg.direction)
            if isinstance(arg, Ptr) and arg.ctype is _TIME
            else arg
            for arg in args
        ]

    return Syscall(base, *typed(old)), Syscall(new, *typed(wide), host=Host(base))


_TIME = Struct("time", [])
"""Stands for the old or the new struct."""
_SPECS = {"old": TIMESPEC, "wide": TIMESPEC64}
_ITIMERS = {"old": ITIMERSPEC, "wide": ITIMERSPEC64}

CALLS = (
    *_old_and_new("clock_gettime", "clock_gettime64", _CLOCK, Ptr("tp", _TIME, OUT), **_SPECS),
    *_old_and_new("clock_settime", "clock_settime64", _CLOCK, Ptr("tp", _TIME, IN), **_SPECS),
    *_old_and_new(
        "clock_getres", "clock_getres_time64", _CLOCK, Ptr("res", _TIME, OUT), **_SPECS
    ),
    *_old_and_new(
        "clock_nanosleep", "clock_nanosleep_time64", _CLOCK, Flags("flags", TIMER_FLAGS),
        Ptr("request", _TIME, IN), Ptr("remain", _TIME, IN | INTERRUPTED), **_SPECS,
    ),
    *_old_and_new(
        "clock_adjtime", "clock_adjtime64", _CLOCK, Ptr("buf", _TIME, INOUT),
        old=TIMEX, wide=TIMEX64,
    ),
    Syscall("adjtimex", Ptr("buf", TIMEX, INOUT)),
    Syscall("nanosleep", Ptr("req", TIMESPEC, IN), Ptr("rem", TIMESPEC, IN | INTERRUPTED)),
    Syscall("gettimeofday", Ptr("tv", TIMEVAL, OUT), Ptr("tz", TIMEZONE, OUT)),
    Syscall("settimeofday", Ptr("tv", TIMEVAL, IN), Ptr("tz", TIMEZONE, IN)),
    Syscall("times", Ptr("buf", TMS, OUT)),
    Syscall("alarm", UInt("seconds")),
    Syscall("getitimer", Enum("which", ITIMERS), Ptr("curr_value", ITIMERVAL, OUT)),
    Syscall("setitimer", Enum("which", ITIMERS), Ptr("new_value", ITIMERVAL, IN),
            Ptr("old_value", ITIMERVAL, OUT)),
    Syscall("timer_create", _CLOCK, Ptr("sevp", SIGEVENT, IN), Ptr("timerid", s32, OUT)),
    *_old_and_new(
        "timer_settime", "timer_settime64", Int("timerid"), Flags("flags", TIMER_FLAGS),
        Ptr("new_value", _TIME, IN), Ptr("old_value", _TIME, OUT), **_ITIMERS,
    ),
    *_old_and_new(
        "timer_gettime", "timer_gettime64", Int("timerid"), Ptr("curr_value", _TIME, OUT),
        **_ITIMERS,
    ),
    Syscall("timer_getoverrun", Int("timerid")),
    Syscall("timer_delete", Int("timerid")),
    Syscall("timerfd_create", _CLOCK, Flags("flags", TFD_CREATE)),
    *_old_and_new(
        "timerfd_settime", "timerfd_settime64", Fd("fd"), Flags("flags", TFD_SETTIME),
        Ptr("new_value", _TIME, IN), Ptr("old_value", _TIME, OUT), **_ITIMERS,
    ),
    *_old_and_new(
        "timerfd_gettime", "timerfd_gettime64", Fd("fd"), Ptr("curr_value", _TIME, OUT),
        **_ITIMERS,
    ),
)  # fmt: skip
