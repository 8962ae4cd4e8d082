"""Signal actions, masks and waiting. Rust does these: they concern what it keeps of signals."""

from __future__ import annotations

from qusr.syscalls.common import TIMESPEC, TIMESPEC64
from qusr.syscalls.decl import (
    ACTION_FLAGS,
    IN,
    OUT,
    Enum,
    FlagTable,
    Hex,
    Ptr,
    Raw,
    Signal,
    Sigset,
    Size,
    Syscall,
)
from qusr.syscalls.layout import Bitmap, Fields, PerAbi, Struct, s32, u32, ulong
from qusr.syscalls.structs import SIGINFO_QUEUE

HOW = {0: "SIG_BLOCK", 1: "SIG_UNBLOCK", 2: "SIG_SETMASK"}
SA = ACTION_FLAGS
SS = FlagTable({"SS_ONSTACK": 1, "SS_DISABLE": 2, "SS_AUTODISARM": 0x80000000})

_HANDLER: Fields = [("sa_handler", ulong), ("sa_flags", ulong)]
# include/linux/signal_types.h. That of calls is native/kernel/src/linux.rs, ActionLayout.
SIGACTION = PerAbi(
    "sigaction",
    {
        # arch/mips/include/uapi/asm/signal.h, as IRIX had it.
        "sigset128": Struct(
            "sigaction", [("sa_flags", u32), ("sa_handler", ulong), ("sa_mask", Bitmap(16))]
        ),
        "no_restorer": Struct("sigaction", [*_HANDLER, ("sa_mask", Bitmap(8))]),
        "*": Struct("sigaction", [*_HANDLER, ("sa_restorer", ulong), ("sa_mask", Bitmap(8))]),
    },
)
OLD_SIGACTION = Struct(
    "old_sigaction",
    [("sa_handler", ulong), ("sa_mask", ulong), ("sa_flags", ulong), ("sa_restorer", ulong)],
)
STACK = PerAbi(
    "sigaltstack",
    {
        "sigset128": Struct(
            "sigaltstack", [("ss_sp", ulong), ("ss_size", ulong), ("ss_flags", s32)]
        ),
        "*": Struct("sigaltstack", [("ss_sp", ulong), ("ss_flags", s32), ("ss_size", ulong)]),
    },
)

_HOW = Enum("how", HOW, family="sighow")
_SIZE = Size("sigsetsize")


def _set(name: str, direction: int) -> Sigset:
    return Sigset(name, direction, size="sigsetsize")


CALLS = (
    Syscall("rt_sigaction", Signal("signum"), Ptr("act", SIGACTION, IN),
            Ptr("oldact", SIGACTION, OUT), _SIZE, builtin="rt_sigaction"),
    Syscall("rt_sigprocmask", _HOW, _set("set", IN), _set("oldset", OUT), _SIZE,
            builtin="rt_sigprocmask"),
    Syscall("rt_sigpending", _set("set", OUT), _SIZE, builtin="rt_sigpending"),
    Syscall("rt_sigsuspend", _set("mask", IN), _SIZE, builtin="rt_sigsuspend"),
    Syscall("rt_sigtimedwait", _set("set", IN), Ptr("info", SIGINFO_QUEUE, OUT),
            Ptr("timeout", TIMESPEC64, IN), _SIZE, builtin="rt_sigtimedwait"),
    Syscall("rt_sigtimedwait", _set("set", IN), Ptr("info", SIGINFO_QUEUE, OUT),
            Ptr("timeout", TIMESPEC, IN), _SIZE, builtin="rt_sigtimedwait_time32",
            families=("32",)),
    Syscall("rt_sigtimedwait_time64", _set("set", IN), Ptr("info", SIGINFO_QUEUE, OUT),
            Ptr("timeout", TIMESPEC64, IN), _SIZE, builtin="rt_sigtimedwait"),
    Syscall("sigaltstack", Ptr("ss", STACK, IN), Ptr("old_ss", STACK, OUT),
            builtin="sigaltstack"),
    Syscall("rt_sigreturn", builtin="rt_sigreturn"),
    Syscall("sigreturn", builtin="sigreturn"),
    Syscall("sigaction", Signal("signum"), Ptr("act", OLD_SIGACTION, IN),
            Ptr("oldact", OLD_SIGACTION, OUT), builtin="sigaction"),
    Syscall("sigprocmask", _HOW, Raw("set"), Raw("oldset"), builtin="sigprocmask"),
    Syscall("sigpending", Raw("set"), builtin="sigpending"),
    # Two unused arguments come first (kernel/signal.c, CONFIG_OLD_SIGSUSPEND3).
    Syscall("sigsuspend", Hex("unused1"), Hex("unused2"), Hex("mask"), builtin="sigsuspend"),
    # arch/mips/kernel/signal.c, signal32.c: all of a set.
    Syscall("sigsuspend", Sigset("mask", IN, size=16), builtin="sigsuspend",
            families=("sigset128",)),
    # CONFIG_OLD_SIGSUSPEND.
    Syscall("sigsuspend", Hex("mask"), builtin="sigsuspend_first", families=("ppc32",)),
    Syscall("signal", Signal("signum"), Hex("handler"),
            enosys="every C library has rt_sigaction in its place"),
    Syscall("pause", builtin="pause"),
)  # fmt: skip
