"""prctl: each option with its own arguments. Options of other processors fail with EINVAL."""

from __future__ import annotations

import errno

from qusr.syscalls.decl import (
    OUT,
    Address,
    Arg,
    Buf,
    Case,
    Enum,
    Int,
    Pid,
    Ptr,
    Signal,
    Size,
    Str,
    Switch,
    Syscall,
    ULong,
)
from qusr.syscalls.layout import s32, signo, u64

# linux/prctl.h. The last item is what the option takes and what becomes of it.
_REST = (ULong("arg3"), ULong("arg4"), ULong("arg5"))
_WORDS = (ULong("arg2"), *_REST)
#: What an option does not take; the kernel wants zeros for some. -strace does not show it.
_UNUSED = tuple(ULong(f"_arg{number}") for number in range(2, 6))


def _words(count: int) -> tuple[Arg, ...]:
    """The four words behind an option that takes `count` of them."""
    return *_WORDS[:count], *_UNUSED[count:]


_HOST, _HOST_TAKES, _HOST_TAKES_2 = (Case(*_words(count)) for count in range(3))
"""Plain numbers: the host's answer is the guest's."""
_INVALID = Case(*_WORDS, errno=errno.EINVAL)
_MM = {
    1: "PR_SET_MM_START_CODE", 2: "PR_SET_MM_END_CODE", 3: "PR_SET_MM_START_DATA",
    4: "PR_SET_MM_END_DATA", 5: "PR_SET_MM_START_STACK", 6: "PR_SET_MM_START_BRK",
    7: "PR_SET_MM_BRK", 8: "PR_SET_MM_ARG_START", 9: "PR_SET_MM_ARG_END",
    10: "PR_SET_MM_ENV_START", 11: "PR_SET_MM_ENV_END", 12: "PR_SET_MM_AUXV",
    13: "PR_SET_MM_EXE_FILE", 14: "PR_SET_MM_MAP", 15: "PR_SET_MM_MAP_SIZE",
}  # fmt: skip
_CAP_AMBIENT = {
    1: "PR_CAP_AMBIENT_IS_SET", 2: "PR_CAP_AMBIENT_RAISE", 3: "PR_CAP_AMBIENT_LOWER",
    4: "PR_CAP_AMBIENT_CLEAR_ALL",
}  # fmt: skip


def _out(name: str) -> Case:
    """The option stores an int."""
    return Case(Ptr(name, s32, OUT), *_UNUSED[1:])


def _takes(*args: Arg) -> Case:
    """The option's own arguments, and the rest of the four."""
    return Case(*args, *_UNUSED[len(args) :])


