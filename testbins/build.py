#!/usr/bin/env python3
"""Build the guest programs of this folder: ``make testbins``, or ``testbins/build.py [NAME...]``.

``c/**/*.c`` are libc programs, ``be/*.c`` freestanding ones (``be/nolibc.h``), which is how
big-endian programs are made where Debian has no C library for them. Each goes to
``build/<arch>/<path without .c>``. What a source asks for stands in its first lines; see
README.md in this folder. Only what is out of date is built, and what some clone has built from
the same text with the same compiler is taken from ``$QUSR_CACHE/testbins`` (by default
``~/.cache/qusr-tests``); the tests import this module to learn what there is.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = HERE / "build"
PREBUILT = HERE / "prebuilt"

WARNINGS = ("-Wall", "-Wextra", "-Werror=implicit-function-declaration")
FREESTANDING = (  # no -fstrict-aliasing: these programs look at memory in many ways
    "-fno-strict-aliasing",
    "-static", "-nostdlib", "-ffreestanding", "-fno-builtin", "-fno-stack-protector", "-fno-pic",
    "-no-pie", "-fno-asynchronous-unwind-tables", "-Wl,--build-id=none",
)  # fmt: skip

_HF = "arm-linux-gnueabihf-gcc"
_SF = "arm-linux-gnueabi-gcc"
_A64 = "aarch64-linux-gnu-gcc"
_O32 = "mipsel-linux-gnu-gcc"
_N64 = "mips64el-linux-gnuabi64-gcc"
_N64BE = "mips64-linux-gnuabi64-gcc"
_M68K = "m68k-linux-gnu-gcc"
_PPC = "powerpc-linux-gnu-gcc"
_RV = "riscv64-linux-gnu-gcc"
_S390 = "s390x-linux-gnu-gcc"
_I386 = "i686-linux-gnu-gcc"
_N32 = ("-mabi=n32",)


@dataclass(frozen=True)
class Target:
    """A compiler and what it needs to be told."""

    compiler: str
    flags: tuple[str, ...] = ()
    libs: tuple[str, ...] = ()
    """What programs are linked with behind the libraries that they ask for themselves."""


# Programs with a C library.
LIBC_TARGETS = {
    "aarch64": Target(_A64),
    "arm": Target(_HF),
    "x86_64": Target("gcc"),
    "armel": Target(_SF),
    # gcc 12 has no instructions for atomics of one and two bytes.
    "riscv64": Target(_RV, libs=("-latomic",)),
    "mipsel": Target(_O32, libs=("-latomic",)),
    "mips": Target("mips-linux-gnu-gcc", libs=("-latomic",)),
    "mips64el": Target(_N64, libs=("-latomic",)),
    "mips64": Target(_N64BE, libs=("-latomic",)),
    "mipsn32el": Target(_N64, _N32, libs=("-latomic",)),
    "mipsn32": Target(_N64BE, _N32, libs=("-latomic",)),
    "s390x": Target(_S390),
    "ppc": Target(_PPC, libs=("-latomic",)),
    "m68k": Target(_M68K, libs=("-latomic",)),
    # Programs know that no x86 processor executes them.
    "amd64": Target("gcc", ("-DON_UNICORN",)),
    "i386": Target(_I386),
}
LIBC_DEFAULT = (
    "aarch64", "arm", "x86_64", "riscv64", "mipsel", "mips", "mips64el", "mips64", "mipsn32el",
    "mipsn32", "s390x", "ppc", "m68k", "i386",
)  # fmt: skip
NATIVE = "x86_64"
# The programs of that ISA for the guest: the other ones are for this machine's own C library.
AS_GUEST = "amd64"

# Freestanding programs. armeb is BE8 (data big-endian, code little-endian: Armv6 and later),
# armeb32 is the older BE32 (all big-endian). Armv6 keeps to what an ARM1176 knows.
_MIPS_FREESTANDING = ("-mno-abicalls", "-G0")
FREESTANDING_TARGETS = {
    "aarch64": Target(_A64),
    "aarch64_be": Target(_A64, ("-mbig-endian",)),
    "arm": Target(_SF, ("-march=armv6", "-marm")),
    "thumb": Target(_HF, ("-mthumb",)),
    "armeb": Target(_SF, ("-march=armv6", "-marm", "-mbig-endian", "-Wl,--be8")),
    "armeb32": Target(_SF, ("-march=armv5te", "-marm", "-mbig-endian")),
    # Debian has no C library for it; the kernel's headers are the same.
    "riscv32": Target(_RV, ("-march=rv32gc", "-mabi=ilp32d", "-Wl,-melf32lriscv")),
    "riscv64": Target(_RV),
    "s390x": Target(_S390),
    "x86_64": Target("gcc"),
    "mipsel": Target(_O32, _MIPS_FREESTANDING),
    "mips": Target("mips-linux-gnu-gcc", _MIPS_FREESTANDING),
    "mips64el": Target(_N64, _MIPS_FREESTANDING),
    "mips64": Target(_N64BE, _MIPS_FREESTANDING),
    "mipsn32el": Target(_N64, (*_N32, *_MIPS_FREESTANDING)),
    "mipsn32": Target(_N64BE, (*_N32, *_MIPS_FREESTANDING)),
    "ppc": Target(_PPC, ("-mno-eabi",)),
    "m68k": Target(_M68K),
    "amd64": Target("gcc"),
    "i386": Target(_I386),
}

_DIRECTIVE = re.compile(
    r"^//\s*(build|libs|arches|args|dies|no-reference|cflags(?:-\w+)?):\s*(.*?)\s*$"
)
_KNOWN_BUILDS = {"dynamic", "native-core", "no-static", "slow", "varies"}


KEPT = Path(os.environ.get("QUSR_CACHE") or Path.home() / ".cache" / "qusr-tests") / "testbins"
"""Where programs outlive the clone that they were built in."""
KEPT_FOR = 14 * 24 * 3600
"""Seconds after which a kept program that no build wanted goes."""


class BuildError(Exception):
    """A compiler's complaint, or a directive that makes no sense."""


