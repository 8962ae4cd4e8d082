"""What is known of a file: stat and its kin, modes, owners, times, extended attributes."""

from __future__ import annotations

import errno

from qusr.arch.abi import Abi
from qusr.syscalls.common import AT, AT_SYMLINK_NOFOLLOW, TIMESPEC, TIMESPEC64, TIMEVAL
from qusr.syscalls.decl import (
    IN,
    OUT,
    Arg,
    Array,
    Buf,
    Case,
    DirFd,
    Enum,
    Fd,
    Flags,
    FlagTable,
    Host,
    Mode,
    Path,
    Ptr,
    RetStat,
    Short,
    Size,
    Str,
    Switch,
    Syscall,
    Uid,
    UInt,
)
from qusr.syscalls.layout import (
    Bytes,
    CType,
    Fields,
    PerAbi,
    Struct,
    long,
    ptr64,
    s32,
    s64,
    u16,
    u32,
    u64,
    uid16,
    ulong,
)

# --- structs --------------------------------------------------------------------

_TIMES = tuple(f"st_{kind}time{part}" for kind in "amc" for part in ("", "_nsec"))
_LONG_TIMES = [(name, ulong) for name in _TIMES]

# arch/x86/include/uapi/asm/stat.h
_STAT_X64 = Struct(
    "stat",
    [
        ("st_dev", ulong), ("st_ino", ulong), ("st_nlink", ulong), ("st_mode", u32),
        ("st_uid", u32), ("st_gid", u32), ("_pad0", u32), ("st_rdev", ulong), ("st_size", long),
        ("st_blksize", long), ("st_blocks", long), *_LONG_TIMES, ("_unused", long * 3),
    ],
)  # fmt: skip
# asm-generic/stat.h
_STAT_GENERIC = Struct(
    "stat",
    [
        ("st_dev", ulong), ("st_ino", ulong), ("st_mode", u32), ("st_nlink", u32),
        ("st_uid", u32), ("st_gid", u32), ("st_rdev", ulong), ("_pad1", ulong), ("st_size", long),
        ("st_blksize", s32), ("_pad2", s32), ("st_blocks", long), *_LONG_TIMES,
        ("_unused", u32 * 2),
    ],
)  # fmt: skip
# arch/s390/include/uapi/asm/stat.h
_STAT_S390 = Struct(
    "stat",
    [
        ("st_dev", ulong), ("st_ino", ulong), ("st_nlink", ulong), ("st_mode", u32),
        ("st_uid", u32), ("st_gid", u32), ("_pad1", u32), ("st_rdev", ulong), ("st_size", ulong),
        *_LONG_TIMES, ("st_blksize", ulong), ("st_blocks", long), ("_unused", ulong * 3),
    ],
)  # fmt: skip


def _eabi_stat(device: list[tuple[str, CType]], rdev: list[tuple[str, CType]]) -> Struct:
    """arch/arm/include/uapi/asm/stat.h; what must fit is in cp_new_stat of fs/stat.c."""
    return Struct(
        "stat",
        [
            *device, ("st_ino", ulong), ("st_mode", u16), ("st_nlink", u16),
            ("st_uid", uid16), ("st_gid", uid16), *rdev, ("st_size", long),
            ("st_blksize", ulong), ("st_blocks", ulong), *_LONG_TIMES, ("_unused", ulong * 2),
        ],
        checked=("st_dev", "st_ino", "st_nlink", "st_rdev", "st_size"),
    )  # fmt: skip


# arch/mips/include/uapi/asm/stat.h
_STAT_IRIX32 = Struct(
    "stat",
    [
        ("st_dev", u32), ("_pad1", long * 3), ("st_ino", ulong), ("st_mode", u32),
        ("st_nlink", u32), ("st_uid", u32), ("st_gid", u32), ("st_rdev", u32),
        ("_pad2", long * 2), ("st_size", long), ("_pad3", long), *_LONG_TIMES,
        ("st_blksize", long), ("st_blocks", long), ("_pad4", long * 14),
    ],
    checked=("st_ino", "st_nlink", "st_size"),
)  # fmt: skip
_STAT_IRIX64 = Struct(
    "stat",
    [
        ("st_dev", u32), ("_pad0", u32 * 3), ("st_ino", u64), ("st_mode", u32),
        ("st_nlink", u32), ("st_uid", u32), ("st_gid", u32), ("st_rdev", u32),
        ("_pad1", u32 * 3), ("st_size", s64), *((name, u32) for name in _TIMES),
        ("st_blksize", u32), ("_pad2", u32), ("st_blocks", u64),
    ],
)  # fmt: skip
# arch/powerpc/include/uapi/asm/stat.h
_STAT_PPC32 = Struct(
    "stat",
    [
        ("st_dev", ulong), ("st_ino", ulong), ("st_mode", u32), ("st_nlink", u16),
        ("st_uid", u32), ("st_gid", u32), ("st_rdev", ulong), ("st_size", long),
        ("st_blksize", ulong), ("st_blocks", ulong), *_LONG_TIMES, ("_unused", ulong * 2),
    ],
    checked=("st_ino", "st_nlink", "st_size"),
)  # fmt: skip

