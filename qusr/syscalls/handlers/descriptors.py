"""Putting another file behind a descriptor that the guest was given."""

from __future__ import annotations

import fcntl
import os


def replace(fd: int, new: int) -> None:
    """Moves `new` to the number `fd`, keeping close-on-exec as `fd` had it."""
    cloexec = fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    try:
        os.dup2(new, fd, inheritable=not cloexec)
    finally:
        os.close(new)


def reopen(fd: int, path: bytes) -> int:
    """The file at `path`, opened like `fd`; `fd` is closed if that fails."""
    flags = fcntl.fcntl(fd, fcntl.F_GETFL) & (os.O_ACCMODE | os.O_PATH | os.O_NONBLOCK)
    try:
        return os.open(path, flags | os.O_CLOEXEC)
    except OSError:
        os.close(fd)
        raise
