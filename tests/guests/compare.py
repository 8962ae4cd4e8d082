"""A command of a Debian root, run under qemu-user and under qusr in like folders."""

from __future__ import annotations

import os
import random
import shlex
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from qusr import arch
from tests import emulators
from tests.emulators import ROOTED, SAMPLED, Emulator, Result

DATA = Path(__file__).parent / "data"
MTIME = 1_600_000_000
"""The time of every file in the folder that a command runs in: 2020-09-13 12:26:40 UTC."""


@dataclass(frozen=True)
class Case:
    """One command. ``{triplet}``, ``{loader}``, ``{cc1}`` in it are filled in for the guest."""

    command: str
    expect: str | None = None
    """What it must print, where that is known without running it."""
    stdin: bytes = b""
    status: int | tuple[int, ...] = 0
    """Several: it differs with the version."""
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    """More files for its folder."""
    compare_output: bool = True
    """False: the output is right if the status is (it tells times or sizes that vary)."""
    compare_files: bool = True
    timeout: float = 120


TRIPLET = {
    "aarch64": "aarch64-linux-gnu",
    "arm": "arm-linux-gnueabihf",
    "riscv64": "riscv64-linux-gnu",
    "mipsel": "mipsel-linux-gnu",
    "mips64el": "mips64el-linux-gnuabi64",
    "s390x": "s390x-linux-gnu",
    "x86_64": "x86_64-linux-gnu",
    "i386": "i386-linux-gnu",
}
#: gcc's own folder, where it has another name.
GCC_TRIPLET = {**TRIPLET, "i386": "i686-linux-gnu"}
LOADER = {
    "aarch64": "ld-linux-aarch64.so.1",
    "arm": "ld-linux-armhf.so.3",
    "riscv64": "ld-linux-riscv64-lp64d.so.1",
    "mipsel": "ld.so.1",
    "mips64el": "ld.so.1",
    "s390x": "ld64.so.1",
    "x86_64": "ld-linux-x86-64.so.2",
    "i386": "ld-linux.so.2",
}

_WORDS = [
    "alpha",
    "beta",
    "gamma",
    "delta",
    "epsilon",
    "zeta",
    "eta",
    "theta",
    "iota",
    "kappa",
    "lambda",
    "mu",
    "nu",
    "xi",
    "omicron",
    "pi",
    "rho",
    "sigma",
    "tau",
    "upsilon",
    "phi",
    "chi",
    "psi",
    "omega",
    "Linux",
    "kernel",
    "process",
    "thread",
    "signal",
    "memory",
    "register",
]


def words() -> str:
    """300 lines of words, the same each time."""
    source = random.Random(2)
    lines = [" ".join(source.choices(_WORDS, k=source.randint(1, 9))) for _ in range(300)]
    return "\n".join(lines) + "\n"


def numbers() -> list[int]:
    """1,000 numbers, the same each time."""
    source = random.Random(3)
    return [source.randint(-(10**6), 10**6) for _ in range(1000)]


def blob() -> bytes:
    """100,003 bytes, half of which compress well."""
    source = random.Random(4)
    return source.randbytes(50_001) + bytes(i * i % 251 for i in range(50_002))