@dataclass(frozen=True)
class Source:
    """One C file and its directives."""

    path: Path
    directives: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The path below testbins/ without its suffix: ``c/files/open``."""
        return str(self.path.relative_to(HERE).with_suffix(""))

    @property
    def freestanding(self) -> bool:
        """Whether it has no C library under it."""
        return self.path.parent.name in ("be", "hello")

    @property
    def settings(self) -> set[str]:
        """What ``// build:`` lists."""
        return set(self.directives.get("build", "").split())

    @property
    def args(self) -> list[str]:
        """The arguments that a test runs the program with."""
        return self.directives.get("args", "").split()

    @property
    def status(self) -> int:
        """The status that it ends with: negative for a signal (``// dies:``)."""
        name = self.directives.get("dies")
        return -signal.Signals[name] if name else 0

    @property
    def has_reference(self) -> bool:
        """Whether a run under qemu-user is worth it (``// no-reference:`` says why not)."""
        return "no-reference" not in self.directives

    @property
    def arches(self) -> tuple[str, ...]:
        """The targets that it is built for."""
        if "arches" in self.directives:
            known = tuple(self.directives["arches"].split())
        else:
            known = tuple(FREESTANDING_TARGETS) if self.freestanding else LIBC_DEFAULT
        return (*known, AS_GUEST) if NATIVE in known and AS_GUEST not in known else known

    def programs(self) -> Iterator[Program]:
        """All programs made from this source."""
        for arch in self.arches:
            if self.freestanding:
                yield Program(self, arch, dynamic=False)
            elif arch == NATIVE:
                yield Program(self, arch, dynamic=True)
            else:
                if "no-static" not in self.settings:
                    yield Program(self, arch, dynamic=False)
                if "dynamic" in self.settings or "no-static" in self.settings:
                    yield Program(self, arch, dynamic=True)


