"""Paths in a sysroot against the same in a chroot, while the tree changes.

    unshare -m python3 -m tests.lookups SEED STEPS CHROOTED SYSROOTED...

CHROOTED and SYSROOTED are `testbins/c/files/lookups.c`, natively and under an emulator whose
sysroot is the folder `{}`. Both trees are changed in the same way, one step at a time, and both
programs asked the same; then one of a pair of names is a folder and a link to the host's in turn,
as fast as can be.
Prints a line for each difference.
"""

from __future__ import annotations

import ctypes
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

#: No host has these at its root: what the sysroot does not have must not be found there.
TOP = ("qusr-la", "qusr-lb", "qusr-lc")
NAMES = ("a", "b", "c", "d")
COMMANDS = (
    "stat", "lstat", "open", "nofollow", "directory", "append", "readlink", "access", "statfs",
    "readdir", "at", "openat",
)  # fmt: skip
MS_BIND = 4096
MNT_DETACH = 2
RENAME_EXCHANGE = 2
AT_FDCWD = -100
_libc = ctypes.CDLL(None, use_errno=True)


class Guest:
    """A running `lookups`."""

    def __init__(self, command: list[str], cwd: str) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=cwd
        )

    def ask(self, line: str) -> str:
        """The answer to one command."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def end(self) -> int:
        """Its exit status."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(30)


class Trees:
    """Two folders that are changed alike."""

    def __init__(self, roots: list[str], rng: random.Random) -> None:
        self.roots, self.rng = roots, rng
        self.clock = 1_000_000
        self.mounts: list[str] = []
        self.cwd = "/"

    def path(self) -> str:
        """A path from the root of the trees."""
        rng = self.rng
        return "/".join(["", rng.choice(TOP), *rng.choices(NAMES, k=rng.randrange(4))])

    def target(self) -> str:
        """What a symbolic link might contain, or somebody might look up."""
        rng = self.rng
        start = rng.choice(("", "", "..", ".", rng.choice(NAMES)))
        names = [rng.choice((*NAMES, *TOP, "..", "..", ".", "")) for _ in range(rng.randrange(5))]
        if not start:
            names = [rng.choice((*TOP, "..")), *names]
        return "/".join([start, *names]) or "."

    def question(self) -> str:
        """A command for the guests."""
        rng = self.rng
        command = rng.choice(COMMANDS)
        known = rng.random() < 0.5
        path = self.path() + rng.choice(("", "", "/", "/..", "/.")) if known else self.target()
        if command in ("at", "openat"):
            return f"{command} {self.path()} {self.target()}"
        return f"{command} {path}"

    def change(self) -> None:
        """Makes, removes, moves, links or mounts something."""
        rng = self.rng
        kind = rng.choice(("mkdir", "mkdir", "file", "link", "link", "rename", "remove", "mount"))
        one, two, target = self.path(), self.path(), self.target()
        self.clock += 1
        for root in self.roots:
            try:
                self._change(kind, root, one, two, target)
            except OSError:
                continue
        if kind == "mount":
            self._mount(one, two)

    def _change(self, kind: str, root: str, one: str, two: str, target: str) -> None:
        path, stamp = root + one, (self.clock, self.clock)
        if not _plain(root, one) or not _plain(root, two):
            return  # by a link of the guest's, as it would not be on the host
        if kind == "mkdir":
            os.mkdir(path)
            os.utime(path, stamp)
        elif kind == "file":
            with open(path, "x", encoding="ascii") as file:
                file.write(f"{self.clock}\n")
            os.utime(path, stamp)
        elif kind == "link":
            os.symlink(target, path)
            os.utime(path, stamp, follow_symlinks=False)
        elif kind == "rename":
            os.rename(path, root + two)
        elif kind == "remove":
            (os.rmdir if os.path.isdir(path) and not os.path.islink(path) else os.unlink)(path)

    def _mount(self, one: str, two: str) -> None:
        """Binds a folder to another place in both trees, or takes such a mount away."""
        if len(self.mounts) > 4 or (self.mounts and self.rng.random() < 0.5):
            self.unmount(self.mounts.pop())
        elif all(
            os.path.isdir(root + path) and _plain(root, path + "/")
            for root in self.roots
            for path in (one, two)
        ):
            for root in self.roots:
                _libc.mount((root + two).encode(), (root + one).encode(), None, MS_BIND, None)
            self.mounts.append(one)

    def stamp(self) -> None:
        """Gives the folders times by which they are told apart: their own depend on the moment."""
        for root in self.roots:
            for number, (folder, below, _) in enumerate(os.walk(root)):
                below.sort()
                inner = folder[len(root) :]
                stamp = 2_000_000 + sum(inner.encode()) + 7 * len(inner) + (number == 0)
                os.utime(folder, (stamp, stamp))

    def unmount(self, inner: str) -> None:
        """Takes a bind mount away again."""
        for root in self.roots:
            _libc.umount2((root + inner).encode(), MNT_DETACH)