STAT = PerAbi(
    "stat",
    {
        "ppc32": _STAT_PPC32,
        # Its calls are those of n64 (arch/mips/kernel/syscalls/syscall_n32.tbl).
        "n32": _STAT_IRIX64,
        "irix32": _STAT_IRIX32,
        "irix64": _STAT_IRIX64,
        "x64": _STAT_X64,
        "generic64": _STAT_GENERIC,
        "s390": _STAT_S390,
        "be32": _eabi_stat([("st_dev", u16), ("_pad1", u16)], [("st_rdev", u16), ("_pad2", u16)]),
        "eabi": _eabi_stat([("st_dev", ulong)], [("st_rdev", ulong)]),
    },
)
# The low half of the inode is there a second time, where it was before the field had 64 bits.
STAT64 = PerAbi(
    "stat64",
    {
        "ppc32": Struct(
            "stat64",
            [
                ("st_dev", u64), ("st_ino", u64), ("st_mode", u32), ("st_nlink", u32),
                ("st_uid", u32), ("st_gid", u32), ("st_rdev", u64), ("_pad2", u16),
                ("st_size", s64), ("st_blksize", s32), ("st_blocks", s64),
                *((name, u32) for name in _TIMES), ("_unused", u32 * 2),
            ],
        ),
        "irix32": Struct(
            "stat64",
            [
                ("st_dev", ulong), ("_pad0", ulong * 3), ("st_ino", u64), ("st_mode", u32),
                ("st_nlink", u32), ("st_uid", u32), ("st_gid", u32), ("st_rdev", ulong),
                ("_pad1", ulong * 3), ("st_size", s64), *_LONG_TIMES, ("st_blksize", ulong),
                ("_pad2", ulong), ("st_blocks", s64),
            ],
        ),
        "x64": _STAT_X64,
        "eabi": Struct(
            "stat64",
            [
                ("st_dev", u64), ("_pad0", u32), ("st_ino~old", ulong), ("st_mode", u32),
                ("st_nlink", u32), ("st_uid", ulong), ("st_gid", ulong), ("st_rdev", u64),
                ("_pad3", u32), ("st_size", s64), ("st_blksize", ulong), ("st_blocks", u64),
                *_LONG_TIMES, ("st_ino", u64),
            ],
        ),
    },
)  # fmt: skip

_STATX_TIMESTAMP = Struct("statx_timestamp", [("tv_sec", s64), ("tv_nsec", u32), ("_pad", s32)])
STATX = Struct(
    "statx",
    [
        ("stx_mask", u32), ("stx_blksize", u32), ("stx_attributes", u64), ("stx_nlink", u32),
        ("stx_uid", u32), ("stx_gid", u32), ("stx_mode", u16), ("_spare0", u16),
        ("stx_ino", u64), ("stx_size", u64), ("stx_blocks", u64), ("stx_attributes_mask", u64),
        ("stx_atime", _STATX_TIMESTAMP), ("stx_btime", _STATX_TIMESTAMP),
        ("stx_ctime", _STATX_TIMESTAMP), ("stx_mtime", _STATX_TIMESTAMP),
        ("stx_rdev_major", u32), ("stx_rdev_minor", u32), ("stx_dev_major", u32),
        ("stx_dev_minor", u32), ("stx_mnt_id", u64), ("stx_dio_mem_align", u32),
        ("stx_dio_offset_align", u32), ("stx_subvol", u64), ("stx_atomic_write_unit_min", u32),
        ("stx_atomic_write_unit_max", u32), ("stx_atomic_write_segments_max", u32),
        ("stx_dio_read_offset_align", u32), ("stx_atomic_write_unit_max_opt", u32),
        ("_spare2", u32), ("_spare3", u64 * 8),
    ],
)  # fmt: skip

