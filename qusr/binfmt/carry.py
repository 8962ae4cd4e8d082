"""The host's files inside a root, where qusr's launcher looks for them.

qusr needs the host's Python. A foreign root may have another program at the same path, so the
host's files are shown below `/run/qusr`, read-only, and Python is started by the host's own
dynamic linker.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from qusr import installed
from qusr.binfmt import BinfmtError, launcher, namespace
from qusr.loader import cache

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")


class Root:
    """A root that gets mounts. What is made in it for that goes again with `undo`."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        if not self.root.is_dir():
            raise BinfmtError(f"{root}: not a directory")
        if self.root == Path("/"):
            raise BinfmtError("the root is this machine's own")
        self.made: list[Path] = []

    def below(self, path: str) -> Path:
        """A path in the root. The root's symbolic links are its own business: none is followed."""
        return self.root / path.lstrip("/")

    def make_folder(self, path: Path) -> bool:
        """Makes a folder and its parents; False when there is no right to."""
        if path.is_symlink():
            raise BinfmtError(f"{path}: a symbolic link cannot be mounted on")
        if path.is_dir():
            return True
        try:
            if not self.make_folder(path.parent):
                return False
            path.mkdir()
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
                return False
            raise
        self.made.append(path)
        return True

    def undo(self) -> None:
        """Removes the folders made here that are empty."""
        for path in reversed(self.made):
            try:
                path.rmdir()
            except OSError:
                continue  # somebody uses it now
        self.made.clear()

    def make_places(self, *, with_files: bool) -> None:
        """Makes what is to be mounted on. Outside of the namespace, so that it can go again."""
        for name in ("proc", "sys", "dev", "tmp", *[installed.CARRIED] * with_files):
            self.make_folder(self.below(name))

    # --- inside the namespace ---

    def enter(self, *, with_files: bool) -> None:
        """Mounts what a program expects, and makes the root ours.

        `with_files`: the files of this installation as well.
        """
        for name in ("proc", "sys", "tmp"):
            if self.below(name).is_dir():
                namespace.bind(Path("/", name), self.below(name))
        self._devices()
        if with_files:
            bring(self.root)
        os.chroot(self.root)
        os.chdir("/")

    def _devices(self) -> None:
        dev = self.below("dev")
        if not dev.is_dir():
            return
        namespace.mount("tmpfs", dev, "tmpfs", namespace.MS_NOSUID, "mode=755")
        for name in _DEVICES:
            (dev / name).touch()
            namespace.bind(Path("/dev", name), dev / name)
        for name in ("pts", "shm"):
            if Path("/dev", name).is_dir():
                (dev / name).mkdir()
                namespace.bind(Path("/dev", name), dev / name)
        links = {"ptmx": "pts/ptmx", "fd": "/proc/self/fd"}
        links.update({"stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"})
        for name, target in links.items():
            (dev / name).symlink_to(target)


def bring(root: Path) -> None:
    """Shows the host's files below /run/qusr of `root`."""
    carried = root / installed.CARRIED.lstrip("/")
    if (carried / "cache").exists():
        raise BinfmtError(f"{carried}: is there already")
    if carried.parent.is_symlink() or not carried.parent.is_dir():
        raise BinfmtError(f"{carried.parent}: no such directory to mount on")
    try:
        carried.mkdir(exist_ok=True)
    except OSError:
        # Not ours to write: nobody misses what is in a /run at rest.
        namespace.mount("tmpfs", carried.parent, "tmpfs", namespace.MS_NOSUID, "mode=755")
        carried.mkdir()
    namespace.mount("qusr", carried, "tmpfs", namespace.MS_NOSUID, "mode=755")
    for path in launcher.Host().folders():
        place = carried / str(path).lstrip("/")
        if path.is_dir():
            place.mkdir(parents=True, exist_ok=True)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch()
        namespace.bind(path, place)
        _make_read_only(place)
    store = cache.directory(os.environ)
    (carried / "cache").mkdir()
    if store is not None:
        os.makedirs(store, mode=0o700, exist_ok=True)
        namespace.bind(Path(store), carried / "cache")


def _make_read_only(place: Path) -> None:
    flags = namespace.MS_REMOUNT | namespace.MS_BIND | namespace.MS_RDONLY
    locked = os.statvfs(place).f_flag
    for bit, flag in (
        (os.ST_NOSUID, namespace.MS_NOSUID),
        (os.ST_NODEV, namespace.MS_NODEV),
        (os.ST_NOEXEC, namespace.MS_NOEXEC),
        (os.ST_NOATIME, 1024),
        (os.ST_NODIRATIME, 2048),
        (os.ST_RELATIME, 1 << 21),
    ):
        # What the host forbids there, a user namespace may not allow (mount_namespaces(7)).
        if locked & bit:
            flags |= flag
    namespace.mount("none", place, "", flags)


def take_away(root: Path) -> None:
    """Undoes `bring`."""
    carried = root / installed.CARRIED.lstrip("/")
    try:
        namespace.unmount(carried)
        carried.rmdir()
    except OSError as error:
        raise BinfmtError(f"{carried}: {error.strerror}") from None
