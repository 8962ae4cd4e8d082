"""Calls that ABIs of before 2012 have beside what replaced them, and those of single ISAs' caches
and thread pointers.
"""

from __future__ import annotations

import errno

from qusr.syscalls.common import TIMEVAL
from qusr.syscalls.decl import (
    IN,
    OUT,
    Case,
    Enum,
    Flags,
    FlagTable,
    Hex,
    Host,
    Int,
    Ptr,
    Raw,
    Size,
    Switch,
    Syscall,
    UInt,
    ULong,
)
from qusr.syscalls.layout import Struct, long

SECONDS = Struct("seconds", [("tv_sec", long)])
#: arch/mips/include/uapi/asm/cachectl.h
CACHES = FlagTable({"ICACHE": 1, "DCACHE": 2})
#: arch/m68k/include/uapi/asm/cachectl.h
SCOPES = {1: "FLUSH_SCOPE_LINE", 2: "FLUSH_SCOPE_PAGE", 3: "FLUSH_SCOPE_ALL"}
FLUSHED = FlagTable({"FLUSH_CACHE_DATA": 1, "FLUSH_CACHE_INSN": 2})
#: arch/mips/include/uapi/asm/sysmips.h
SYSMIPS = {3: "FLUSH_CACHE", 7: "MIPS_FIXADE", 2001: "MIPS_ATOMIC_SET"}
_DEAD = "was never in Linux, or is there no more"

CALLS = (
    Syscall("time", Ptr("tloc", long, OUT)),
    Syscall("stime", Ptr("t", SECONDS, IN, host=TIMEVAL), host=Host("settimeofday", "t", 0)),
    Syscall("cacheflush", Hex("addr"), Size("nbytes"), Flags("cache", CACHES),
            builtin="flush_range"),
    Syscall("cachectl", Hex("addr"), Size("nbytes"), Int("op"),
            enosys="the kernel has it for no processor"),
    Syscall(
        "sysmips",
        Switch(
            "cmd",
            [
                (3, Case(builtin="flush_all")),
                (7, Case(Hex("arg1"), builtin="fix_unaligned")),
                (2001, Case(Hex("arg1"), Hex("arg2"), builtin="atomic_swap")),
            ],
            default=Case(Hex("arg1"), errno=errno.EINVAL), names=SYSMIPS,
        ),
    ),
    Syscall("set_thread_area", Hex("addr"), builtin="set_tls"),
    # struct user_desc (arch/x86/kernel/tls.c); not with 64 bits.
    Syscall("set_thread_area", Hex("u_info"), builtin="set_thread_area",
            families=("x64", "ia32")),
    Syscall("get_thread_area", Hex("u_info"), builtin="get_thread_area"),
    # arch/m68k/kernel/sys_m68k.c: the thread pointer is nowhere but in the kernel.
    Syscall("get_thread_area", builtin="get_tls", families=("m68k32",)),
    Syscall("getpagesize", builtin="page_size"),
    Syscall("atomic_cmpxchg_32", Hex("newval"), Hex("oldval"), Hex("unused3"), Hex("unused4"),
            Hex("unused5"), Hex("mem"), builtin="atomic_compare"),
    # Nothing is to be done on one processor.
    Syscall("atomic_barrier", builtin="flush_all"),
    Syscall("cacheflush", Hex("addr"), Enum("scope", SCOPES), Flags("cache", FLUSHED),
            Size("len"), builtin="flush_scope", families=("m68k32",)),
    Syscall("swapcontext", Hex("old_ctx"), Hex("new_ctx"), Size("ctx_size"),
            builtin="swap_context"),
    Syscall("sgetmask", enosys="sigprocmask(2) replaced it"),
    Syscall("ssetmask", ULong("newmask"), enosys="sigprocmask(2) replaced it"),
    Syscall("readdir", Int("fd"), Raw("dirp"), UInt("count"), enosys="getdents(2) replaced it"),
    *(
        Syscall(name, enosys=_DEAD)
        for name in (
            "break", "stty", "gtty", "ftime", "prof", "lock", "mpx", "ulimit", "profil", "idle",
            "create_module", "get_kernel_syms", "query_module", "afs_syscall", "getpmsg",
            "putpmsg", "timerfd", "ioperm", "iopl", "vm86",
        )
    ),
)  # fmt: skip
