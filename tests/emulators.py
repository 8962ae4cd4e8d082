"""Running guest programs under qusr, qemu-user and natively, and what they run."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import signal
import subprocess
import sys
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import pytest

REPO = Path(__file__).resolve().parent.parent
IN_CI = bool(os.environ.get("CI"))

ARCHES = ("aarch64", "arm")
"""Those that every test of guests is run with."""
SAMPLED = {
    "riscv64": 6, "s390x": 6, "mipsel": 12, "mips": 12, "mips64el": 12, "mips64": 12,
    "mipsn32el": 12, "mipsn32": 12, "ppc": 6, "m68k": 6, "x86_64": 6, "i386": 6,
}  # fmt: skip
"""Those with which the normal set of tests runs one in so many programs (of the forms of one
instruction set fewer each); the slow one runs all."""
DEBIAN = {
    "aarch64": "arm64",
    "arm": "armhf",
    "riscv64": "riscv64",
    "s390x": "s390x",
    "x86_64": "amd64",
    "i386": "i386",
    "mipsel": "mipsel",
    "mips64el": "mips64el",
}
"""The guests that have a Debian root, and Debian's names for them."""
ROOTED = tuple(arch for arch in (*ARCHES, *SAMPLED) if arch in DEBIAN)
SUITE = {"riscv64": "trixie"}
"""The first Debian that has a guest's packages, where that is not 12."""


def is_sampled_out(arch: str, name: str) -> bool:
    """Whether a program's test with this guest is for the slow set. Which are depends on both
    names, so that each program is run with one guest or the other.
    """
    return zlib.crc32(f"{arch} {name}".encode()) % SAMPLED.get(arch, 1) != 0


# The guest's environment; nothing of the developer's reaches the tests.
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LC_ALL": "C",
    "TZ": "CET-1CEST,M3.5.0,M10.5.0/3",
}

# Where qusr may keep its caches during tests; set by conftest.py to a temporary folder.
QUSR_ENVIRONMENT: dict[str, str] = {}


@dataclass(frozen=True)
class Result:
    """What a program did. ``status`` is negative for a signal, as in subprocess."""

    command: tuple[str, ...]
    status: int
    stdout: bytes
    stderr: bytes

    @property
    def out(self) -> str:
        """Standard output as text."""
        return self.stdout.decode(errors="replace")

    @property
    def err(self) -> str:
        """Standard error as text."""
        return self.stderr.decode(errors="replace")

    def check(self, status: int = 0) -> Result:
        """Itself; fails the test with all that is known if the status is another one."""
        assert self.status == status, self.describe()
        return self

    def describe(self) -> str:
        """A few lines for a failed assertion."""
        return (
            f"{' '.join(self.command)}\nstatus {self.status}\n"
            f"--- stdout (end)\n{self.out[-2000:]}\n--- stderr (end)\n{self.err[-2000:]}"
        )


class TooLongError(AssertionError):
    """A program did not end within its time."""


@dataclass(frozen=True)
class Emulator:
    """A way to run a program: a command that goes before it."""

    prefix: tuple[str, ...]
    environment: Mapping[str, str]

    def __call__(
        self,
        program: str | Path,
        *args: str | Path,
        root: Path | None = None,
        options: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stdin: bytes = b"",
        timeout: float = 60,
    ) -> Result:
        """Run ``program`` to its end. With ``root``, an absolute path is one in there."""
        command = [*self.prefix, *options]
        if root is not None:
            command += ["-L", str(root)]
            if str(program).startswith("/"):
                program = f"{root}{program}"
        command += [str(program), *map(str, args)]
        if not self.prefix:
            command = command[len(options) :]
        # A session of its own, for `_kill_session`. What hangs may be a child, which keeps our
        # pipes open when the program itself has long ended.
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env={**ENVIRONMENT, **self.environment, **(env or {})},
            start_new_session=True,
        ) as run:
            try:
                out, err = run.communicate(stdin, timeout)
            except subprocess.TimeoutExpired:
                _kill_session(run)
                out, err = run.communicate()
                tail = (out[-1000:] + err[-1000:]).decode("latin1")
                raise TooLongError(
                    f"{' '.join(command)}\nnot done after {timeout} s\n{tail}"
                ) from None
        return Result(tuple(command), run.returncode, out, err)


def _kill_session(run: subprocess.Popen[bytes]) -> None:
    """Kills a session, with those that made one of their own but still hold a pipe of ours."""
    pipes = {
        os.readlink(f"/proc/self/fd/{pipe.fileno()}") for pipe in (run.stdout, run.stderr) if pipe
    }
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            # proc(5): state, ppid, pgrp and session follow the name, which may have any text.
            session = int((entry / "stat").read_bytes().rpartition(b") ")[2].split()[3])
            if session == run.pid or any(
                os.readlink(fd) in pipes for fd in (entry / "fd").iterdir()
            ):
                os.kill(int(entry.name), signal.SIGKILL)


def lack(message: str) -> NoReturn:
    """Something that the test needs is not there: it is skipped, in CI it fails."""
    if IN_CI:
        pytest.fail(message)
    pytest.skip(message)


def need(tool: str) -> str:
    """The path of a host program. Without it the test is skipped, in CI it fails."""
    path = shutil.which(tool)
    if path is None:
        lack(f"{tool} is not installed: run tools/install-packages")
    return path


