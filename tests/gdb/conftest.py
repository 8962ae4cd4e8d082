"""Programs for debuggers, and gdb in batch mode on them."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from testbins.build import FREESTANDING, FREESTANDING_TARGETS, HERE, LIBC_TARGETS
from tests.emulators import ENVIRONMENT, Emulator, need

FOLDER = Path(__file__).parent
LIBC = ("aarch64", "arm", "s390x")
"""Guests with a C library here: on the translator, and a big-endian one, on Unicorn."""
MIPS = tuple(pytest.param(arch, marks=pytest.mark.slow) for arch in ("mips", "mipsel"))
"""More of them, of both byte orders: here signals have other numbers and each branch has a slot."""
PLAIN = ("aarch64_be", "armeb")
"""Big-endian ones, without."""


def usr1(arch: str) -> int:
    """The number of SIGUSR1 (signal(7))."""
    return 16 if arch.startswith("mips") else 10


def in_order(text: str, *wanted: str) -> None:
    """Each regular expression is found behind the one before."""
    at = 0
    for pattern in wanted:
        found = re.compile(pattern).search(text, at)
        assert found, f"no {pattern!r} in\n{text[at:]}"
        at = found.end()


@dataclass
class Debugged:
    """A guest program that waits for a debugger at a socket."""

    process: subprocess.Popen[str]
    program: Path
    socket: Path
    folder: Path

    def gdb(
        self, script: str, timeout: float = 120, before: tuple[str, ...] = (), *,
        extended: bool = False,
    ) -> str:  # fmt: skip
        """What gdb prints for the commands of `script`; `before`: those before it connects."""
        target = "extended-remote" if extended else "remote"
        file = self.folder / "script"
        file.write_text(script)
        words = [
            need("gdb-multiarch"), "-nx", "-batch", "-ex", "set pagination off",
            "-ex", "set confirm off", "-ex", "set width 0", "-ex", "set tcp connect-timeout 30",
            *(word for command in before for word in ("-ex", command)),
            "-ex", f"target {target} {self.socket}", "-x", str(file),
        ]  # fmt: skip
        run = subprocess.run(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, check=False, timeout=timeout, env=ENVIRONMENT,
        )  # fmt: skip
        return run.stdout

    def address_of(self, symbol: str) -> int:
        """Where a function or variable is in a program that is loaded where it was linked."""
        with self.program.open("rb") as file:
            elf = ELFFile(file)
            table = elf.get_section_by_name(".symtab")
            assert isinstance(table, SymbolTableSection)
            (found,) = table.get_symbol_by_name(symbol) or []
            # A Thumb function's has the interworking bit.
            return int(found["st_value"]) & (~1 if elf["e_machine"] == "EM_ARM" else ~0)

    def wait_for(self, line: str) -> None:
        """Waits until the program has printed a line, which must be its next one."""
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == line

    def end(self) -> tuple[int, str]:
        """The program's status and its output."""
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out + err


Begin = Callable[..., Debugged]


def compiled(arch: str, name: str, folder: Path) -> Path:
    """A program of this folder for a guest."""
    program = folder / f"{name}-{arch}"
    if not program.exists():
        source = FOLDER / f"{name}.c"
        if name in ("plain", "counted"):
            target = FREESTANDING_TARGETS[arch]
            flags = [*target.flags, *FREESTANDING, f"-I{HERE / 'be'}"]
        else:
            target = LIBC_TARGETS[arch]
            flags = [
                *target.flags,
                "-pthread",
                *(["-no-pie"] if name in ("storm", "saved", "frenzy", "moves") else []),
                *(["-mbranch-protection=pac-ret"] if name == "returns" else []),
            ]
        subprocess.run(
            [need(target.compiler), "-g", "-O1", *flags, "-o", program, source], check=True
        )
    return program


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """``built("arm", "events")``"""
    folder = tmp_path_factory.mktemp("debugged")
    return lambda arch, name: compiled(arch, name, folder)


@pytest.fixture
def begin(
    qusr: Callable[[str], Emulator], built: Callable[[str, str], Path], tmp_path: Path
) -> Iterator[Begin]:
    """``begin("arm", "events", "argument")``: waits at its first instruction."""
    started: list[subprocess.Popen[str]] = []

    def start(
        arch: str, name: str, *words: str, place: str = "", core: str = "", cpu: str = ""
    ) -> Debugged:
        program = built(arch, name)
        socket = tmp_path / f"socket{len(started)}"
        emulator = qusr(arch)
        process = subprocess.Popen(
            [
                *emulator.prefix, *(["--core", core] if core else []),
                *(["-cpu", cpu] if cpu else []),
                "-g", f"{socket}{place}", program, *words,
            ],
            env={**ENVIRONMENT, **emulator.environment},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        end = time.monotonic() + 60
        while not socket.exists() and not place:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end
            time.sleep(0.01)
        return Debugged(process, program, socket, tmp_path)

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