@dataclass(frozen=True)
class Program:
    """One executable to be made."""

    source: Source
    arch: str
    dynamic: bool

    @cached_property
    def path(self) -> Path:
        """Where it goes. A guest's dynamic variant has the suffix ``.dyn``."""
        suffix = ".dyn" if self.dynamic and self.arch != NATIVE else ""
        return BUILD / self.arch / (self.source.name + suffix)

    @property
    def command(self) -> list[str]:
        """The compiler's command line."""
        source = self.source
        targets = FREESTANDING_TARGETS if source.freestanding else LIBC_TARGETS
        if self.arch not in targets:
            raise BuildError(f"{source.path}: no target {self.arch}; there are {' '.join(targets)}")
        target = targets[self.arch]
        command = [target.compiler, "-O2", "-g0", *WARNINGS, *target.flags]
        if source.freestanding:
            command += [*FREESTANDING, f"-I{HERE / 'be'}"]
        else:
            command += ["-D_GNU_SOURCE", f"-I{HERE / 'c'}"]
            if not self.dynamic:
                command.append("-static")
        isa = NATIVE if self.arch == AS_GUEST else self.arch
        for key in ("cflags", f"cflags-{isa}"):
            command += source.directives.get(key, "").split()
        command += ["-MMD", "-MF", f"{self.path}.d", "-o", f"{self.path}.new", str(source.path)]
        return [*command, *source.directives.get("libs", "").split(), *target.libs]

    @property
    def kept(self) -> Path:
        """Where a program is kept that this command makes of this text; what else it was made from
        stands in a file with ``.d`` behind its name."""
        words = [*self.command, _identity(self.command[0])]
        told = "\n".join(words).replace(str(HERE), ".") + self.source.path.read_text()
        key = hashlib.sha256(told.encode()).hexdigest()
        return KEPT / key[:2] / key

    def take(self) -> bool:
        """Take the kept program, if there is one and each file that it was made from is as then."""
        kept = self.kept
        try:
            lines = [line.split(" ", 1) for line in Path(f"{kept}.d").read_text().splitlines()]
            if any(_digest(HERE / name) != digest for digest, name in lines):
                return False
            shutil.copy(kept, f"{self.path}.new")
            os.utime(kept)
        except OSError:
            return False
        names = " ".join(str(HERE / name) for _, name in lines)
        Path(f"{self.path}.d").write_text(f"{self.path}.new: {names}\n")
        return True

    def keep(self) -> None:
        """Keep the program for other clones; without room or right for it, they build it."""
        kept = self.kept
        names = [name.replace(str(HERE), ".", 1) for name in self._made_from()]
        lines = [f"{_digest(HERE / name)} {name}\n" for name in names]
        try:
            kept.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=kept.parent) as new:
                shutil.copy(self.path, f"{new}/program")
                Path(f"{new}/d").write_text("".join(lines))
                # What it was made from comes last: a program without it is not taken.
                Path(f"{new}/program").rename(kept)
                Path(f"{new}/d").rename(f"{kept}.d")
        except OSError:
            return

    def _made_from(self) -> list[str]:
        rule = Path(f"{self.path}.d").read_text().replace("\\\n", " ")
        return rule.split()[1:]

    def is_current(self) -> bool:
        """Whether it was made by this command from files that are no newer."""
        try:
            built = self.path.stat().st_mtime
            if Path(f"{self.path}.cmd").read_text() != "\n".join(self.command):
                return False
            return all(Path(name).stat().st_mtime <= built for name in self._made_from())
        except OSError:
            return False

    def build(self) -> None:
        """Compile it, if it is not current. Several tests may want it at once."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with Path(f"{self.path}.cmd").open("a+") as told:
            fcntl.flock(told, fcntl.LOCK_EX)
            if self.is_current():
                return
            taken = self.take()
            if not taken:
                run = subprocess.run(self.command, capture_output=True, text=True, check=False)
                if run.returncode:
                    raise BuildError(f"{' '.join(self.command)}\n{run.stderr}")
            told.truncate(0)
            told.write("\n".join(self.command))
            told.flush()
            Path(f"{self.path}.new").rename(self.path)
            if not taken:
                self.keep()


@cache
def _identity(compiler: str) -> str:
    """What tells one build of a compiler, its C library and the kernel's headers from another."""

    def told(*query: str) -> list[str]:
        run = subprocess.run([compiler, *query], capture_output=True, text=True, check=False)
        return [word for word in run.stdout.split() if word.startswith("/")]

    files = [
        *told("-print-prog-name=cc1"),
        *told("-print-prog-name=ld"),
        *told("-print-file-name=libc.a"),
        *told("-xc", "-M", "/dev/null", "-include", "stdio.h", "-include", "linux/version.h"),
    ]
    infos = [(name, Path(name).stat()) for name in files if Path(name).is_file()]
    return " ".join(f"{name} {info.st_size} {info.st_mtime_ns}" for name, info in infos)


