"""Directories, names and mounts."""

from __future__ import annotations

from qusr.syscalls.common import AT, AT_SYMLINK_FOLLOW, AT_SYMLINK_NOFOLLOW, OPEN
from qusr.syscalls.decl import (
    IN,
    OUT,
    Arg,
    Array,
    Buf,
    Case,
    DirFd,
    Fd,
    Flags,
    FlagTable,
    Host,
    Int,
    Loff,
    Mode,
    Path,
    Ptr,
    Raw,
    RetFd,
    RetPath,
    Size,
    Str,
    Switch,
    Syscall,
    Uid,
    UInt,
    ULong,
)
from qusr.syscalls.layout import CType, Struct, u32, u64

# --- structs --------------------------------------------------------------------

_DQBLK = [
    ("dqb_bhardlimit", u64), ("dqb_bsoftlimit", u64), ("dqb_curspace", u64),
    ("dqb_ihardlimit", u64), ("dqb_isoftlimit", u64), ("dqb_curinodes", u64),
    ("dqb_btime", u64), ("dqb_itime", u64), ("dqb_valid", u32),
]  # fmt: skip
DQBLK = Struct("if_dqblk", _DQBLK)
NEXTDQBLK = Struct("if_nextdqblk", [*_DQBLK, ("dqb_id", u32)])
DQINFO = Struct(
    "if_dqinfo", [("dqi_bgrace", u64), ("dqi_igrace", u64), ("dqi_flags", u32), ("dqi_valid", u32)]
)
MOUNT_ATTR = Struct(
    "mount_attr",
    [("attr_set", u64), ("attr_clr", u64), ("propagation", u64), ("userns_fd", u64)],
)

# --- flags ----------------------------------------------------------------------

UNLINK = FlagTable({"AT_REMOVEDIR": 0x200})
RENAME = FlagTable({"RENAME_NOREPLACE": 1, "RENAME_EXCHANGE": 2, "RENAME_WHITEOUT": 4})
MOUNT = FlagTable(
    {
        "MS_RDONLY": 1, "MS_NOSUID": 2, "MS_NODEV": 4, "MS_NOEXEC": 8, "MS_SYNCHRONOUS": 0x10,
        "MS_REMOUNT": 0x20, "MS_MANDLOCK": 0x40, "MS_DIRSYNC": 0x80, "MS_NOSYMFOLLOW": 0x100,
        "MS_NOATIME": 0x400, "MS_NODIRATIME": 0x800, "MS_BIND": 0x1000, "MS_MOVE": 0x2000,
        "MS_REC": 0x4000, "MS_SILENT": 0x8000, "MS_POSIXACL": 0x10000, "MS_UNBINDABLE": 0x20000,
        "MS_PRIVATE": 0x40000, "MS_SLAVE": 0x80000, "MS_SHARED": 0x100000,
        "MS_RELATIME": 0x200000, "MS_KERNMOUNT": 0x400000, "MS_I_VERSION": 0x800000,
        "MS_STRICTATIME": 0x1000000, "MS_LAZYTIME": 0x2000000,
    }
)  # fmt: skip
UMOUNT = FlagTable({"MNT_FORCE": 1, "MNT_DETACH": 2, "MNT_EXPIRE": 4, "UMOUNT_NOFOLLOW": 8})
FSOPEN = FlagTable({"FSOPEN_CLOEXEC": 1})
FSPICK = FlagTable(
    {
        "FSPICK_CLOEXEC": 1, "FSPICK_SYMLINK_NOFOLLOW": 2, "FSPICK_NO_AUTOMOUNT": 4,
        "FSPICK_EMPTY_PATH": 8,
    }
)  # fmt: skip
FSMOUNT = FlagTable({"FSMOUNT_CLOEXEC": 1})
ATTR = FlagTable(
    {
        "MOUNT_ATTR_RDONLY": 1, "MOUNT_ATTR_NOSUID": 2, "MOUNT_ATTR_NODEV": 4,
        "MOUNT_ATTR_NOEXEC": 8, "MOUNT_ATTR_NODIRATIME": 0x80, "MOUNT_ATTR_IDMAP": 0x100000,
        "MOUNT_ATTR_NOSYMFOLLOW": 0x200000,
    },
    fields=[(0x70, {0x10: "MOUNT_ATTR_NOATIME", 0x20: "MOUNT_ATTR_STRICTATIME"})],
)  # fmt: skip
MOVE_MOUNT = FlagTable(
    {
        "MOVE_MOUNT_F_SYMLINKS": 1, "MOVE_MOUNT_F_AUTOMOUNTS": 2, "MOVE_MOUNT_F_EMPTY_PATH": 4,
        "MOVE_MOUNT_T_SYMLINKS": 0x10, "MOVE_MOUNT_T_AUTOMOUNTS": 0x20,
        "MOVE_MOUNT_T_EMPTY_PATH": 0x40, "MOVE_MOUNT_SET_GROUP": 0x100,
        "MOVE_MOUNT_BENEATH": 0x200,
    }
)  # fmt: skip
# OPEN_TREE_CLOEXEC is O_CLOEXEC, which no guest of ours numbers differently.
OPEN_TREE = FlagTable({"OPEN_TREE_CLONE": 1, "OPEN_TREE_CLOEXEC": 0o2000000, **AT.bits})
SWAP = FlagTable({"SWAP_FLAG_PREFER": 0x8000, "SWAP_FLAG_DISCARD": 0x10000})
FSCONFIG = {
    0: "FSCONFIG_SET_FLAG", 1: "FSCONFIG_SET_STRING", 2: "FSCONFIG_SET_BINARY",
    3: "FSCONFIG_SET_PATH", 4: "FSCONFIG_SET_PATH_EMPTY", 5: "FSCONFIG_SET_FD",
    6: "FSCONFIG_CMD_CREATE", 7: "FSCONFIG_CMD_RECONFIGURE", 8: "FSCONFIG_CMD_CREATE_EXCL",
}  # fmt: skip
_QUOTA_COMMANDS = {
    "Q_SYNC": 0x800001, "Q_QUOTAON": 0x800002, "Q_QUOTAOFF": 0x800003, "Q_GETFMT": 0x800004,
    "Q_GETINFO": 0x800005, "Q_SETINFO": 0x800006, "Q_GETQUOTA": 0x800007,
    "Q_SETQUOTA": 0x800008, "Q_GETNEXTQUOTA": 0x800009,
}  # fmt: skip