# asm-generic/statfs.h: words of the ABI's size, but for f_fsid. What must fit is in
# do_statfs_native of fs/statfs.c.
_STATFS_CHECKED = (
    "f_bsize", "f_blocks", "f_bfree", "f_bavail", "f_files", "f_ffree", "f_frsize",
)  # fmt: skip
_STATFS_GENERIC = Struct(
    "statfs",
    [
        ("f_type", ulong), ("f_bsize", ulong), ("f_blocks", ulong), ("f_bfree", ulong),
        ("f_bavail", ulong), ("f_files", ulong), ("f_ffree", ulong), ("f_fsid", s32 * 2),
        ("f_namelen", ulong), ("f_frsize", ulong), ("f_flags", ulong), ("_spare", ulong * 4),
    ],
    checked=_STATFS_CHECKED,
)  # fmt: skip
# arch/mips/include/uapi/asm/statfs.h: as IRIX had them.
_STATFS_IRIX = Struct(
    "statfs",
    [
        ("f_type", ulong), ("f_bsize", ulong), ("f_frsize", ulong), ("f_blocks", ulong),
        ("f_bfree", ulong), ("f_files", ulong), ("f_ffree", ulong), ("f_bavail", ulong),
        ("f_fsid", s32 * 2), ("f_namelen", ulong), ("f_flags", ulong), ("_spare", ulong * 5),
    ],
    checked=_STATFS_CHECKED,
)  # fmt: skip
# arch/s390/include/uapi/asm/statfs.h; both are the same with 64 bits.
_STATFS_S390 = Struct(
    "statfs",
    [
        ("f_type", u32), ("f_bsize", u32), ("f_blocks", ulong), ("f_bfree", ulong),
        ("f_bavail", ulong), ("f_files", ulong), ("f_ffree", ulong), ("f_fsid", s32 * 2),
        ("f_namelen", u32), ("f_frsize", u32), ("f_flags", u32), ("_spare", u32 * 4),
    ],
)  # fmt: skip
STATFS = PerAbi("statfs", {"irix": _STATFS_IRIX, "s390": _STATFS_S390, "*": _STATFS_GENERIC})


class _Packed4(Struct):
    """A struct with `__attribute__((packed, aligned(4)))`."""

    def align(self, abi: object) -> int:
        """Always 4."""
        return 4


_STATFS64: Fields = [
    ("f_type", u32), ("f_bsize", u32), ("f_blocks", u64), ("f_bfree", u64), ("f_bavail", u64),
    ("f_files", u64), ("f_ffree", u64), ("f_fsid", s32 * 2), ("f_namelen", u32),
    ("f_frsize", u32), ("f_flags", u32), ("_spare", u32 * 4),
]  # fmt: skip
# arm packs it so that old ABI and EABI agree (arch/arm/include/uapi/asm/statfs.h).
STATFS64 = PerAbi(
    "statfs64",
    {
        "eabi": _Packed4(
            "statfs64",
            _STATFS64,
            packed=("*",),
        ),
        "irix32": Struct(
            "statfs64",
            [
                ("f_type", u32), ("f_bsize", u32), ("f_frsize", u32), ("_pad", u32),
                ("f_blocks", u64), ("f_bfree", u64), ("f_files", u64), ("f_ffree", u64),
                ("f_bavail", u64), ("f_fsid", s32 * 2), ("f_namelen", u32), ("f_flags", u32),
                ("_spare", u32 * 5),
            ],
        ),
        "generic32": Struct("statfs64", _STATFS64),
        "irix64": _STATFS_IRIX,
        "s390": _STATFS_S390,
        "*": _STATFS_GENERIC,
    },
)  # fmt: skip

# linux/utime.h
UTIMBUF = Struct("utimbuf", [("actime", long), ("modtime", long)])
USTAT = Struct(
    "ustat",
    [("f_tfree", s32), ("f_tinode", ulong), ("f_fname", Bytes(6)), ("f_fpack", Bytes(6))],
)
XATTR_ARGS = Struct("xattr_args", [("value", ptr64), ("size", u32), ("flags", u32)])
FILE_ATTR = Struct(
    "file_attr",
    [
        ("fa_xflags", u64), ("fa_extsize", u32), ("fa_nextents", u32), ("fa_projid", u32),
        ("fa_cowextsize", u32),
    ],
)  # fmt: skip

# --- flags ----------------------------------------------------------------------