def populate(folder: Path, case: Case) -> None:
    """What a command finds in its folder."""
    folder.mkdir(parents=True)
    (folder / "words").write_text(words())
    (folder / "numbers").write_text("".join(f"{n}\n" for n in numbers()))
    (folder / "blob").write_bytes(blob())
    tree = folder / "tree"
    for name in ("a/b/c", "empty", "many"):
        (tree / name).mkdir(parents=True)
    for i in range(40):
        (tree / "many" / f"file{i:02}").write_text(f"{i}\n" * i)
    (tree / "a" / "one").write_text("one\n")
    (tree / "a" / "b" / "run").write_text("#!/bin/sh\nexit 3\n")
    (tree / "a" / "b" / "run").chmod(0o755)
    (tree / "a" / "b" / "c" / "secret").write_bytes(b"\0\1\2\377")
    (tree / "a" / "b" / "c" / "secret").chmod(0o600)
    (tree / "link").symlink_to("a/one")
    (tree / "dangling").symlink_to("nowhere")
    os.link(tree / "a" / "one", tree / "hard")
    for name, content in case.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    for path in [*folder.rglob("*"), folder]:
        os.utime(path, (MTIME, MTIME), follow_symlinks=False)


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Type, mode and content of everything in ``folder``."""
    found = {}
    for path in folder.rglob("*"):
        mode = path.lstat().st_mode
        if path.is_symlink():
            data = os.readlink(path).encode()
        else:
            data = path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(folder))] = (mode, data)
    return found


@dataclass(frozen=True)
class Guest:
    """A guest ISA, its two emulators and its Debian root."""

    arch: str
    qusr: Emulator
    qemu: Emulator
    root: Path

    def run(self, emulator: Emulator, case: Case, folder: Path) -> Result:
        """Run ``case`` in ``folder``, which it finds populated."""
        populate(folder, case)
        text = case.command.format(
            triplet=TRIPLET[self.arch], loader=LOADER[self.arch], cc1=self.cc1
        )
        program, *args = shlex.split(text)
        if not program.startswith(("/", "./")):
            program = f"/usr/bin/{program}"
        return emulator(
            program,
            *args,
            root=self.root,
            cwd=folder,
            stdin=case.stdin,
            timeout=case.timeout,
            env=self.reference_environment if emulator is self.qemu else {},
        )

    @property
    def is_big_endian(self) -> bool:
        """Whether its data are."""
        found = arch.guest(self.arch)
        assert found is not None
        return found.big_endian

    @property
    def gcc(self) -> str:
        """The major version of the root's gcc."""
        [folder] = (self.root / "usr/lib/gcc" / GCC_TRIPLET[self.arch]).iterdir()
        return folder.name

    @property
    def cc1(self) -> str:
        """The compiler proper; from gcc 13 on Debian has it in libexec."""
        places = (
            f"/usr/{lib}/gcc/{GCC_TRIPLET[self.arch]}/{self.gcc}/cc1" for lib in ("libexec", "lib")
        )
        return next(place for place in places if (self.root / place[1:]).exists())

    @property
    def reference_environment(self) -> dict[str, str]:
        """What interpreters need to find their libraries under qemu-user.

        Its ``-L`` does not reach statx, which 32-bit C libraries use for every stat.
        """
        usr = self.root / "usr"
        [share] = (path for path in (usr / "share/perl").iterdir() if not path.is_symlink())
        names = ("perl-base", f"perl/{share.name}")
        perl = [usr / "lib" / TRIPLET[self.arch] / name for name in names]
        perl.append(share)
        return {"PERL5LIB": ":".join(map(str, perl)), "PYTHONHOME": str(usr)}

    def check(self, case: Case, tmp_path: Path) -> Result:
        """Assert that qusr does with ``case`` what qemu-user and the case itself say."""
        work = tmp_path / "work"  # one path for both: a command may print it
        expected = self.run(self.qemu, case, work)
        expected_files = contents(work) if case.compare_files else {}
        allowed = (case.status,) if isinstance(case.status, int) else case.status
        assert expected.status in allowed, f"qemu-user: {expected.describe()}"
        if case.expect is not None:
            assert expected.out == case.expect, "qemu-user prints something else"
        shutil.rmtree(work)

        result = self.run(self.qusr, case, work)
        assert result.status == expected.status, result.describe()
        if case.compare_output:
            assert result.stdout == expected.stdout, result.describe()
        if case.expect is not None:
            assert result.out == case.expect
        if case.compare_files:
            assert contents(work) == expected_files
        return result


_PARAMS = [
    pytest.param(arch, marks=[pytest.mark.slow] if arch in SAMPLED else []) for arch in ROOTED
]


@pytest.fixture(scope="package", params=_PARAMS)
def guest(request: pytest.FixtureRequest, core: str | None) -> Guest:
    """Each guest in turn."""
    arch: str = request.param
    return Guest(
        arch, emulators.qusr(arch, core), emulators.qemu(arch), emulators.debian_root(arch)
    )


def each(cases: Iterable[Case]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Parametrise a test by ``case``."""
    table = list(cases)
    ids = [case.command if len(case.command) < 60 else case.command[:57] + "..." for case in table]
    decorator: Callable[[Callable[..., None]], Callable[..., None]] = pytest.mark.parametrize(
        "case", table, ids=ids
    )
    return decorator
