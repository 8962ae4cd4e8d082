"""Structs of the file calls against the kernel's headers."""

from __future__ import annotations

import pytest

from qusr.syscalls import common, directories, files, locks, metadata
from tests.layouts import ALL, N32, STAT, WORD32, WORD64, Known, parameters

_NEWER_STATX = (
    "stx_subvol", "stx_atomic_write_unit_min", "stx_atomic_write_unit_max",
    "stx_atomic_write_segments_max", "stx_dio_read_offset_align", "stx_atomic_write_unit_max_opt",
)  # fmt: skip

KNOWN = (
    Known(metadata.STAT, "struct stat", ("asm/stat.h",), STAT),
    Known(metadata.STAT, "struct stat64", ("asm/stat.h",), N32),
    Known(metadata.STAT64, "struct stat64", ("asm/stat.h",), ("arm", "armeb"),
          renamed={"st_ino~old": "__st_ino"}),
    Known(metadata.STATX, "struct statx", ("linux/stat.h",), newer=_NEWER_STATX),
    Known(metadata.STATFS, "struct statfs", ("asm/statfs.h",), renamed={"f_fsid": "f_fsid.val"}),
    Known(metadata.STATFS64, "struct statfs64", ("asm/statfs.h",),
          renamed={"f_fsid": "f_fsid.val"}),
    Known(files.OPEN_HOW, "struct open_how", ("linux/openat2.h",)),
    # mips' headers of Linux 5.18 and later have l_sysid behind l_pid, kernels before and glibc
    # (bits/fcntl.h) in front of it.
    Known(locks.FLOCK, "struct flock", ("asm/fcntl.h",),
          tuple(name for name in ALL if name not in ("mips", "mipsel", *N32))),
    Known(locks.FLOCK64, "struct flock64", ("asm/fcntl.h",), WORD32),
    Known(locks.OWNER_EX, "struct f_owner_ex", ("asm/fcntl.h",)),
    Known(directories.MOUNT_ATTR, "struct mount_attr", ("linux/mount.h",)),
    Known(directories.DQBLK, "struct if_dqblk", ("linux/quota.h",)),
    Known(directories.NEXTDQBLK, "struct if_nextdqblk", ("linux/quota.h",)),
    Known(directories.DQINFO, "struct if_dqinfo", ("linux/quota.h",)),
    Known(common.TIMEVAL, "struct __kernel_old_timeval", ("linux/time_types.h",)),
    Known(common.TIMESPEC, "struct __kernel_old_timespec", ("linux/time_types.h",)),
    Known(common.TIMESPEC64, "struct __kernel_timespec", ("linux/time_types.h",), WORD64),
)  # fmt: skip


@pytest.mark.parametrize(("known", "abi_name"), parameters(KNOWN))
def test_layout(known: Known, abi_name: str) -> None:
    assert known.complaints(abi_name) == ""


def test_a_wrong_layout_is_noticed() -> None:
    wrong = Known(metadata.STATX, "struct stat", ("asm/stat.h",))
    for name in ALL:
        assert "error" in wrong.complaints(name)
