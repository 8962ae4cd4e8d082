"""What cannot be run: one line on stderr and the status that a shell would give."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.emulators import ARCHES, REPO, Emulator, Result

PREBUILT = REPO / "testbins" / "prebuilt"


@pytest.fixture
def run(qusr: Callable[[str], Emulator]) -> Emulator:
    return qusr("aarch64")


def executable(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    path.chmod(0o755)
    return path


def one_line(result: Result, status: int, *words: str) -> str:
    """The error is one line with the command's name, without a traceback."""
    result.check(status)
    assert result.out == ""
    (line,) = result.err.splitlines()
    assert line.startswith("qusr-"), line
    assert "internal error" not in line
    for word in words:
        assert word in line
    return line


def test_missing(run: Emulator, tmp_path: Path) -> None:
    one_line(run(tmp_path / "none"), 127, str(tmp_path / "none"), "No such file")
    one_line(run(""), 127)
    one_line(run(tmp_path / "none" / "none"), 127)


def test_below_a_file(run: Emulator) -> None:
    one_line(run(PREBUILT / "hello-arm" / "x"), 126, "Not a directory")


def test_directory(run: Emulator, tmp_path: Path) -> None:
    one_line(run(tmp_path), 126, "directory")


def test_special_file(run: Emulator, tmp_path: Path) -> None:
    one_line(run("/dev/null"), 126, "not a regular file")
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo, 0o755)
    one_line(run(fifo, timeout=10), 126, "not a regular file")


def test_empty(run: Emulator, tmp_path: Path) -> None:
    one_line(run(executable(tmp_path / "empty", b"")), 126, "empty")


def test_text(run: Emulator, tmp_path: Path) -> None:
    one_line(run(executable(tmp_path / "text", b"echo hello\n")), 126, "text", "#!")


def test_data(run: Emulator, tmp_path: Path) -> None:
    one_line(run(executable(tmp_path / "data", bytes(range(256)))), 126, "not an ELF file")


def test_not_executable(run: Emulator, tmp_path: Path) -> None:
    program = tmp_path / "hello"
    program.write_bytes((PREBUILT / "hello-aarch64").read_bytes())
    program.chmod(stat.S_IRUSR)
    one_line(run(program), 126, "chmod +x")


@pytest.mark.parametrize("arch", ARCHES)
def test_truncated(arch: str, qusr: Callable[[str], Emulator], tmp_path: Path) -> None:
    """A sample; tests/loader cuts at every byte."""
    whole = (PREBUILT / f"hello-{arch}").read_bytes()
    for size in (1, 3, 4, 15, 16, 17, 20, 51, 52, 63, 64, 65, 100, 119, 120, 176, 300):
        result = qusr(arch)(executable(tmp_path / f"cut{size}", whole[:size]))
        one_line(result, 126, f"cut{size}")


def test_no_program(run: Emulator) -> None:
    result = run("-strace")
    one_line(result, 1, "no program")


@pytest.mark.parametrize(
    ("arch", "other"), [("arm", "aarch64"), ("aarch64", "arm"), ("armeb", "arm")]
)
def test_other_machine(arch: str, other: str, qusr: Callable[[str], Emulator]) -> None:
    one_line(qusr(arch)(PREBUILT / f"hello-{other}"), 126, f"qusr-{other}")


def test_host_program(run: Emulator) -> None:
    one_line(run("/bin/true"), 126, "x86-64")


def test_machine_without_a_guest(run: Emulator, tmp_path: Path) -> None:
    data = bytearray((PREBUILT / "hello-aarch64").read_bytes())
    data[18:20] = (50).to_bytes(2, "little")  # EM_IA_64
    one_line(run(executable(tmp_path / "itanium", bytes(data))), 126, "Itanium")


def test_no_interpreter(run: Emulator, testbin: Callable[..., Path], tmp_path: Path) -> None:
    program = testbin("c/start/shared_objects", "aarch64", dynamic=True)
    result = run(program, options=["-L", str(tmp_path)])
    one_line(result, 127, "ld-linux-aarch64.so.1", "libc6:arm64", "-L")


