"""Who the process is: users, groups, capabilities, process groups and sessions."""

from __future__ import annotations

from qusr.syscalls.decl import (
    IN,
    INOUT,
    OUT,
    RET,
    Array,
    Enum,
    Host,
    Int,
    Pid,
    Ptr,
    Raw,
    Short,
    Syscall,
    Uid,
)
from qusr.syscalls.layout import Struct, s32, u32

PRIO = {0: "PRIO_PROCESS", 1: "PRIO_PGRP", 2: "PRIO_USER"}

CAP_HEADER = Struct("__user_cap_header_struct", [("version", u32), ("pid", s32)])
CAP_DATA = Struct(
    "__user_cap_data_struct", [("effective", u32), ("permitted", u32), ("inheritable", u32)]
)
# Version 1 has one element, the others two; only big-endian guests see the difference.
_TWO = 2

_SIGNATURES: dict[str, tuple[str, ...]] = {
    "getuid": (), "geteuid": (), "getgid": (), "getegid": (),
    "setuid": ("uid",), "setgid": ("gid",), "setfsuid": ("uid",), "setfsgid": ("gid",),
    "setreuid": ("ruid", "euid"), "setregid": ("rgid", "egid"),
    "setresuid": ("ruid", "euid", "suid"), "setresgid": ("rgid", "egid", "sgid"),
}  # fmt: skip
_TRIPLES = {"getresuid": ("ruid", "euid", "suid"), "getresgid": ("rgid", "egid", "sgid")}
_UID16 = ("ids16",)
"""Families whose calls of the plain names take 16-bit ids (include/linux/highuid.h)."""


def _ids() -> tuple[Syscall, ...]:
    calls = []
    for name, args in _SIGNATURES.items():
        wide = [Uid(arg) for arg in args]
        calls += [Syscall(name, *wide), Syscall(f"{name}32", *wide, host=Host(name))]
        if name.startswith("get"):
            calls.append(Syscall(name, handler=f"identity:{name}16", families=_UID16))
        elif name.startswith("setfs"):
            # Their result is an id as well: the one before.
            calls.append(
                Syscall(name, Short(args[0]), handler=f"identity:{name}16", families=_UID16)
            )
        else:
            calls.append(Syscall(name, *(Short(arg) for arg in args), families=_UID16))
    for name, args in _TRIPLES.items():
        out = [Ptr(arg, u32, OUT) for arg in args]
        narrow = [Raw(arg) for arg in args]
        calls += [
            Syscall(name, *out),
            Syscall(f"{name}32", *out, host=Host(name)),
            Syscall(name, *narrow, handler=f"identity:{name}16", families=_UID16),
        ]
    groups_out = (Int("size"), Array("list", u32, OUT, count="size", filled=RET))
    groups_in = (Int("size"), Array("list", u32, IN, count="size"))
    return (
        *calls,
        Syscall("getgroups", *groups_out),
        Syscall("getgroups32", *groups_out, host=Host("getgroups")),
        Syscall("getgroups", Int("size"), Raw("list"), handler="identity:getgroups16",
                families=_UID16),
        Syscall("setgroups", *groups_in),
        Syscall("setgroups32", *groups_in, host=Host("setgroups")),
        Syscall("setgroups", Int("size"), Raw("list"), handler="identity:setgroups16",
                families=_UID16),
    )  # fmt: skip


CALLS = (
    *_ids(),
    Syscall("capget", Ptr("hdrp", CAP_HEADER, INOUT), Array("datap", CAP_DATA, OUT, count=_TWO)),
    Syscall("capset", Ptr("hdrp", CAP_HEADER, INOUT), Array("datap", CAP_DATA, IN, count=_TWO)),
    Syscall("getpgid", Pid("pid")),
    Syscall("setpgid", Pid("pid"), Pid("pgid"), builtin="setpgid"),
    Syscall("getpgrp"),
    Syscall("getsid", Pid("pid")),
    Syscall("setsid"),
    Syscall("getpriority", Enum("which", PRIO), Int("who")),
    Syscall("setpriority", Enum("which", PRIO), Int("who"), Int("prio")),
    Syscall("vhangup"),
)  # fmt: skip
