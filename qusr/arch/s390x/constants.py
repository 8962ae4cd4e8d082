"""Constants of s390x that are others than the host's (uapi/asm/ioctls.h, uapi/linux/fadvise.h).

-1: there is none (`ABSENT`).
"""

from __future__ import annotations

CONSTANTS: dict[str, dict[str, int]] = {
    "mmap": {"MAP_32BIT": -1},
    "ioctl": {"FIOQSIZE": 0x545E},
    "fadvise": {"POSIX_FADV_DONTNEED": 6, "POSIX_FADV_NOREUSE": 7},
}