# --- calls ----------------------------------------------------------------------


def _name(name: str, *more: Arg, follow: bool = False) -> Syscall:
    """A call on one path; a final symbolic link is the object itself unless `follow`."""
    return Syscall(name, Path("pathname", follow=follow), *more)


def _name_at(name: str, *more: Arg) -> Syscall:
    return Syscall(name, DirFd("dirfd"), Path("pathname", at="dirfd", follow=False), *more)


def _two_names(name: str, *more: Arg) -> Syscall:
    return Syscall(
        name, DirFd("olddirfd"), Path("oldpath", at="olddirfd", follow=False),
        DirFd("newdirfd"), Path("newpath", at="newdirfd", follow=False), *more,
    )  # fmt: skip


def _quota(command: str, *args: Arg) -> tuple[int, Case]:
    """One command of quotactl(2): the low byte of `cmd` is the kind of quota."""
    number = _QUOTA_COMMANDS[command]
    return number << 8, Case(*args, name=command)


def _quota_cases(*first: Arg) -> list[tuple[int, Case]]:
    def data(struct: CType, direction: int) -> tuple[Arg, ...]:
        return (*first, Uid("id"), Ptr("addr", struct, direction))

    return [
        _quota("Q_SYNC", *first),
        _quota("Q_QUOTAON", *first, UInt("id"), Path("addr")),
        _quota("Q_QUOTAOFF", *first, UInt("id")),
        _quota("Q_GETFMT", *data(u32, OUT)),
        _quota("Q_GETINFO", *data(DQINFO, OUT)),
        _quota("Q_SETINFO", *data(DQINFO, IN)),
        _quota("Q_GETQUOTA", *data(DQBLK, OUT)),
        _quota("Q_SETQUOTA", *data(DQBLK, IN)),
        _quota("Q_GETNEXTQUOTA", *data(NEXTDQBLK, OUT)),
    ]