ACCESS = FlagTable({"R_OK": 4, "W_OK": 2, "X_OK": 1})
FACCESSAT = FlagTable(
    {"AT_EACCESS": 0x200, "AT_SYMLINK_NOFOLLOW": AT_SYMLINK_NOFOLLOW, "AT_EMPTY_PATH": 0x1000}
)
STATX_MASK = FlagTable(
    {
        "STATX_ALL": 0xFFF, "STATX_BASIC_STATS": 0x7FF, "STATX_TYPE": 1, "STATX_MODE": 2,
        "STATX_NLINK": 4, "STATX_UID": 8, "STATX_GID": 0x10, "STATX_ATIME": 0x20,
        "STATX_MTIME": 0x40, "STATX_CTIME": 0x80, "STATX_INO": 0x100, "STATX_SIZE": 0x200,
        "STATX_BLOCKS": 0x400, "STATX_BTIME": 0x800, "STATX_MNT_ID": 0x1000,
        "STATX_DIOALIGN": 0x2000, "STATX_MNT_ID_UNIQUE": 0x4000, "STATX_SUBVOL": 0x8000,
        "STATX_WRITE_ATOMIC": 0x10000, "STATX_DIO_READ_ALIGN": 0x20000,
    }
)  # fmt: skip
XATTR = {0: "0", 1: "XATTR_CREATE", 2: "XATTR_REPLACE"}

# --- calls ----------------------------------------------------------------------


def _path(name: str, *args: Arg, follow: bool = True, host: str | None = None) -> Syscall:
    """A call whose first argument is a path."""
    return Syscall(name, Path("pathname", follow=follow), *args,
                   host=Host(host) if host else None)  # fmt: skip


def _at(name: str, *args: Arg, follow: bool | tuple[str, int] = True) -> Syscall:
    """A call that starts with a directory descriptor and a path."""
    return Syscall(name, DirFd("dirfd"), Path("pathname", at="dirfd", follow=follow), *args)


def _stat(name: str, struct: CType, *, follow: bool = True, host: str | None = None) -> Syscall:
    return Syscall(
        name, Path("pathname", follow=follow), Ptr("statbuf", struct, OUT),
        host=Host(host or name), ret=RetStat,
    )  # fmt: skip


def _stat_at(name: str, struct: CType) -> Syscall:
    return Syscall(
        name, DirFd("dirfd"), Path("pathname", at="dirfd", follow=("flags", AT_SYMLINK_NOFOLLOW)),
        Ptr("statbuf", struct, OUT), Flags("flags", AT), host=Host("newfstatat"), ret=RetStat,
    )  # fmt: skip


def _unpacked(abi: Abi) -> int:
    return 88 if "eabi" in abi.families else STATFS64.size(abi)


def _statfs64(name: str, first: Arg, host: str) -> Syscall:
    """The size must be that of the struct; arm takes an unpacked one's too
    (arch/arm/kernel/sys_arm.c, sys_statfs64_wrapper).
    """
    buffer = Ptr("buf", STATFS64, OUT)
    return Syscall(
        name, first,
        Switch("sz", [(STATFS64.size, Case(buffer)), (_unpacked, Case(buffer))],
               default=Case(errno=errno.EINVAL)),
        host=Host(host, first.name, "buf"),
    )  # fmt: skip


_NOFOLLOW = ("flags", AT_SYMLINK_NOFOLLOW)
_AT_NOFOLLOW = ("at_flags", AT_SYMLINK_NOFOLLOW)
_OWNER = (Uid("owner"), Uid("group"))
_OWNER16 = (Short("owner"), Short("group"))
_VALUE_OUT = (Str("name"), Buf("value", OUT, size="size"), Size("size"))
_VALUE_IN = (Str("name"), Buf("value", IN, size="size"), Size("size"), Enum("flags", XATTR))
_LIST = (Buf("list", OUT, size="size"), Size("size"))


def _two(struct: CType) -> Array:
    return Array("times", struct, IN, count=2)


def _sized(struct: Struct, size: int, *more: Arg) -> Switch:
    """The size argument of an extensible struct: that of its only version so far, or another."""
    return Switch(
        "usize",
        [(size, Case(*more))],
        default=Case(*more, handler=f"sizes:{struct.name}"),
        names={size: f"sizeof({struct.name})"},
    )


