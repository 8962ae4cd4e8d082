"""inotify and fanotify."""

from __future__ import annotations

from qusr.syscalls.common import OPEN
from qusr.syscalls.decl import (
    DirFd,
    Fd,
    Flags,
    FlagTable,
    Int,
    Loff,
    Path,
    Syscall,
)

INOTIFY_INIT = FlagTable({"IN_CLOEXEC": 0o2000000, "IN_NONBLOCK": 0o4000}, family="open")
INOTIFY = FlagTable(
    {
        "IN_ALL_EVENTS": 0xFFF, "IN_CLOSE": 0x18, "IN_MOVE": 0xC0, "IN_ACCESS": 1,
        "IN_MODIFY": 2, "IN_ATTRIB": 4, "IN_CLOSE_WRITE": 8, "IN_CLOSE_NOWRITE": 0x10,
        "IN_OPEN": 0x20, "IN_MOVED_FROM": 0x40, "IN_MOVED_TO": 0x80, "IN_CREATE": 0x100,
        "IN_DELETE": 0x200, "IN_DELETE_SELF": 0x400, "IN_MOVE_SELF": 0x800,
        "IN_ONLYDIR": 0x01000000, "IN_DONT_FOLLOW": 0x02000000, "IN_EXCL_UNLINK": 0x04000000,
        "IN_MASK_CREATE": 0x10000000, "IN_MASK_ADD": 0x20000000, "IN_ONESHOT": 0x80000000,
    }
)  # fmt: skip
FANOTIFY_INIT = FlagTable(
    {
        "FAN_CLOEXEC": 1, "FAN_NONBLOCK": 2, "FAN_UNLIMITED_QUEUE": 0x10,
        "FAN_UNLIMITED_MARKS": 0x20, "FAN_ENABLE_AUDIT": 0x40, "FAN_REPORT_PIDFD": 0x80,
        "FAN_REPORT_TID": 0x100, "FAN_REPORT_FID": 0x200, "FAN_REPORT_DIR_FID": 0x400,
        "FAN_REPORT_NAME": 0x800, "FAN_REPORT_TARGET_FID": 0x1000,
        "FAN_REPORT_FD_ERROR": 0x2000, "FAN_REPORT_MNT": 0x4000,
    },
    fields=[(0xC, {0: "FAN_CLASS_NOTIF", 4: "FAN_CLASS_CONTENT", 8: "FAN_CLASS_PRE_CONTENT"})],
)  # fmt: skip
FANOTIFY_MARK = FlagTable(
    {
        "FAN_MARK_ADD": 1, "FAN_MARK_REMOVE": 2, "FAN_MARK_DONT_FOLLOW": 4,
        "FAN_MARK_ONLYDIR": 8, "FAN_MARK_IGNORED_MASK": 0x20,
        "FAN_MARK_IGNORED_SURV_MODIFY": 0x40, "FAN_MARK_FLUSH": 0x80,
        "FAN_MARK_EVICTABLE": 0x200, "FAN_MARK_IGNORE": 0x400,
    },
    fields=[
        (0x110, {0: "FAN_MARK_INODE", 0x10: "FAN_MARK_MOUNT", 0x100: "FAN_MARK_FILESYSTEM",
                 0x110: "FAN_MARK_MNTNS"})
    ],
)  # fmt: skip

_INIT1 = (Flags("flags", INOTIFY_INIT),)
_FANOTIFY_INIT = (Flags("flags", FANOTIFY_INIT), Flags("event_f_flags", OPEN))

CALLS = (
    Syscall("inotify_init"),
    Syscall("inotify_init1", *_INIT1),
    Syscall("inotify_add_watch", Fd("fd"), Path("pathname", follow=("mask", 0x02000000)),
            Flags("mask", INOTIFY)),
    Syscall("inotify_rm_watch", Fd("fd"), Int("wd")),
    Syscall("fanotify_init", *_FANOTIFY_INIT),
    Syscall("fanotify_mark", Fd("fanotify_fd"), Flags("flags", FANOTIFY_MARK), Loff("mask"),
            DirFd("dirfd"), Path("pathname", at="dirfd", follow=("flags", 4))),
)  # fmt: skip