_DIRENTS = (Fd("fd"), Buf("dirp", OUT, size="count"), UInt("count"))
# linux/mount.h; what later kernels tell is in the words behind it.
STATMOUNT = Struct(
    "statmount",
    [
        ("size", u32), ("mnt_opts", u32), ("mask", u64), ("sb_dev_major", u32),
        ("sb_dev_minor", u32), ("sb_magic", u64), ("sb_flags", u32), ("fs_type", u32),
        ("mnt_id", u64), ("mnt_parent_id", u64), ("mnt_id_old", u32), ("mnt_parent_id_old", u32),
        ("mnt_attr", u64), ("mnt_propagation", u64), ("mnt_peer_group", u64), ("mnt_master", u64),
        ("propagate_from", u64), ("mnt_root", u32), ("mnt_point", u32), ("mnt_ns_id", u64),
        ("fs_subtype", u32), ("sb_source", u32), ("opt_num", u32), ("opt_array", u32),
        ("opt_sec_num", u32), ("opt_sec_array", u32), ("supported_mask", u64),
        ("mnt_uidmap_num", u32), ("mnt_uidmap", u32), ("mnt_gidmap_num", u32),
        ("mnt_gidmap", u32), ("__spare2", u64 * 43),
    ],
)  # fmt: skip

