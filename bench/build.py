"""Builds the programs of ``src/`` for the host and for a guest, where they are out of date.

A source's ``// flags:`` line is added to its compiler's command, and its ``// flags-GUEST:`` line
to that of the guest's compiler. As in testbins/, a program is current when it was made by the same
command from files that are no newer.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile

from bench import cold

HERE = Path(__file__).resolve().parent
SRC = HERE / "src"
BUILD = HERE / "build"

COMPILERS = {
    "aarch64": "aarch64-linux-gnu-gcc",
    "arm": "arm-linux-gnueabihf-gcc",
    "riscv64": "riscv64-linux-gnu-gcc",
    "mipsel": "mipsel-linux-gnu-gcc",
    "mips64el": "mips64el-linux-gnuabi64-gcc",
    "mips": "mips-linux-gnu-gcc",
    "mips64": "mips64-linux-gnuabi64-gcc",
}
HOST = "host"
WRITTEN = {"cold": cold.text}
"""Sources that are written by a program."""

BY_HAND = ("scalable",)
"""Not of the workloads: for one guest, and with a compiler's options of its own."""

_FLAGS = re.compile(r"^// flags(?:-(\w+))?: (.*)$", re.MULTILINE)


class BuildError(Exception):
    """A compiler's complaint."""


@dataclass(frozen=True)
class Program:
    """An executable to be made of one source."""

    source: str
    target: str
    dynamic: bool = False

    @property
    def path(self) -> Path:
        """Where it goes."""
        return BUILD / self.target / (self.source + ("-dynamic" if self.dynamic else ""))

    def file(self) -> Path:
        """The source; one that is written is."""
        if self.source not in WRITTEN:
            return SRC / f"{self.source}.c"
        path, text = BUILD / f"{self.source}.c", WRITTEN[self.source]()
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return path

    def command(self) -> list[str]:
        """The compiler's command line."""
        source = self.file()
        found = _FLAGS.findall(source.read_text())
        flags = [f for target, line in found if target in ("", self.target) for f in line.split()]
        if source.parent != SRC:
            flags.append(f"-I{SRC}")
        compiler = "gcc" if self.target == HOST else COMPILERS[self.target]
        link = [] if self.dynamic else ["-static"]
        deps = ["-MMD", "-MF", f"{self.path}.d"]
        return [
            compiler, "-O2", "-g0", "-Wall", "-Wextra", *flags, *link, *deps,
            "-o", str(self.path), str(source), "-lm",
        ]  # fmt: skip

    def build(self) -> None:
        """Compiles it unless it is current."""
        command = self.command()
        record = Path(f"{self.path}.cmd")
        if self._is_current(record, command):
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise BuildError(f"no {command[0]}: tools/install-packages installs it") from None
        if done.returncode:
            raise BuildError(f"{' '.join(command)}\n{done.stderr}")
        record.write_text("\n".join(command))

    def section(self, name: str) -> int:
        """The size of one of its sections."""
        with self.path.open("rb") as file:
            found = ELFFile(file).get_section_by_name(name)
            if found is None:
                raise BuildError(f"{self.path} has no section {name}")
            return int(found["sh_size"])

    def _is_current(self, record: Path, command: list[str]) -> bool:
        try:
            built = self.path.stat().st_mtime
            if record.read_text() != "\n".join(command):
                return False
            rule = Path(f"{self.path}.d").read_text().replace("\\\n", " ")
            return all(Path(name).stat().st_mtime <= built for name in rule.split()[1:])
        except OSError:
            return False


def sources() -> list[str]:
    """Those of the workloads."""
    found = {*WRITTEN, *(path.stem for path in SRC.glob("*.c"))}
    return sorted(found.difference(BY_HAND))


def build_all(guest: str) -> None:
    """Everything for the host and for `guest`."""
    for source in sources():
        targets = (HOST,) if source in ("meter", "pss") else (HOST, guest)
        for target in targets:
            Program(source, target).build()
            if source == "hello":
                Program(source, target, dynamic=True).build()
