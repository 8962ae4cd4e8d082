"""Paths inside a sysroot, compared with the kernel's openat2(RESOLVE_IN_ROOT)."""

from __future__ import annotations

import ctypes
import errno
import os
import random
from pathlib import Path

import pytest

from qusr.loader.sysroot import Sysroot, explicit, found

SYS_openat2, O_PATH, AT_FDCWD = 437, 0o10000000, -100
RESOLVE_IN_ROOT = 0x10


class OpenHow(ctypes.Structure):
    _fields_ = [("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64)]


_libc = ctypes.CDLL(None, use_errno=True)


def kernel(root: str, path: str, follow: bool) -> str | int | None:
    """What the kernel finds for an absolute path in `root`; None: ENOENT, a number: errno."""
    folder = os.open(root, O_PATH | os.O_DIRECTORY)
    flags = O_PATH | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    how = OpenHow(flags, 0, RESOLVE_IN_ROOT)
    fd = _libc.syscall(SYS_openat2, folder, path.encode(), ctypes.byref(how), ctypes.sizeof(how))
    number = ctypes.get_errno()
    os.close(folder)
    if fd < 0:
        return None if number == errno.ENOENT else number
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    finally:
        os.close(fd)


@pytest.fixture
def tree(tmp_path: Path) -> str:
    root = tmp_path / "root"
    (root / "usr/lib/deep").mkdir(parents=True)
    (root / "etc").mkdir()
    (root / "usr/lib/ld.so").write_text("x")
    (root / "etc/file").write_text("x")
    (tmp_path / "outside").write_text("x")
    links = {
        "lib": "usr/lib",
        "abs": "/usr/lib",
        "lib/abs-file": "/etc/file",
        "lib/up": "../../etc",
        "lib/far-up": "../../../../../../etc/file",
        "lib/escape": "../../../outside",
        "lib/deep/chain": "/abs/up/file",
        "loop": "loop2",
        "loop2": "/loop",
        "dangling": "/nowhere",
        "self": ".",
        "to-file": "etc/file",
        "slash": "/",
        "trailing": "usr/lib/",
        "file-slash": "etc/file/",
    }
    for name, target in links.items():
        (root / name).symlink_to(target)
    return str(root)


def test_against_kernel(tree: str) -> None:
    if kernel(tree, "/etc", True) is None:
        pytest.skip("no openat2")
    sysroot = Sysroot(tree)
    names = [
        *("usr", "lib", "etc", "file", "ld.so", "abs", "abs-file", "up", "far-up", "escape"),
        *("deep", "chain", "loop", "dangling", "self", "to-file", "slash", "trailing"),
        *("..", ".", "", "nothing", "outside", "file-slash"),
    ]
    rng = random.Random(3)
    found = 0
    for _ in range(20_000):
        path = "/" + "/".join(rng.choice(names) for _ in range(rng.randrange(6)))
        for follow in (True, False):
            theirs = kernel(tree, path, follow)
            mine: str | int | None
            try:
                mine = sysroot.lookup(path, follow=follow)
            except OSError as error:
                mine = error.errno
            if isinstance(mine, str) and len(path) > 1:
                mine = mine.rstrip("/")
            assert mine == theirs, (path, follow)
            found += isinstance(theirs, str)
    assert found > 1000


def test_falls_back_to_the_host(tree: str, tmp_path: Path) -> None:
    sysroot = Sysroot(tree)
    assert sysroot.resolve("/lib/ld.so") == f"{tree}/usr/lib/ld.so"
    assert sysroot.resolve("/proc/self") == "/proc/self"
    assert sysroot.resolve("relative/../lib") == "relative/../lib"
    # Not there in the sysroot, though a careless join would find it.
    assert sysroot.resolve("/../outside") == "/../outside"
    assert Sysroot(None).resolve("/lib/ld.so") == "/lib/ld.so"
    assert sysroot.guest_path(f"{tree}/etc/file") == "/etc/file"
    assert sysroot.guest_path(tree) == "/"
    assert sysroot.guest_path(tree + "x/y") == tree + "x/y"


def test_order_of_sources(tmp_path: Path) -> None:
    here = str(tmp_path)
    environ = {"QEMU_LD_PREFIX": here + "/qemu", "QUSR_LD_PREFIX": here + "/qusr"}
    assert explicit(here, environ) == (here, "-L")
    assert explicit(None, environ) == (here + "/qusr", "QUSR_LD_PREFIX")
    del environ["QUSR_LD_PREFIX"]
    assert explicit(None, environ) == (here + "/qemu", "QEMU_LD_PREFIX")
    assert explicit(None, {}) is None
    # `-L /` is how one asks for none.
    assert explicit("/", environ) == ("/", "-L")
    assert not Sysroot("/")
    assert not Sysroot("")


def test_folders_of_cross_compilers() -> None:
    assert found(["does-not-exist", "lib", "bin"]) == "/usr/lib"
    assert found(["does-not-exist"]) is None
    # The first that has the interpreter: /usr/share has no /os-release.
    assert os.path.exists("/usr/lib/os-release")
    assert found(["share", "lib"], "/os-release") == "/usr/lib"
    assert found(["share", "lib"], "/not-there") is None
