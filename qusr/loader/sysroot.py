"""Where absolute guest paths are looked up: in the sysroot, then on the host.

System calls do the same in Rust, with openat2(RESOLVE_IN_ROOT); this walk serves the
loader and the Python handlers.
"""

from __future__ import annotations

import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: How many symbolic links a path may lead through (MAXSYMLINKS of the kernel).
MAX_SYMLINKS = 40

#: A path that ends so can name nothing but a directory.
DIRECTORY_ENDS = ("/", "/.", "/..")


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
    folders = [f"/usr/{triplet}" for triplet in triplets]
    folders = [folder for folder in folders if os.path.isdir(folder)]
    if interp is not None:
        folders = [folder for folder in folders if Sysroot(folder).lookup(interp)]
    return folders[0] if folders else None


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
        `follow` says whether a link in the last place is followed.
        """
        inside = self.lookup(path, follow=follow)
        return path if inside is None else inside

    def lookup(self, path: str, *, follow: bool = True) -> str | None:
        """The host path of what an absolute path names in the sysroot, or None."""
        if self.root is None or not path.startswith("/") or "\0" in path:
            return None
        return _walk(self.root, path, follow)

    def guest_path(self, host_path: str) -> str:
        """The guest's name of a file: without the sysroot, if it is in there."""
        if self.root is not None:
            if host_path == self.root:
                return "/"
            if host_path.startswith(self.root + "/"):
                return host_path[len(self.root) :]
        return host_path


def _walk(root: str, path: str, follow: bool) -> str | None:
    """Resolves `path` with `root` as its `/`; None when it does not exist there."""
    want_directory = path.endswith(DIRECTORY_ENDS)
    todo = [part for part in reversed(path.split("/")) if part not in ("", ".")]
    done: list[str] = []
    links = 0
    while todo:
        part = todo.pop()
        if part == "..":
            # At the root, `..` is the root.
            if done:
                done.pop()
            continue
        here = "/".join([root, *done, part])
        if todo or follow or want_directory:
            try:
                target = os.readlink(here)
            except OSError as error:
                # EINVAL: exists and is no link. Anything else: is not there.
                if error.errno != errno.EINVAL:
                    return None
            else:
                links += 1
                if links > MAX_SYMLINKS or not target:
                    return None
                if target.startswith("/"):
                    done.clear()
                if not todo:
                    want_directory |= target.endswith(DIRECTORY_ENDS)
                todo += [p for p in reversed(target.split("/")) if p not in ("", ".")]
                continue
        done.append(part)
        if todo and not os.path.isdir(here):
            # `file/..` is ENOTDIR, not the folder of the file.
            return None
    found = "/".join([root, *done])
    if want_directory:
        return found if os.path.isdir(found) else None
    return found if os.path.lexists(found) else None
