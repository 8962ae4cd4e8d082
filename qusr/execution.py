"""A real execve(2) that a guest's leads to: of a program of the host, or of qusr anew."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Command:
    """A host's execve: of qusr, or of a program of the host. `fds` go with the process."""

    __slots__ = ("_fds", "argv", "envp", "path")

    def __init__(
        self, path: bytes, argv: list[bytes], envp: list[bytes], fds: Sequence[int] = ()
    ) -> None:
        self.path = path
        self.argv = argv
        self.envp = envp
        self._fds = fds

    def close(self) -> None:
        """It was not to be."""
        for fd in self._fds:
            os.close(fd)


class Leaving:
    """An execve that leaves the memory: the arguments of the host's, and what to do if that fails.

    Attributes:
        failed: is called with the errno.
    """

    __slots__ = ("argv", "envp", "failed", "path")

    def __init__(
        self, path: bytes, argv: list[bytes], envp: list[bytes], failed: Callable[[int], None]
    ) -> None:
        self.path = path
        self.argv = argv
        self.envp = envp
        self.failed = failed
