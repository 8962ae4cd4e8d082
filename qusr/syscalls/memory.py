"""Memory mapping. Rust does these itself: the address space keeps the guest's map."""

from __future__ import annotations

import errno

from qusr.syscalls.decl import (
    IN,
    OUT,
    Address,
    Buf,
    Case,
    Enum,
    Fd,
    Flags,
    FlagTable,
    Forward,
    Hex,
    Int,
    Iovec,
    Pid,
    Ptr,
    Raw,
    Size,
    Str,
    Switch,
    Syscall,
    UInt,
    ULong,
    words,
)
from qusr.syscalls.layout import Struct, u64

PROT = FlagTable(
    {
        "PROT_READ": 1, "PROT_WRITE": 2, "PROT_EXEC": 4, "PROT_SEM": 8,
        "PROT_GROWSDOWN": 0x01000000, "PROT_GROWSUP": 0x02000000,
    },
    family="mmap",
)  # fmt: skip
# asm-generic/mman-common.h
MAP = FlagTable(
    {
        "MAP_FIXED": 0x10, "MAP_ANONYMOUS": 0x20, "MAP_GROWSDOWN": 0x100,
        "MAP_DENYWRITE": 0x800, "MAP_EXECUTABLE": 0x1000, "MAP_LOCKED": 0x2000,
        "MAP_NORESERVE": 0x4000, "MAP_POPULATE": 0x8000, "MAP_NONBLOCK": 0x10000,
        "MAP_STACK": 0x20000, "MAP_HUGETLB": 0x40000, "MAP_SYNC": 0x80000,
        "MAP_FIXED_NOREPLACE": 0x100000,
    },
    fields=[(0xF, {1: "MAP_SHARED", 2: "MAP_PRIVATE", 3: "MAP_SHARED_VALIDATE"})],
    family="mmap",
)  # fmt: skip
MREMAP = FlagTable({"MREMAP_MAYMOVE": 1, "MREMAP_FIXED": 2, "MREMAP_DONTUNMAP": 4})
MS = FlagTable({"MS_ASYNC": 1, "MS_INVALIDATE": 2, "MS_SYNC": 4}, family="mmap")
MCL = FlagTable({"MCL_CURRENT": 1, "MCL_FUTURE": 2, "MCL_ONFAULT": 4}, family="mmap")
MADV = {
    0: "MADV_NORMAL", 1: "MADV_RANDOM", 2: "MADV_SEQUENTIAL", 3: "MADV_WILLNEED",
    4: "MADV_DONTNEED", 8: "MADV_FREE", 9: "MADV_REMOVE", 10: "MADV_DONTFORK", 11: "MADV_DOFORK",
    12: "MADV_MERGEABLE", 13: "MADV_UNMERGEABLE", 14: "MADV_HUGEPAGE", 15: "MADV_NOHUGEPAGE",
    16: "MADV_DONTDUMP", 17: "MADV_DODUMP", 18: "MADV_WIPEONFORK", 19: "MADV_KEEPONFORK",
    20: "MADV_COLD", 21: "MADV_PAGEOUT", 22: "MADV_POPULATE_READ", 23: "MADV_POPULATE_WRITE",
    24: "MADV_DONTNEED_LOCKED", 25: "MADV_COLLAPSE", 100: "MADV_HWPOISON",
    101: "MADV_SOFT_OFFLINE", 102: "MADV_GUARD_INSTALL", 103: "MADV_GUARD_REMOVE",
}  # fmt: skip
SHM = FlagTable({"SHM_RDONLY": 0o10000, "SHM_RND": 0o20000, "SHM_REMAP": 0o40000,
                 "SHM_EXEC": 0o100000})  # fmt: skip


# linux/mman.h
CACHESTAT_RANGE = Struct("cachestat_range", [("off", u64), ("len", u64)])
CACHESTAT = Struct(
    "cachestat",
    [
        ("nr_cache", u64), ("nr_dirty", u64), ("nr_writeback", u64), ("nr_evicted", u64),
        ("nr_recently_evicted", u64),
    ],
)  # fmt: skip


def _range(name: str, *more: Enum | Flags | UInt) -> Syscall:
    """A call that takes an address range first."""
    return Syscall(name, Address("addr"), Size("length"), *more, builtin=name)


_MMAP = Syscall(
    "mmap", Address("addr"), Size("length"), Flags("prot", PROT), Flags("flags", MAP),
    Fd("fd"), Hex("offset"), builtin="mmap",
)  # fmt: skip

_NO_KEYS = "this guest's kernel has no memory protection keys"
_NO_KEY = 0xFFFFFFFF


def _keys(family: str, rights: int, free: tuple[int, ...]) -> tuple[Syscall, ...]:
    """Those of a kernel that has protection keys, on a processor without (mm/mprotect.c): the one
    key there may be, `free`, changes nothing, and none can be had. `rights`: their values.
    """
    full, invalid = Case(errno=errno.ENOSPC), Case(errno=errno.EINVAL)
    allowed = Switch("access_rights", [(n, full) for n in range(rights)], default=invalid)
    protect = Case(forward=Forward("mprotect", 0, 1, 2))
    return (
        Syscall("pkey_alloc", Switch("flags", [(0, Case(allowed))], default=invalid),
                families=(family,)),
        Syscall("pkey_free", Switch("pkey", [], default=invalid), families=(family,)),
        Syscall("pkey_mprotect", Address("addr"), Size("len"), Flags("prot", PROT),
                Switch("pkey", [(key, protect) for key in free], default=invalid),
                families=(family,)),
    )  # fmt: skip


