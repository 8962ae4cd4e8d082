"""The guest's own strace and gdb on a guest program (testbins/c/ptrace/tracee.c).

What strace must print is what the host's prints of the program's native build; what gdb must say
follows from the program's source.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from qusr import arch
from tests.emulators import ENVIRONMENT, REPO, ROOTED, Emulator, need

pytestmark = pytest.mark.slow

PROGRAM = "c/ptrace/tracee"
SOURCE = (REPO / "testbins" / f"{PROGRAM}.c").read_text().splitlines()
CALLS = "trace=chdir,exit_group,rt_sigqueueinfo,write"


@dataclass(frozen=True)
class Guest:
    """Where a guest's tracers are, and what they trace."""

    emulator: Emulator
    program: Path
    root: Path
    has_value_on_top: bool
    """`si_int` is the upper half of `si_ptr`, with which it is in a union."""


@pytest.fixture(params=ROOTED)
def guest(
    request: pytest.FixtureRequest,
    qusr: Callable[[str], Emulator],
    root: Callable[..., Path],
    testbin: Callable[..., Path],
) -> Guest:
    """Each guest in turn."""
    name = request.param
    found = arch.guest(name)
    assert found is not None
    on_top = found.big_endian and found.bits == 64
    return Guest(qusr(name), testbin(PROGRAM, name), root(name, "programs"), on_top)


def _line(text: str) -> int:
    """The number of the first line of the program that contains `text`."""
    return next(n for n, line in enumerate(SOURCE, 1) if text in line)


def _normal(trace: str) -> list[str]:
    """strace's lines with processes numbered as they come, and without times."""
    names: dict[str, str] = {}
    for line in trace.splitlines():
        names.setdefault(line.split()[0], f"P{len(names)}")
    for pid, name in names.items():
        trace = re.sub(rf"\b{pid}\b", name, trace)
    trace = re.sub(r"si_([us])time=\d+", r"si_\1time=0", trace)
    return [re.sub(r" +", " ", line) for line in trace.splitlines()]


def test_strace(
    guest: Guest, native: Emulator, testbin: Callable[..., Path], tmp_path: Path
) -> None:
    """With children and threads: the same as natively."""
    need("strace")
    options = ("-f", "-e", CALLS, "-o")
    for name, program, emulator, place in (
        ("native", testbin(PROGRAM, "x86_64"), native, None),
        ("guest", guest.program, guest.emulator, guest.root),
    ):
        run = emulator("/usr/bin/strace", *options, tmp_path / name, program, root=place,
                       cwd=tmp_path).check()  # fmt: skip
        assert run.out == "ok tracee\n"
    found, wanted = (_normal((tmp_path / name).read_text()) for name in ("guest", "native"))
    if guest.has_value_on_top:
        wanted = [re.sub(r"si_ptr=0x(\w+)", r"si_ptr=0x\g<1>00000000", line) for line in wanted]
    assert found == wanted


def test_strace_of_a_shell(guest: Guest, tmp_path: Path) -> None:
    """Many short processes: every execve and every end is told of."""
    script = "for i in 1 2 3 4; do /bin/echo $i | /bin/cat; done; exit 3"
    run = guest.emulator(
        "/usr/bin/strace", "-f", "-e", "trace=execve", "-o", tmp_path / "trace", "/bin/bash", "-c",
        script, root=guest.root, cwd=tmp_path, timeout=120,
    ).check(3)  # fmt: skip
    assert run.out == "1\n2\n3\n4\n"
    trace = (tmp_path / "trace").read_text()
    assert trace.count('execve("/bin/echo"') == 4
    assert trace.count('execve("/bin/cat"') == 4
    assert trace.count("+++ exited with 0 +++") == 8
    assert trace.count("+++ exited with 3 +++") == 1


def _start_waiting(guest: Guest, tenths: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*guest.emulator.prefix, str(guest.program), "wait", str(tenths)],
        env={**ENVIRONMENT, **guest.emulator.environment},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )


def test_strace_attaches(guest: Guest, tmp_path: Path) -> None:
    """`-p` on a process that sleeps: its strings are read, its end is told of."""
    with _start_waiting(guest, 100) as waiting:
        guest.emulator(
            "/usr/bin/strace", "-o", tmp_path / "trace", "-p", str(waiting.pid),
            root=guest.root, cwd=tmp_path,
        ).check()  # fmt: skip
        assert waiting.wait(10) == 5
    lines = [re.sub(r" +", " ", line) for line in (tmp_path / "trace").read_text().splitlines()]
    assert lines[-3:] == ['chdir("/") = 0', "exit_group(5) = ?", "+++ exited with 5 +++"]


def _in_order(text: str, patterns: list[str]) -> None:
    """Each pattern is found behind the one before."""
    at = 0
    for pattern in patterns:
        found = re.compile(pattern).search(text, at)
        assert found, f"no {pattern!r} after\n{text[:at]}\n--- in\n{text[at:]}"
        at = found.end()


def test_gdb(guest: Guest, tmp_path: Path) -> None:
    """Breakpoints, steps, frames, calls, signals and events of a program that gdb starts."""
    commands = [
        "break main", "run", "info registers", "stepi", "next", "break add", "continue",
        "backtrace", "finish", "delete", "print add(20, 3)", "print point",
        "handle SIGUSR1 nostop print pass", "catch fork", "continue", "delete", "break thread",
        "continue", "next", "print *point", "info threads", "delete", "continue",
    ]  # fmt: skip
    options = [word for command in commands for word in ("-ex", command)]
    run = guest.emulator(
        "/usr/bin/gdb", "-nx", "-batch", *options, guest.program,
        root=guest.root, cwd=tmp_path, timeout=180, env={"SHELL": "/bin/sh"},
    ).check()  # fmt: skip
    loop = _line("total = add(total, i);")
    _in_order(
        run.out,
        [
            rf"Breakpoint 1, main \(argc=1, .*tracee.c:{_line('struct sigaction action')}",
            r"\nsp +0x[0-9a-f]+ .*\n(lr.*\n)?pc +0x[0-9a-f]+ .*<main\+\d+>",
            r"Breakpoint 2, (0x[0-9a-f]+ in )?add \(a=0, b=0\)",
            rf"#0 .*add \(a=0, b=0\).*\n#1 .*main \(argc=1, .*tracee.c:{loop}",
            r"Value returned is \$1 = 0",
            r"\$2 = 23",
            r'\$3 = \{x = 3, y = 2.5, name = 0x[0-9a-f]+ "name"\}',
            r"Program received signal SIGUSR1",
            r"Catchpoint 3 \(forked process \d+\)",
            r'Thread 2 ".*" hit Breakpoint 4, thread \(argument=',
            r'\$4 = \{x = 3, y = 2.5, name = 0x[0-9a-f]+ "name"\}',
            r"\n\* 2 +Thread ",
            r"\[Inferior 1 \(process \d+\) exited normally\]",
        ],
    )


def test_gdb_attaches(guest: Guest, tmp_path: Path) -> None:
    """gdb stops a running program, changes a variable and lets go of it."""
    with _start_waiting(guest, 900) as waiting:
        run = guest.emulator(
            "/usr/bin/gdb", "-nx", "-batch", "-p", str(waiting.pid),
            "-ex", "backtrace", "-ex", "set var watched = 1", "-ex", "detach",
            root=guest.root, cwd=tmp_path, timeout=120,
        ).check()  # fmt: skip
        assert waiting.wait(10) == 5
    _in_order(run.out, [r"in main \(argc=3", r"\[Inferior 1 \(process \d+\) detached\]"])