CALLS = (
    # --- stat ---
    _stat("stat", STAT),
    _stat("lstat", STAT, follow=False),
    Syscall("fstat", Fd("fd"), Ptr("statbuf", STAT, OUT), ret=RetStat),
    _stat("stat64", STAT64, host="stat"),
    _stat("lstat64", STAT64, follow=False, host="lstat"),
    Syscall("fstat64", Fd("fd"), Ptr("statbuf", STAT64, OUT), host=Host("fstat"), ret=RetStat),
    _stat_at("newfstatat", STAT),
    _stat_at("fstatat64", STAT64),
    Syscall(
        "statx", DirFd("dirfd"), Path("pathname", at="dirfd", follow=_NOFOLLOW),
        Flags("flags", AT), Flags("mask", STATX_MASK), Ptr("statxbuf", STATX, OUT), ret=RetStat,
    ),
    _path("statfs", Ptr("buf", STATFS, OUT)),
    Syscall("fstatfs", Fd("fd"), Ptr("buf", STATFS, OUT)),
    _statfs64("statfs64", Path("pathname"), "statfs"),
    _statfs64("fstatfs64", Fd("fd"), "fstatfs"),
    Syscall("ustat", UInt("dev"), Ptr("ubuf", USTAT, OUT)),
    # --- access and mode ---
    _path("access", Flags("mode", ACCESS)),
    _at("faccessat", Flags("mode", ACCESS)),
    _at("faccessat2", Flags("mode", ACCESS), Flags("flags", FACCESSAT), follow=_NOFOLLOW),
    _path("chmod", Mode("mode")),
    Syscall("fchmod", Fd("fd"), Mode("mode")),
    _at("fchmodat", Mode("mode")),
    _at("fchmodat2", Mode("mode"), Flags("flags", AT), follow=_NOFOLLOW),
    Syscall("umask", Mode("mask")),
    # --- owner ---
    _path("chown", *_OWNER),
    _path("lchown", *_OWNER, follow=False),
    Syscall("fchown", Fd("fd"), *_OWNER),
    Syscall("chown", Path("pathname"), *_OWNER16, families=("ids16",)),
    Syscall("lchown", Path("pathname", follow=False), *_OWNER16, families=("ids16",)),
    Syscall("fchown", Fd("fd"), *_OWNER16, families=("ids16",)),
    _path("chown32", *_OWNER, host="chown"),
    _path("lchown32", *_OWNER, follow=False, host="lchown"),
    Syscall("fchown32", Fd("fd"), *_OWNER, host=Host("fchown")),
    _at("fchownat", *_OWNER, Flags("flags", AT), follow=_NOFOLLOW),
    # --- times ---
    _path("utime", Ptr("times", UTIMBUF, IN)),
    _path("utimes", _two(TIMEVAL)),
    _at("futimesat", _two(TIMEVAL)),
    _at("utimensat", _two(TIMESPEC), Flags("flags", AT), follow=_NOFOLLOW),
    Syscall(
        "utimensat_time64", DirFd("dirfd"), Path("pathname", at="dirfd", follow=_NOFOLLOW),
        _two(TIMESPEC64), Flags("flags", AT), host=Host("utimensat"),
    ),
    # --- extended attributes ---
    _path("setxattr", *_VALUE_IN),
    _path("lsetxattr", *_VALUE_IN, follow=False),
    Syscall("fsetxattr", Fd("fd"), *_VALUE_IN),
    _path("getxattr", *_VALUE_OUT),
    _path("lgetxattr", *_VALUE_OUT, follow=False),
    Syscall("fgetxattr", Fd("fd"), *_VALUE_OUT),
    _path("listxattr", *_LIST),
    _path("llistxattr", *_LIST, follow=False),
    Syscall("flistxattr", Fd("fd"), *_LIST),
    _path("removexattr", Str("name")),
    _path("lremovexattr", Str("name"), follow=False),
    Syscall("fremovexattr", Fd("fd"), Str("name")),
    _at("setxattrat", Flags("at_flags", AT), Str("name"), Ptr("args", XATTR_ARGS, IN),
        _sized(XATTR_ARGS, 16), follow=_AT_NOFOLLOW),
    _at("getxattrat", Flags("at_flags", AT), Str("name"), Ptr("args", XATTR_ARGS, IN),
        _sized(XATTR_ARGS, 16), follow=_AT_NOFOLLOW),
    _at("listxattrat", Flags("at_flags", AT), *_LIST, follow=_AT_NOFOLLOW),
    _at("removexattrat", Flags("at_flags", AT), Str("name"), follow=_AT_NOFOLLOW),
    _at("file_getattr", Ptr("ufattr", FILE_ATTR, OUT), _sized(FILE_ATTR, 24, Flags("at_flags", AT)),
        follow=_AT_NOFOLLOW),
    _at("file_setattr", Ptr("ufattr", FILE_ATTR, IN), _sized(FILE_ATTR, 24, Flags("at_flags", AT)),
        follow=_AT_NOFOLLOW),
)  # fmt: skip