CALLS = (
    # --- listing ---
    Syscall("getdents", *_DIRENTS),
    Syscall("getdents", *_DIRENTS, builtin="getdents", families=("be", "32", "irix")),
    Syscall("getdents64", *_DIRENTS),
    Syscall("getdents64", *_DIRENTS, builtin="getdents64", families=("be", "32")),
    Syscall("getcwd", Buf("buf", OUT, size="size"), Size("size"), builtin="getcwd"),
    Syscall("chdir", Path("path"), builtin="chdir"),
    Syscall("fchdir", Fd("fd"), builtin="fchdir"),
    # --- making and removing names ---
    _name("mkdir", Mode("mode")),
    _name_at("mkdirat", Mode("mode")),
    _name("rmdir"),
    _name("unlink"),
    _name_at("unlinkat", Flags("flags", UNLINK)),
    Syscall("rename", Path("oldpath", follow=False), Path("newpath", follow=False)),
    _two_names("renameat"),
    _two_names("renameat2", Flags("flags", RENAME)),
    Syscall("link", Path("oldpath", follow=False), Path("newpath", follow=False)),
    Syscall(
        "linkat", DirFd("olddirfd"),
        Path("oldpath", at="olddirfd", follow=("flags", AT_SYMLINK_FOLLOW, "if")),
        DirFd("newdirfd"), Path("newpath", at="newdirfd", follow=False), Flags("flags", AT),
    ),
    Syscall("symlink", Str("target"), Path("linkpath", follow=False)),
    Syscall("symlinkat", Str("target"), DirFd("newdirfd"),
            Path("linkpath", at="newdirfd", follow=False)),
    Syscall("readlink", Path("pathname", follow=False), Buf("buf", OUT, size="bufsiz"),
            Int("bufsiz"), ret=RetPath),
    Syscall("readlinkat", DirFd("dirfd"), Path("pathname", at="dirfd", follow=False),
            Buf("buf", OUT, size="bufsiz"), Int("bufsiz"), ret=RetPath),
    _name("mknod", Mode("mode"), UInt("dev")),
    _name_at("mknodat", Mode("mode"), UInt("dev")),
    # --- the root and mounts ---
    _name("chroot", follow=True),
    Syscall("pivot_root", Path("new_root"), Path("put_old")),
    Syscall("mount", Path("source"), Path("target", mount=True), Str("filesystemtype"),
            Flags("mountflags", MOUNT, bits=0), Raw("data")),
    Syscall("umount2", Path("target", follow=("flags", 8), mount=True), Flags("flags", UMOUNT)),
    # oldumount of fs/namespace.c.
    Syscall("umount", Path("target", follow=True, mount=True), host=Host("umount2", "target", 0)),
    Syscall("fsopen", Str("fsname"), Flags("flags", FSOPEN)),
    Syscall(
        "fsconfig", Fd("fs_fd"),
        Switch(
            "cmd",
            [(3, Case(Str("key"), Path("value", at="aux"), DirFd("aux"))),
             (4, Case(Str("key"), Path("value", at="aux"), DirFd("aux")))],
            default=Case(Str("key"), Raw("value"), Int("aux")), names=FSCONFIG,
        ),
    ),
    Syscall("fsmount", Fd("fs_fd"), Flags("flags", FSMOUNT), Flags("attr_flags", ATTR)),
    Syscall("fspick", DirFd("dirfd"), Path("pathname", at="dirfd", follow=("flags", 2)),
            Flags("flags", FSPICK)),
    Syscall("open_tree", DirFd("dirfd"),
            Path("pathname", at="dirfd", follow=("flags", AT_SYMLINK_NOFOLLOW), mount=True),
            Flags("flags", OPEN_TREE), ret=RetFd),
    Syscall("open_tree_attr", DirFd("dirfd"),
            Path("pathname", at="dirfd", follow=("flags", AT_SYMLINK_NOFOLLOW), mount=True),
            Flags("flags", OPEN_TREE), Ptr("attr", MOUNT_ATTR, IN), Size("size"), ret=RetFd),
    Syscall("move_mount", DirFd("from_dirfd"),
            Path("from_pathname", at="from_dirfd", follow=("flags", 1, "if"), mount=True),
            DirFd("to_dirfd"),
            Path("to_pathname", at="to_dirfd", follow=("flags", 0x10, "if"), mount=True),
            Flags("flags", MOVE_MOUNT)),
    Syscall("mount_setattr", DirFd("dirfd"),
            Path("pathname", at="dirfd", follow=("flags", AT_SYMLINK_NOFOLLOW), mount=True),
            Flags("flags", AT), Ptr("attr", MOUNT_ATTR, IN), Size("size")),
    Syscall("statmount", Raw("req"), Buf("buf", OUT, size="bufsize"), Size("bufsize"),
            UInt("flags")),
    Syscall("statmount", Raw("req"), Buf("buf", OUT, size="bufsize"), Size("bufsize"),
            UInt("flags"), handler="mounts:statmount", families=("be",)),
    Syscall("listmount", Raw("req"), Array("mnt_ids", u64, OUT, count="nr_mnt_ids"),
            Size("nr_mnt_ids"), UInt("flags")),
    Syscall("listmount", Raw("req"), Raw("mnt_ids"), Size("nr_mnt_ids"),
            UInt("flags"), handler="mounts:listmount", families=("be",)),
    Syscall("swapon", Path("path"), Flags("swapflags", SWAP)),
    Syscall("swapoff", Path("path")),
    Syscall(
        "quotactl",
        Switch("cmd", _quota_cases(Path("special")), mask=0xFFFFFF00,
               default=Case(Path("special"), Uid("id"), Raw("addr"))),
        partial="big-endian guests: the structs of XFS's own commands are not swapped",
    ),
    Syscall(
        "quotactl_fd", Fd("fd"),
        Switch("cmd", _quota_cases(), mask=0xFFFFFF00, default=Case(Uid("id"), Raw("addr"))),
        partial="big-endian guests: the structs of XFS's own commands are not swapped",
    ),
    # --- handles ---
    Syscall("name_to_handle_at", DirFd("dirfd"),
            Path("pathname", at="dirfd", follow=("flags", AT_SYMLINK_FOLLOW, "if")),
            Raw("handle"), Raw("mount_id"), Flags("flags", AT)),
    Syscall("name_to_handle_at", DirFd("dirfd"), Path("pathname", at="dirfd"), Raw("handle"),
            Raw("mount_id"), Flags("flags", AT), handler="directories:name_to_handle_at",
            families=("be",)),
    Syscall("open_by_handle_at", Fd("mount_fd"), Raw("handle"), Flags("flags", OPEN), ret=RetFd),
    Syscall("open_by_handle_at", Fd("mount_fd"), Raw("handle"), Flags("flags", OPEN),
            handler="directories:open_by_handle_at", families=("be",)),
    # --- of old ---
    Syscall(
        "sysfs",
        Switch("option", [(1, Case(Str("fsname"))), (3, Case())],
               default=Case(UInt("fs_index"), Raw("buf"))),
    ),
    Syscall("nfsservctl", Int("cmd"), Raw("argp"), Raw("resp"), enosys="removed in Linux 3.1"),
    Syscall("uselib", Path("library"), enosys="a.out libraries; removed from the kernel"),
    Syscall("bdflush", Int("func"), ULong("data"), enosys="removed in Linux 5.15"),
    Syscall("lookup_dcookie", Loff("cookie"), Buf("buffer", OUT, size="len"), Size("len"),
            enosys="removed in Linux 6.8 with oprofile"),
)  # fmt: skip