def need_rust_library(target: str) -> None:
    """Rust's for a target, which rustup installs where it is that which Rust came by."""
    rustc = need("rustc")
    sysroot = subprocess.run([rustc, "--print", "sysroot"], capture_output=True, check=True)
    library = Path(sysroot.stdout.decode().strip(), "lib/rustlib", target)
    if not library.is_dir() and (rustup := shutil.which("rustup")):
        subprocess.run([rustup, "target", "add", target], check=False)
    if not library.is_dir():
        lack(f"no standard library of Rust for {target}: rustup target add {target}")


def newer_qemu(arch: str) -> str:
    """The path of a qemu that is newer than the machine's (tools/newer-qemu)."""
    tool = REPO / "tools" / "newer-qemu"
    found = subprocess.run([tool, arch], capture_output=True, text=True, check=False)
    if found.returncode:
        lack(f"tools/newer-qemu: {found.stderr}")
    return found.stdout.strip()


_PYTHON = f"python3.{sys.version_info.minor}"

#: The packages that qusr needs.
DEPENDENCIES = ("unicorn", "elftools", "capstone")


def replace(path: Path, make: Callable[[Path], object]) -> None:
    """Makes a file, at once: another worker may be using the old one."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    make(new)
    new.replace(path)


def link(path: Path, target: str) -> None:
    replace(path, lambda new: new.symlink_to(target))


def launcher(path: Path) -> Path:
    """A command: each is a copy of the same executable."""
    from qusr import _native

    def make(new: Path) -> None:
        new.write_bytes(_native.launcher())
        new.chmod(0o755)

    path.parent.mkdir(parents=True, exist_ok=True)
    replace(path, make)
    return path


def add_dependencies(site: Path) -> None:
    """Makes the packages that qusr needs importable out of a folder."""
    site.mkdir(parents=True, exist_ok=True)
    for name in DEPENDENCIES:
        spec = find_spec(name)
        assert spec is not None and spec.submodule_search_locations, name
        link(site / name, spec.submodule_search_locations[0])


@functools.cache
def qusr_command(name: str) -> str:
    """The installed command ``name`` if it is this clone's, else one that is made here."""
    installed = Path(sys.executable).parent / name
    if Path(sys.prefix) == REPO / ".venv" and installed.exists():
        return str(installed)
    prefix = Path(QUSR_ENVIRONMENT["XDG_CACHE_HOME"]) / "installed"
    site = prefix / "lib" / _PYTHON / "site-packages"
    add_dependencies(site)
    replace(site / "qusr.pth", lambda new: new.write_text(str(REPO)))
    command = launcher(prefix / "bin" / name)
    replace(
        command.with_name(_PYTHON), lambda new: new.symlink_to(os.path.realpath(sys.executable))
    )
    return str(command)


def qusr(arch: str, core: str | None = None) -> Emulator:
    """``qusr-ARCH``, on the given core; for arch ``""`` the command ``qusr``."""
    command = qusr_command(f"qusr-{arch}" if arch else "qusr")
    return Emulator((command, *(("--core", core) if core else ())), QUSR_ENVIRONMENT)


def qemu(arch: str) -> Emulator:
    """``qemu-ARCH``, the reference."""
    return Emulator((need(f"qemu-{arch}"),), {})


NATIVE = Emulator((), {})


@functools.cache
def debian_root(arch: str, packages: str = "") -> Path:
    """The Debian root of a guest; made now if need be, which takes a quarter of a minute.
    ``packages`` is a set of more of them that tools/debian-root knows."""
    need("mmdebstrap")
    run = subprocess.run(
        [REPO / "tools" / "debian-root", DEBIAN[arch], *([packages] if packages else [])],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    if run.returncode:
        pytest.fail(f"tools/debian-root {DEBIAN[arch]} failed")
    made = Path(run.stdout.strip())
    # qemu-user, the judge, follows an absolute link to the dynamic linker on the host.
    for loader in (made / "lib64").glob("ld*"):
        if loader.is_symlink() and os.readlink(loader).startswith("/"):
            link(loader, f"..{os.readlink(loader)}")
    return made


def root(arch: str, packages: str = "") -> Path:
    """The Debian root of a guest, or what its cross compiler links with where Debian has none."""
    if arch in DEBIAN:
        return debian_root(arch, packages)
    from qusr import arch as guests

    guest = guests.guest(arch)
    assert guest is not None
    folders = [Path("/usr", triplet) for triplet in guest.triplets]
    for folder in folders:
        if folder.exists():
            return folder
    lack(f"there is no {folders[0]}: run tools/install-packages")


def of_native_guests() -> str:
    """pytest's -k for the tests of those guests that the native core runs."""
    from qusr import _native, arch

    names = [guest.name for guest in arch.guests()]
    found = []
    for guest in arch.guests():
        if all(
            _native.Machine(guest.name, variant).native_options is not None
            for variant in guest.abis
        ):
            longer = [name for name in names if guest.name in name and name != guest.name]
            found.append(" and not ".join([guest.name, *longer]))
    return f"({' or '.join(f'({one})' for one in found)})"


if __name__ == "__main__":
    # For the Makefile.
    print(
        {"roots": " ".join(DEBIAN[arch] for arch in ARCHES), "native": of_native_guests()}[
            sys.argv[1]
        ]
    )