# Options whose effect would be on the emulator, or on hardware that the guest does not have:
# what a kernel without the feature answers.
OPTIONS: dict[int, tuple[str, Case]] = {
    1: ("PR_SET_PDEATHSIG", _takes(Signal("sig"))),
    2: ("PR_GET_PDEATHSIG", Case(Ptr("sig", signo, OUT), *_REST)),
    3: ("PR_GET_DUMPABLE", _HOST),
    4: ("PR_SET_DUMPABLE", _HOST_TAKES),
    5: ("PR_GET_UNALIGN", _INVALID),
    6: ("PR_SET_UNALIGN", _INVALID),
    7: ("PR_GET_KEEPCAPS", _HOST),
    8: ("PR_SET_KEEPCAPS", _HOST_TAKES),
    9: ("PR_GET_FPEMU", _INVALID),
    10: ("PR_SET_FPEMU", _INVALID),
    11: ("PR_GET_FPEXC", Case(*_words(1), builtin="get_fpexc")),
    12: ("PR_SET_FPEXC", Case(*_words(1), builtin="set_fpexc")),
    13: ("PR_GET_TIMING", _HOST),
    14: ("PR_SET_TIMING", _HOST_TAKES),
    # A guest thread is a host thread, so its name is the host thread's.
    15: ("PR_SET_NAME", _takes(Str("name"))),
    16: ("PR_GET_NAME", _takes(Buf("name", OUT, size=16))),
    19: ("PR_GET_ENDIAN", _INVALID),
    20: ("PR_SET_ENDIAN", _INVALID),
    21: ("PR_GET_SECCOMP", Case(*_words(0), builtin="get_seccomp")),
    22: ("PR_SET_SECCOMP", Case(*_words(2), builtin="set_seccomp")),
    23: ("PR_CAPBSET_READ", _HOST_TAKES),
    24: ("PR_CAPBSET_DROP", _HOST_TAKES),
    25: ("PR_GET_TSC", _INVALID),
    26: ("PR_SET_TSC", _INVALID),
    27: ("PR_GET_SECUREBITS", _HOST),
    28: ("PR_SET_SECUREBITS", _HOST_TAKES),
    29: ("PR_SET_TIMERSLACK", _HOST_TAKES),
    30: ("PR_GET_TIMERSLACK", _HOST),
    31: ("PR_TASK_PERF_EVENTS_DISABLE", _HOST),
    32: ("PR_TASK_PERF_EVENTS_ENABLE", _HOST),
    33: ("PR_MCE_KILL", _HOST_TAKES_2),
    34: ("PR_MCE_KILL_GET", _HOST),
    # Needs CAP_SYS_RESOURCE, and would describe the emulator's memory.
    35: ("PR_SET_MM", Case(Enum("opt", _MM, bits=0), *_REST, errno=errno.EPERM)),
    36: ("PR_SET_CHILD_SUBREAPER", _HOST_TAKES),
    37: ("PR_GET_CHILD_SUBREAPER", _out("is_subreaper")),
    38: ("PR_SET_NO_NEW_PRIVS", _HOST_TAKES),
    39: ("PR_GET_NO_NEW_PRIVS", _HOST),
    40: ("PR_GET_TID_ADDRESS", _INVALID),
    41: ("PR_SET_THP_DISABLE", _HOST_TAKES),
    42: ("PR_GET_THP_DISABLE", _HOST),
    43: ("PR_MPX_ENABLE_MANAGEMENT", _INVALID),
    44: ("PR_MPX_DISABLE_MANAGEMENT", _INVALID),
    45: ("PR_SET_FP_MODE", Case(*_words(1), builtin="set_fp_mode")),
    46: ("PR_GET_FP_MODE", Case(*_words(0), builtin="get_fp_mode")),
    47: ("PR_CAP_AMBIENT", _takes(Enum("cap", _CAP_AMBIENT, bits=0))),
    50: ("PR_SVE_SET_VL", Case(*_words(1), builtin="sve_set_length")),
    51: ("PR_SVE_GET_VL", Case(*_words(0), builtin="sve_get_length")),
    52: ("PR_GET_SPECULATION_CTRL", _HOST_TAKES),
    53: ("PR_SET_SPECULATION_CTRL", _HOST_TAKES_2),
    54: ("PR_PAC_RESET_KEYS", Case(*_words(1), builtin="pac_reset_keys")),
    55: ("PR_SET_TAGGED_ADDR_CTRL", Case(*_words(1), builtin="set_tagged_addr")),
    56: ("PR_GET_TAGGED_ADDR_CTRL", Case(*_words(0), builtin="get_tagged_addr")),
    57: ("PR_SET_IO_FLUSHER", _HOST_TAKES),
    58: ("PR_GET_IO_FLUSHER", _HOST),
    59: ("PR_SET_SYSCALL_USER_DISPATCH", _INVALID),
    60: ("PR_PAC_SET_ENABLED_KEYS", Case(*_words(2), builtin="pac_set_keys")),
    61: ("PR_PAC_GET_ENABLED_KEYS", Case(*_words(0), builtin="pac_get_keys")),
    62: ("PR_SCHED_CORE", Case(Int("cmd"), Pid("pid"), Int("type"), Ptr("cookie", u64, OUT))),
    63: ("PR_SME_SET_VL", _INVALID),
    64: ("PR_SME_GET_VL", _INVALID),
    65: ("PR_SET_MDWE", _INVALID),
    66: ("PR_GET_MDWE", _INVALID),
    67: ("PR_SET_MEMORY_MERGE", _HOST_TAKES),
    68: ("PR_GET_MEMORY_MERGE", _HOST),
    69: ("PR_RISCV_V_SET_CONTROL", Case(*_words(1), builtin="vector_set_control")),
    70: ("PR_RISCV_V_GET_CONTROL", Case(*_words(0), builtin="vector_get_control")),
    0x41555856: ("PR_GET_AUXV", _INVALID),
    0x53564D41: (
        "PR_SET_VMA",
        Case(Int("attr"), Address("addr"), Size("size"), Address("val"), builtin="set_vma_name"),
    ),
    0x59616D61: ("PR_SET_PTRACER", _takes(Pid("pid"))),
}  # fmt: skip

CALLS = (
    Syscall(
        "prctl",
        Switch(
            "option",
            [(number, case) for number, (_, case) in OPTIONS.items()],
            default=_INVALID,
            names={number: name for number, (name, _) in OPTIONS.items()},
        ),
        partial="PR_SET_MM and PR_SET_MDWE are refused as by a kernel that was built without them",
    ),
)
