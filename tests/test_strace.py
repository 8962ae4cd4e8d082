"""-strace against strace(1) itself on the native build of the same program."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.emulators import ARCHES, Emulator, need

UNFINISHED = " <unfinished ...>"
RESUMED = re.compile(r"<\.\.\. \w+ resumed>")
LINE = re.compile(r"(\d+) +(.*)")


def calls(log: str) -> dict[str, list[str]]:
    """Whole lines by thread, those that were broken off put together."""
    lines: dict[str, list[str]] = {}
    for line in log.splitlines():
        match = LINE.fullmatch(line)
        assert match, f"not a line of strace: {line!r}"
        tid, text = match.groups()
        mine = lines.setdefault(tid, [])
        resumed = RESUMED.match(text)
        if resumed and mine and mine[-1].endswith(UNFINISHED):
            mine[-1] = mine[-1].removesuffix(UNFINISHED) + text[resumed.end() :]
        else:
            mine.append(text)
    return lines


def normal(text: str, tids: list[str]) -> str:
    """Without what differs from run to run, and between ISAs."""
    text = re.sub(r" +=", " =", text)
    text = re.sub(r"0x[0-9a-f]{5,}", "ADDRESS", text)
    text = re.sub(r", +", ", ", text)
    for tid in tids:
        text = re.sub(rf"\b{tid}\b", "TID", text)
    # strace has an order of its own for flags.
    flags = re.compile(r"\b[A-Z_]{2,}[A-Z0-9_]*(\|[A-Z_]{2,}[A-Z0-9_]*)+")
    return flags.sub(lambda found: "|".join(sorted(found[0].split("|"))), text)


def between(log: str, first: str, last: str) -> list[str]:
    """The main thread's lines between two marks; not those of clone, whose arguments differ."""
    by_tid = calls(log)
    main = next(iter(by_tid.values()))
    starts = [at for at, line in enumerate(main) if line.startswith(first)]
    ends = [at for at, line in enumerate(main) if line.startswith(last)]
    assert len(starts) == len(ends) == 1, log
    part = main[starts[0] : ends[0] + 1]
    skipped = ("clone(", "--- SIGCHLD")
    return [normal(line, list(by_tid)) for line in part if not line.startswith(skipped)]


