"""Where absolute guest paths are looked up: in the sysroot, then on the host.

The walk is that of system calls, `native/kernel/src/thunk/walk.rs`.
"""

from __future__ import annotations

import os

from qusr import _native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def explicit(option: str | None, environ: Mapping[str, str]) -> tuple[str, str] | None:
    """(value, source) of the sysroot that was asked for: -L, QUSR_LD_PREFIX, QEMU_LD_PREFIX.

    None when nothing was said. An empty value, or `/`, asks for no sysroot.
    """
    for source, value in (
        ("-L", option),
        ("QUSR_LD_PREFIX", environ.get("QUSR_LD_PREFIX")),
        ("QEMU_LD_PREFIX", environ.get("QEMU_LD_PREFIX")),
    ):
        if value is not None:
            return value, source
    return None


def found(triplets: Iterable[str], interp: str | None = None) -> str | None:
    """The cross-compiler's folder /usr/TRIPLET that serves a program.

    That is the first that has the program's interpreter, for arm has two (hard and soft
    float); the first that exists for a program without one.
    """
    folder = _native.found_sysroot(
        [triplet.encode() for triplet in triplets],
        None if interp is None else os.fsencode(interp),
    )
    return None if folder is None else os.fsdecode(folder)


def _normal(path: str) -> str | None:
    if not path:
        return None
    path = os.path.abspath(path)
    return None if path == "/" else path


class Sysroot:
    """A folder that takes the place of `/` for the paths that exist in it."""

    __slots__ = ("root",)

    def __init__(self, root: str | None) -> None:
        self.root = _normal(root) if root is not None else None

    def __bool__(self) -> bool:
        return self.root is not None

    def resolve(self, path: str, *, follow: bool = True) -> str:
        """The host path for a guest's path.

        An absolute path that exists in the sysroot gives the file there, its
        symbolic links resolved inside; every other one is returned as it is.
        `follow` says whether a link in the last place is followed. Raises OSError as
        :meth:`lookup`: the file may be in the sysroot, so the host's is not taken for it.
        """
        inside = self.lookup(path, follow=follow)
        return path if inside is None else inside

    def has(self, path: str) -> bool:
        """Whether an absolute path leads to a file in the sysroot."""
        try:
            return self.lookup(path) is not None
        except OSError:
            return False

    def lookup(self, path: str, *, follow: bool = True) -> str | None:
        """The host path of what an absolute path names in the sysroot, or None.

        Raises OSError for an outcome other than that it is there or not (ELOOP, EACCES...).
        """
        if self.root is None or not path.startswith("/") or "\0" in path:
            return None
        found = _native.lookup_in(os.fsencode(self.root), os.fsencode(path), follow)
        return None if found is None else os.fsdecode(found)

    def guest_path(self, host_path: str) -> str:
        """The guest's name of a file: without the sysroot, if it is in there."""
        if self.root is not None:
            if host_path == self.root:
                return "/"
            if host_path.startswith(self.root + "/"):
                return host_path[len(self.root) :]
        return host_path
