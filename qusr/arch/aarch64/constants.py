"""Constants of AArch64 that are others than x86's (asm/fcntl.h)."""

from __future__ import annotations

CONSTANTS: dict[str, dict[str, int]] = {
    "open": {
        "O_TMPFILE": 0o20040000,
        "O_DIRECTORY": 0o40000,
        "O_NOFOLLOW": 0o100000,
        "O_DIRECT": 0o200000,
        "O_LARGEFILE": 0o400000,
    },
}