@pytest.fixture(scope="session")
def native_log(testbin: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> str:
    """What strace(1) says of the native build."""
    program = testbin("c/misc/traced", "x86_64")
    log = tmp_path_factory.mktemp("strace") / "log"
    run = subprocess.run(
        [need("strace"), "-f", "-o", log, program], capture_output=True, timeout=60, check=False
    )
    if run.returncode:
        pytest.skip(f"strace cannot trace here: {run.stderr.decode()}")
    return log.read_text()


@pytest.mark.parametrize("arch", ARCHES)
def test_as_strace(
    arch: str,
    qusr: Callable[[str], Emulator],
    testbin: Callable[..., Path],
    native_log: str,
    tmp_path: Path,
) -> None:
    log = tmp_path / "log"
    program = testbin("c/misc/traced", arch)
    result = qusr(arch)(program, options=["-strace", "-D", str(log)]).check()
    assert result.err == ""
    expected = between(native_log, "close(-77)", "close(-78)")
    assert len(expected) > 50
    assert between(log.read_text(), "close(-77)", "close(-78)") == expected


@pytest.mark.parametrize("arch", ARCHES)
def test_clone(
    arch: str, qusr: Callable[[str], Emulator], testbin: Callable[..., Path], tmp_path: Path
) -> None:
    """The architectures' orders of clone's arguments are one to strace, which names them."""

    def cloning(log: str) -> list[str]:
        lines = next(iter(calls(log).values()))
        found = [normal(line, []) for line in lines if line.startswith("clone")]
        return [re.sub(r"(?<==) \d+$", " PID", re.sub(r"\[\d+\]", "[N]", line)) for line in found]

    log = tmp_path / "log"
    run = subprocess.run(
        [need("strace"), "-f", "-o", log, testbin("c/misc/cloning", "x86_64")],
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    if run.returncode:
        pytest.skip(f"strace cannot trace here: {run.stderr.decode()}")
    expected = cloning(log.read_text())
    assert len(expected) == 14
    result = qusr(arch)(testbin("c/misc/cloning", arch), options=["-strace"]).check()
    assert cloning(result.err) == expected


@pytest.mark.parametrize("arch", ARCHES)
def test_the_end_is_there(
    arch: str, qusr: Callable[[str], Emulator], testbin: Callable[..., Path]
) -> None:
    result = qusr(arch)(testbin("c/misc/traced", arch), options=["-strace"]).check()
    lines = list(calls(result.err).values())
    assert lines[0][-2:] == ["exit_group(0) = ?", "+++ exited with 0 +++"]
    # The child.
    assert lines[1][-2:] == ["exit_group(3) = ?", "+++ exited with 3 +++"]


@pytest.mark.parametrize("arch", ARCHES)
def test_lines_stay_whole(
    arch: str, qusr: Callable[[str], Emulator], testbin: Callable[..., Path]
) -> None:
    """Whatever threads and processes write at the same time."""
    result = qusr(arch)(testbin("c/misc/chatter", arch), options=["-strace"]).check()
    expected = [f"close(-{number}) = -1 EBADF (Bad file descriptor)" for number in range(100, 400)]
    talkers = [lines for lines in calls(result.err).values() if expected[0] in lines]
    assert len(talkers) == 5
    for lines in talkers:
        assert [line for line in lines if line.startswith("close(-")] == expected


@pytest.mark.parametrize("arch", ARCHES)
def test_fatal_signal(
    arch: str, qusr: Callable[[str], Emulator], testbin: Callable[..., Path]
) -> None:
    result = qusr(arch)(testbin("c/crash/null", arch), options=["-strace"]).check(-11)
    assert result.err.splitlines()[-2:] == [
        line
        for line in result.err.splitlines()
        if re.fullmatch(
            r"\d+ (--- SIGSEGV \{si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=(NULL|0x\w+)\} ---"
            r"|\+\+\+ killed by SIGSEGV \+\+\+)",
            line,
        )
    ]


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("name", ["terminate", "abort"])
def test_death_by_default(
    name: str,
    arch: str,
    qusr: Callable[[str], Emulator],
    testbin: Callable[..., Path],
    tmp_path: Path,
) -> None:
    """The last lines are those of strace(1), also for a signal that nobody catches."""

    def end(log: str) -> list[str]:
        (lines,) = calls(log).values()
        return [re.sub(r"si_pid=\d+", "si_pid=N", line) for line in lines[-2:]]

    log = tmp_path / "log"
    program = testbin(f"c/crash/{name}", "x86_64")
    subprocess.run([need("strace"), "-f", "-o", log, program], capture_output=True, check=False)
    if not log.exists() or "+++" not in log.read_text():
        pytest.skip("strace cannot trace here")
    result = qusr(arch)(testbin(f"c/crash/{name}", arch), options=["-strace"])
    assert result.status < 0
    assert end(result.err) == end(log.read_text())


def test_call_that_does_not_return(
    qusr: Callable[[str], Emulator], root: Callable[[str], Path], tmp_path: Path
) -> None:
    """The line of a call is there while it blocks."""
    log = tmp_path / "log"
    prefix = [*qusr("aarch64").prefix, "-strace", "-D", str(log), "-L", str(root("aarch64"))]
    program = f"{root('aarch64')}/usr/bin/sleep"
    run = subprocess.Popen([*prefix, program, "1000"])
    try:
        for _ in range(200):
            if log.exists() and "{tv_sec=1000, tv_nsec=0}" in log.read_text():
                break
            try:
                run.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
            break
    finally:
        run.kill()
        run.wait()
    assert (
        log.read_text()
        .splitlines()[-1]
        .endswith("clock_nanosleep(CLOCK_REALTIME, 0, {tv_sec=1000, tv_nsec=0}, ")
    )


def test_exec_is_followed(
    qusr: Callable[[str], Emulator], root: Callable[[str], Path], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    run = qusr("aarch64")(
        "/usr/bin/env", "-i", "A=1", "/usr/bin/echo", "hello",
        root=root("aarch64"), options=["-strace", "-D", str(log)],
    ).check()  # fmt: skip
    assert run.out == "hello\n"
    (lines,) = calls(log.read_text()).values()
    first, at = [
        at for at, line in enumerate(lines) if line.startswith("execve(") and "= 0" in line
    ]
    assert first == 0
    # Its paths are those that the command was given.
    assert re.fullmatch(
        r'execve\("\S*/usr/bin/env", \["\S+, "-i", "A=1", "/usr/bin/echo", "hello"\], '
        r"0x\w+ /\* \d+ vars? \*/\) = 0",
        lines[0],
    )
    assert re.fullmatch(
        r'execve\("/usr/bin/echo", \["/usr/bin/echo", "hello"\], 0x\w+ /\* 1 var \*/\) = 0',
        lines[at],
    )
    assert 'write(1, "hello\\n", 6) = 6' in lines[at:]
