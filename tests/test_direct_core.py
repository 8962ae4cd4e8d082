"""``-core direct``: x86-64 code on the host's processor.

What is expected is what the same program does natively, or finds of itself; ``make test-cores`` has
all of testbins/ for it.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from testbins import build
from tests import emulators
from tests.emulators import Emulator, Result

SAMPLE = (
    "process/exec", "process/fork", "ptrace/events", "ptrace/steps", "signals/actions",
    "signals/faults", "signals/frames", "signals/storm", "threads/cancel", "threads/sync",
    "x86/user_level", "x86/vectors",
)  # fmt: skip
NOT_HERE = ("the core direct needs", "the emulator is where the guest's memory is to be")


@pytest.fixture(scope="module")
def direct() -> Emulator:
    """``qusr-x86_64 -core direct``, where the host has it."""
    emulator = emulators.qusr("x86_64", "direct")
    first = emulator("/bin/true")
    if first.status == 1 and any(why in first.err for why in NOT_HERE):
        pytest.skip(first.err)
    return emulator


def _facts(result: Result) -> dict[str, str]:
    """The auxiliary vector as glibc's LD_SHOW_AUXV prints it."""
    lines = (line.partition(":") for line in result.check().out.splitlines())
    return {name: value.strip() for name, _, value in lines}


@pytest.mark.parametrize("name", SAMPLE)
def test_sample_of_testbins(
    direct: Emulator, testbin: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    program = testbin(f"c/{name}", "x86_64")
    source = build.read_source(build.HERE / f"c/{name}.c")
    direct(program, *source.args, cwd=tmp_path, timeout=120).check(source.status)


def test_the_processor_is_the_hosts(direct: Emulator) -> None:
    env = {"LD_SHOW_AUXV": "1"}
    here, guest = (
        _facts(emulators.NATIVE("/bin/true", env=env)),
        _facts(direct("/bin/true", env=env)),
    )
    for name in ("AT_HWCAP", "AT_HWCAP2", "AT_MINSIGSTKSZ", "AT_PLATFORM", "AT_PAGESZ"):
        assert guest.get(name) == here.get(name), name
    # The host's would read the host's clock pages, and make calls that nobody sees.
    assert "AT_SYSINFO_EHDR" in here and "AT_SYSINFO_EHDR" not in guest


def test_programs_of_the_host(direct: Emulator) -> None:
    script = (
        'for n in 1 2 3; do (echo sub $n); done; ls / | wc -l; echo "$0 $((2**40))"; kill -TERM $$'
    )
    native = emulators.NATIVE("/bin/bash", "-c", script, "name").check(-signal.SIGTERM)
    assert direct("/bin/bash", "-c", script, "name").check(-signal.SIGTERM).out == native.out


def test_a_program_of_another_guest_and_back(direct: Emulator) -> None:
    hello = build.PREBUILT / "hello-aarch64"
    script = f"{hello} && echo between && exec {hello} one"
    result = direct("/bin/sh", "-c", script).check(1)
    assert result.out == "Hello from aarch64!\nbetween\nHello from aarch64!\n"


def test_strace(direct: Emulator) -> None:
    result = direct("/bin/echo", "traced", options=["-strace"]).check()
    assert result.out == "traced\n"
    assert 'write(1, "traced\\n", 7) = 7' in result.err and "exited with 0" in result.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("-cpu", "Nehalem"), "-cpu Nehalem: the core direct has the processor of this machine"),
        (("-B", "0x10000000"), "-core direct: guest addresses are host addresses"),
        (("-core", "direct,fast"), "the core direct has no option 'fast'"),
    ],
)
def test_what_it_cannot_do_is_told(direct: Emulator, options: tuple[str, ...], words: str) -> None:
    result = direct("/bin/true", options=options).check(1)
    assert words in result.err and result.err.count("\n") == 1


def test_an_execve_that_fails_changes_nothing(direct: Emulator) -> None:
    """The calls of the program that goes on are still seen."""
    script = "exec /etc/passwd 2>/dev/null; cat /proc/self/exe | cmp - /bin/cat; echo $?"
    result = direct("/bin/bash", "-O", "execfail", "-c", script)
    assert result.out == "0\n", result.describe()


def test_fork_on_another_thread_while_calls_are_made(direct: Emulator) -> None:
    """Python's own threads and subprocesses."""
    code = (
        "import subprocess, threading\n"
        "def work(n):\n"
        "    for _ in range(3):\n"
        "        got = subprocess.run(['/bin/echo', str(n)], capture_output=True).stdout\n"
        "        assert got == b'%d\\n' % n\n"
        "threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]; print('well')\n"
    )
    python = Path("/usr/bin/python3")
    if not python.exists():
        pytest.skip("no /usr/bin/python3")
    assert direct(python, "-c", code).check().out == "well\n"