@cache
def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def forget() -> None:
    """Remove what was kept and that nobody has wanted for long."""
    limit = time.time() - KEPT_FOR
    for kept in KEPT.glob("??/" + "?" * 64):
        if kept.stat().st_mtime < limit:
            Path(f"{kept}.d").unlink(missing_ok=True)
            kept.unlink(missing_ok=True)


def read_source(path: Path) -> Source:
    """A source with the directives of its first lines."""
    directives: dict[str, str] = {}
    with path.open() as lines:
        for _, line in zip(range(12), lines, strict=False):
            if match := _DIRECTIVE.match(line):
                directives[match[1]] = match[2]
    source = Source(path, directives)
    if unknown := source.settings - _KNOWN_BUILDS:
        raise BuildError(f"{path}: unknown build setting: {' '.join(sorted(unknown))}")
    return source


def sources() -> list[Source]:
    """All sources, sorted by name."""
    paths = [*HERE.glob("c/**/*.c"), *HERE.glob("be/*.c"), *HERE.glob("hello/*.c")]
    return [read_source(path) for path in sorted(paths)]


def build(names: list[str] | None = None, arches: list[str] | None = None) -> int:
    """Build what is out of date, of all sources or those named; returns how many."""
    programs = [
        program
        for source in sources()
        if not names or source.name in names
        for program in source.programs()
        if not arches or program.arch in arches
    ]
    stale = [program for program in programs if not program.is_current()]
    errors: list[str] = []

    def one(program: Program) -> None:
        try:
            program.build()
        except (BuildError, OSError) as error:
            errors.append(str(error))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(one, stale))
    forget()
    if errors:
        raise BuildError("\n".join(errors))
    return len(stale)


def stripped(program: Path, arch: str) -> bytes:
    """The file without its symbols."""
    strip = "aarch64-linux-gnu-strip" if arch == "aarch64" else "arm-linux-gnueabi-strip"
    with tempfile.NamedTemporaryFile() as out:
        subprocess.run([strip, "-o", out.name, str(program)], check=True)
        return Path(out.name).read_bytes()


def update_prebuilt() -> None:
    """Put the ``hello`` programs where a first run finds them without any cross compiler."""
    build(["hello/hello"])
    PREBUILT.mkdir(exist_ok=True)
    for arch in ("arm", "aarch64"):
        program = PREBUILT / f"hello-{arch}"
        program.write_bytes(stripped(BUILD / arch / "hello" / "hello", arch))
        program.chmod(0o755)


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description="build the guest programs of testbins/")
    parser.add_argument("name", nargs="*", help="such as c/files/open; all when none is named")
    parser.add_argument("--arch", action="append", help="only for this target")
    parser.add_argument("--prebuilt", action="store_true", help="rebuild prebuilt/hello-*")
    options = parser.parse_args()
    try:
        if options.prebuilt:
            update_prebuilt()
        elif count := build(options.name, options.arch):
            print(f"testbins: built {count} programs")
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
