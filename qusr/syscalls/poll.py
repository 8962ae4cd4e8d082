"""Waiting for descriptors: poll, select, epoll, and the descriptors made for it."""

from __future__ import annotations

from qusr.syscalls.common import TIMESPEC, TIMESPEC64, TIMEVAL
from qusr.syscalls.decl import (
    IN,
    INOUT,
    INTERRUPTED,
    OUT,
    RET,
    Arg,
    Array,
    Bits,
    Enum,
    Fd,
    Flags,
    FlagTable,
    Forward,
    Hex,
    Host,
    Int,
    Ptr,
    Sigset,
    Size,
    Syscall,
    UInt,
    words,
)
from qusr.syscalls.layout import (
    CType,
    FlagInt,
    SigsetPack,
    Struct,
    ptr,
    s32,
    u32,
    u64,
    ulong,
)

POLL = FlagTable(
    {
        "POLLIN": 1, "POLLPRI": 2, "POLLOUT": 4, "POLLERR": 8, "POLLHUP": 0x10,
        "POLLNVAL": 0x20, "POLLRDNORM": 0x40, "POLLRDBAND": 0x80, "POLLWRNORM": 0x100,
        "POLLWRBAND": 0x200, "POLLMSG": 0x400, "POLLRDHUP": 0x2000,
    },
    family="poll",
)  # fmt: skip
EPOLL = FlagTable(
    {
        "EPOLLIN": 1, "EPOLLPRI": 2, "EPOLLOUT": 4, "EPOLLERR": 8, "EPOLLHUP": 0x10,
        "EPOLLRDNORM": 0x40, "EPOLLRDBAND": 0x80, "EPOLLWRNORM": 0x100, "EPOLLWRBAND": 0x200,
        "EPOLLMSG": 0x400, "EPOLLRDHUP": 0x2000, "EPOLLEXCLUSIVE": 1 << 28,
        "EPOLLWAKEUP": 1 << 29, "EPOLLONESHOT": 1 << 30, "EPOLLET": 1 << 31,
    }
)  # fmt: skip
EPOLL_CTL = {1: "EPOLL_CTL_ADD", 2: "EPOLL_CTL_DEL", 3: "EPOLL_CTL_MOD"}
EPOLL_CREATE = FlagTable({"EPOLL_CLOEXEC": 0o2000000}, family="open")
EFD = FlagTable(
    {"EFD_SEMAPHORE": 1, "EFD_NONBLOCK": 0o4000, "EFD_CLOEXEC": 0o2000000}, family="open"
)
SFD = FlagTable({"SFD_NONBLOCK": 0o4000, "SFD_CLOEXEC": 0o2000000}, family="open")

_EVENTS = FlagInt(16, POLL, signed=True)
POLLFD = Struct("pollfd", [("fd", s32), ("events", _EVENTS), ("revents", _EVENTS)])
# EPOLL_PACKED (linux/eventpoll.h) is there for x86-64 alone. The data is the program's own.
EPOLL_EVENT = Struct("epoll_event", [("events", u32), ("data", u64)], packed=("x64",))
# The last argument of pselect6 (fs/select.c).
SIGSET_ARG = Struct("sigset_argpack", [("ss", ptr), ("ss_len", ulong)])
SIGSET_PACK = Struct("sigset_argpack", [("set", SigsetPack())])
"""The same, of guests that do not have the host's sets."""

_EPOLL_WAIT = (Fd("epfd"), Array("events", EPOLL_EVENT, OUT, count="maxevents", filled=RET),
               Int("maxevents"))  # fmt: skip


def _sets() -> tuple[Arg, ...]:
    names = ("readfds", "writefds", "exceptfds")
    return Int("nfds"), *(Bits(name, INOUT, size="nfds", in_bits=True) for name in names)


def _ppoll(name: str, timespec: CType) -> Syscall:
    return Syscall(
        name, Array("fds", POLLFD, INOUT, count="nfds"), UInt("nfds"),
        Ptr("tmo_p", timespec, INOUT | INTERRUPTED), Sigset("sigmask", size="sigsetsize"),
        Size("sigsetsize"), host=Host("ppoll"),
    )  # fmt: skip


def _pselect6(name: str, timespec: CType, pack: CType, *families: str) -> Syscall:
    return Syscall(
        name, *_sets(), Ptr("timeout", timespec, INOUT | INTERRUPTED), Ptr("sigmask", pack, IN),
        host=Host("pselect6"), families=families or None,
    )  # fmt: skip


_OTHER_SETS = ("be", "sigset128")

CALLS = (
    Syscall("poll", Array("fds", POLLFD, INOUT, count="nfds"), UInt("nfds"), Int("timeout")),
    _ppoll("ppoll", TIMESPEC),
    _ppoll("ppoll_time64", TIMESPEC64),
    Syscall("_newselect", *_sets(), Ptr("timeout", TIMEVAL, INOUT | INTERRUPTED),
            host=Host("select")),
    Syscall("select", *_sets(), Ptr("timeout", TIMEVAL, INOUT | INTERRUPTED)),
    # struct sel_arg_struct (fs/select.c).
    Syscall("select", Hex("arg"), forward=Forward("_newselect", *words(0, 5)),
            families=("ia32", "m68k32")),
    _pselect6("pselect6", TIMESPEC, SIGSET_ARG),
    _pselect6("pselect6", TIMESPEC, SIGSET_PACK, *_OTHER_SETS),
    _pselect6("pselect6_time64", TIMESPEC64, SIGSET_ARG),
    _pselect6("pselect6_time64", TIMESPEC64, SIGSET_PACK, *_OTHER_SETS),
    Syscall("epoll_create", Int("size")),
    Syscall("epoll_create1", Flags("flags", EPOLL_CREATE)),
    Syscall("epoll_ctl", Fd("epfd"), Enum("op", EPOLL_CTL), Fd("fd"),
            Ptr("event", EPOLL_EVENT, IN)),
    Syscall("epoll_wait", *_EPOLL_WAIT, Int("timeout")),
    Syscall("epoll_pwait", *_EPOLL_WAIT, Int("timeout"), Sigset("sigmask", size="sigsetsize"),
            Size("sigsetsize")),
    Syscall("epoll_pwait2", *_EPOLL_WAIT, Ptr("timeout", TIMESPEC64, IN),
            Sigset("sigmask", size="sigsetsize"), Size("sigsetsize")),
    Syscall("eventfd", UInt("initval")),
    Syscall("eventfd2", UInt("initval"), Flags("flags", EFD)),
    Syscall("signalfd", Fd("fd"), Sigset("mask", size="sizemask"), Size("sizemask")),
    Syscall("signalfd4", Fd("fd"), Sigset("mask", size="sizemask"), Size("sizemask"),
            Flags("flags", SFD)),
)  # fmt: skip
