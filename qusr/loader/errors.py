"""The one exception of the loader."""

from __future__ import annotations

import errno as _errno

#: What a shell's user sees as the exit status: 127 when something does not exist,
#: 126 when it exists and cannot be run (POSIX, Shell Command Language, 2.8.2).
NOT_FOUND = 127
NOT_EXECUTABLE = 126


class LoadError(Exception):
    """A program cannot be loaded.

    `message` is one line for the user, `status` the exit status a shell would
    give, `errno` what execve(2) returns to a guest that asked for the program.
    """

    def __init__(self, message: str, errno: int, status: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.errno = errno
        if status is None:
            status = NOT_FOUND if errno == _errno.ENOENT else NOT_EXECUTABLE
        self.status = status

    def __str__(self) -> str:
        return self.message


def from_oserror(path: str, error: OSError) -> LoadError:
    """The `LoadError` for a failed system call on `path`."""
    number = error.errno or _errno.EIO
    return LoadError(f"{path}: {error.strerror or error}", number)