def test_script_without_interpreter(run: Emulator, tmp_path: Path) -> None:
    one_line(run(executable(tmp_path / "script", b"#!/none/sh\n")), 127, "script", "/none/sh")


def test_script_in_a_circle(run: Emulator, tmp_path: Path) -> None:
    script = tmp_path / "script"
    executable(script, f"#!{script}\n".encode())
    one_line(run(script), 126, "too many levels")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-nonsense"], ["-nonsense", "-help"]),
        (["-cpu", "pentium"], ["pentium", "-cpu help"]),
        (["-core", "fast"], ["fast", "unicorn"]),
        (["-core", "native,fast"], ["fast", "regions"]),
        (["-core", "unicorn,fast"], ["fast"]),
        (["-opt", "no-nonsense"], ["nonsense", "regions"]),
        (["-d", "everything"], ["everything", "-d help"]),
        (["-d", "in_asm", "-dfilter", "here"], ["here"]),
        (["-d", "tid"], ["-D", "%d"]),
        (["-D", "/none/log", "-strace"], ["/none/log", "No such file"]),
        (["-s", "lots"], ["lots"]),
        (["-R", "900T"], ["no room"]),
        (["-g", "123456"], ["-g 123456", "PORT"]),
        (["-g", "1234,now"], ["now", "suspend=y"]),
        (["-g", "/none/socket"], ["/none/socket", "No such file"]),
        (["-E", "A"], ["NAME=VALUE"]),
    ],
)
def test_options(run: Emulator, options: list[str], words: list[str]) -> None:
    one_line(run(PREBUILT / "hello-aarch64", options=options), 1, *words)


def test_no_room_for_a_stack(run: Emulator) -> None:
    one_line(run(PREBUILT / "hello-aarch64", options=["-R", "64k"]), 126, "stack", "0x10000")


def test_cpu_without_big_endian_code(
    qusr: Callable[[str], Emulator], testbin: Callable[..., Path]
) -> None:
    """Armv7 CPUs have no big-endian code: their big-endian programs are BE8."""
    program = testbin("be/basics", "armeb32")
    result = qusr("armeb")(program, options=["-cpu", "cortex-a9"])
    one_line(result, 1, "cortex-a9", "BE32", "arm1176")


@pytest.mark.parametrize("variable", ["QEMU_CPU=pentium", "QUSR_CORE=fast", "QEMU_STACK_SIZE=x"])
def test_variables(run: Emulator, variable: str) -> None:
    name, _, value = variable.partition("=")
    one_line(run(PREBUILT / "hello-aarch64", env={name: value}), 1)


def test_mistake_of_our_own(run: Emulator, tmp_path: Path) -> None:
    """A mistake of qusr itself is one line too, and says how to get more."""
    broken = tmp_path / "qusr_broken.py"
    broken.write_text(
        "import sys; sys.argv = ['qusr-aarch64', 'x']\n"
        f"sys.path.insert(0, {str(REPO)!r})\n"
        "from qusr import cli, loader\n"
        "def fail(*a, **k): raise ZeroDivisionError('two\\nlines')\n"
        "loader.prepare = fail\n"
        "cli.main()\n"
    )
    python = Emulator((sys.executable,), {})
    line = one_line_of_bug(python(broken))
    assert "ZeroDivisionError: two lines (qusr_broken.py, line 4)" in line
    assert "QUSR_DEBUG=1" in line
    result = python(broken, env={"QUSR_DEBUG": "1"})
    assert "Traceback" in result.err


def one_line_of_bug(result: Result) -> str:
    result.check(70)
    (line,) = result.err.splitlines()
    return line


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize(
    ("program", "status"),
    [
        ("jump", -11), ("null", -11), ("read_only", -11), ("no_exec", -11), ("undefined", -4),
        ("stack_overflow", -11), ("abort", -6), ("beyond_file", -7), ("kill", -9),
    ],
)  # fmt: skip
def test_crashes(
    arch: str,
    program: str,
    status: int,
    qusr: Callable[[str], Emulator],
    testbin: Callable[..., Path],
) -> None:
    result = qusr(arch)(testbin(f"c/crash/{program}", arch)).check(status)
    assert result.out == "before\n"
    assert result.err == ""