CALLS = (
    _MMAP,
    # struct s390_mmap_arg_struct (arch/s390/kernel/syscall.c).
    Syscall("mmap", Hex("arg"), forward=Forward(_MMAP, *words(0, 6)), families=("struct_mmap",)),
    Syscall(
        "mmap2", Address("addr"), Size("length"), Flags("prot", PROT), Flags("flags", MAP),
        Fd("fd"), Hex("pgoffset"), builtin="mmap2",
    ),
    _range("munmap"),
    _range("mprotect", Flags("prot", PROT)),
    Syscall(
        "mremap", Address("old_address"), Size("old_size"), Size("new_size"),
        Flags("flags", MREMAP), Address("new_address"), builtin="mremap",
    ),
    Syscall("brk", Address("addr"), builtin="brk"),
    _range("madvise", Enum("advice", MADV, family="mmap")),
    _range("msync", Flags("flags", MS)),
    Syscall("mincore", Address("addr"), Size("length"), Address("vec"), builtin="mincore"),
    _range("mlock"),
    _range("mlock2", UInt("flags")),
    _range("munlock"),
    Syscall("mlockall", Flags("flags", MCL), builtin="mlockall"),
    Syscall("munlockall", builtin="munlockall"),
    Syscall("shmat", Int("shmid"), Address("shmaddr"), Flags("shmflg", SHM), builtin="shmat"),
    Syscall("shmdt", Address("shmaddr"), builtin="shmdt"),
    Syscall("memfd_create", Str("name"), UInt("flags")),
    Syscall(
        "process_vm_readv", Pid("pid"), Iovec("local_iov", IN, count="liovcnt"), ULong("liovcnt"),
        Iovec("remote_iov", IN, count="riovcnt"), ULong("riovcnt"), ULong("flags"),
        partial="only of a process with the same guest base (itself, a forked child) or a tracee",
    ),
    Syscall(
        "process_vm_writev", Pid("pid"), Iovec("local_iov", IN, count="liovcnt"),
        ULong("liovcnt"), Iovec("remote_iov", IN, count="riovcnt"), ULong("riovcnt"),
        ULong("flags"),
        partial="only of a process with the same guest base (itself, a forked child) or a tracee",
    ),
    Syscall("remap_file_pages", Address("addr"), Size("size"), Int("prot"), Size("pgoff"),
            Int("flags"), builtin="remap_file_pages"),
    Syscall("mbind", Raw("addr"), ULong("len"), Int("mode"),
            Buf("nodemask", IN, size="maxnode"), ULong("maxnode"), UInt("flags")),
    Syscall("pkey_alloc", UInt("flags"), ULong("access_rights"), enosys=_NO_KEYS),
    Syscall("pkey_free", Int("pkey"), enosys=_NO_KEYS),
    Syscall("pkey_mprotect", Address("addr"), Size("len"), Int("prot"), Int("pkey"),
            enosys=_NO_KEYS),
    *_keys("overlays", rights=16, free=(0, _NO_KEY)),
    *_keys("x64", rights=4, free=(_NO_KEY,)),
    *_keys("ia32", rights=4, free=(_NO_KEY,)),
    Syscall("mseal", Address("addr"), Size("len"), ULong("flags"),
            enosys="sealing is not recorded in the guest's memory map yet"),
    Syscall("map_shadow_stack", Address("addr"), Size("size"), UInt("flags"),
            enosys="this guest's kernel has no shadow stacks"),
    # arch/arm64/mm/gcs.c, arch/x86/kernel/shstk.c: of a processor without.
    Syscall("map_shadow_stack", Address("addr"), Size("size"),
            Switch("flags", [], default=Case(errno=errno.EOPNOTSUPP)),
            families=("overlays", "x64", "ia32")),
    Syscall("userfaultfd", Int("flags"), enosys="its addresses would be the host's"),
    Syscall("move_pages", Pid("pid"), ULong("count"), Raw("pages"), Raw("nodes"), Raw("status"),
            Int("flags"), handler="numa:move_pages",
            partial="only of a process with the same guest base (itself, a forked child)"),
    Syscall("process_mrelease", Fd("pidfd"), UInt("flags")),
    Syscall("process_madvise", Fd("pidfd"), Iovec("vec", IN, count="vlen"), Size("vlen"),
            Int("behavior"), UInt("flags"),
            partial="only of a process with the same guest base (itself, a forked child)"),
    Syscall("memfd_secret", UInt("flags")),
    Syscall("migrate_pages", Pid("pid"), ULong("maxnode"), Raw("old_nodes"), Raw("new_nodes")),
    Syscall("get_mempolicy", Raw("mode"), Raw("nodemask"), ULong("maxnode"), Raw("addr"),
            ULong("flags")),
    Syscall("set_mempolicy", Int("mode"), Raw("nodemask"), ULong("maxnode")),
    Syscall("set_mempolicy_home_node", Raw("start"), ULong("len"), ULong("home_node"),
            ULong("flags")),
    Syscall("cachestat", Fd("fd"), Ptr("cstat_range", CACHESTAT_RANGE, IN),
            Ptr("cstat", CACHESTAT, OUT), UInt("flags")),
)  # fmt: skip