def _plain(root: str, inner: str) -> bool:
    folder = root + os.path.dirname(inner)
    return os.path.realpath(folder) == os.path.realpath(root) + os.path.dirname(inner).rstrip("/")


def compare(guests: list[Guest], trees: Trees, steps: int) -> int:
    """Asks both the same; the number of files that were found."""
    found = 0
    for step in range(steps):
        for _ in range(4):
            trees.change()
        trees.stamp()
        for number in range(12):
            asked = trees.question()
            if number == 0 and step % 4 == 0:
                asked = f"chdir {trees.path()}"
            answers = [guest.ask(asked) for guest in guests]
            if answers[0] != answers[1]:
                print(f"step {step}: {asked}: chroot {answers[0]!r}, sysroot {answers[1]!r}")
            found += answers[0].startswith("0 ")
    return found


def race(guest: Guest, root: str, outside: str) -> None:
    """A name that is a folder of the sysroot and a link to one of the host's in turn."""
    place = f"{root}/race"
    os.makedirs(f"{place}/d/e")
    Path(f"{place}/d/f").write_text("SYSROOT\n")
    Path(f"{outside}/f").write_text("HOST\n")
    # What the sysroot does not have.
    Path(f"{outside}/g").write_text("HOST\n")
    os.symlink("host", f"{outside}/h")
    os.mkdir(f"{outside}/folder")
    there = sorted(os.listdir(outside))
    os.symlink(outside, f"{place}/l")
    os.symlink("d", f"{place}/way")
    stop = threading.Event()

    def exchange() -> None:
        one, two = f"{place}/d".encode(), f"{place}/l".encode()
        while not stop.is_set():
            _libc.renameat2(AT_FDCWD, one, AT_FDCWD, two, RENAME_EXCHANGE)

    thread = threading.Thread(target=exchange)
    thread.start()
    seen = set()
    size = len("SYSROOT\n")
    try:
        for _ in range(400):
            for path in ("/race/d/f", "/race/way/f", "/race/d/../way/f"):
                seen.add(guest.ask(f"open {path}"))
                answer = guest.ask(f"stat {path}").split()
                seen.add(f"size {answer[2]}" if len(answer) > 2 else answer[0])
            for path in ("/race/d", "/race/way"):
                for asked in ("access g", "statfs g", "readlink h", "chdir folder", "rmdir folder"):
                    command, name = asked.split()
                    seen.add(guest.ask(f"{command} {path}/{name}").split()[0])
                for command in ("mkdir", "rmdir", "create", "unlink"):
                    guest.ask(f"{command} {path}/made-{command in ('create', 'unlink')}")
    finally:
        stop.set()
        thread.join()
    if sorted(os.listdir(outside)) != there:
        print(f"race: outside {there} are {sorted(os.listdir(outside))} now")
    for wrong in seen - {"0 SYSROOT", f"size {size}", "2"}:
        print(f"race: {wrong}")


def main(seed: int, steps: int, chrooted: list[str], sysrooted: list[str]) -> None:
    """Prints the differences, and how many files were found."""
    _libc.mount(None, b"/", None, 0x4000 | 0x40000, None)  # MS_REC | MS_PRIVATE
    with tempfile.TemporaryDirectory() as folder:
        roots = [f"{folder}/one", f"{folder}/two"]
        outside = f"{folder}/host"
        os.mkdir(outside)
        for root in roots:
            for top in TOP:
                os.makedirs(f"{root}/{top}")
        shutil.copy(chrooted[0], f"{folder}/lookups")
        trees = Trees(roots, random.Random(seed))
        guests = [
            Guest([f"{folder}/lookups", roots[0]], folder),
            Guest([word.replace("{}", roots[1]) for word in sysrooted], roots[1]),
        ]
        try:
            found = compare(guests, trees, steps)
            if os.environ.get("LOOKUPS_RACE"):
                race(guests[1], roots[1], outside)
        finally:
            for mount in reversed(trees.mounts):
                trees.unmount(mount)
            status = [guest.end() for guest in guests]
        print(f"found {found}, ended {status}")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:4], sys.argv[4:])
